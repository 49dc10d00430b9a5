"""What it costs to look for secrets in what a step prints."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import Kernel, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.measure import Row

__all__ = ["rows"]

# As tools print: a line at a time, each made for itself.
PROGRAM = """\
import random
numbers = random.Random(1)
words = ["".join(numbers.choices("abcdefghijklmnopqrstuvwxyz-_=/.:,0123456789", k=7)) for _ in range(3000)]
size = 0
while size < 50_000_000:
    line = " ".join(numbers.choices(words, k=12))
    size += len(line) + 1
    print(line)
"""
SECRETS = "\n".join(f"s{number} = Secret('correct horse {number} battery', name='s{number}')" for number in range(3))
# What a known secret may cost a step that prints as tools print; one that only copies a file is told beside it.
LIMIT = 1.03
COPY_LIMIT = 2.5


def rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Yield the ratio of a step with three secrets known to one with none, for a program and for a copy of a file."""
    (folder / "lines.py").write_text(PROGRAM)
    for name, cell, limit in (
        ("a step by a program that prints 50 MB, 3 secrets known, to none", "python3 lines.py", LIMIT),
        ("a step that copies a file of 50 MB, 3 secrets known, to none", "cat lines.txt", COPY_LIMIT),
    ):
        if "lines.txt" in cell:
            with (folder / "lines.txt").open("wb") as file:
                subprocess.run([sys.executable, folder / "lines.py"], check=True, stdout=file)
        with Kernel(folder, {}) as with_secrets, Kernel(folder, {}) as without:
            for kernel in (with_secrets, without):
                kernel.run("%load_ext jupyter_runbook")
            with_secrets.run(f"from jupyter_runbook.secret import Secret\n{SECRETS}")
            yield compare(name, _step(with_secrets, cell), _step(without, cell), limit=limit, rounds=min(rounds, 7))


def _step(kernel: Kernel, command: str) -> Callable[[], float]:
    return lambda: kernel.run(f"%%shell\n{command}\n")
