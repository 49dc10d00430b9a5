"""A record as static HTML: no script, no classes, no styles that it needs.

A code-review page strips styles and classes; what is left are tables, ``<details>`` and ``<pre>``, and reads well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_runbook.display.matrix import grouped, matrix_html
from jupyter_runbook.display.words import (
    ACTIONS,
    LEFT,
    STATUSES,
    about,
    log_text,
    origin,
    readable,
    safe,
    short_time,
    title,
    verbatim,
)
from jupyter_runbook.matrix import KINDS, matrix
from jupyter_runbook.record import utc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_runbook.record import ChangeRecord, StepRecord
    from jupyter_runbook.session import Progress

__all__ = ["RUNNING", "notice_html", "progress_html", "record_html", "table"]

# So many rows stand open; with more, the table is folded.
OPEN_ROWS = 30
# So many lines of output stand open.
OPEN_LINES = 25
# So many lines of a running step's output are shown.
TAIL_LINES = 20

RUNNING = "<b>◌ running</b>"


def record_html(record: StepRecord) -> str:
    """Return a record as a fragment of HTML."""
    who = f"{short_time(record.started)} · {record.actor.user} on {record.actor.host}"
    parts = [f"<p><b>{STATUSES[record.status]} {safe(record.status)}</b> {safe(title(record))}<br>{safe(who)}</p>"]
    if record.error:
        parts.append(f"<p><b>{safe(record.error.kind)}</b>: {safe(about(record.error))}")
        parts.append(f"<br>→ {safe(record.error.hint)}</p>" if record.error.hint else "</p>")
    parts.append(f"<p>{safe(record.summary)}</p>")
    tasks = matrix(record.changes)
    if tasks:
        parts.append(_fold("Hosts", matrix_html(tasks), is_open=len(tasks.tasks) <= OPEN_ROWS))
    # What the table of hosts tells is told.
    rows = grouped(row for row in record.changes if row.reason or row.kind not in KINDS)
    if rows:
        parts.append(_fold("Changes", _rows(rows), is_open=len(rows) <= OPEN_ROWS))
    diffs = grouped(row for row in record.changes if row.diff)
    if diffs:
        body = "".join(f"<p>{safe(row.resource)}</p><pre>{verbatim(row.diff or '')}</pre>" for row in diffs)
        parts.append(_fold("Diff", body, is_open=record.status == "planned" and len(diffs) <= OPEN_ROWS))
    if record.log:
        text = log_text(record.log)
        is_open = text.count("\n") < OPEN_LINES or record.status == "failed"
        parts.append(
            _fold(
                f"Output, {record.log.lines} line{'' if record.log.lines == 1 else 's'}",
                f"<pre>{verbatim(text)}</pre>",
                is_open=is_open,
            )
        )
    parts.append(_fold("Record", table(origin(record)), is_open=False))
    return f"<div>{''.join(parts)}</div>"


def progress_html(progress: Progress) -> str:
    """Return a running step as a fragment of HTML."""
    count = f", {progress.done} of {progress.total} done" if progress.total else ""
    head = f"<p>{RUNNING} {safe(progress.name)} · %%{safe(progress.provider)}"
    # A file that was saved meanwhile says so for ever.
    parts = [f"{head} · {progress.seconds:.0f} s{count} · {short_time(utc())}</p>"]
    if progress.total > 1 and progress.running:
        items = "".join(f"<li>{safe(name)}, {seconds:.0f} s</li>" for name, seconds in progress.running)
        parts.append(f"<ul>{items}</ul>")
    if progress.matrix:
        parts.append(matrix_html(progress.matrix, cell=LEFT))
    lines = [] if progress.matrix else readable(progress.tail).rstrip("\n").split("\n")[-TAIL_LINES:]
    if any(lines):
        shown = verbatim("\n".join(lines))
        parts.append(f"<pre>{shown}</pre>")
    return f"<div>{''.join(parts)}</div>"


def notice_html(text: str) -> str:
    """Return a line that must not be missed."""
    return f"<p><b>⚠ {safe(text)}</b></p>"


def _fold(name: str, body: str, *, is_open: bool) -> str:
    return f"<details{' open' if is_open else ''}><summary>{safe(name)}</summary>{body}</details>"


def _rows(rows: Iterable[ChangeRecord]) -> str:
    shown = list(rows)
    columns = 5 if any(row.seconds is not None for row in shown) else 4
    cells = [
        (
            f"{STATUSES[row.status]} {row.status}",
            f"{ACTIONS[row.action]} {row.action}",
            row.resource,
            row.reason or "",
            "" if row.seconds is None else f"{row.seconds:.1f} s",
        )
        for row in shown
    ]
    head = "".join(f"<th>{name}</th>" for name in ("Status", "Action", "Resource", "Why", "Time")[:columns])
    body = "".join("<tr>" + "".join(f"<td>{safe(cell)}</td>" for cell in row[:columns]) + "</tr>" for row in cells)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Return names and values as a table of two columns."""
    body = "".join(f"<tr><th>{safe(name)}</th><td>{safe(value)}</td></tr>" for name, value in rows)
    return f"<table><tbody>{body}</tbody></table>"
