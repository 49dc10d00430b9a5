"""``jupyter runbook status``: every step of a work log with its status. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jupyter_runbook.audit.findings import findings
from jupyter_runbook.display.outputs import error_line
from jupyter_runbook.display.words import STATUSES, one_line, short_time
from jupyter_runbook.worklog import outputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_runbook.worklog import LoggedCell, LoggedStep, WorkLog

__all__ = ["counts", "sign", "status_json", "status_text"]


def status_json(log: WorkLog) -> dict[str, Any]:
    """Return what ``status --json`` prints: status and run of the whole, each step, each code cell.

    ``seconds`` and ``error`` are null where a step left no record; ``index`` counts all of the notebook's cells from 0.
    ``findings`` are what does not fit, see `jupyter_runbook.audit.findings`.
    """
    return {
        "status": log.status,
        "run": log.run.run if log.run else None,
        "steps": [_step(cell, step) for cell in log.cells for step in cell.steps],
        "findings": [
            {"cell_id": one.cell.cell_id, "index": one.cell.index, "kind": one.kind, "message": one.text}
            for one in findings(log)
        ],
        "cells": [{"cell_id": cell.cell_id, "index": cell.index, "status": cell.status} for cell in log.cells],
    }


def status_text(log: WorkLog) -> str:
    """Return the same for people: the run, a line a step, and a line a plain cell that did not end well."""
    lines = [f"{log.name}: {log.status}"]
    if run := log.run:
        till = f"to {short_time(run.ended)}" if run.ended else "and not ended"
        mode = ", a dry run," if run.check else ","
        lines.append(f"  run {run.run}{mode} by {run.user} on {run.host}, {short_time(run.started)} {till}")
        lines += [f"  {run.lost}"] if run.lost else []
    for cell in log.cells:
        for step in cell.steps:
            seconds = f"{step.record.seconds:8.1f} s" if step.record else " " * 10
            lines.append(
                f"  {sign(step.status)} {step.status:<11} {seconds}  {step.name}"
                f"  (%%{step.provider}, cell {cell.index + 1})"
            )
            lines += _because(step)
        if not cell.steps and cell.status != "done":
            said = cell.why or _raised(log, cell)
            why = f": {said}" if said else ""
            lines.append(f"  {sign(cell.status)} {cell.status:<11} {'':10}  cell {cell.index + 1}{why}")
    lines += [f"  ⚠ cell {one.cell.index + 1}: {one.text}" for one in findings(log)]
    lines.append(f"  steps: {counts(step.status for cell in log.cells for step in cell.steps) or 'none'}")
    lines.append(f"  cells: {counts(cell.status for cell in log.cells) or 'none'}")
    return "\n".join(map(one_line, lines))


def counts(statuses: Iterable[str]) -> str:
    """Return how many there are of each status: ``1 changed, 2 ok``."""
    return ", ".join(f"{count} {status}" for status, count in Counter(statuses).items())


def sign(status: str) -> str:
    """Return the sign of a step's or a cell's status."""
    return STATUSES.get(status, {"done": "✓", "running": "◌"}.get(status, "?"))


def _step(cell: LoggedCell, step: LoggedStep) -> dict[str, Any]:
    record = step.record
    return {
        "cell_id": cell.cell_id,
        "index": cell.index,
        "name": step.name,
        "provider": step.provider,
        "status": str(step.status),
        "seconds": record.seconds if record else None,
        "error": asdict(record.error) if record and record.error else None,
    }


def _raised(log: WorkLog, cell: LoggedCell) -> str | None:
    """Return the error that a plain cell raised, in a line."""
    errors = [one for one in outputs(log.notebook["cells"][cell.index]) if one.get("output_type") == "error"]
    return error_line(errors[-1]) if errors else None


def _because(step: LoggedStep) -> list[str]:
    if step.record is None:
        return [f"      {step.why}"] if step.why else []
    error = step.record.error
    if error is None:
        return []
    lines = [f"      {error.kind}: {error.message}"]
    return [*lines, f"      → {error.hint}"] if error.hint else lines
