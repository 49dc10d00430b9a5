"""The journal: an append-only file of beginnings and records, beside the notebook.

``begin`` is on the disk before the first write call, ``end`` after the last; a begin without an end is a step that was
interrupted. Each line is one JSON object whose first two keys are ``event`` and ``id``:

- ``begin``: the step is about to change something; who, where, which plan, and the process that does it
- ``found``: the ID that a service gave to a resource, as soon as it gave it
- ``end``: the whole step record (a step that changes nothing has this line alone)
- ``interrupted``: a later run noticed that a begin has no end
- ``run``, ``run-end``: a replay, or a kernel's life by hand: what, who, where, and how it ended
- ``cell``, ``cell-end``: a cell of a run, and how it ended; their id is the run's
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.alive import is_alive, this_process
from jupyter_runbook.errors import BadInput, Where
from jupyter_runbook.files import write_all
from jupyter_runbook.private import open_file
from jupyter_runbook.record import utc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from jupyter_runbook.canonical import JSON
    from jupyter_runbook.record import StepRecord

__all__ = ["Begin", "Journal", "readable_events"]

# A line is read whole only where its first keys say that it is needed: records are long.
_HEAD = re.compile(rb'\{"event":"(begin|end|found|interrupted|run|run-end|cell|cell-end)","id":"([^"\\]+)"')

# A record is long, and a journal too; what is longer than this is none. In bytes.
LONGEST, MOST = 64 << 20, 4 << 30
# Seconds that another process may hold it.
PATIENCE = 10.0

_STEP = (b"begin", b"end", b"found", b"interrupted")


@dataclass(frozen=True)
class Begin:
    """A step that began and whose end is not there.

    Parameters
    ----------
    id
        The record's id.
    name, provider, at, user, host
        What began, when (UTC), who did it and where.
    alive
        Whether its process is still at work; None where it ran on another host.
    found
        The IDs that services gave to its resources, by resource.
    """

    id: str
    name: str
    provider: str
    at: str
    user: str
    host: str
    alive: bool | None
    found: dict[str, str]


class Journal:
    """Append to a journal, and find what an earlier run left open.

    Parameters
    ----------
    path
        The file; it and its folder are made with the first line, for the user alone to read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: The numbers of the lines that `open` could not read: a crash cut them off, or somebody else wrote them.
        self.left_out: list[int] = []
        # Of the cells and their run, what could not be written yet.
        self._late = b""

    def begin(self, draft: StepRecord) -> None:
        """Note that a step is about to change something.

        Raises
        ------
        OSError
            The line is not safe on the disk; nothing of it is left, and the step must not go on.
        """
        self._append(
            "begin",
            draft.id,
            run=draft.run,
            cell_id=draft.cell_id,
            name=draft.name,
            provider=draft.provider,
            target=draft.target,
            at=utc(),
            plan_digest=draft.plan_digest,
            user=draft.actor.user,
            **this_process(),
        )

    def found(self, step: str, resource: str, identifier: str) -> None:
        """Note the ID that a service gave to a resource of a step that has begun."""
        self._append("found", step, at=utc(), resource=resource, identifier=identifier)

    def end(self, record: StepRecord) -> None:
        """Add a record."""
        self._append("end", record.id, at=utc(), record=record.wire())

    def interrupted(self, begin: Begin) -> None:
        """Note that an open begin was noticed, so that it is told once."""
        self._append("interrupted", begin.id, at=utc(), **this_process())

    def run(self, run: str, *, notebook: str | None, user: str, **entry: JSON) -> None:
        """Note that a run has begun.

        Parameters
        ----------
        run
            Its id.
        notebook
            The name of the work log, or of the notebook that is run by hand, in the journal's folder.
        user
            Who runs it.
        entry
            What else is known: ``runbook``, ``check``, ``by_hand``, ``cells`` (the digest of `RunInfo.cells`).
        """
        self._append("run", run, at=utc(), notebook=notebook, user=user, **entry, **this_process())

    def run_end(self, run: str, status: str | None = None) -> None:
        """Note that a run has ended, and how, where that is known."""
        self._catch_up(_line("run-end", run, at=utc(), status=status), patience=PATIENCE)

    def cell(self, run: str, cell_id: str, source_digest: str) -> None:
        """Note that a cell is run by hand; it need not be on the disk before that."""
        self._catch_up(_line("cell", run, at=utc(), cell_id=cell_id, source_digest=source_digest), light=True)

    def turn(self, run: str, *, ended: tuple[str, str] | None, begun: tuple[str, str] | None) -> None:
        """Note how a cell of a replay ended, and that the next one begins; both are on the disk then.

        What can't be written is written with the next turn, or with the run's end.

        Parameters
        ----------
        run
            The run's id.
        ended
            The cell's id and its status.
        begun
            The cell's id and its source's digest.

        Raises
        ------
        OSError
            It can't be written; nor is a journal made anew of which the beginning is gone.
        """
        lines = []
        if ended:
            lines.append(_line("cell-end", run, at=utc(), cell_id=ended[0], status=ended[1]))
        if begun:
            lines.append(_line("cell", run, at=utc(), cell_id=begun[0], source_digest=begun[1]))
        if lines:
            self._catch_up(b"".join(lines))

    def cell_end(self, run: str, cell_id: str, status: str) -> None:
        """Note how a cell that was run by hand ended: ``done``, ``failed``, ``interrupted``."""
        self._catch_up(_line("cell-end", run, at=utc(), cell_id=cell_id, status=status), light=True)

    def events(self, *wanted: str) -> Iterator[dict[str, Any]]:
        """Yield the entries of some events, oldest first; what can't be read is left out."""
        names = {one.encode() for one in wanted}
        for event, _, line, _ in self._lines():
            if event in names and (entry := _load(line)):
                yield entry

    def told(self, ids: Collection[str]) -> tuple[dict[str, Any], dict[str, str | None]]:
        """Return the records with these ids, and the ids of all runs, each with the digest of its cells if it has one.

        Raises
        ------
        OSError
            It can't be read; see `open`.
        """
        records: dict[str, Any] = {}
        runs: dict[str, str | None] = {}
        for event, name, line, _ in self._lines():
            if event == b"run":
                cells = _load(line).get("cells")
                runs[name.decode()] = cells if isinstance(cells, str) else None
            elif event == b"end" and (step := name.decode()) in ids:
                records[step] = _load(line).get("record")
        return records, runs

    def open(self) -> list[Begin]:
        """Return the beginnings without an end, oldest first; what can't be read is left out, see `left_out`.

        Raises
        ------
        OSError
            It can't be read: something else has its name (see `jupyter_runbook.private.open_file`), or it is too large.
        """
        self.left_out.clear()
        begun: dict[bytes, dict[str, Any]] = {}
        found: dict[bytes, dict[str, str]] = {}
        for event, step, line, number in self._lines():
            if event not in _STEP:
                continue
            entry = _load(line) if event in (b"begin", b"found") else None
            if entry == {}:
                self.left_out.append(number)
            elif event == b"begin" and entry:
                begun[step] = entry
            elif event == b"found" and entry:
                found.setdefault(step, {})[str(entry.get("resource"))] = str(entry.get("identifier"))
            else:
                begun.pop(step, None)
        return [_begin(entry, found.get(step, {})) for step, entry in begun.items() if entry]

    def _lines(self) -> Iterator[tuple[bytes, bytes, bytes, int]]:
        """Yield the event, the id and the whole of each line, and its number."""
        try:
            descriptor = self._opened(os.O_RDONLY)
        except FileNotFoundError:
            return
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            if size > MOST:
                raise OSError(errno.EFBIG, f"it is larger than {MOST >> 30} GiB", str(self.path))
            # What is written meanwhile is another reader's.
            number = 0
            while file.tell() < size and (line := file.readline(LONGEST)):
                number += 1
                # A last line without its end is one that a crash cut off.
                if line.endswith(b"\n") and (head := _HEAD.match(line)):
                    yield head[1], head[2], line, number
                elif line != b"\n":
                    self.left_out.append(number)

    def _catch_up(self, lines: bytes, *, light: bool = False, patience: float | None = None) -> None:
        """Write lines of a run after those that could not be written before them.

        A journal that another process holds is waited for once: a thousand cells would wait a thousand times.

        Parameters
        ----------
        lines
            The lines.
        light
            Whether losing them with the machine's power does no harm: a step's own beginning is on the disk.
        patience
            Seconds to wait for another process; left out, see above.
        """
        patience = (0 if self._late else PATIENCE) if patience is None else patience
        self._late += lines
        self._write(self._late, light=light, new=False, patience=patience)
        self._late = b""

    def _append(self, event: str, step: str, **entry: JSON) -> None:
        self._write(_line(event, step, **entry), light=False, new=True, patience=PATIENCE)

    def _write(self, lines: bytes, *, light: bool, new: bool, patience: float) -> None:
        with self._locked(new=new, patience=patience) as descriptor:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            try:
                write_all(descriptor, (b"\n" if torn else b"") + lines)
                if not light:
                    os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise

    @contextmanager
    def _locked(self, *, new: bool, patience: float) -> Iterator[int]:
        new = new and not self.path.exists()
        descriptor = self._opened(os.O_RDWR | os.O_APPEND | (os.O_CREAT if new else 0))
        try:
            _flock(descriptor, self.path, patience)
            if new:
                _sync_folder(self.path.parent)
            yield descriptor
        finally:
            os.close(descriptor)

    def _opened(self, flags: int) -> int:
        return open_file(self.path.parent.parent, self.path.parent.name, self.path.name, flags=flags)


def readable_events(journal: Journal, *wanted: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of some events, for a command that only reads.

    Raises
    ------
    BadInput
        The journal can't be read; see `Journal.open`.
    """
    try:
        yield from journal.events(*wanted)
    except OSError as error:
        raise BadInput(f"it can't be read: {error.strerror}", where=Where(str(journal.path))) from None


def _line(event: str, step: str, **entry: JSON) -> bytes:
    value = {"event": event, "id": step, **entry}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _flock(descriptor: int, path: Path, patience: float) -> None:
    """Lock the journal; whoever writes a line is done at once."""
    ends = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                raise OSError(errno.EBUSY, f"another process has held it for {patience:.0f} s", str(path)) from None
            time.sleep(0.01)  # flock(2) has no time limit of its own
        else:
            return


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _load(line: bytes) -> dict[str, Any]:
    """Return an entry; empty for a line that nobody of ours wrote."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entry, dict):
        return {}
    record = entry.get("record")
    whole = record is None or (isinstance(record, dict) and isinstance(record.get("actor"), (dict, type(None))))
    return entry if whole else {}


def _begin(entry: dict[str, Any], found: dict[str, str]) -> Begin:
    texts = {name: str(entry.get(name) or "unknown") for name in ("id", "name", "provider", "at", "user", "host")}
    return Begin(**texts, alive=is_alive(entry), found=found)
