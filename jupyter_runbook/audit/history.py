"""``jupyter runbook history``: the runs that journals know: when, who, what, how they ended."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.alive import is_alive
from jupyter_runbook.audit.status import sign
from jupyter_runbook.display.words import one_line, short_time
from jupyter_runbook.journal import Journal, readable_events
from jupyter_runbook.notebook import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Entry", "history", "history_json", "history_text", "journals"]

NAME = "journal.jsonl"
# Folders in which nobody keeps runbooks, and which are long to look through.
_PASSED = {"node_modules", "site-packages", "__pycache__"}


@dataclass
class Entry:
    """One run.

    Parameters
    ----------
    run
        Its id.
    folder
        The folder of its journal.
    notebook
        The work log, or the notebook that was run by hand; None where the journal does not tell.
    runbook
        The runbook that was replayed, as the user named it.
    user, host
        Who ran it, and where.
    started, ended
        When (UTC); ``ended`` is None while it runs, and for a run that was killed.
    status
        ``done``, ``failed``, ``interrupted``, ``running``; ``unknown`` for one without an end on another host. A
        notebook that is open, but of which no cell is at work, is not running.
    mode
        ``replay``, ``check`` for a dry run, ``hand``.
    steps
        How many steps ended with each status.
    """

    run: str
    folder: str
    notebook: str | None = None
    runbook: str | None = None
    user: str = "unknown"
    host: str = "unknown"
    started: str = ""
    ended: str | None = None
    status: str = "unknown"
    mode: str = "hand"
    steps: dict[str, int] = field(default_factory=dict)


def journals(folder: Path) -> Iterator[Path]:
    """Yield the journals in a folder and below it; hidden folders are passed by."""
    for place, folders, _ in os.walk(folder):
        if FOLDER in folders and (path := Path(place, FOLDER, NAME)).is_file():
            yield path
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in _PASSED)


def history(paths: Iterable[Path]) -> list[Entry]:
    """Return the runs that journals know, oldest first."""
    found = [entry for path in paths for entry in _runs(path)]
    return sorted(found, key=lambda entry: entry.started)


def history_json(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return what ``history --json`` prints."""
    return [asdict(entry) for entry in entries]


def history_text(entries: Iterable[Entry]) -> str:
    """Return a line a run for people, the newest last."""
    rows = [_row(entry) for entry in entries]
    if not rows:
        return "no journal here knows a run"
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)


def _row(entry: Entry) -> list[str]:
    here = os.path.relpath(Path(entry.folder, entry.notebook or ""))
    what = f"{entry.runbook} → {here}" if entry.runbook else here
    what += {"check": " (dry run)", "hand": " (by hand)"}.get(entry.mode, "")
    counts = ", ".join(f"{count} {status}" for status, count in entry.steps.items()) or "no steps"
    who = f"{entry.user}@{entry.host}"
    cells = [short_time(entry.started), f"{sign(entry.status)} {entry.status}", who, what, counts]
    return [one_line(cell) for cell in cells]


def _runs(path: Path) -> list[Entry]:
    journal = Journal(path)
    runs: dict[str, Entry] = {}
    wrote: dict[str, dict[str, Any]] = {}
    last: dict[str, dict[str, str]] = {}
    cells: dict[str, dict[str, str]] = {}
    for entry in readable_events(journal, "run", "run-end", "begin", "end", "interrupted", "cell", "cell-end"):
        event = entry["event"]
        if event in ("run", "run-end"):
            one = _run_of(runs, str(entry["id"]), path)
            _note(one, entry)
            if event == "run":
                wrote[one.run] = entry
        elif event in ("cell", "cell-end"):
            state = "running" if event == "cell" else str(entry.get("status"))
            cells.setdefault(str(entry["id"]), {})[str(entry.get("cell_id"))] = state
        elif event == "begin":
            one = _run_of(runs, str(entry.get("run")), path)
            _who(one, entry.get("user"), entry.get("host"), entry.get("at"))
            wrote.setdefault(one.run, entry)
            last.setdefault(one.run, {})[str(entry["id"])] = "interrupted"
        elif event == "end":
            record = entry.get("record") or {}
            one = _run_of(runs, str(record.get("run")), path)
            actor = record.get("actor") or {}
            _who(one, actor.get("user"), actor.get("host"), record.get("started"))
            last.setdefault(one.run, {})[str(entry["id"])] = str(record.get("status"))
    for name, one in runs.items():
        one.steps = dict(Counter(last.get(name, {}).values()))
        if one.status == "unknown":
            one.status = _status(one, wrote.get(name), cells.get(name, {}))
    return list(runs.values())


def _run_of(runs: dict[str, Entry], run: str, path: Path) -> Entry:
    return runs.setdefault(run, Entry(run, str(path.parent.parent)))


def _note(one: Entry, entry: dict[str, Any]) -> None:
    """Take what a journal says of a run's beginning or end."""
    if entry["event"] == "run-end":
        one.ended = _text(entry.get("at"))
        one.status = _text(entry.get("status")) or one.status
        return
    _who(one, entry.get("user"), entry.get("host"), entry.get("at"))
    one.notebook, one.runbook = _text(entry.get("notebook")), _text(entry.get("runbook"))
    one.mode = "hand" if entry.get("by_hand") else "check" if entry.get("check") else "replay"


def _who(one: Entry, user: Any, host: Any, at: Any) -> None:
    if not one.started:
        one.user, one.host, one.started = str(user or "unknown"), str(host or "unknown"), str(at or "")


def _status(one: Entry, wrote: dict[str, Any] | None, cells: Mapping[str, str]) -> str:
    """Return how a run ended that the journal has no word of: it runs, was killed, or was one by hand."""
    alive = is_alive(wrote) if wrote else False
    # A notebook that is open waits for a person; an older journal has no cells.
    idle = one.mode == "hand" and bool(cells) and "running" not in cells.values()
    if one.ended is None and alive is not False and not (alive and idle):
        return "running" if alive else "unknown"
    broken = "interrupted" in one.steps or "running" in cells.values()
    if broken or (one.ended is None and one.mode != "hand"):
        return "interrupted"
    return "failed" if "failed" in one.steps or "failed" in cells.values() else "done"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
