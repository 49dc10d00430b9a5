"""Measure every row, print the table, and write ``bench.json``: ``python -m benchmarks [ROUNDS] [WORD]``.

A row is a ratio: our median over a peer's. With a word, only the rows of the modules that have it in their names.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import ansible, docker, openstack, redact, replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.measure import Row

ROUNDS = 21


def rows(folder: Path, rounds: int, word: str) -> Iterator[Row]:
    """Yield each row."""
    if word in "replay":
        yield from replay.rows(folder, rounds)
    if word in "redact":
        yield from redact.rows(folder, rounds)
    if word in "ansible":
        yield from ansible.rows(folder, rounds)
    if word in "docker":
        if why := docker.available():
            _say(f"%%docker: left out, {why}")
        else:
            yield from docker.rows(folder, rounds)
    if word in "openstack":
        if why := openstack.available():
            _say(f"%%os: left out, {why}")
        else:
            yield from openstack.rows(folder, rounds)


def main() -> int:
    """Print and write the table; 1 if a row does not hold."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    words = [word for word in sys.argv[1:] if not word.isdigit()]
    if any(word.startswith("-") for word in words):
        _say(__doc__)
        return 0
    found = []
    with tempfile.TemporaryDirectory() as folder:
        _say(f"{'':<66} {'ours':>9} {'peer':>9} {'ratio':>6} {'limit':>6}")
        for row in rows(Path(folder), (numbers or [ROUNDS])[0], (words or [""])[0]):
            found.append(row)
            sign = "✓" if row.holds else "✗"
            peer = f"{row.peer:>6.3f} {row.unit:<2}" if row.peer is not None else ""
            ratio = f"{row.ratio:.3f}" if row.ratio is not None else ""
            _say(f"{row.name:<66} {row.ours:>6.3f} {row.unit:<2} {peer:>9} {ratio:>6} {row.limit:>6.3f} {sign}")
    if not words:
        Path("bench.json").write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n", "utf-8")
    return 0 if all(row.holds for row in found) else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
