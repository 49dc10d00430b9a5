"""A plain cell's output as static HTML: text and pictures; of other HTML the text beside it is shown."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_runbook.display.html import RUNNING
from jupyter_runbook.display.markdown import markdown_html
from jupyter_runbook.display.text import RUNS, runs
from jupyter_runbook.display.words import STATUSES, one_line, readable, safe, verbatim
from jupyter_runbook.worklog import data

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["error_line", "output_html", "stopped"]

# Of a text so many lines are shown: from its beginning, and from its end.
HEAD_LINES, TAIL_LINES = 200, 100
LINE_LIMIT = 200  # characters of an error's line
IMAGES = ("image/png", "image/jpeg", "image/svg+xml")


def output_html(output: Mapping[str, Any]) -> str:
    """Return one output of a notebook's cell as a fragment of HTML; empty where there is nothing to show."""
    kind = output.get("output_type")
    if kind == "stream":
        return _lines(_joined(output.get("text")))
    if kind == "error":
        trace = output.get("traceback")
        return _lines("\n".join(map(str, trace)) if isinstance(trace, list) and trace else error_line(output))
    found = data(output)
    for mime in IMAGES:
        if mime in found:
            return _image(mime, _joined(found[mime]), _joined(found.get("text/plain")))
    if "text/markdown" in found:
        return markdown_html(_joined(found["text/markdown"]), below=2)
    return _lines(_joined(found.get("text/plain")))


def error_line(output: Mapping[str, Any]) -> str:
    """Return an error's output in one line: ``ValueError: no``."""
    said = readable(_joined(output.get("evalue"))).strip().splitlines()
    return f"{output.get('ename')}: {said[0][:LINE_LIMIT]}" if said else str(output.get("ename"))


def _image(mime: str, text: str, words: str) -> str:
    # A picture of SVG runs no script inside <img>.
    data = base64.b64encode(text.encode()).decode() if mime == "image/svg+xml" else "".join(text.split())
    return f'<p><img src="data:{mime};base64,{escape(data)}" alt="{verbatim(words)}"></p>'


def _lines(text: str) -> str:
    lines = readable(text).rstrip("\n").split("\n")
    left = len(lines) - HEAD_LINES - TAIL_LINES
    if left > 0:
        lines[HEAD_LINES : HEAD_LINES + left] = [f"… {left} lines more in the work log …"]
    shown = escape("\n".join(lines))
    return f"<pre>{shown}</pre>" if shown else ""


def _joined(value: Any) -> str:
    """Return a text that nbformat may hold as a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def stopped(output: Mapping[str, Any], status: str, why: str | None) -> dict[str, Any] | None:
    """Return what takes the place of an output that shows a step at work which has ended; None for another output.

    Parameters
    ----------
    output
        An output of the step's cell.
    status, why
        What became of the cell.
    """
    found = data(output)
    if not runs(text := _joined(found.get("text/plain"))):
        return None
    said = f"{STATUSES.get(status, '■')} {status}"
    because = why or "it left no record"
    html = _joined(found.get("text/html")).replace(RUNNING, f"<b>{said}</b>", 1)
    plain = f"{said}{text.removeprefix(RUNS.rstrip(': '))}\n  {one_line(because)}"
    return {**output, "data": {**found, "text/plain": plain, "text/html": f"{html}<p>{safe(because)}</p>"}}
