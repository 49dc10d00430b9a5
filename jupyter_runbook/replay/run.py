"""``jupyter runbook replay``: a runbook's file in, a work log and an exit code out."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import run_sync

from jupyter_runbook.errors import BadInput, Where
from jupyter_runbook.files import is_there, read_text
from jupyter_runbook.notebook import read_notebook
from jupyter_runbook.parameters import oddities
from jupyter_runbook.private import NotOurs
from jupyter_runbook.replay.engine import RunbookEngine, claim
from jupyter_runbook.replay.given import parse, values_of
from jupyter_runbook.replay.kernel import PrivateKernel
from jupyter_runbook.replay.places import STREAM, check_worklog, named, read_runbook, writer
from jupyter_runbook.replay.prepare import kernel_name, parameterized, prepare
from jupyter_runbook.replay.sealing import split
from jupyter_runbook.replay.watch import Watch
from jupyter_runbook.secret.excerpt import one_line_of, told
from jupyter_runbook.worklog import WorkLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jupyter_runbook.secret import Secret

__all__ = ["Outcome", "default_worklog", "exit_code", "replay"]


@dataclass(frozen=True)
class Outcome:
    """How a replay ended.

    Parameters
    ----------
    path
        The work log, as it was named: a path, or a place.
    log
        What is in it.
    broken
        What ended it where the work log can't tell: no kernel, or no room to write it.
    """

    path: Path | str
    log: WorkLog
    broken: str | None = None

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return 1 if self.broken else exit_code(self.log)


def replay(
    runbook: Path | str,
    worklog: Path | str | None = None,
    parameters: Mapping[str, str] | None = None,
    *,
    files: Sequence[Path] = (),
    secrets: Mapping[str, Secret | Callable[[], Secret]] | None = None,
    check: bool = False,
    overwrite: bool = False,
    timeout: float | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Run a runbook unattended, in the folder that it lies in, or here if it is no file.

    Parameters
    ----------
    runbook
        The notebook as written: its path; or a place, as a text, see `jupyter_runbook.replay.places`.
    worklog
        Where the executed one goes; left out, a new file in ``worklogs`` here.
    parameters
        Texts by name, checked against the runbook's parameters cell.
    files
        Files of parameters, YAML or JSON; a later one goes before, and ``parameters`` before all of them.
    secrets
        Parameters that are secret, by name; a function is called once all else is known to be good.
    check
        Whether every step is a dry run.
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
    notebook = read_runbook(runbook)
    source = named(runbook)
    values = parse(parameters or {}, notebook, source, _of_files(files), secrets or {})
    prepare(notebook, source)
    for text in oddities(notebook, source):
        (watch or Watch()).notice(text)
    if worklog is None:
        worklog = default_worklog(Path("stdin" if runbook == STREAM else source))
    elif isinstance(worklog, str):
        check_worklog(worklog, fresh=not overwrite)
    elif overwrite and isinstance(runbook, Path) and is_there(worklog) and worklog.samefile(runbook):
        raise BadInput("the work log would overwrite the runbook itself", where=Where(str(worklog)))
    name = kernel_name(notebook)
    _check_kernel(name, source)
    folder = runbook.absolute().parent if isinstance(runbook, Path) else Path.cwd()
    with (
        claim(worklog, str(worklog), fresh=not overwrite) if isinstance(worklog, Path) else nullcontext(),
        _starting(PrivateKernel(name, folder), watch) as kernel,
    ):
        nb = parameterized(notebook, values, runbook=source, worklog=named(worklog))
        return _execute(
            nb,
            worklog,
            kernel=kernel,
            input_path=source,
            claimed=True,
            in_pieces=True,
            execution_timeout=timeout,
            secrets=split(values)[1],
            check=check,
            watch=watch,
        )


def _of_files(files: Sequence[Path]) -> dict[str, tuple[Any, Where]]:
    """Return the parameters in files, and where each stands."""
    found: dict[str, tuple[Any, Where]] = {}
    for path in files:
        try:
            found |= values_of(read_text(path, pipe=True), str(path))
        except OSError as error:
            raise BadInput(f"it can't be read: {error.strerror}", where=Where(str(path))) from None
        except UnicodeDecodeError:
            raise BadInput("it can't be read: it is no UTF-8", where=Where(str(path))) from None
    return found


@contextmanager
def _starting(kernel: PrivateKernel, watch: Watch | None) -> Iterator[PrivateKernel]:
    """Have a kernel start while what talks with it is imported; it is gone afterwards, whatever happens."""
    try:
        try:
            run_sync(kernel.start)()
        except OSError as error:
            why = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
            raise BadInput(
                f"the kernel {kernel.name} can't be started: {why}",
                hint="jupyter kernelspec list says where its specification is",
            ) from None
        if watch:
            watch.starting()
        yield kernel
    finally:
        run_sync(kernel.end)()
        if watch:
            watch.ended()


def default_worklog(runbook: Path, folder: Path = Path("worklogs")) -> Path:
    """Return a new name, which tells the runbook and the time (UTC), in a folder; the folder is made."""
    stamp = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    try:
        if folder.is_symlink():
            raise NotOurs(folder, "is a symbolic link")
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


def _check_kernel(name: str, file: str) -> None:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec(name)
        texts = [*spec.argv, *spec.env.values()]
        broken = not spec.argv or not all(isinstance(one, str) for one in texts)
        why = "argv is a list of texts, env a mapping of texts"
    except NoSuchKernel:
        raise BadInput(
            f"there is no kernel {name} here", where=Where(file), hint="jupyter kernelspec list names those that are"
        ) from None
    except Exception as error:  # noqa: BLE001 -- whatever a file can be that is no specification
        broken, why = True, told(error)
    if broken:
        raise BadInput(
            f"the kernel {name} can't be started: its specification is broken: {why}",
            where=Where(file),
            hint="jupyter kernelspec list says where it is",
        )


def _execute(nb: Any, worklog: Path | str, **options: Any) -> Outcome:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from jupyter_runbook.replay.client import Stopped
    from jupyter_runbook.replay.endings import CellFailed

    path, place = (worklog, None) if isinstance(worklog, Path) else (None, worklog)
    if place is not None and place != STREAM:
        options["write"] = writer(place)
    broken = None
    try:
        RunbookEngine.execute_notebook(nb, kernel_name(nb), str(path) if path else None, progress_bar=False, **options)
    except (CellTimeoutError, DeadKernelError, CellFailed, Stopped):
        pass  # how it ended is in the work log
    except OSError as error:
        kept = _rescued(nb, path or Path(named(place)))
        broken = f"the work log could not be written any more: {error.strerror}{kept}"
    except RuntimeError as error:
        broken = f"the kernel does not start: {one_line_of(str(error))}"
    if place == STREAM:
        broken = broken or _written(nb)
    # What is on the disk is true as far as it goes; what is in memory goes further than anybody can read.
    there = path if broken and path and path.is_file() else None
    return Outcome(worklog, WorkLog(named(worklog), read_notebook(there) if there else nb), broken)


def _written(nb: Any) -> str | None:
    """Write a work log to standard output; return why it can't be."""
    from jupyter_runbook.replay.saving import encoded

    try:
        writer(STREAM)(encoded(nb))
    except OSError as error:
        return f"the work log could not be written: {error.strerror}{_rescued(nb, Path('stdout'))}"
    return None


def _rescued(nb: Any, worklog: Path) -> str:
    """Put what a work log was to hold where there is room for it, and say where; nothing where there is none."""
    from jupyter_runbook.replay.saving import encoded

    path = None
    try:
        descriptor, path = tempfile.mkstemp(prefix=f"{worklog.stem}-", suffix=".ipynb")
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(encoded(nb))
    except OSError:
        if path:
            Path(path).unlink(missing_ok=True)
        return ""
    return f"; all of it is in {path}"
