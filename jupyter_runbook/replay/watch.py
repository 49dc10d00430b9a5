"""Who is told of a replay's progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_runbook.notebook import Verdict

__all__ = ["Watch"]


class Watch:
    """Who is told of a replay's progress; this one tells nobody."""

    #: Why it could not be told any more, if it could not: the run goes on without.
    lost: str | None = None

    def starting(self) -> None:
        """Take note that the runbook is good, and its kernel is started."""

    def begun(self, total: int) -> None:
        """Take note that the kernel answers, and how many code cells there are."""

    def notice(self, text: str) -> None:
        """Take note of a line that must not be missed."""

    def cell_begun(self, index: int, cell: Any) -> None:
        """Take note that a cell is at work."""

    def cell_shown(self, text: str) -> None:
        """Take note of what the cell at work shows now, as text."""

    def cell_ended(self, index: int, cell: Any, verdict: Verdict) -> None:
        """Take note of what became of it."""

    def ended(self) -> None:
        """Take note that no cell comes any more; also where none came."""
