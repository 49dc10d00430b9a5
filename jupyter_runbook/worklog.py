"""Work log → cells, steps and records. Pure but for `read`; a notebook run by hand in JupyterLab is one too."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyter_runbook.byhand import end_of_replay, known_by_hand, known_of_replay
from jupyter_runbook.files import held
from jupyter_runbook.journal import Journal
from jupyter_runbook.notebook import FOLDER, RunInfo, Verdict, cell_source, first_line, lock_path, read_notebook, tags
from jupyter_runbook.record import MIME_TYPE, Status, StepRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from jupyter_runbook.byhand import Known
    from jupyter_runbook.notebook import CellStatus

__all__ = [
    "OWN",
    "Journaled",
    "LoggedCell",
    "LoggedStep",
    "WorkLog",
    "data",
    "is_whole",
    "judge",
    "outputs",
    "read",
    "record_of",
    "records",
]

#: Our own providers: a work log is read where they are not installed, too.
OWN = frozenset({"ansible", "docker", "os", "k8s", "shell", "probe"})

# What a step's status makes of its cell, where that is not "done".
_CELL: dict[Status, CellStatus] = {
    Status.FAILED: "failed",
    Status.INTERRUPTED: "interrupted",
    Status.SKIPPED: "skipped",
    Status.NOT_RUN: "not-run",
}


@dataclass(frozen=True)
class LoggedStep:
    """One step of a work log, also one that left no record.

    Parameters
    ----------
    name
        The record's, or what the cell says of it.
    provider
        The magic's name.
    status
        The record's; without a record what became of the cell.
    record
        All of it; None where the step never came so far.
    why
        One line on a step that did not end well.
    """

    name: str
    provider: str
    status: str
    record: StepRecord | None = None
    why: str | None = None


@dataclass(frozen=True)
class LoggedCell:
    """One code cell of a work log.

    Parameters
    ----------
    index
        Its place among all of the notebook's cells, from 0.
    cell_id
        Its id; None in a notebook older than nbformat 4.5.
    source
        Its text.
    status
        What became of it.
    why
        One line where the status alone does not tell.
    steps
        Its steps: one for a cell of one magic, none for plain code.
    strays
        Records in it that are none of a step of its own.
    """

    index: int
    cell_id: str | None
    source: str
    status: CellStatus
    why: str | None
    steps: tuple[LoggedStep, ...]
    strays: tuple[StepRecord, ...] = ()


@dataclass(frozen=True)
class Journaled:
    """What the journal beside a work log says of its records.

    Parameters
    ----------
    records
        Those that it has, by id, as they stand there.
    runs
        The ids of the runs that it knows, each with the digest of the cells that it began with; None where it has none.
    """

    records: Mapping[str, Any]
    runs: Mapping[str, str | None]

    def knows(self, record: StepRecord) -> bool:
        """Tell whether it has the very record."""
        kept = self.records.get(record.id)
        return kept is not None and _read(kept) == record


@dataclass(frozen=True)
class WorkLog:
    """An executed notebook.

    Parameters
    ----------
    name
        The file, as the user named it.
    notebook
        Its JSON.
    live
        Whether a replay is writing it right now.
    providers
        The names whose magics are steps.
    known
        What the journal knows of cells that were run by hand, or by a replay whose end the file does not have, by id.
    journaled
        What the journal says of its records; None where there is none that can be read.
    end
        How the journal says that a replay ended whose end the file does not have.
    """

    name: str
    notebook: Mapping[str, Any]
    live: bool = False
    providers: Collection[str] = OWN
    known: Mapping[str, Known] = field(default_factory=dict)
    journaled: Journaled | None = None
    end: str | None = None

    @cached_property
    def run(self) -> RunInfo | None:
        """The replay that made it; None for a notebook run by hand."""
        return RunInfo.read(self.notebook)

    @cached_property
    def cells(self) -> tuple[LoggedCell, ...]:
        """Its code cells that say something."""
        return tuple(
            self._cell(index, cell)
            for index, cell in enumerate(self.notebook["cells"])
            if cell["cell_type"] == "code" and cell_source(cell).strip()
        )

    @cached_property
    def status(self) -> str:
        """``done`` ``failed`` ``interrupted``; ``running`` while a replay writes it; ``not-run`` if some never ran."""
        found = {cell.status for cell in self.cells}
        if self.live or "running" in found:
            return "running"
        if self.run and self.run.died:
            return "failed"
        for status in ("interrupted", "failed"):
            if status in found:
                return status
        if "not-run" in found:
            # Between two cells, a replay that was cut off leaves no cell at work.
            return "interrupted" if self.run else "not-run"
        if self.run and self.run.ended is None:
            # Its last cell has ended, and it was cut off before it had: that is no run that is done.
            return self.end or "interrupted"
        return "done"

    def _cell(self, index: int, cell: Mapping[str, Any]) -> LoggedCell:
        source = cell_source(cell)
        shown = records(cell)
        found = [record for record in shown if self._is_step(record, source)]
        strays = tuple(record for record in shown if record not in found)
        known = self.known.get(str(cell.get("id")))
        if known and not known.ran(source):
            known = None
        if known and not found:  # it was not saved since
            found = [record for one in known.records if (record := _read(one))]
        verdict = self._verdict(cell, found, known)
        steps = tuple(_recorded(record) for record in found)
        provider = first_line(source).removeprefix("%%").partition(" ")[0]
        if not steps and first_line(source).startswith("%%") and provider in self.providers:
            name = _name(source) or f"%%{provider} in cell {index + 1}"
            # A record that is not there is not made up: a cell that ended without one is not called ok.
            status = "unknown" if verdict.status == "done" else verdict.status
            steps = (LoggedStep(name, provider, status, None, verdict.why),)
        return LoggedCell(index, cell.get("id"), source, verdict.status, verdict.why, steps, strays)

    def _is_step(self, record: StepRecord, source: str) -> bool:
        """Tell whether a record in a cell is of a step there: any code can show one, of whatever it likes."""
        if any(line.strip().startswith(f"%%{record.provider}") for line in source.splitlines()):
            return True
        # A step that code has run, by run_cell_magic: only the journal tells.
        return self.journaled is not None and self.journaled.knows(record)

    def _verdict(self, cell: Mapping[str, Any], found: Sequence[StepRecord], known: Known | None) -> Verdict:
        said = Verdict.read(cell)
        if said and not (found and self.run and found[-1].run != self.run.run):
            return said
        state = _papermill(cell)
        if said is None and self.run and state in ("pending", "running") and (known or not found):
            return self._unsaid(state, known)
        seen = judge(cell)
        if known is None:
            return seen
        hand = known.verdict
        if hand.status == "failed" and "raises-exception" in tags(cell):
            hand = Verdict("done")
        if hand.status == "done" and found and found[-1].status in _CELL:
            return Verdict(_CELL[found[-1].status])
        # A step's record is more than how its cell ended.
        return hand if hand.status in ("running", "interrupted") or seen.status in ("not-run", "done") else seen

    def _unsaid(self, state: str, known: Known | None) -> Verdict:
        """Return what became of a replay's cell whose end the file does not have: the journal may have it."""
        if known is None and state == "pending":
            return Verdict("not-run")
        if known is not None and known.status not in ("running", "interrupted"):
            return Verdict(known.status)  # type: ignore[arg-type]  # it is one of them
        return Verdict("running") if self.live else Verdict("interrupted", "the replay ended while it was at work")


def judge(cell: Mapping[str, Any]) -> Verdict:
    """Tell what became of a cell from its outputs alone."""
    found = records(cell)
    errors = [one for one in outputs(cell) if one.get("output_type") == "error"]
    if found and found[-1].status in _CELL:
        return Verdict(_CELL[found[-1].status])
    if errors and "raises-exception" not in tags(cell):
        return Verdict("interrupted" if errors[-1].get("ename") == "KeyboardInterrupt" else "failed")
    if found or errors or cell.get("execution_count") is not None:
        return Verdict("done")
    return Verdict("not-run")


def records(cell: Mapping[str, Any]) -> list[StepRecord]:
    """Return the step records in a cell's outputs; what can't be read as one is left out."""
    return [record for output in outputs(cell) if (record := record_of(output))]


def is_whole(mime: str, value: Any) -> bool:
    """Tell whether a value of a display is a record that has its digest."""
    record = _read(value) if mime == MIME_TYPE else None
    return record is not None and record.compute_digest() == record.digest


def record_of(output: Mapping[str, Any]) -> StepRecord | None:
    """Return the step record in an output; None where it has none, or none that can be read."""
    return _read(data(output).get(MIME_TYPE))


def _read(wire: Any) -> StepRecord | None:
    try:
        return StepRecord.from_wire(wire)
    except (KeyError, ValueError):
        return None


def read(path: Path, name: str | None = None, providers: Collection[str] = ()) -> WorkLog:
    """Read a work log's file.

    Parameters
    ----------
    path, name
        The file, and how it is named to people; left out, its path.
    providers
        Names of more providers whose magics are steps.

    Raises
    ------
    NotANotebook
        See `read_notebook`.
    """
    # Asked first: a replay that ends between the two has written its last.
    live = held(lock_path(path))
    notebook = read_notebook(path, name)
    run = RunInfo.read(notebook)
    known = known_by_hand(path) if run is None else {} if run.ended else known_of_replay(path, run.run)
    end = end_of_replay(path, run.run) if run and run.ended is None else None
    return WorkLog(name or str(path), notebook, live, OWN | set(providers), known, _journaled(path, notebook), end)


def _journaled(path: Path, notebook: Mapping[str, Any]) -> Journaled | None:
    shown = [data(output).get(MIME_TYPE) for cell in notebook["cells"] for output in outputs(cell)]
    ids = {str(wire["id"]) for wire in shown if isinstance(wire, dict) and "id" in wire}
    if not ids and RunInfo.read(notebook) is None:
        return None
    try:
        found, runs = Journal(path.absolute().parent / FOLDER / "journal.jsonl").told(ids)
    except OSError:
        return None
    return Journaled(found, runs) if runs else None


def data(output: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an output's values by MIME type."""
    found = output.get("data")
    return found if isinstance(found, dict) else {}


def outputs(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a cell's outputs; what can't be one is left out."""
    found = cell.get("outputs")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _recorded(record: StepRecord) -> LoggedStep:
    return LoggedStep(
        record.name, record.provider, record.status, record, record.error.message if record.error else None
    )


def _name(source: str) -> str | None:
    """Return what a cell's line says after ``--name``."""
    try:
        words = shlex.split(first_line(source))
    except ValueError:
        return None
    for at, word in enumerate(words):
        if word == "--name" and at + 1 < len(words):
            return words[at + 1]
        if word.startswith("--name="):
            return word.removeprefix("--name=")
    return None


def _papermill(cell: Mapping[str, Any]) -> Any:
    found = cell["metadata"].get("papermill")
    return found.get("status") if isinstance(found, dict) else None
