"""A replay against papermill."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from benchmarks.measure import Row, command, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["rows"]

BIN = Path(sys.executable).parent


def rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Yield each row."""
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells = [nbformat.v4.new_code_cell(str(number)) for number in range(6)]  # type: ignore[no-untyped-call]
    nbformat.write(notebook, folder / "six.ipynb")  # type: ignore[no-untyped-call]
    ours = [str(BIN / "jupyter"), "runbook", "replay", "six.ipynb", "ours.ipynb", "--overwrite"]
    peer = [str(BIN / "papermill"), "six.ipynb", "peer.ipynb"]
    name = "replay of 6 trivial cells, against papermill"
    yield compare(name, command(ours, folder), command(peer, folder), limit=0.75, rounds=rounds)
