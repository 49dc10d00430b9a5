"""A replay's progress on a terminal: what has ended stays as lines, and below them is what is at work now."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jupyter_runbook.audit.status import sign
from jupyter_runbook.display.text import running_lines
from jupyter_runbook.replay.progress import Lines
from jupyter_runbook.worklog import records

if TYPE_CHECKING:
    from typing import TextIO

    from jupyter_runbook.notebook import Verdict

__all__ = ["Board", "is_capable"]

# A status' colour; those that are not here have none.
COLOURS = {
    "ok": "green", "done": "green", "changed": "yellow", "planned": "cyan", "failed": "bold red",
    "interrupted": "bold red", "skipped": "dim", "running": "bold",
}  # fmt: skip
_BY_SIGN = {sign(status): colour for status, colour in COLOURS.items()}
BAR, REFRESH = 30, 8  # columns; times a second
TASKS = 12  # lines of what is at work


def is_capable(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that can be written over."""
    console = Console(file=stream)
    return console.is_terminal and not console.is_dumb_terminal


class Board(Lines):
    """Writes to a terminal.

    Parameters
    ----------
    stream
        The terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._begun = time.monotonic()
        self._statuses: Counter[str] = Counter()
        self._tasks: list[str] = []

    def starting(self) -> None:
        """See `Watch`."""
        self._live = Live(console=self._console, get_renderable=self._below, refresh_per_second=REFRESH, transient=True)
        with self._heard():
            self._live.start()

    def cell_begun(self, index: int, cell: Any) -> None:
        """See `Watch`."""
        self._tasks = []
        super().cell_begun(index, cell)

    def cell_shown(self, text: str) -> None:
        """See `Watch`."""
        super().cell_shown(text)
        # A task whose turn is over is a line above.
        self._tasks = [line for line in running_lines(text) or () if line.startswith(sign("running"))][:TASKS]

    def cell_ended(self, index: int, cell: Any, verdict: Verdict) -> None:
        """See `Watch`."""
        found = records(cell)
        self._statuses.update(str(one.status) for one in found)
        if not found and verdict.status != "done":
            self._statuses[verdict.status] += 1
        super().cell_ended(index, cell, verdict)

    def ended(self) -> None:
        """See `Watch`."""
        live, self._live = self._live, None
        if live:
            with self._heard():
                live.stop()

    def _put(self, text: str) -> None:
        for line in text.rstrip("\n").split("\n"):
            style = next((_BY_SIGN[one] for one in line[:12] if one in _BY_SIGN), "")
            self._console.print(Text(line, style=style, overflow="fold"))

    def _below(self) -> Group:
        """Return what is at work: called by the thread that refreshes it."""
        now, since = time.monotonic(), self._since
        parts: list[Any] = []
        if not self._total:
            parts.append(_cut(f"{sign('running')} starting the kernel"))
        if since:
            head = f"[{self._number + 1}/{self._total}] {sign('running')} {'running':<11} {now - since:8.1f} s"
            parts.append(_cut(f"{head}  {self._at_work}", COLOURS["running"]))
            parts += [_cut(f"      {line}") for line in self._tasks]
        row = Table.grid(padding=(0, 2))
        told = Text(", ").join(Text(f"{count} {one}", COLOURS.get(one, "")) for one, count in self._statuses.items())
        row.add_row(
            ProgressBar(total=max(self._total, 1), completed=self._number, width=BAR),
            Text(f"{self._number} of {self._total}"),
            Text(f"{now - self._begun:.0f} s"),
            told,
        )
        return Group(*parts, row)


def _cut(text: str, style: str = "") -> Text:
    """Return a line that ends where the terminal does."""
    return Text(text, style=style, overflow="ellipsis", no_wrap=True)
