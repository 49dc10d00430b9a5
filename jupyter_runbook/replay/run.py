"""``jupyter runbook replay``: a runbook's file in, a work log and an exit code out."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import run_sync

from jupyter_runbook.errors import BadInput, NotANotebook, Where
from jupyter_runbook.notebook import cell_source, read_notebook
from jupyter_runbook.replay.engine import RunbookEngine, refuse
from jupyter_runbook.replay.kernel import PrivateKernel
from jupyter_runbook.replay.parameters import INJECTED, parse
from jupyter_runbook.worklog import WorkLog, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jupyter_runbook.replay.watch import Watch

__all__ = ["Outcome", "default_worklog", "exit_code", "replay"]


@dataclass(frozen=True)
class Outcome:
    """How a replay ended.

    Parameters
    ----------
    path
        The work log, as it was named.
    log
        What is in it.
    broken
        What ended it where the work log can't tell: no kernel, or no room to write it.
    """

    path: Path
    log: WorkLog
    broken: str | None = None

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return 1 if self.broken else exit_code(self.log)


def replay(
    runbook: Path,
    worklog: Path | None = None,
    parameters: Mapping[str, str] | None = None,
    *,
    overwrite: bool = False,
    timeout: float | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Run a runbook unattended, in the folder that it lies in.

    Parameters
    ----------
    runbook
        The notebook as written.
    worklog
        Where the executed one goes; left out, a new file in ``worklogs`` here.
    parameters
        Texts by name, checked against the runbook's parameters cell.
    overwrite
        Whether a work log that is there may be written anew.
    timeout
        The time limit of each cell in seconds.
    watch
        Who is told of the progress.

    Raises
    ------
    BadInput
        Nothing ran, and nothing was written: the message says why.
    """
    notebook = read_notebook(runbook)
    values = parse(parameters or {}, notebook, str(runbook))
    _check_ids(notebook, str(runbook))
    if worklog is None:
        worklog = default_worklog(runbook)
    elif overwrite and worklog.exists() and runbook.exists() and worklog.samefile(runbook):
        raise BadInput("the work log would overwrite the runbook itself", where=Where(str(worklog)))
    name = _kernel(notebook)
    _check_kernel(name, str(runbook))
    refuse(worklog, str(worklog), fresh=not overwrite)
    with _starting(PrivateKernel(name, runbook.absolute().parent)) as kernel:
        nb = _parameterized(notebook, runbook, worklog, values)
        return _execute(
            nb,
            worklog,
            kernel=kernel,
            input_path=str(runbook),
            fresh=not overwrite,
            execution_timeout=timeout,
            watch=watch,
        )


@contextmanager
def _starting(kernel: PrivateKernel) -> Iterator[PrivateKernel]:
    """Have a kernel start while what talks with it is imported; it is gone afterwards, whatever happens."""
    run_sync(kernel.start)()
    try:
        yield kernel
    finally:
        run_sync(kernel.end)()


def default_worklog(runbook: Path, folder: Path = Path("worklogs")) -> Path:
    """Return a new name, which tells the runbook and the time (UTC), in a folder; the folder is made."""
    stamp = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the folder can't be made: {error.strerror}", where=Where(str(folder)), hint="name a work log"
        ) from None
    path = folder / f"{runbook.stem}-{stamp}.ipynb"
    number = 2
    while path.exists():
        path = folder / f"{runbook.stem}-{stamp}-{number}.ipynb"
        number += 1
    return path


def exit_code(log: WorkLog) -> int:
    """Return 0 for a run that is done, 130 for one that was interrupted, 3 if a step was not let run, else 1."""
    if log.status == "interrupted":
        return 130
    if log.status != "failed":
        return 0
    failed = [step for cell in log.cells if cell.status == "failed" for step in cell.steps if step.status == "failed"]
    kinds = {step.record.error.kind for step in failed if step.record and step.record.error}
    return 3 if kinds and kinds <= {"stale-plan", "not-approved"} else 1


def _check_ids(notebook: dict[str, Any], file: str) -> None:
    """Give cells older than nbformat 4.5 an id that is the same each time; refuse two cells of one id."""
    seen: Counter[str] = Counter()
    for cell in notebook["cells"]:
        if "id" not in cell:
            digest = hashlib.sha256(cell_source(cell).encode("utf-8", "surrogatepass")).hexdigest()[:12]
            seen[digest] += 1
            cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    first: dict[str, int] = {}
    for number, cell in enumerate(notebook["cells"], 1):
        if (other := first.setdefault(str(cell["id"]), number)) != number:
            raise NotANotebook(
                f"it has the id of cell {other}, {cell['id']}",
                where=Where(file, str(number)),
                hint="give one of the two an id of its own: a step is known by it",
            )


def _parameterized(notebook: dict[str, Any], runbook: Path, worklog: Path, values: dict[str, Any]) -> Any:
    """Return the notebook as papermill has it, with the parameters in a cell of their own."""
    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    if notebook["nbformat"] != 4:  # noqa: PLR2004 -- nbformat's own number
        raise NotANotebook(
            f"it is of nbformat {notebook['nbformat']}, not 4",
            where=Where(str(runbook)),
            hint=f"jupyter nbconvert --to notebook --inplace {runbook}",
        )
    notebook["nbformat_minor"] = max(5, int(notebook.get("nbformat_minor") or 0))
    for cell in notebook["cells"]:
        cell["source"] = cell_source(cell)
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    nb = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as error:
        raise NotANotebook(
            f"this is no valid notebook: {' '.join(str(error).split())[:200]}", where=Where(str(runbook))
        ) from None
    nb = load_notebook_node(nb)
    if values:
        nb = parameterize_notebook(nb, values, kernel_name=_kernel(nb), language="python", engine_name="runbook")
        for cell in nb.cells:
            if INJECTED in cell.metadata.tags:
                cell["id"] = INJECTED
    nb.metadata.papermill["parameters"] = values
    nb.metadata.papermill["input_path"], nb.metadata.papermill["output_path"] = str(runbook), str(worklog)
    return nb


def _kernel(notebook: Mapping[str, Any]) -> str:
    spec = notebook["metadata"].get("kernelspec")
    return str((spec.get("name") if isinstance(spec, dict) else None) or "python3")


def _check_kernel(name: str, file: str) -> None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        raise BadInput(
            f"there is no kernel {name} here", where=Where(file), hint="jupyter kernelspec list names those that are"
        ) from None


def _execute(nb: Any, worklog: Path, **options: Any) -> Outcome:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from jupyter_runbook.replay.client import ShellLineFailed, Stopped

    try:
        RunbookEngine.execute_notebook(nb, _kernel(nb), str(worklog), progress_bar=False, **options)
    except (CellTimeoutError, DeadKernelError, ShellLineFailed, Stopped):
        pass  # told by the work log
    except OSError as error:
        # What is on the disk is true as far as it goes; what is in memory goes further than anybody can read.
        return Outcome(worklog, read(worklog), f"the work log could not be written any more: {error.strerror}")
    except RuntimeError as error:
        return Outcome(worklog, read(worklog), f"the kernel does not start: {' '.join(str(error).split())}")
    return Outcome(worklog, WorkLog(str(worklog), nb))
