"""What does not fit in a work log: records that no step left there, cells that are not what ran. Pure.

Whoever may write the file can make all of it fit; that is found where records are signed.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from jupyter_runbook.canonical import digest
from jupyter_runbook.notebook import source_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.record import StepRecord
    from jupyter_runbook.worklog import LoggedCell, WorkLog

__all__ = ["Finding", "findings"]


FOLLOWS = "the record there does not follow the one before it: that was edited after the run, or one was taken out"
FIRST = "the record there is the first of its run, and there is one before it"
SOURCE = "its code is not what ran: it was edited after the run"
ADDED = "the cell was added after the run"
MOVED = "the cell stood elsewhere when it ran"
NEXT_REMOVED = "the cell that ran after it was taken out after the run"
FIRST_REMOVED = "the cell that ran before it was taken out after the run"
NO_RECORD = "its step left no record, or that was taken out after the run"
LIST = "the cells that ran are other ones in the journal: one of the two was edited after the run"


class Finding(NamedTuple):
    """Something in a cell that does not fit.

    Parameters
    ----------
    cell
        Where.
    kind
        Of a record ``record``: it was edited; ``added``: no step made it; ``removed``: one before it is not there, or
        another one; ``swapped``: it is of another run. Of a cell ``source``: its code is not what ran; ``added``,
        ``removed`` (the one beside it), ``moved``; ``output``: its record is not there. ``metadata``: what is said of
        the run was edited.
    text
        One line.
    """

    cell: LoggedCell
    kind: str
    text: str


def findings(log: WorkLog) -> list[Finding]:
    """Return what does not fit, in the order of the cells.

    A record is held against its own digest, against the run that made the work log, against the record before it, whose
    digest it has as ``prev``, and against the journal where that is there; a cell's code against the digest that its
    records have of it, and the cells against those that the run began with.
    """
    before: str | None = None
    found: list[Finding] = []
    for cell in log.cells:
        for one in cell.strays:
            text = f"it shows a record of %%{one.provider} ({one.name}), and is no step"
            found.append(Finding(cell, "added", text))
        for step in cell.steps:
            if step.record is None and step.status == "unknown":
                found.append(Finding(cell, "output", NO_RECORD))
            if step.record is not None:
                found += [Finding(cell, kind, text) for kind, text in _of(log, step.record, before)]
                before = step.record.digest
    return sorted([*found, *_of_cells(log)], key=lambda one: one.cell.index)


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


def _of_cells(log: WorkLog) -> Iterator[Finding]:
    """Yield what does not fit of the cells' code."""
    began = dict(log.run.cells) if log.run else {}
    for cell in log.cells:
        said = {step.record.source_digest for step in cell.steps if step.record and step.record.source_digest}
        if (name := _name(cell)) in began:
            said.add(began[name])
        elif began:
            yield Finding(cell, "added", ADDED)
        if said and source_digest(cell.source) not in said:
            yield Finding(cell, "source", SOURCE)
    if log.run and began and log.cells:
        yield from _of_order(log, list(began))
        journal = log.journaled.runs.get(log.run.run) if log.journaled else None
        if journal is not None and journal != digest(log.run.cells):
            yield Finding(log.cells[0], "metadata", LIST)


def _name(cell: LoggedCell) -> str:
    # A file may have anything in its place.
    return cell.cell_id if isinstance(cell.cell_id, str) else ""


def _of_order(log: WorkLog, began: list[str]) -> Iterator[Finding]:
    """Yield which cells are not there any more, or not where they were when the run began."""
    here = {_name(cell): at for at, cell in enumerate(log.cells)}
    for at in _out_of_order([here[name] for name in began if name in here]):
        yield Finding(log.cells[at], "moved", MOVED)
    last: int | None = None
    for name in began:
        if name in here:
            last = here[name]
        elif last is None:
            yield Finding(log.cells[0], "removed", FIRST_REMOVED)
        else:
            yield Finding(log.cells[last], "removed", NEXT_REMOVED)


def _out_of_order(places: list[int]) -> list[int]:
    """Return the fewest of some different numbers without which the others are in order: those that were moved."""
    tails: list[int] = []
    ends: list[int] = []  # the position of the last number of the best row of each length
    before: list[int] = []
    for at, place in enumerate(places):
        length = bisect_left(tails, place)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [place]
        ends[length : length + 1] = [at]
    kept = set()
    at = ends[-1] if ends else -1
    while at >= 0:
        kept.add(places[at])
        at = before[at]
    return [place for place in places if place not in kept]
