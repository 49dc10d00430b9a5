"""A replay's progress in a batch job's log: one line a cell, and one for each task whose turn is over."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from jupyter_runbook.audit.status import sign
from jupyter_runbook.display.matrix import News
from jupyter_runbook.display.outputs import error_line
from jupyter_runbook.display.text import running_lines
from jupyter_runbook.display.words import one_line
from jupyter_runbook.notebook import first_line
from jupyter_runbook.replay.watch import Watch
from jupyter_runbook.worklog import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.notebook import Verdict
    from jupyter_runbook.record import StepRecord

__all__ = ["Lines"]

_WIDTH = 60  # characters of a cell's first line


class Lines(Watch):
    """Writes to a stream.

    Parameters
    ----------
    stream
        Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._total = 0
        self._number = 0
        self._since = 0.0
        self._at_work = ""
        self._news = News()

    def begun(self, total: int) -> None:
        """See `Watch`."""
        self._total = total

    def notice(self, text: str) -> None:
        """See `Watch`."""
        self._write(f"⚠ {one_line(text)}\n")

    def cell_begun(self, index: int, cell: Any) -> None:
        """See `Watch`."""
        del index
        self._since = time.monotonic()
        self._news = News()
        self._at_work = _told(cell)

    def cell_shown(self, text: str) -> None:
        """See `Watch`."""
        lines = running_lines(text)
        for line in self._news.of(lines or ()):
            self._write(f"      {line}\n")

    def cell_ended(self, index: int, cell: Any, verdict: Verdict) -> None:
        """See `Watch`."""
        del index
        self._number += 1
        found = records(cell)
        status = found[-1].status if found and verdict.status in ("done", "failed") else verdict.status
        spent = time.monotonic() - self._since if self._since else 0.0
        self._since = 0.0
        name = f"{found[-1].name} (%%{found[-1].provider})" if found else _told(cell)
        why = f": {verdict.why}" if verdict.why else ""
        line = f"{sign(status)} {status:<11} {spent:8.1f} s  {one_line(name + why)}"
        self._write(f"[{self._number}/{self._total}] {line}\n")
        told = _because(cell, found) if verdict.status in ("failed", "interrupted") else []
        for line in (line for line in told if line not in (verdict.why or "")):
            self._write(f"      {one_line(line)}\n")

    def _write(self, text: str) -> None:
        if self.lost is None:
            with self._heard():
                self._put(text)

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Go on where what is shown in the block can't be: whoever read it may be gone, and is told in the work log."""
        try:
            yield
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self.lost = self.lost or f"its progress could not be shown any more: {why}"

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _told(cell: Any) -> str:
    line = one_line(first_line(cell.source))
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def _because(cell: Any, found: list[StepRecord]) -> list[str]:
    """Return why a cell did not end well: its step's error, or its own error's first line and hint."""
    if found and (error := found[-1].error):
        return [f"{error.kind}: {error.message}", *([f"→ {error.hint}"] if error.hint else [])]
    errors = [one for one in cell.outputs if one.output_type == "error"] if not found else []
    hints = [line for one in errors[-1:] for line in str(one.get("evalue")).splitlines() if line.startswith("→")]
    return [*(error_line(one) for one in errors[-1:]), *hints[:1]]
