"""Work logs read: what a cell's metadata and outputs say, whoever ran it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.audit.status import status_json, status_text
from jupyter_runbook.errors import NotANotebook
from jupyter_runbook.notebook import RunInfo, Verdict
from jupyter_runbook.record import MIME_TYPE, ErrorRecord, Status
from jupyter_runbook.seal import seal
from jupyter_runbook.secret.redact import Redactor
from jupyter_runbook.worklog import WorkLog, judge, read, records
from tests.test_record import DRAFT

if TYPE_CHECKING:
    from pathlib import Path

RUN = {"run": "r1", "runbook": "a.ipynb", "user": "u", "host": "h", "started": "2026-11-24T22:42:55.000Z"}


def recorded(status: str, run: str = "r1", **parts: Any) -> dict[str, Any]:
    """Return an output with a record."""
    record = seal(replace(DRAFT, status=Status(status), run=run, **{"source_digest": None, **parts}), Redactor())
    return {"output_type": "display_data", "metadata": {}, "data": {MIME_TYPE: record.wire(), "text/plain": "x"}}


def code(source: str = "1", *outputs: dict[str, Any], count: int | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "c",
        "source": source,
        "outputs": list(outputs),
        "execution_count": count,
        "metadata": metadata,
    }


def log(*cells: dict[str, Any], live: bool = False, **run: Any) -> WorkLog:
    metadata = {"runbook": {**RUN, **run}} if run else {}
    return WorkLog("a.ipynb", {"cells": list(cells), "metadata": metadata, "nbformat": 4}, live)


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "x", "traceback": []}
STOP = {**ERROR, "ename": "KeyboardInterrupt"}
TEXT = {"output_type": "stream", "name": "stdout", "text": ["x\n"]}


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        (code(), "not-run"),
        (code(count=1), "done"),
        (code("1", TEXT, count=1), "done"),
        (code("1", TEXT, ERROR, count=1), "failed"),
        (code("1", ERROR, count=1, tags=["raises-exception"]), "done"),
        (code("1", STOP, count=1), "interrupted"),
        (code("%%shell", recorded("changed"), count=1), "done"),
        (code("%%shell", recorded("planned"), count=1), "done"),
        (code("%%shell", recorded("skipped"), count=1), "skipped"),
        (code("%%shell", recorded("failed"), ERROR, count=1), "failed"),
        (code("%%shell", recorded("interrupted"), ERROR, count=1), "interrupted"),
        (code("%%shell", recorded("failed"), recorded("ok"), count=1), "done"),
    ],
)
def test_what_outputs_alone_say(cell: dict[str, Any], status: str) -> None:
    assert judge(cell).status == status
    assert log(cell).cells[0].status == status


@pytest.mark.parametrize(
    ("cell", "live", "status"),
    [
        (code(papermill={"status": "pending"}), False, "not-run"),
        (code(papermill={"status": "running"}), False, "interrupted"),
        (code(papermill={"status": "running"}), True, "running"),
        # Its step ended and left its record; only what comes after that was cut off.
        (code("%%shell", recorded("changed"), papermill={"status": "running"}), False, "done"),
        (code(papermill={"status": "completed"}, runbook={"status": "failed", "why": "late"}), False, "failed"),
        # Run again by hand afterwards: what the replay said of it is no longer true.
        (code("%%shell", recorded("ok", "by-hand"), count=9, runbook={"status": "failed"}), False, "done"),
        (code(papermill="?", count=1), False, "done"),
    ],
)
def test_what_a_replay_said_of_a_cell(cell: dict[str, Any], live: bool, status: str) -> None:  # noqa: FBT001
    assert log(cell, live=live, ended=None).cells[0].status == status


@pytest.mark.parametrize(
    ("verdicts", "run", "status"),
    [
        (["done", "skipped"], {"ended": "x"}, "done"),
        (["done", "failed", "not-run"], {"ended": "x"}, "failed"),
        (["failed", "interrupted"], {"ended": "x"}, "interrupted"),
        (["done", "not-run"], {"ended": None}, "interrupted"),
        (["done", "not-run"], {"ended": "x"}, "interrupted"),
        (["done", "not-run"], {}, "not-run"),
        ([], {"ended": "x"}, "done"),
    ],
)
def test_the_status_of_the_whole(verdicts: list[str], run: dict[str, Any], status: str) -> None:
    cells = [code(runbook={"status": one}) for one in verdicts]
    assert log(*cells, **run).status == status


def test_a_step_without_a_record_is_named_after_its_line() -> None:
    cells = [
        code('%%shell --name "one thing" --check\ntrue'),
        code("\n%%k8s --name=other\na: 1", runbook={"status": "interrupted", "why": "the kernel died"}),
        code("%%os --cloud x\n", runbook={"status": "done"}),
        code('%%docker --name "open\n'),
        code("%%time\n1"),
        code("%%mine\n1"),
    ]
    found = WorkLog("a", {"cells": cells, "metadata": {}}, providers={"shell", "k8s", "os", "docker", "mine"})
    steps = [(step.name, step.provider, step.status) for cell in found.cells for step in cell.steps]
    assert steps == [
        ("one thing", "shell", "not-run"),
        ("other", "k8s", "interrupted"),
        # It ended, and what it showed was cleared: nobody knows how.
        ("%%os in cell 3", "os", "unknown"),
        ("%%docker in cell 4", "docker", "not-run"),
        ("%%mine in cell 6", "mine", "not-run"),
    ]
    assert "      the kernel died" in status_text(found).splitlines()


def test_status_json_is_the_contract() -> None:
    error = ErrorRecord("timeout", "late", "r", "wait")
    cells = [
        {"cell_type": "markdown", "id": "m", "source": "", "metadata": {}},
        code("%%shell", recorded("failed", error=error, seconds=1.5, name="n", provider="shell", prev=None)),
        code("  \n"),
    ]
    found = status_json(log(*cells, ended="x"))
    assert json.loads(json.dumps(found)) == {
        "status": "failed",
        "run": "r1",
        "steps": [
            {
                "cell_id": "c",
                "index": 1,
                "name": "n",
                "provider": "shell",
                "status": "failed",
                "seconds": 1.5,
                "error": {"kind": "timeout", "message": "late", "resource": "r", "hint": "wait"},
            }
        ],
        "findings": [],
        "cells": [{"cell_id": "c", "index": 1, "status": "failed"}],
    }


def test_names_that_move_the_cursor_are_shown_as_text() -> None:
    cell = code("%%shell --name '\x1b[2Jx'\n", runbook={"status": "failed", "why": "\x1b]0;t\x07y"})
    assert "\x1b" not in status_text(log(cell, ended="x"))


def test_records_that_can_not_be_read_are_left_out() -> None:
    output = recorded("ok")
    output["data"][MIME_TYPE] = {**output["data"][MIME_TYPE], "schema": "step.v9"}
    assert records(code("1", output, {"output_type": "display_data", "data": {MIME_TYPE: "x"}})) == []


def test_metadata_is_written_and_read() -> None:
    notebook: dict[str, Any] = {"metadata": {"runbook": {"frozen": ["a"]}}}
    info = RunInfo(**RUN, cells=[], parameters={"a": 1}, versions={"python": "3"}, check=True)
    info.write(notebook)
    assert notebook["metadata"]["runbook"]["frozen"] == ["a"]
    assert RunInfo.read(notebook) == info
    cell: dict[str, Any] = {"metadata": {"runbook": {"frozen": True}}}
    Verdict("failed", "late").write(cell)
    assert Verdict.read(cell) == Verdict("failed", "late")
    Verdict.clear(cell)
    assert cell == {"metadata": {"runbook": {"frozen": True}}}
    assert RunInfo.read({"metadata": {"runbook": "x"}}) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["cells", "metadata", "nbformat", "source", "cell_type", "outputs", "data", MIME_TYPE, "runbook"]),
    x), max_leaves=20))  # fmt: skip
def test_any_json_is_a_work_log_or_no_notebook(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.mktemp("any") / "a.ipynb"
    for text in (value, {"cells": [value], "metadata": value, "nbformat": 4}):
        path.write_text(json.dumps(text))
        try:
            found = read(path)
        except NotANotebook:
            continue
        status_text(found)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b'{"cells": "\xff"}')
    with pytest.raises(NotANotebook, match="no UTF-8 at byte 11"):
        read(path)
    path.write_text("[" * 200_000)
    with pytest.raises(NotANotebook, match="nested too deeply"):
        read(path)
