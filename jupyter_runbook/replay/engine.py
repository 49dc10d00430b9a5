"""The papermill engine ``runbook``: ``papermill --engine runbook IN OUT`` gives a work log that tells the truth.

papermill imports every installed engine while it is being imported itself: what stands on papermill is imported here
when an engine runs, not before. So the class has papermill's interface, and not its base class.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from jupyter_runbook.canonical import digest
from jupyter_runbook.errors import BadInput, Where
from jupyter_runbook.files import lock, sweep
from jupyter_runbook.journal import Journal
from jupyter_runbook.notebook import FOLDER, RunInfo, Verdict, lock_path, ran
from jupyter_runbook.record import utc
from jupyter_runbook.replay.given import unfit
from jupyter_runbook.replay.kernel import PrivateKernel
from jupyter_runbook.replay.sealing import seal
from jupyter_runbook.replay.signals import Stops
from jupyter_runbook.replay.watch import Watch
from jupyter_runbook.secret import secrets_in, weak
from jupyter_runbook.secret.excerpt import one_line_of
from jupyter_runbook.session import new_run, user, versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jupyter_runbook.replay.manager import Manager
    from jupyter_runbook.secret import Secret

__all__ = ["RunbookEngine", "claim", "run_info"]


class RunbookEngine:
    """Runs a notebook and writes its work log; see `Manager` for what it writes, `Client` for how cells end."""

    @staticmethod
    def nb_kernel_name(nb: Any, name: str | None = None) -> str:
        """Return the kernel that a notebook asks for; papermill calls this."""
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @staticmethod
    def nb_language(nb: Any, language: str | None = None) -> str:
        """Return the language that a notebook is written in; papermill calls this."""
        from papermill.utils import nb_language

        return str(nb_language(nb, language))

    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str | None,
        output_path: str | None = None,
        *,
        progress_bar: Any = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        **options: Any,
    ) -> Any:
        """Run a notebook; papermill calls this.

        Parameters
        ----------
        nb
            The notebook, with papermill's metadata.
        kernel_name
            The kernel.
        output_path
            Where the work log goes.
        progress_bar, log_output, autosave_cell_every
            As papermill has them.
        options
            papermill's: ``execution_timeout`` and ``start_timeout`` in seconds, ``stdout_file``, ``stderr_file``; what
            nbclient takes; and ours: ``watch`` (a `Watch`), ``kernel`` (a `PrivateKernel`, started or not), ``claimed``
            (the caller holds the work log: see `claim`), ``write`` (writes the work log, given in pieces, where that is
            no file of this machine), ``secrets`` (those among the parameters, by name), ``check``
            (every step is a dry run), ``in_pieces`` (the caller can do with a stream's text as a list of pieces, which
            saves the room of another copy).

        Raises
        ------
        BadInput
            Nothing ran: another replay writes this work log, or it can't be written.
        CellTimeoutError, DeadKernelError, CellFailed, Stopped
            How the run ended; the work log says so too.
        """
        from jupyter_runbook.replay.manager import Manager, local_path, remote
        from jupyter_runbook.replay.saving import to_file

        for name, value in (nb.metadata.papermill.get("parameters") or {}).items():
            if why := unfit(value):
                raise BadInput(f"the parameter {name} can't be kept in a notebook: {why}")
        watch: Watch = options.pop("watch", None) or Watch()
        kernel = options.pop("kernel", None) or PrivateKernel(kernel_name or cls.nb_kernel_name(nb))
        claimed = options.pop("claimed", False)
        in_pieces = options.pop("in_pieces", False)
        limit = options.pop("execution_timeout", None) or options.pop("timeout", None)
        secrets = seal(nb, options.pop("secrets", None) or {})
        weak.read(output_path or "", *(cell.source for cell in nb.cells))
        for secret in secrets_in(secrets):
            if (text := secret.why_not_masked) is not None:
                watch.notice(text)
        info = run_info(nb, options.pop("input_path", None), check=options.pop("check", False))
        handed: dict[str, Any] = {"run": info.run, "timeout": limit, "check": info.check}
        with ExitStack() as stack:
            journal = None
            write = options.pop("write", None)
            if write is None and (path := local_path(output_path)):
                if not claimed:
                    stack.enter_context(claim(path, output_path or "", fresh=False))
                handed["notebook"] = str(path)
                journal = stack.enter_context(_journaled(info, path, output_path or ""))
                write = to_file(path)
            manager = Manager(
                nb,
                info,
                watch,
                write=write or remote(output_path),
                journal=journal,
                output_path=output_path,
                progress_bar=progress_bar,
                log_output=log_output,
                autosave_cell_every=autosave_cell_every,
            )
            try:
                manager.notebook_start()
            except OSError as error:
                raise _unwritable(output_path or error.filename or "", error) from None
            stops = stack.enter_context(Stops())
            try:
                cls._execute(manager, kernel, handed, limit, secrets=secrets, log_output=log_output, **options)
            except RuntimeError as error:
                # nbclient's DeadKernelError is one, and told of already.
                info.died = info.died or f"the kernel did not start: {one_line_of(str(error))}"
                raise
            finally:
                stops.over()
                watch.ended()
                with suppress(OSError, ValueError):  # who looked at it may be gone
                    manager.cleanup_pbar()
                manager.notebook_complete()
                if not in_pieces:
                    manager.finish()
        _tell_unshown(manager.nb)
        return manager.nb

    @staticmethod
    def _execute(
        manager: Manager,
        kernel: PrivateKernel,
        handed: dict[str, Any],
        limit: float | None,
        *,
        secrets: Mapping[str, Secret],
        start_timeout: int = 60,
        **options: Any,
    ) -> None:
        from jupyter_runbook.replay.client import Client

        options = {name: value for name, value in options.items() if value is not None}
        Client(manager, kernel, handed, limit, startup_timeout=start_timeout, secrets=secrets, **options).execute()


def _tell_unshown(nb: Any) -> None:
    """Raise what went wrong in a run whose cells show no error: papermill looks for one, and would say nothing."""
    from jupyter_runbook.replay.endings import CellFailed

    verdicts = [verdict for cell in nb.cells if (verdict := Verdict.read(cell)) and verdict.status == "failed"]
    shown = any(one.output_type == "error" for cell in nb.cells if cell.cell_type == "code" for one in cell.outputs)
    if verdicts and not shown:
        raise CellFailed(verdicts[0].why or "a step failed")


def run_info(nb: Any, runbook: str | None, *, check: bool = False) -> RunInfo:
    """Return what is known of a run at its start."""
    return RunInfo(
        run=new_run(),
        runbook=runbook,
        user=user(),
        host=socket.gethostname(),
        started=utc(),
        check=check,
        parameters=dict(nb.metadata.papermill.get("parameters") or {}),
        versions={**versions(), **_versions()},
        cells=ran(nb),
    )


@contextmanager
def _journaled(info: RunInfo, path: Path, name: str) -> Iterator[Journal]:
    """Note in the journal beside a work log that its run begins, and how it ended; yield the journal."""
    journal = Journal(path.parent / FOLDER / "journal.jsonl")
    try:
        journal.run(
            info.run,
            notebook=path.name,
            user=info.user,
            runbook=info.runbook,
            check=info.check,
            cells=digest(info.cells),
        )
    except OSError as error:
        raise _unwritable(name, error) from None
    try:
        yield journal
    finally:
        # Its end is noted with that of its last cell; a run that never came so far has none of these.
        if info.ended is None:
            with suppress(OSError):
                journal.run_end(info.run, info.status)


@contextmanager
def claim(path: Path, name: str, *, fresh: bool) -> Iterator[None]:
    """Hold a work log for one replay.

    Parameters
    ----------
    path, name
        The work log, and how errors name it.
    fresh
        Whether it must not be there yet.

    Raises
    ------
    BadInput
        Another replay holds it, it is there already, or its folder can't be written.
    """
    _refuse(path, name, fresh=fresh)
    sweep(path.parent)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(lock_path(path)))
        except BlockingIOError:
            raise BadInput("another replay is writing it", where=Where(name), hint="name another work log") from None
        except OSError as error:
            raise _unwritable(name, error) from None
        # Another replay may have ended it between the two.
        _refuse(path, name, fresh=fresh)
        yield


def _refuse(path: Path, name: str, *, fresh: bool) -> None:
    """Raise a BadInput where a work log can't go; see `claim`."""
    if not path.parent.is_dir():
        raise BadInput("its folder is not there", where=Where(name), hint=f"mkdir -p {path.parent}")
    if path.is_symlink():
        raise BadInput("this is a symbolic link", where=Where(name), hint="name the file itself, or take the link away")
    if path.is_dir():
        raise BadInput("this is a folder", where=Where(name), hint="name a file in it")
    if path.exists() and not path.is_file():
        raise BadInput("this is no regular file", where=Where(name), hint="name another one; it would be replaced")
    if fresh and path.exists():
        raise BadInput(
            "this work log is there already, and is evidence",
            where=Where(name),
            hint="name another one, or say --overwrite",
        )


def _unwritable(name: str, error: OSError) -> BadInput:
    return BadInput(f"the work log can't be written: {error.strerror}", where=Where(name))


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("papermill", "nbclient")}
