"""What does not fit in a work log: records that were edited, taken out, or never made by a step. Pure.

Whoever may write the file can make all of it fit; that is found where records are signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.record import StepRecord
    from jupyter_runbook.worklog import LoggedCell, WorkLog

__all__ = ["Finding", "findings"]


FOLLOWS = "the record there does not follow the one before it: that was edited after the run, or one was taken out"
FIRST = "the record there is the first of its run, and there is one before it"


class Finding(NamedTuple):
    """Something in a cell that does not fit.

    Parameters
    ----------
    cell
        Where.
    kind
        ``record``: it was edited; ``added``: no step made it; ``removed``: one before it is not there, or another one;
        ``swapped``: it is of another run.
    text
        One line.
    """

    cell: LoggedCell
    kind: str
    text: str


def findings(log: WorkLog) -> list[Finding]:
    """Return what does not fit, in the order of the cells.

    A record is held against its own digest, against the run that made the work log, against the record before it, whose
    digest it has as ``prev``, and against the journal where that is there.
    """
    before: str | None = None
    found: list[Finding] = []
    for cell in log.cells:
        for one in cell.strays:
            text = f"it shows a record of %%{one.provider} ({one.name}), and is no step"
            found.append(Finding(cell, "added", text))
        for step in cell.steps:
            if step.record is not None:
                found += [Finding(cell, kind, text) for kind, text in _of(log, step.record, before)]
                before = step.record.digest
    return found


def _of(log: WorkLog, record: StepRecord, before: str | None) -> Iterator[tuple[str, str]]:
    edited = record.compute_digest() != record.digest
    if edited:
        yield "record", "the record there does not match its digest; it was edited after the run"
    if log.run and record.run != log.run.run:
        yield "swapped", f"the record there is of another run, {record.run}"
    elif log.run and record.prev != before:
        yield "removed", FOLLOWS if record.prev else FIRST
    if log.journaled is None or record.run not in log.journaled.runs or edited:
        return
    if record.id not in log.journaled.records:
        yield "added", "the record there is not in the journal"
    elif not log.journaled.knows(record):
        yield "record", "the journal has another record of this step; one of the two was edited after the run"
