"""Whatever a name holds, what is printed moves no cursor and forges no line."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_runbook.cli import main
from jupyter_runbook.display.live import TerminalLive
from jupyter_runbook.display.text import record_text
from jupyter_runbook.errors import BadInput, StepFailed, ToolFailed, Where
from jupyter_runbook.linemagic import status_text
from jupyter_runbook.printable import json_text, one_line, readable
from jupyter_runbook.session import Session
from tests.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Callable

#: A name that clears the screen, sets the window's title, turns the direction of reading, and has a line of ours in it.
NAME = "evil\x1b[2J\x1b]0;pwned\x07\x9b31m\u202e\n✓ ok: forged\r✓ done"


def harmless(text: str) -> None:
    assert not [one for one in text if unicodedata.category(one) in ("Cc", "Cf") and one not in "\n\t"], ascii(text)
    lines = [line.strip() for line in text.split("\n")]
    assert not [line for line in lines if line.startswith(("✓ ok: forged", "✓ done"))], text


@given(st.text(), st.text())
@settings(max_examples=500)
@example("\x1b", "")
@example("\x1b]0;", "\x07")
@example("\r", "\x9b31m")
def test_a_name_is_one_line_and_nothing_is_lost_of_plain_text(first: str, second: str) -> None:
    shown = one_line(first + "\n" + second)
    assert len(shown.splitlines()) <= 1
    # A control sequence goes as a whole, whatever is in it.
    assert "\\n" in shown or "\x1b" in first
    assert not [one for one in shown if unicodedata.category(one) == "Cc"]
    plain = "".join(one for one in first if one.isprintable())
    assert one_line(plain) == readable(plain) == plain


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_for_a_terminal_is_the_same_json(value: Any) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, Session(tmp_path))


def notebook(folder: Path, record: dict[str, Any], name: str = "log.ipynb") -> Path:
    """Write a work log whose one step has a record."""
    output = {
        "output_type": "display_data",
        "data": {"application/vnd.jupyter-runbook.step.v1+json": record, "text/plain": NAME},
        "metadata": {},
    }
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": f"%%shell --name x\n{NAME}",
        "outputs": [output],
        "execution_count": 1,
    }
    bad = {
        **cell,
        "id": "b",
        "source": f"{NAME} = 1",
        "outputs": [{"output_type": "error", "ename": NAME, "evalue": NAME, "traceback": []}],
    }
    path = folder / name
    path.write_text(json.dumps({"cells": [cell, bad], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def hostile(bench: Bench) -> dict[str, Any]:
    """Return the record of a step that failed, with the name wherever a record has text of its own."""
    record = bench.run("a: {fail: Conflict}").record.wire()

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(one) if key not in KEPT else one for key, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        return NAME if isinstance(value, str) else value

    return dict(filled(record))


# What a record may hold of a few words alone, or in a form of its own.
KEPT = {
    *("schema", "status", "action", "mode", "kind", "started", "ended", "digest", "plan_digest", "source_digest"),
    *("prev", "path", "sha256", "answer", "at"),
}


@pytest.mark.parametrize("words", [["status"], ["history"], ["report"]])
def test_commands_that_read(bench: Bench, words: list[str]) -> None:
    path = notebook(bench.root, hostile(bench))
    journal = bench.root / ".runbook" / "journal.jsonl"
    told = dict.fromkeys(("notebook", "user", "host", "runbook"), NAME)
    entry = {"event": "run", "id": "x", "at": "2026-11-30T00:00:00Z", **told}
    with journal.open("a") as file:
        file.write(json.dumps(entry, separators=(",", ":")) + "\n")
    where = str(bench.root if words == ["history"] else path)
    done = CliRunner().invoke(main, [*words, where])
    assert done.exit_code == 0, done.output
    harmless(done.output)
    if words != ["report"]:
        done = CliRunner().invoke(main, [*words, where, "--json"])
        assert "evil" in done.output
        harmless(done.output)


def test_a_file_of_that_name(bench: Bench) -> None:
    path = notebook(bench.root, hostile(bench), NAME.replace("/", "_") + ".ipynb")
    for words in (
        ["status", str(path)],
        ["params", str(path)],
        ["replay", str(path), "out.ipynb", "--check"],
        ["status", f"{path}x"],
    ):
        done = CliRunner().invoke(main, [*words, str(path)])
        harmless(done.output)


ERRORS: dict[str, Callable[[], Exception]] = {
    "a message": lambda: ToolFailed(f"{NAME}: failed", resource=NAME),
    "a hint": lambda: BadInput("no", hint=f"did you mean {NAME}?"),
    "a place": lambda: BadInput("no", where=Where(NAME, NAME, 1)),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    error = ERRORS[case]()
    harmless(str(error))
    harmless("\n".join(error._render_traceback_()))  # type: ignore[attr-defined]


def test_a_step_that_fails(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    from jupyter_runbook.record import StepRecord

    record = StepRecord.from_wire(hostile(bench))
    harmless(record_text(record))
    harmless(status_text([record]))
    error = StepFailed(record)
    harmless("\n".join(error._render_traceback_()))
    TerminalLive().notice(NAME)
    harmless(capsys.readouterr().out)


def test_completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = "port: int = 80  # " + NAME.replace("\n", " ").replace("\r", " ")
    cell: dict[str, Any] = {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": source}
    cell |= {"outputs": [], "execution_count": None}
    Path("site.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    monkeypatch.setenv("_JUPYTER_RUNBOOK_COMPLETE", "zsh_complete")
    monkeypatch.setenv("COMP_WORDS", "jupyter-runbook replay site.ipynb -p ")
    monkeypatch.setenv("COMP_CWORD", "4")
    done = CliRunner().invoke(main, [], prog_name="jupyter-runbook", complete_var="_JUPYTER_RUNBOOK_COMPLETE")
    assert "port" in done.output
    harmless(done.output)
