"""A running step in a notebook: one output, updated in place, that ends as the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.display import bundle
from jupyter_runbook.display.html import notice_html, progress_html
from jupyter_runbook.display.matrix import News
from jupyter_runbook.display.tables import tables_html, tables_text
from jupyter_runbook.display.text import progress_lines, progress_text
from jupyter_runbook.printable import one_line
from jupyter_runbook.secret.messages import already_redacted
from jupyter_runbook.session import Live

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jupyter_runbook.record import StepRecord
    from jupyter_runbook.session import Progress

__all__ = ["NotebookLive", "TerminalLive"]


class TerminalLive(Live):
    """In a terminal's IPython nothing can be updated: what is over is printed, then the record."""

    def __init__(self) -> None:
        self._news = News()

    def progress(self, progress: Progress) -> None:
        """Print the tasks whose turn is over."""
        for line in self._news.of(progress_lines(progress)):
            print("  " + line, flush=True)  # noqa: T201 -- a terminal's way to show

    def notice(self, text: str) -> None:
        """Print it."""
        _show({"text/plain": f"⚠ {one_line(text)}", "text/html": notice_html(text)})

    def done(self, record: StepRecord) -> None:
        """Print it."""
        _show(bundle(record))

    def tables(self, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Print them."""
        _show({"text/plain": tables_text(tables), "text/html": tables_html(tables)})


class NotebookLive(TerminalLive):
    """Display handles of Jupyter's protocol; the saved notebook holds the last update."""

    def __init__(self) -> None:
        super().__init__()
        self._handle: Any = None

    def progress(self, progress: Progress) -> None:
        """Update the output."""
        self._update({"text/plain": progress_text(progress), "text/html": progress_html(progress)})

    def done(self, record: StepRecord) -> None:
        """Put the record in the progress's place."""
        self._update(bundle(record))

    def _update(self, data: dict[str, Any]) -> None:
        if self._handle is None:
            self._handle = _show(data, display_id=True)
        else:
            with already_redacted():
                self._handle.update(data, raw=True)


def _show(data: dict[str, Any], **options: Any) -> Any:
    from IPython.display import display

    with already_redacted():
        return display(data, raw=True, **options)  # type: ignore[no-untyped-call]
