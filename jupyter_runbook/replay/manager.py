"""What a replay writes into its work log and the journal: papermill's bookkeeping, made to tell the truth.

papermill's own calls every cell that never ran ``completed``, and a cell whose kernel was killed as well. Here each
cell gets a verdict of its own: the work log and the journal are true together at every moment that a crash may pick.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import from_dict
from papermill.engines import NotebookExecutionManager
from papermill.iorw import LocalHandler, NoIOHandler, StreamHandler, papermill_io

from jupyter_runbook.display.outputs import stopped
from jupyter_runbook.files import write_atomically
from jupyter_runbook.notebook import RunInfo, Verdict, source_digest
from jupyter_runbook.record import utc
from jupyter_runbook.replay.saving import Saver
from jupyter_runbook.secret.excerpt import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_runbook.journal import Journal
    from jupyter_runbook.notebook import CellStatus
    from jupyter_runbook.replay.outputs import Outputs
    from jupyter_runbook.replay.watch import Watch

__all__ = ["Manager", "local_path", "remote"]

# papermill's word for each of ours.
_PAPERMILL: dict[CellStatus, str] = {"done": "completed"}


class Manager(NotebookExecutionManager):  # type: ignore[misc]  # papermill has no types
    """Keeps the work log's metadata and its file, and notes in the journal what became of each cell.

    Parameters
    ----------
    nb
        The notebook.
    info
        The run.
    watch
        Who is told.
    write
        Writes the work log, given in pieces; None where papermill does it, once.
    journal
        The journal beside it; None where there is none.
    options
        Those of papermill's own manager: ``output_path`` ``log_output`` ``progress_bar`` ``autosave_cell_every``.
    """

    def __init__(
        self,
        nb: Any,
        info: RunInfo,
        watch: Watch,
        *,
        write: Callable[[Iterator[bytes]], object] | None = None,
        journal: Journal | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nb, **options)
        self.info = info
        self.watch = watch
        self._journal = journal
        self._saver = Saver(nb, write, self._settle_outputs) if write else None
        self._outputs: dict[int, Outputs] = {}
        # The cell whose end the journal does not have yet: it is noted with the next one's beginning.
        self._ended: tuple[str, str] | None = None
        # By a clock that nobody sets, in seconds.
        self._began = self._cell_began = time.monotonic()

    def save(self, **_: Any) -> None:
        """Write the work log now."""
        if self._saver:
            self._saver.save()
        self.last_save_time = self.now()

    def save_soon(self, cell: Any) -> None:
        """Have the work log written when it is its turn; see `Saver`."""
        if self._saver:
            self._saver.changed(cell, asyncio.get_running_loop())

    def showing(self, outputs: Outputs) -> None:
        """Take what a cell shows into the work log, as it comes."""
        self._outputs[id(outputs.cell)] = outputs

    def notebook_start(self, **_: Any) -> None:
        """Take away what an earlier run left, and write the work log for the first time."""
        self.info.write(self.nb)
        for cell in self.nb.cells:
            Verdict.clear(cell)
        super().notebook_start()

    def cell_start(self, cell: Any, cell_index: int | None = None, **_: Any) -> None:
        """Note that a cell is at work, before its code is sent."""
        self.watch.cell_begun(cell_index or 0, cell)
        self._cell_began = time.monotonic()
        self._note(cell)
        saver, self._saver = self._saver, None
        try:
            super().cell_start(cell, cell_index)
        finally:
            self._saver = saver
        self.save_soon(cell)

    def cell_ended(self, cell: Any, index: int, verdict: Verdict) -> None:
        """Note what became of a cell that was at work, or that was passed over.

        Raises
        ------
        OSError
            The work log can't be written any more.
        """
        said = cell.metadata.papermill
        if said["start_time"]:
            said["end_time"] = self.now().isoformat()
            said["duration"] = time.monotonic() - self._cell_began
        self._settle(cell, verdict)
        self._ended = str(cell.get("id")), verdict.status
        if self._saver and (verdict.status != "done" or self._saver.due):
            # Where it can't be written, nothing more is to be done.
            self.save()
        else:
            self.save_soon(cell)
        if self.pbar:
            self.pbar.update(1)
        self.watch.cell_ended(index, cell, verdict)

    def passed(self, cell: Any) -> None:
        """Note that a cell has nothing to run: text, or no source."""
        cell.metadata.papermill["status"] = self.COMPLETED

    def notebook_complete(self, **_: Any) -> None:
        """Give each cell that has no verdict the one that is true now, and write the work log for the last time."""
        for cell in self.nb.cells:
            status = cell.metadata.papermill["status"]
            if cell.cell_type != "code" or not cell.source.strip():
                self.passed(cell)
            elif status == self.RUNNING:
                self._settle(cell, Verdict("interrupted", "the replay ended while it was at work"))
            elif status == self.PENDING:
                self._settle(cell, Verdict("not-run"))
        found = {verdict.status for cell in self.nb.cells if (verdict := Verdict.read(cell))}
        self.info.status = next((one for one in ("interrupted", "failed", "not-run") if one in found), "done")
        if self.info.status == "not-run":
            self.info.status = "interrupted"
        if self.info.died:
            self.info.status = "failed"
        for outputs in self._outputs.values():
            outputs.settle()
        self.info.ended = utc()
        self.info.lost = self.watch.lost
        self.info.write(self.nb)
        # papermill takes the difference of two times of day, and somebody may have set the clock between them.
        self.start_time = self.now() - dt.timedelta(seconds=time.monotonic() - self._began)
        # The journal first: what the file says of the end, history says as well.
        self._note(None)
        if self._journal is not None:
            with suppress(OSError):
                self._journal.run_end(self.info.run, self.info.status)
        super().notebook_complete()

    def finish(self) -> None:
        """Have each stream's text in one piece, as nbformat has it in memory."""
        for outputs in self._outputs.values():
            outputs.finish()

    def _note(self, begun: Any) -> None:
        """Note in the journal that a cell has ended, and another one begins."""
        if self._journal is None:
            return
        ended, self._ended = self._ended, None
        # Where there is no room for it, the work log can't be written either, and that ends the run.
        with suppress(OSError):
            self._journal.turn(
                self.info.run,
                ended=ended,
                begun=(str(begun.get("id")), source_digest(begun.source)) if begun is not None else None,
            )

    def _settle(self, cell: Any, verdict: Verdict) -> None:
        said = cell.metadata.papermill
        said["status"] = _PAPERMILL.get(verdict.status, verdict.status)
        bad = verdict.status in ("failed", "interrupted")
        said["exception"] = bad
        if bad:
            self.nb.metadata.papermill["exception"] = True
        verdict.write(cell)
        if bad:
            for number, output in enumerate(cell.outputs):
                if made := stopped(output, verdict.status, verdict.why):
                    cell.outputs[number] = from_dict(made)  # type: ignore[no-untyped-call]
        if self._saver:
            self._saver.touched(cell)

    def _settle_outputs(self, cell: Any) -> None:
        if (outputs := self._outputs.get(id(cell))) is not None:
            outputs.settle()


class _WholeFiles(LocalHandler):  # type: ignore[misc]
    """papermill's handler of local files, for one path: writes it whole or not at all.

    papermill itself writes the notebook once more when the engine has returned; that goes through here, too.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._cwd = folder

    def write(self, buf: str, path: str) -> None:
        """Write it."""
        write_atomically(Path(self._cwd, path), buf if buf.endswith("\n") else buf + "\n")


def local_path(output_path: str | None) -> Path | None:
    """Return where a work log goes on this machine, absolute, and have papermill write it whole from now on.

    None where it goes nowhere, to the standard output or to a remote store.
    """
    if output_path is None or not isinstance(handler := papermill_io.get_handler(output_path), LocalHandler):
        return None
    # papermill changes into the kernel's folder; a relative path means the folder where it was called.
    folder = papermill_io.get_handler("local")._cwd or str(Path.cwd())  # noqa: SLF001 -- no other way to ask
    if not isinstance(handler, _WholeFiles) or handler._cwd != folder:  # noqa: SLF001 -- our own
        # A "scheme" is a prefix for papermill, and the newest that fits is asked first.
        papermill_io.register(output_path, _WholeFiles(folder))
    return Path(folder, output_path)


def remote(output_path: str | None) -> Callable[[Iterator[bytes]], None] | None:
    """Return what writes to one of papermill's places beyond this machine; None where it goes nowhere, or to a stream.

    What goes to a stream papermill writes once, when all is over.
    """
    if output_path is None or isinstance(
        papermill_io.get_handler(output_path), (LocalHandler, NoIOHandler, StreamHandler)
    ):
        return None

    def write(pieces: Iterator[bytes]) -> None:
        text = b"".join(pieces).decode()
        try:
            papermill_io.write(text, output_path)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 -- each of papermill's handlers has errors of its own
            raise OSError(errno.EIO, told(error), output_path) from None

    return write
