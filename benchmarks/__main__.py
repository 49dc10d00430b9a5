"""Measure every row, print the table, and write ``bench.json``.

A row is a ratio: our median over a peer's, both measured by turns in one run, so that what else the machine does hits
both. ``python -m benchmarks [ROUNDS]``.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BIN = Path(sys.executable).parent
ROUNDS = 21


@dataclass(frozen=True)
class Row:
    """One line of the table; ``ours`` and ``peer`` are medians in seconds.

    Parameters
    ----------
    name
        What is measured.
    ours, peer
        Seconds.
    ratio
        Ours over the peer's.
    limit
        What the ratio may be at most.
    holds
        Whether it does.
    """

    name: str
    ours: float
    peer: float
    ratio: float
    limit: float
    holds: bool


def compare(name: str, *, ours: Sequence[str], peer: Sequence[str], limit: float, folder: Path, rounds: int) -> Row:
    """Time two commands by turns; the first turn of each only warms the caches."""
    taken: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(rounds + 1):
        for who, command in (("ours", ours), ("peer", peer)):
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True, env=_environment(folder))
            if number:
                taken[who].append(time.perf_counter() - started)
    medians = {who: statistics.median(seconds) for who, seconds in taken.items()}
    ratio = medians["ours"] / medians["peer"]
    return Row(name, round(medians["ours"], 3), round(medians["peer"], 3), round(ratio, 3), limit, ratio <= limit)


def rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Yield each row."""
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells = [nbformat.v4.new_code_cell(str(number)) for number in range(6)]  # type: ignore[no-untyped-call]
    nbformat.write(notebook, folder / "six.ipynb")  # type: ignore[no-untyped-call]
    yield compare(
        "replay of 6 trivial cells, against papermill",
        ours=[str(BIN / "jupyter"), "runbook", "replay", "six.ipynb", "ours.ipynb", "--overwrite"],
        peer=[str(BIN / "papermill"), "six.ipynb", "peer.ipynb"],
        limit=0.75,
        folder=folder,
        rounds=rounds,
    )


def main() -> int:
    """Print and write the table; 1 if a row does not hold."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found = []
    with tempfile.TemporaryDirectory() as folder:
        _say(f"{'':<48} {'ours':>8} {'peer':>8} {'ratio':>6} {'limit':>6}")
        for row in rows(Path(folder), rounds):
            found.append(row)
            sign = "✓" if row.holds else "✗"
            _say(f"{row.name:<48} {row.ours:>6.2f} s {row.peer:>6.2f} s {row.ratio:>6.2f} {row.limit:>6.2f} {sign}")
    Path("bench.json").write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n", "utf-8")
    return 0 if all(row.holds for row in found) else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "IPYTHONDIR": str(folder / "ipython")}


if __name__ == "__main__":
    sys.exit(main())
