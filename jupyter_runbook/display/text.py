"""A record as plain text: for a terminal, a mail, a diff of two work logs."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from jupyter_runbook.display.words import ACTIONS, STATUSES, log_text, readable, title
from jupyter_runbook.plan import Action

if TYPE_CHECKING:
    from jupyter_runbook.record import ChangeRecord, StepRecord

__all__ = ["record_text"]


def record_text(record: StepRecord) -> str:
    """Return a record as people read it in a terminal."""
    lines = [f"{STATUSES[record.status]} {record.status}: {readable(title(record))}"]
    if record.error:
        lines.append(f"  {record.error.kind}: {readable(_about(record))}")
        if record.error.hint:
            lines.append(f"  → {readable(record.error.hint)}")
    lines.append(f"  {readable(record.summary)}")
    for row in record.changes:
        lines += _row(row)
    if record.log:
        lines += ["  output:", textwrap.indent(log_text(record.log), "    ", lambda _: True)]
    if record.plan_digest:
        lines.append(f"  plan {record.plan_digest[:12]}")
    return "\n".join(lines)


def _about(record: StepRecord) -> str:
    error = record.error
    if error is None:
        return ""
    named = error.resource and error.resource not in error.message
    return f"{error.resource}: {error.message}" if named else error.message


def _row(row: ChangeRecord) -> list[str]:
    why = f": {row.reason}" if row.reason else ""
    did = row.action if row.action is not Action.NO_OP else ""
    head = f"  {ACTIONS[row.action]} {did + ' ' if did else ''}{row.resource} [{row.status}]{why}"
    lines = [readable(head)]
    if row.diff:
        lines.append(textwrap.indent(readable(row.diff), "      ", lambda _: True))
    return lines
