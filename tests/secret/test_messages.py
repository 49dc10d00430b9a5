"""Plain cells: what they print, show and raise has no secret in it, in the notebook and in what a replay prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.secret import Secret, known, take_environment, weak
from jupyter_runbook.secret.messages import Messages, already_redacted
from jupyter_runbook.secret.redact import Redactor
from tests.kernel import kernel
from tests.replay.runs import LOAD, Place, write

if TYPE_CHECKING:
    from pathlib import Path

CANARY = 'Gr\xfc\xdfe \'n "k4nary"\n$&<>;x9'
# Of the canary, as it is or by any tool of the cells below.
PIECES = ("k4nary", "Gr\xfc\xdfe", "Gr\\xfc", "\\u00fc\\u00dfe", "R3LDvMOfZ", "4772c3bcc39f65", "x9")


def messages() -> Messages:
    return Messages(Redactor({CANARY: "tok"}))


def said(made: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    return [(kind, str(content.get("text", ""))) for kind, content in made]


def stream(text: str, name: str = "stdout") -> tuple[str, dict[str, Any]]:
    return "stream", {"name": name, "text": text}


IDLE = "status", {"execution_state": "idle"}


def test_a_secret_in_pieces_is_held_back_and_what_is_none_comes_out_in_order() -> None:
    some = messages()
    assert said(some.take(*stream("a " + CANARY[:9]), "m1")) == [("stream", "a ")]
    assert said(some.take(*stream(CANARY[9:] + " b\n"), "m1")) == [("stream", "[secret tok] b\n")]
    assert said(some.take(*stream("c " + CANARY[:9]), "m1")) == [("stream", "c ")]
    shown = some.take("display_data", {"data": {"text/plain": "x"}, "metadata": {}}, "m1")
    assert said(shown) == [("stream", CANARY[:9]), ("display_data", "")]
    assert said(some.take(*stream(CANARY[:9], "stderr"), "m1")) == []
    assert said(some.take(*IDLE, "m2")) == [("status", "")]
    assert said(some.take(*IDLE, "m1")) == [("stream", CANARY[:9]), ("status", "")]
    # A thread that outlives its cell: what is held back comes with more of it, or with the kernel's end.
    assert said(some.take(*stream("late " + CANARY[:9]), "m1")) == [("stream", "late ")]
    assert said(some.take(*stream(CANARY[9:] + CANARY[:3]), "m1")) == [("stream", "[secret tok]")]
    assert some.last_words() == [("m1", {"name": "stdout", "text": CANARY[:3]})]
    assert some.last_words() == []


def test_what_is_shown_raised_and_answered_is_redacted() -> None:
    some = messages()
    bundle = {"text/html": f"<b>{CANARY}</b>", "application/json": {"a": [CANARY, 1]}, "image/png": "eDk="}
    for kind, content in (
        ("display_data", {"data": bundle, "metadata": {"k": CANARY}}),
        ("update_display_data", {"data": bundle, "metadata": {}, "transient": {"display_id": "d"}}),
        ("execute_result", {"data": bundle, "metadata": {}, "execution_count": 3}),
        ("error", {"ename": "E", "evalue": CANARY, "traceback": [f"\x1b[31mE\x1b[0m: {CANARY}"]}),
        ("execute_reply", {"status": "error", "evalue": CANARY, "traceback": [repr(CANARY)]}),
        ("comm_msg", {"comm_id": "1", "data": {"state": {"value": CANARY}}}),
        ("comm_open", {"comm_id": "1", "data": {"state": {"value": CANARY}}}),
        ("input_request", {"prompt": CANARY, "password": False}),
        ("inspect_reply", {"data": {"text/plain": repr(CANARY)}}),
    ):
        before = json.dumps(content)
        ((_, made),) = some.take(kind, content, "m")
        text = json.dumps(made, ensure_ascii=False)
        assert "[secret tok]" in text
        assert not [piece for piece in PIECES if piece in text], kind
        assert set(made) == set(content)
        assert json.dumps(content) == before
        assert "image/png" not in text or "eDk=" in text


def test_what_is_redacted_already_stays_as_it_is() -> None:
    with already_redacted():
        ((_, made),) = messages().take("display_data", {"data": {"a": CANARY}, "metadata": {}}, "m")
    assert made["data"] == {"a": CANARY}


def test_the_environment_s_secrets_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter-2-hunter")
    monkeypatch.setenv("SOME_TOKEN", "admin")
    monkeypatch.setenv("A_CREDENTIALS", "/etc/passwd")
    monkeypatch.setenv("EDITOR_NAME", "hunter-3-hunter")
    take_environment()
    assert known() == {"hunter-2-hunter": "DB_PASSWORD", "admin": "SOME_TOKEN"}
    weak.read("user = 'admin'")
    assert known() == {"hunter-2-hunter": "DB_PASSWORD"}
    # Who names the variable has what it holds.
    weak.begin("!echo $SOME_TOKEN")
    assert weak.revealed()
    weak.begin("!echo $SOME_TOKENS")
    assert weak.revealed() is None
    with weak.reveals("echo ${SOME_TOKEN}"):
        assert weak.revealed()


# Where this is set, an ipykernel leaves out what programs print.
QUIET = "PYTEST_CURRENT_TEST"
CELLS = {
    "print": "print(tok.reveal())",
    "result": "tok.reveal()",
    "list": "list(tok.reveal())",
    "environ": "import os; os.environ['V'] = tok.reveal(); print(dict(os.environ)['V'], repr(os.environb[b'V']))",
    "shell line": '!echo "$V"',
    "program": 'import subprocess as s; s.run(\'echo "$V"; echo "$V" | base64 >&2; printf %q "$V"\', shell=True)',
    "caught": 's.check_output(\'echo "$V" | od -c; echo "$V" | xxd\', shell=True).decode()',
    "%env": "%env V",
    "display": "from IPython.display import *; display(HTML(tok.reveal())); display({'a/b': tok.reveal()}, raw=True)",
    "bit by bit": "import sys\nfor one in tok.reveal():\n    sys.stdout.write(one); sys.stdout.flush()",
    "json": "import json; print(json.dumps(json.dumps(tok.reveal())), json.dumps(tok.reveal()).encode().hex(' '))",
    "log": "import logging; logging.error(tok.reveal())",
    "thread": "import threading as t; one = t.Thread(target=print, args=(tok.reveal(),)); one.start(); one.join()",
    "fork": "s.run([sys.executable, '-c', 'import os; print(os.environ[\"V\"])'], check=True)",
    "warning": "import warnings; warnings.warn(tok.reveal())",
}


@pytest.mark.slow
def test_a_replay_of_plain_cells_leaves_and_prints_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(QUIET)
    last = "raise ValueError('no ' + tok.reveal())"
    # The first cells come before the extension: only the replay itself can redact those.
    cells = ["tok = 'none'", *list(CELLS.values())[:6], LOAD, *CELLS.values(), last]
    write(tmp_path / "plain.ipynb", cells, {0: ["parameters"]})
    place = Place(tmp_path, {"CANARY": CANARY})
    done = place.command("jupyter", "runbook", "replay", "plain.ipynb", "-s", "tok=env:CANARY")
    assert done.code == 1, done.err
    assert "ValueError: no [secret tok]" in done.out + done.err
    (worklog,) = (tmp_path / "worklogs").glob("*.ipynb")
    ran = json.loads(worklog.read_text("utf-8"))["cells"][2:]
    silent = ["".join(cell["source"]) for cell in ran if "[secret tok]" not in json.dumps(cell["outputs"])]
    assert silent == [LOAD]
    left: dict[Any, bytes] = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    left["what it prints"] = (done.out + done.err).encode()
    for name, raw in left.items():
        assert not [piece for piece in PIECES if piece.encode() in raw], name


@pytest.mark.slow
def test_a_notebook_by_hand_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(QUIET)
    with kernel(tmp_path, tmp_path / "ipython") as running:
        running.run(LOAD)
        running.run(f"from jupyter_runbook.secret import Secret\ntok = Secret({CANARY!r}, name='tok')")
        for name, cell in {**CELLS, "raised": "raise ValueError(tok.reveal())"}.items():
            reply = running.run(cell)
            texts = [one["content"] for one in reply.messages if one["msg_type"] not in ("execute_input", "status")]
            text = json.dumps(texts, ensure_ascii=False)
            assert "[secret tok]" in text, name
            assert not [piece for piece in PIECES if piece in text], name
        assert running.run("print('all', end='')").text == "all"


def test_a_word_that_a_secret_begins_with_is_shown_when_the_cell_ends() -> None:
    Secret("hunter2-and-more", name="s")
    some = Messages()
    assert said(some.take(*stream("wait for h"), "m")) == [("stream", "wait for ")]
    assert said(some.take(*IDLE, "m")) == [("stream", "h"), ("status", "")]
