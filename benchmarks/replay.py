"""Replays against papermill and nbconvert, and reading what they leave."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from benchmarks.measure import Row, command, compare, measure, memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["rows"]

BIN = Path(sys.executable).parent
#: How often what takes a minute is done.
FEW = 3

FLOOD = "for i in range(30_000): print(i, flush=True)"
MUCH = "line = 'x' * 99\nfor _ in range(500_000): print(line)"


def rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Yield each row."""
    few = min(rounds, FEW)
    _write(folder / "six.ipynb", [str(number) for number in range(6)])
    name = "replay of 6 trivial cells, against papermill"
    yield compare(name, _ours("six", folder), _peer("six", folder), limit=0.75, rounds=rounds)
    for count in (500, 2000):
        _write(folder / f"n{count}.ipynb", [str(number) for number in range(count)])
    ours, peer = _ours("n500", folder), _peer("n500", folder)
    yield compare("replay of 500 trivial cells, against papermill", ours, peer, limit=0.2, rounds=1, warm=False)
    words = [str(BIN / "jupyter"), "nbconvert", "--to", "notebook", "--execute", "n500.ipynb", "--output", "peer.ipynb"]
    yield compare("the same, against nbconvert --execute", ours, command(words, folder), limit=1.2, rounds=few)
    more = _ours("n2000", folder)
    yield measure("replay of 2,000 cells, over that of 500", "x", lambda: more() / ours(), limit=4.4, rounds=few)
    _write(folder / "much.ipynb", [MUCH])
    name = "a cell that prints 50 MB, against papermill"
    yield compare(name, _ours("much", folder), _peer("much", folder), limit=1.0, rounds=1)
    name = "the same, memory of the replay"
    yield measure(name, "MB", lambda: memory(_replay("much"), folder), limit=150, rounds=1)
    _write(folder / "flood.ipynb", [FLOOD])
    name = "a cell that prints 30,000 flushed lines, against papermill"
    yield compare(name, _ours("flood", folder), _peer("flood", folder), limit=1.0, rounds=1)
    _write(folder / "large.ipynb", ["x = ''"], parameters=True)
    (folder / "large.json").write_text(json.dumps({"x": "y" * 3_000_000}), "utf-8")
    name = "replay of one cell with a parameter of 3 MB"
    yield measure(name, "s", command([*_replay("large"), "-f", "large.json"], folder), limit=2.0, rounds=few)
    _write(folder / "steps.ipynb", ["%load_ext jupyter_runbook", *(f"%%shell --name s{n}\ntrue" for n in range(500))])
    _ours("steps", folder)()
    words = [str(BIN / "jupyter-runbook"), "status", "ours.ipynb"]
    yield measure("status of a work log of 500 steps", "s", command(words, folder), limit=0.4, rounds=rounds)


def _write(path: Path, sources: Sequence[str], *, parameters: bool = False) -> None:
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]
    if parameters:
        notebook.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def _replay(name: str) -> list[str]:
    return [str(BIN / "jupyter"), "runbook", "replay", f"{name}.ipynb", "ours.ipynb", "--overwrite"]


def _ours(name: str, folder: Path) -> Callable[[], float]:
    return command(_replay(name), folder)


def _peer(name: str, folder: Path) -> Callable[[], float]:
    return command([str(BIN / "papermill"), f"{name}.ipynb", "peer.ipynb"], folder)
