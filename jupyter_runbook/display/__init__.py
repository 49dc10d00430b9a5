"""Record → what people see: our MIME type, static HTML and plain text, always together. Pure but for `live`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_runbook.record import StepRecord

__all__ = ["bundle"]


def bundle(record: StepRecord) -> dict[str, Any]:
    """Return a record's MIME bundle."""
    # Loading the extension shows nothing yet: it takes its words from this package, and none of its pictures.
    from jupyter_runbook.display.html import record_html
    from jupyter_runbook.display.text import record_text
    from jupyter_runbook.record import MIME_TYPE

    return {MIME_TYPE: record.wire(), "text/html": record_html(record), "text/plain": record_text(record)}
