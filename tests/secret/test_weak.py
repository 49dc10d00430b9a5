"""Secrets that can't be masked safely: what had one is not kept, and no ordinary word is masked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.errors import InvalidSpec, ToolFailed, Where
from jupyter_runbook.record import ErrorRecord
from jupyter_runbook.seal import seal
from jupyter_runbook.secret import Secret, known, weak
from jupyter_runbook.secret.excerpt import excerpt, last_line, redacted, redacted_hint, told
from jupyter_runbook.secret.messages import Messages, already_redacted
from jupyter_runbook.secret.redact import Redactor
from tests.kernel import kernel
from tests.replay.runs import LOAD, Place, write
from tests.test_record import DRAFT

if TYPE_CHECKING:
    from pathlib import Path

# Whether a source has the word "minerva" other than as the value of a secret.
SOURCES = {
    "volumes: {minerva-data: {}}": True,
    "print('minerva')": True,
    "site = 'minerva'": True,
    "# Take minerva down first; the password is minerva, as ever": True,
    "image: minerva:16": True,
    "db_password = 'minerva'": False,
    'db_password: str = "minerva"': False,
    'tok = Secret("minerva", name="tok")': False,
    "connect(password='minerva')": False,
    '{"password": "minerva"}': False,
    "environment:\n  - POSTGRES_PASSWORD=minerva": False,
    "environment:\n  POSTGRES_PASSWORD: minerva": False,
    "mysql --password minerva": False,
    "os.environ['DB_PASSWORD'] = 'minerva'": False,
    "db_password = 'minerva'\nsite = 'minerva'": True,
    "minervas, Minerva, xminerva": False,
    "docker secret inspect token minerva": True,
    "kubectl get secret minerva": True,
    "mysql -p minerva": True,
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_word_that_the_runbook_has_is_not_masked(source: str) -> None:
    Secret("minerva", name="db")
    assert "minerva" in known()
    weak.read(source)
    assert weak.is_weak("minerva") is SOURCES[source]
    assert ("minerva" in known()) is not SOURCES[source]
    assert Redactor().text("volume minerva-data of minerva") == (
        "volume minerva-data of minerva" if SOURCES[source] else "volume minerva-data of [secret db]"
    )


@pytest.mark.parametrize(
    ("text", "source", "is_weak"),
    [
        ("abc", "", True),
        ("7", "", True),
        ("q7x", "", True),
        ("localhost", "", True),
        ("üß", "", True),
        ("8443", "ports: [8443:443]", True),
        ("4711", "ports: [8443:443]", False),
        ("123456", "echo 123456", False),
        ("minErva", "echo minErva", False),
        ("s3cret-word", "echo s3cret-word", False),
        ("counterrevolution", "echo counterrevolution", False),
    ],
)
def test_what_is_no_word_is_masked_wherever_it_stands(text: str, source: str, is_weak: object) -> None:
    weak.read(source)
    assert (Secret(text, name="s").why_not_masked is not None) is is_weak


def test_the_runbooks_file_is_read_once_a_secret_may_be_a_word() -> None:
    asked = []

    def sources() -> list[str]:
        asked.append(1)
        return ["site = 'minerva'"]

    weak.read_later(sources)
    Secret("s3cret-and-long", name="a")
    known()
    assert not asked
    Secret("minerva", name="b")
    assert known() == {"s3cret-and-long": "a"}
    assert asked == [1]


def test_a_step_that_had_one_keeps_nothing_of_what_it_printed() -> None:
    weak.read("site = 'minerva'")
    secret = Secret("minerva", name="db")
    with weak.reveals():
        assert last_line("no minerva") == "no minerva", "the step has not asked for it"
        secret.reveal()
        for said in (last_line("x\na v r e n i m"), excerpt("a v r e n i m", end=True)):
            assert (
                said == "not kept, because the secret db is a word that this runbook has elsewhere, and can't be masked"
            )
        assert redacted("no minerva here") == "no [secret db] here"
        assert told(KeyError("avrenim")).startswith("KeyError (what it says is not kept, because the secret db")
        error = ToolFailed("volume minerva is in use", hint="docker volume rm minerva", resource="volume minerva")
        assert error.lines() == ["volume minerva is in use", "→ docker volume rm minerva"]
    assert told(KeyError("avrenim")) == "KeyError: 'avrenim'"
    assert last_line("no minerva") == "no minerva"


def test_a_mask_in_a_record_does_not_tell_which_word_of_the_cell_is_the_secret() -> None:
    source = "services:\n  db:\n    image: minerva:16\n    environment:\n      POSTGRES_DB: minerva\n"
    weak.read(source)
    secret = Secret("minerva", name="db")
    (row, *_) = DRAFT.changes
    row = replace(
        row,
        resource="volume minerva",
        reason="it says minerva",
        before=None,
        after={"POSTGRES_DB": "minerva", "said": "minerva", "lines": ["minerva"]},
        diff="+image: 'minerva:16'\n+  POSTGRES_DB: minerva\n+said: minerva\n+path: ./minerva\n",
    )
    error = ErrorRecord("tool", "no minerva", "volume minerva", "docker volume rm minerva")
    with weak.reveals():
        secret.reveal()
        record = seal(
            replace(DRAFT, changes=(row,), error=error, name="minerva"), Redactor(), Redactor(names=True), source
        )
    (made,) = record.changes
    assert (record.name, made.resource, made.reason) == ("minerva", "volume minerva", "it says [secret db]")
    assert made.after == {"POSTGRES_DB": "minerva", "said": "[secret db]", "lines": ["[secret db]"]}
    assert made.diff == ("+image: 'minerva:16'\n+  POSTGRES_DB: minerva\n+said: [secret db]\n+path: ./[secret db]\n")
    assert record.error == ErrorRecord("tool", "no [secret db]", "volume minerva", "docker volume rm minerva")


@pytest.mark.parametrize(
    ("secret", "source", "text", "shown"),
    [
        ("minerva", "%%shell\n: {{ V }}\nfalse minerva", "+script: ': {{ V }}\n+\n+  false minerva'", None),
        ("minerva", "- name: start minerva\n  ping:", "localhost: start minerva: failed: no", None),
        ("minerva", "ls ./minerva/x", "no such file './minerva/x'", None),
        ("minerva", "volumes: {minerva: {}}", "no volume minerva", "no volume [secret s]"),
        ("3", "exit 3", "exit status 3", None),
        ("3", "exit 3", "3", "[secret s]"),
        ("ab", "echo {{ V }}", "is not ab", "is not [secret s]"),
    ],
)
def test_what_the_cell_has_with_what_stands_around_it_is_no_secret(
    secret: str, source: str, text: str, shown: str | None
) -> None:
    weak.read(source)
    one = Secret(secret, name="s")
    with weak.reveals():
        one.reveal()
        record = seal(
            replace(DRAFT, changes=(replace(DRAFT.changes[0], diff=text),)), Redactor(), Redactor(names=True), source
        )
    assert record.changes[0].diff == (shown or text)


def test_a_hint_whose_name_is_a_secret_says_where_the_name_stands() -> None:
    Secret("s3cret-and-long", name="db")
    error = InvalidSpec("no", hint="docker volume rm s3cret-and-long", where=Where(line=7))
    assert error.hint == "docker volume rm [secret db] (the name behind [secret db] stands in line 7)"
    assert redacted_hint(error.hint) == error.hint, "once"
    assert redacted_hint("mysql://me:word@db") == "mysql://me:[secret password]@db"


def take(some: Messages, kind: str, content: dict[str, Any], parent: str = "m") -> list[dict[str, Any]]:
    return [made for _, made in some.take(kind, content, parent)]


def test_a_cell_that_had_one_shows_nothing() -> None:
    some = Messages(reason=weak.revealed)
    secret = Secret("ab", name="pin")
    why = "[what this cell printed is not kept: the secret pin has fewer than 4 characters, and can't be masked]"
    weak.begin()
    assert take(some, "stream", {"name": "stdout", "text": "b a\n"}) == [{"name": "stdout", "text": "b a\n"}]
    secret.reveal()
    assert take(some, "stream", {"name": "stdout", "text": "b a\n"}) == [{"name": "stdout", "text": why + "\n"}]
    assert take(some, "stream", {"name": "stderr", "text": "b a\n"}) == []
    assert take(some, "display_data", {"data": {"image/png": "eHh4"}, "metadata": {"b": "a"}}) == [
        {"data": {"text/plain": why}, "metadata": {}}
    ]
    for ename, shown in (("ValueError", "ValueError"), ("b a", "Exception"), ("print", "Exception")):
        (error,) = take(some, "error", {"ename": ename, "evalue": "b a", "traceback": ["b a"]})
        assert error == {"ename": shown, "evalue": why, "traceback": [f"{shown}: {why}"]}
    assert take(some, "comm_msg", {"comm_id": "1", "data": {"state": {"value": "b a"}}}) == []
    (reply,) = take(some, "execute_reply", {"status": "ok", "payload": [{"text": "b a"}], "user_expressions": {}})
    assert reply == {"status": "ok", "payload": [], "user_expressions": {}}
    with already_redacted():
        assert take(some, "display_data", {"data": {"a": "record"}}) == [{"data": {"a": "record"}}]
    weak.begin()
    assert take(some, "stream", {"name": "stdout", "text": "b a\n"}) == [], "a thread of the cell before"
    assert take(some, "stream", {"name": "stdout", "text": "b a\n"}, "n") == [{"name": "stdout", "text": "b a\n"}]
    for number in range(600):
        secret.reveal()
        take(some, "stream", {"name": "stdout", "text": "b a\n"}, f"p{number}")
    assert max(len(some._withheld), len(some._told)) <= 256


def test_a_step_in_a_cell_takes_nothing_from_what_the_cell_says_afterwards() -> None:
    some = Messages(reason=weak.revealed)
    secret = Secret("ab", name="pin")
    weak.begin()
    with weak.reveals():
        secret.reveal()
        (during,) = take(some, "stream", {"name": "stderr", "text": "b a\n"})
        assert during["text"].startswith("[what this cell printed is not kept")
    (error,) = take(some, "error", {"ename": "StepFailed", "evalue": "x: exit status 3", "traceback": ["x"]})
    assert error["evalue"] == "x: exit status 3"


CELLS = {
    "echo": "%%shell\necho {{ V }} | rev; echo {{ V }}; echo other",
    "fails": "%%shell --expect failed\necho {{ V }}; exit 3",
    "loud": "%%shell\nfor i in 1 2 3; do echo {{ V }} | base64 | rev; done >&2",
    "play": "%%ansible\n- command: rev\n  args: {stdin: '{{ V }}'}\n  register: said\n- debug: {var: said.stdout}",
    "task that fails": "%%ansible --expect failed --retries 1 --delay 0.1\n- fail: {msg: '{{ V | reverse }}'}",
    "diff": "%%ansible --check\n- copy: {content: '{{ V | list | join(\"\\n\") }}{{ V | reverse }}', dest: ./out}",
    "items": (
        "%%ansible\n- name: 'doing {{ V | reverse }}'\n  debug: {msg: x}\n  loop: '{{ [V | reverse, \"zz\"] }}'\n"
        "  changed_when: true"
    ),
    "tries": "%%ansible --expect failed\n- command: echo {{ V | reverse }}\n  until: false\n  retries: 1\n  delay: 0",
    "ignored": (
        "%%ansible\n- command: 'false'\n  loop: ['{{ V | reverse }}']\n  ignore_errors: true\n"
        "- assert: {that: false, fail_msg: '{{ V | reverse }}'}\n  ignore_errors: true"
    ),
    "no such file": "%%ansible --expect failed\n- include_tasks: '{{ V | reverse }}.yml'",
    "when": "%%shell --when {}[V.reveal()[::-1]]\ntrue",
    "name of an error": (
        "class E(Exception): pass\nE.__name__ = V.reveal()[::-1]\ntry:\n    raise E\nexcept E as e:\n    print(repr(e))"
    ),
    "widget": "import ipywidgets\nw = ipywidgets.HTML(V.reveal()[::-1]); w",
    "environment": "import os\nos.environ['CANARY'][::-1]",
    "shell line": "!echo $CANARY | rev",
    "probe": "%%probe --expect failed\n- command: echo {{ V }} | rev\n  contains: nothing\n",
    "print": "print(V.reveal()[::-1])",
    "result": "V.reveal()[::-1]",
    "display": "from IPython.display import HTML, display\ndisplay(HTML(V.reveal()[::-1]))",
    "caught": "try:\n    raise ValueError(V.reveal()[::-1])\nexcept ValueError as error:\n    print(error)",
}


@pytest.mark.slow
@pytest.mark.parametrize(("value", "why"), [("q7x", "has fewer than 4"), ("minerva", "is a word that this runbook")])
def test_a_replay_keeps_nothing_of_what_had_one(tmp_path: Path, value: str, why: str) -> None:
    before = "print('volume minerva-data of minerva')"
    cells = ["V = None", LOAD, before, *CELLS.values(), before]
    raises = cells.index(CELLS["when"])
    write(tmp_path / "weak.ipynb", cells, {0: ["parameters"], raises: ["raises-exception"]})
    place = Place(tmp_path, {"CANARY": value})
    done = place.command("jupyter", "runbook", "replay", "weak.ipynb", "-s", "V=env:CANARY")
    assert done.code == 1, done.err
    assert f"cells: {len(cells)} done, 1 failed" in done.out, done.out + done.err
    assert done.err.count("what a cell that uses it prints is not kept") == 1, "told once"
    assert f"the secret V {why}" in done.err
    (worklog,) = (tmp_path / "worklogs").glob("*.ipynb")
    ran = json.loads(worklog.read_text("utf-8"))["cells"][3:]
    told = {"".join(cell["source"]): json.dumps(cell["outputs"]) for cell in ran}
    assert "volume minerva-data of minerva" in told.pop(before), "what had it not is shown as it is"
    assert len(told) == len(CELLS)
    for source, outputs in told.items():
        assert "is not kept" in outputs or "--expect" in source, source
        assert value[::-1] not in outputs, source
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) + done.out.encode()
    assert value[::-1].encode() not in left
    assert value == "minerva" or value.encode() not in left


@pytest.mark.slow
def test_by_hand_a_person_is_told_and_a_word_of_a_later_cell_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"A": "minerva", "B": "pallas", "C": "q7"}.items():
        monkeypatch.setenv(name, value)
    path = write(tmp_path / "by-hand.ipynb", [LOAD, "site = 'minerva'"])
    with kernel(tmp_path, tmp_path / "ipython") as lab:
        lab.run(f"__session__ = {str(path)!r}")
        lab.run(LOAD)
        assert "is a word that this runbook has elsewhere" in lab.run("%runbook secret a env:A").text
        assert lab.run("%runbook secret b env:B").text == ""
        assert "fewer than 4 characters" in lab.run("%runbook secret c env:C").text
        assert lab.run("print('minerva', 'pal' + 'las')").text == "minerva [secret b]\n"
        assert "pallas" not in lab.run("# pallas is a ship\nprint(b.reveal())").text
        assert lab.run("print('minerva', 'pal' + 'las')").text == "minerva pallas\n", "it is a word by now"
