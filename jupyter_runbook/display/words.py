"""The words and signs that all displays share."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from jupyter_runbook.plan import Action
from jupyter_runbook.printable import one_line, readable

if TYPE_CHECKING:
    from jupyter_runbook.record import ErrorRecord, Log, StepRecord

__all__ = [
    "ACTIONS",
    "LEFT",
    "STATUSES",
    "about",
    "log_text",
    "one_line",
    "origin",
    "readable",
    "safe",
    "short_time",
    "title",
    "verbatim",
]

#: The sign of an action, as the plans of infrastructure tools show it.
ACTIONS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "±",
    Action.DELETE: "-",
    Action.RUN: "▶",
    Action.NO_OP: "=",
}

#: An attribute of a cell that JupyterLab would put to the right: in what it shows as HTML, and not by our renderer.
LEFT = ' style="text-align:left"'

#: The sign of a status: a reader who sees no colour still sees it.
STATUSES = {
    "ok": "✓",
    "changed": "●",
    "planned": "○",
    "failed": "✗",
    "skipped": "⊘",
    "interrupted": "■",
    "not-run": "·",
    "unknown": "?",
}

# What begins a formula of TeX.
_MATH = re.compile(r"[$\\]+")


def verbatim(text: str) -> str:
    """Return anybody's text as it may stand in ``<pre>``, in a title or an attribute: nothing in it is interpreted."""
    return escape(readable(text))


def safe(text: str) -> str:
    """Return anybody's text as it may stand anywhere in HTML: nothing in it is interpreted, by MathJax neither.

    JupyterLab and code-review pages take what stands between two dollars for a formula, but for ``<pre>``, and but for
    a sign that an element is around (MathJax's documentation, "The MathJax Components", on delimiters).
    """
    return _MATH.sub(r"<span>\g<0></span>", verbatim(text))


def title(record: StepRecord) -> str:
    """Return what a step is, in one line: name, provider, target, time."""
    where = f" on {record.target}" if record.target else ""
    mode = ", dry run" if record.mode == "check" else ""
    return one_line(f"{record.name} · %%{record.provider}{where}{mode} · {record.seconds:.1f} s")


def about(error: ErrorRecord | None) -> str:
    """Return what went wrong, with the resource where the message does not name it."""
    if error is None:
        return ""
    named = error.resource and error.resource not in error.message
    return f"{error.resource}: {error.message}" if named else error.message


def short_time(text: str) -> str:
    """Return a record's time without its fraction: ``2026-11-24 22:42:55 UTC``."""
    return text[:19].replace("T", " ") + " UTC"


def log_text(log: Log) -> str:
    """Return the first and last lines of a log, as people read them, with what is between told."""
    head = readable(log.head).rstrip("\n")
    if log.tail is None:
        return head
    tail = readable(log.tail).rstrip("\n")
    between = log.lines - log.head.count("\n") - len(log.tail.splitlines())
    where = f" in {log.path}" if log.path else ", which could not be kept"
    return f"{head}\n… {max(between, 0)} lines more{where} …\n{tail}"


def origin(record: StepRecord) -> list[tuple[str, str]]:
    """Return who, when, where from: name and value, in the order that people ask."""
    rows = [
        ("who", f"{record.actor.user} on {record.actor.host}"),
        ("when", f"{short_time(record.started)} to {short_time(record.ended)}"),
        ("run", record.run),
        ("plan", record.plan_digest),
        ("record", record.digest),
        ("before it", record.prev),
        ("versions", ", ".join(f"{tool} {version}" for tool, version in record.versions.items())),
    ]
    if record.approval:
        said = f"{record.approval.answer}, by {record.approval.by}, {short_time(record.approval.at)}"
        rows.insert(2, ("approval", said + (f": {record.approval.reason}" if record.approval.reason else "")))
    if len(record.attempts) > 1:
        failed = [one.error.message for one in record.attempts if one.error]
        rows.insert(2, ("attempts", f"{len(record.attempts)}; failed: {'; '.join(failed) or 'none'}"))
    if record.log:
        rows.append(("log", f"{record.log.lines} lines, {record.log.bytes} bytes, SHA-256 {record.log.sha256}"))
    return [(name, value) for name, value in rows if value]
