"""What the journal keeps of cells: of a notebook that is run by hand, and of a replay that is not over.

A saved notebook does not tell of a cell whose kernel was killed while it ran, nor of one that failed before its code
began; and the work log of a replay is written some time after a cell has ended. The journal has both at once.
"""

from __future__ import annotations

import atexit
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_runbook.alive import is_alive
from jupyter_runbook.errors import Interrupted, StepFailed
from jupyter_runbook.journal import Journal, readable_events
from jupyter_runbook.notebook import FOLDER, Verdict, source_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from jupyter_runbook.session import Session

__all__ = ["ByHand", "Known", "end_of_replay", "known_by_hand", "known_of_replay"]


class ByHand:
    """One kernel's life, from its first step on.

    A journal that can't be written stops no plain cell: the next step says so.

    Parameters
    ----------
    session
        The session.
    notebook
        The notebook's path; None where it can't be known.
    """

    def __init__(self, session: Session, notebook: Path | None) -> None:
        self._journal = session.journal
        self._run = session.run
        self._at_work: str | None = None
        with suppress(OSError):
            self._journal.run(
                self._run, notebook=notebook.name if notebook else None, user=session.actor.user, by_hand=True
            )
        atexit.register(self._end)

    def cell_begins(self, cell_id: str | None, source: str | None) -> None:
        """Note that a cell is at work."""
        if cell_id is None or source is None:  # a console, where a cell is none of a notebook's
            return
        self._at_work = cell_id
        with suppress(OSError):
            self._journal.cell(self._run, cell_id, source_digest(source))

    def cell_ended(self, cell_id: str | None, error: BaseException | None) -> None:
        """Note how it ended."""
        if cell_id is None or cell_id != self._at_work:
            return
        self._at_work = None
        with suppress(OSError):
            self._journal.cell_end(self._run, cell_id, _status(error))

    def _end(self) -> None:
        with suppress(OSError):
            self._journal.run_end(self._run)


class Known:
    """What the journal knows of one cell's last run.

    Parameters
    ----------
    status
        ``done`` ``failed`` ``interrupted`` ``skipped`` ``running``.
    source_digest
        The SHA-256 of the source that ran.
    """

    def __init__(self, status: str, source_digest: str) -> None:
        self.status = status
        self.source_digest = source_digest
        #: The records of its steps, as the journal has them.
        self.records: list[Any] = []

    def ran(self, source: str) -> bool:
        """Tell whether this source ran, and not another one that the cell had then."""
        return self.source_digest == source_digest(source)

    @property
    def verdict(self) -> Verdict:
        """What became of it."""
        why = "the kernel was gone before it ended" if self.status == "interrupted" else None
        return Verdict(self.status, why)  # type: ignore[arg-type]  # it is one of them


def known_by_hand(path: Path) -> dict[str, Known]:
    """Return what the journal beside a notebook knows of its cells that were run by hand, by their ids."""
    return _known(path, lambda entry: bool(entry.get("by_hand")) and entry.get("notebook") == path.name)


def known_of_replay(path: Path, run: str) -> dict[str, Known]:
    """Return what the journal beside a work log knows of the cells of a replay, by their ids."""
    return _known(path, lambda entry: entry["id"] == run)


def end_of_replay(path: Path, run: str) -> str | None:
    """Return how a replay ended, as the journal beside its work log has it; None where it has no end."""
    journal = Journal(path.absolute().parent / FOLDER / "journal.jsonl")
    ends = [entry.get("status") for entry in readable_events(journal, "run-end") if entry["id"] == run]
    return ends[-1] if ends and isinstance(ends[-1], str) else None


def _known(path: Path, wanted: Callable[[Mapping[str, Any]], bool]) -> dict[str, Known]:
    journal = Journal(path.absolute().parent / FOLDER / "journal.jsonl")
    runs: dict[str, dict[str, Any]] = {}
    over: set[str] = set()
    found: dict[str, Known] = {}
    owner: dict[str, str] = {}
    for entry in readable_events(journal, "run", "run-end", "cell", "cell-end", "end"):
        record = entry.get("record") or {}
        run, cell = str(record.get("run") or entry["id"]), str(record.get("cell_id") or entry.get("cell_id"))
        if entry["event"] == "run" and wanted(entry):
            runs[run] = entry
        elif entry["event"] == "run-end":
            over.add(run)
        elif entry["event"] == "cell" and run in runs:
            found[cell], owner[cell] = Known("running", str(entry.get("source_digest"))), run
        elif owner.get(cell) != run:
            continue
        elif entry["event"] == "end":
            found[cell].records.append(record)
        elif entry["event"] == "cell-end" and entry.get("status") in _ENDS:
            found[cell].status = str(entry["status"])
    alive = {run: run not in over and is_alive(entry) is not False for run, entry in runs.items()}
    for cell, known in found.items():
        if known.status == "running" and not alive[owner[cell]]:
            known.status = "interrupted"
    return found


_ENDS = ("done", "failed", "interrupted", "skipped")


def _status(error: BaseException | None) -> str:
    if error is None:
        return "done"
    stopped = isinstance(error, (KeyboardInterrupt, Interrupted))
    return "interrupted" if stopped or (isinstance(error, StepFailed) and error.exit_code == 130) else "failed"  # noqa: PLR2004
