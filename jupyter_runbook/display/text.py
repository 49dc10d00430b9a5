"""A record as plain text: for a terminal, a mail, a diff of two work logs."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from jupyter_runbook.display.matrix import grouped, matrix_text, task_line
from jupyter_runbook.display.words import ACTIONS, STATUSES, about, log_text, one_line, readable, title
from jupyter_runbook.matrix import KINDS, matrix
from jupyter_runbook.plan import Action

if TYPE_CHECKING:
    from jupyter_runbook.record import ChangeRecord, StepRecord
    from jupyter_runbook.session import Progress

__all__ = ["progress_lines", "progress_text", "record_text", "running_lines", "runs"]

RUNS = "◌ running: "


def record_text(record: StepRecord) -> str:
    """Return a record as people read it in a terminal."""
    lines = [f"{STATUSES[record.status]} {record.status}: {title(record)}"]
    if record.error:
        lines.append(f"  {record.error.kind}: {one_line(about(record.error))}")
        if record.error.hint:
            lines.append(f"  → {one_line(record.error.hint)}")
    lines.append(f"  {one_line(record.summary)}")
    tasks = matrix(record.changes)
    if tasks:
        lines += ["  " + line for line in matrix_text(tasks)]
    # What the matrix tells is told.
    shown = [row for row in record.changes if row.kind not in KINDS or row.reason or row.diff]
    for row in grouped(shown):
        lines += _row(row)
    if record.log:
        lines += ["  output:", textwrap.indent(log_text(record.log), "    ", lambda _: True)]
    if record.plan_digest:
        lines.append(f"  plan {record.plan_digest[:12]}")
    return "\n".join(lines)


def progress_text(progress: Progress) -> str:
    """Return a running step: a line, and a line for each of its tasks."""
    head = f"{RUNS}{one_line(progress.name)}, {progress.seconds:.0f} s"
    return "\n".join([head, *(f"  {line}" for line in progress_lines(progress))])


def progress_lines(progress: Progress) -> list[str]:
    """Return a line for each task of a running step."""
    tasks = progress.matrix
    return [task_line(tasks, task) for task in tasks.tasks] if tasks else []


def runs(text: object) -> bool:
    """Tell whether a text is `progress_text`'s: of a step that was at work when it was shown."""
    return isinstance(text, str) and text.startswith(RUNS)


def running_lines(text: str) -> list[str] | None:
    """Return the lines of the tasks in `progress_text`'s text; None for another text."""
    head, *lines = text.split("\n")
    return [line.strip() for line in lines] if head.startswith(RUNS) else None


def _row(row: ChangeRecord) -> list[str]:
    why = f": {row.reason}" if row.reason else ""
    did = row.action if row.action is not Action.NO_OP else ""
    head = f"  {ACTIONS[row.action]} {did + ' ' if did else ''}{row.resource} [{row.status}]{why}"
    lines = [one_line(head)]
    if row.diff:
        lines.append(textwrap.indent(readable(row.diff), "      ", lambda _: True))
    return lines
