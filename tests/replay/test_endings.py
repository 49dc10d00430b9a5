"""Each line of docs/replay.md's table: what a cell's end is called, by the client that both engines have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from jupyter_runbook.notebook import Verdict
from jupyter_runbook.replay.client import Client
from jupyter_runbook.replay.engine import run_info
from jupyter_runbook.replay.kernel import PrivateKernel
from jupyter_runbook.replay.manager import Manager
from jupyter_runbook.replay.watch import Watch
from tests.checkout import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


def documented() -> Iterator[tuple[str, str, str]]:
    """Yield each line of the table: the cell, its status, what is said of it."""
    _, _, text = (ROOT / "docs" / "replay.md").read_text("utf-8").partition("| the cell |")
    for line in text.partition("\n\n")[0].splitlines()[2:]:
        cell, status, said = re.split(r" ?(?<!\\)\|(?: |$)", line)[1:4]
        yield "\n".join(re.findall(r"`([^`]+)`", cell)), status, said


class Patient(Client):
    """Goes on after a cell that failed: a kernel is started once for all of them."""

    async def _cells(self) -> None:
        for index, cell in enumerate(self.nb.cells):
            await self._step_through(cell, index)


def run(folder: Path, sources: list[str], tags: list[str]) -> list[Any]:
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]
    notebook.metadata["papermill"] = {}
    for cell in notebook.cells:
        cell.metadata["tags"] = tags
    manager = Manager(notebook, run_info(notebook, None), Watch(), progress_bar=False)
    manager.notebook_start()
    Patient(manager, PrivateKernel("python3", folder), {}, 60.0).execute()
    return list(notebook.cells)


SETUP = "import os, subprocess, sys, threading"
TABLE = list(documented())


def files(folder: Path) -> None:
    (folder / "fails.py").write_text("raise SystemExit(3)\n")
    (folder / "leaves.py").write_text("import sys\nsys.exit(0)\n")


def test_each_way_to_end_is_called_what_the_table_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    files(tmp_path)
    assert len(TABLE) > 50
    cells = run(tmp_path, [SETUP, *(cell for cell, _, _ in TABLE)], [])
    for cell, (source, status, said) in zip(cells[1:], TABLE, strict=True):
        verdict = Verdict.read(cell)
        assert verdict is not None
        shown = [f"{one.ename}: {one.evalue}" for one in cell.outputs if one.output_type == "error"]
        told = f"{verdict.why} {shown}".replace("`", "")
        assert verdict.status == status, (source, told)
        if status == "failed":
            assert said.replace("`", "") in told, (source, told)


def test_a_cell_that_may_fail_is_done_and_leaves_nothing_for_the_next_one(tmp_path: Path) -> None:
    files(tmp_path)
    failing = ["!exit 3\n1/0", "%run fails.py", "x = !exit 3", "exit()", "%%capture\n%run fails.py", "%cd /no/such"]
    cells = run(tmp_path, [SETUP, *failing, "1"], ["raises-exception"])
    assert [Verdict.read(cell) for cell in cells] == [Verdict("done")] * len(cells)
    plain = [verdict for one in failing for verdict in run_pair(tmp_path, one)]
    assert plain == ["failed", "done"] * len(failing)


def run_pair(folder: Path, source: str) -> list[str | None]:
    """Return what becomes of a cell that fails, and of one after it that does not."""
    cells = run(folder, [source, "1"], [])
    return [verdict.status if (verdict := Verdict.read(cell)) else None for cell in cells]
