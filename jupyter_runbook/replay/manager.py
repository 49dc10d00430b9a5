"""What a replay writes into its work log: papermill's bookkeeping, made to tell the truth.

papermill's own calls every cell that never ran ``completed``, and a cell whose kernel was killed as well. Here each
cell gets a verdict of its own before the file is written: the file is true at every moment that a crash may pick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dateutil.parser
from papermill.engines import NotebookExecutionManager
from papermill.iorw import LocalHandler, papermill_io

from jupyter_runbook.files import write_atomically
from jupyter_runbook.notebook import RunInfo, Verdict
from jupyter_runbook.record import utc

if TYPE_CHECKING:
    from jupyter_runbook.notebook import CellStatus
    from jupyter_runbook.replay.watch import Watch

__all__ = ["Manager", "local_path"]

# papermill's word for each of ours.
_PAPERMILL: dict[CellStatus, str] = {"done": "completed"}


class Manager(NotebookExecutionManager):  # type: ignore[misc]  # papermill has no types
    """Keeps the work log's metadata, and writes it after each change of a cell.

    Parameters
    ----------
    nb
        The notebook.
    info
        The run.
    watch
        Who is told.
    options
        Those of papermill's own manager: ``output_path`` ``log_output`` ``progress_bar`` ``autosave_cell_every``.
    """

    def __init__(self, nb: Any, info: RunInfo, watch: Watch, **options: Any) -> None:
        super().__init__(nb, **options)
        self.info = info
        self.watch = watch

    def notebook_start(self, **_: Any) -> None:
        """Take away what an earlier run left, and write the work log for the first time."""
        self.info.write(self.nb)
        for cell in self.nb.cells:
            Verdict.clear(cell)
        super().notebook_start()

    def cell_start(self, cell: Any, cell_index: int | None = None, **_: Any) -> None:
        """Note that a cell is at work, before its code is sent."""
        self.watch.cell_begun(cell_index or 0, cell)
        super().cell_start(cell, cell_index)

    def cell_ended(self, cell: Any, index: int, verdict: Verdict) -> None:
        """Note what became of a cell that was at work, or that was passed over."""
        now = self.now()
        said = cell.metadata.papermill
        if said["start_time"]:
            said["end_time"] = now.isoformat()
            said["duration"] = (now - dateutil.parser.parse(said["start_time"])).total_seconds()
        self._settle(cell, verdict)
        self.save()
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
        self.info.ended = utc()
        self.info.lost = self.watch.lost
        self.info.write(self.nb)
        super().notebook_complete()

    def _settle(self, cell: Any, verdict: Verdict) -> None:
        said = cell.metadata.papermill
        said["status"] = _PAPERMILL.get(verdict.status, verdict.status)
        bad = verdict.status in ("failed", "interrupted")
        said["exception"] = bad
        if bad:
            self.nb.metadata.papermill["exception"] = True
        verdict.write(cell)


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
