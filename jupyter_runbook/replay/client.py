"""Runs a notebook's cells in a kernel, one after the other, and tells truly how each one ended.

nbclient does the talking; what is here is what it leaves out: the cell's id and metadata in the request, an end for
each way to end, a stop that lets the step at work write its record, and sockets that only this user can reach.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient

from jupyter_runbook.display.outputs import error_line
from jupyter_runbook.notebook import INJECTED, KEY, Verdict, tags
from jupyter_runbook.registry import providers
from jupyter_runbook.replay.sealing import opened
from jupyter_runbook.secret.messages import Messages
from jupyter_runbook.worklog import is_whole, judge, records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from jupyter_runbook.replay.kernel import PrivateKernel
    from jupyter_runbook.replay.manager import Manager

__all__ = ["GRACE", "Client", "ShellLineFailed", "ShownError", "Stopped"]

#: Seconds that a cell which was interrupted gets to end by itself, so that its step can write its record.
GRACE = 15.0

#: Seconds that a step gets beyond the cell's time limit, which it knows and keeps itself: its own end says more.
SLACK = 3.0

# Evaluated by the kernel after the cell's code, in the same request: the exit status of the cell's last `!command`,
# which IPython leaves in `_exit_code`. What was seen is marked by its type, so that a later cell is not blamed for it
# and may still read it. (ipython/ipython#12264: a shell line that fails does not fail its cell.)
_EXIT_CODE = (
    "(lambda names: (lambda code: "
    "[names.update(_exit_code=type('ExitCode', (int,), {})(code)), code][1] if type(code) is int else 0)"
    "(names.get('_exit_code')))(get_ipython().user_ns)"
)


class Stopped(BaseException):
    """Somebody stopped the replay: Ctrl-C, SIGTERM, or the terminal went away."""


class ShellLineFailed(Exception):
    """A ``!command`` in a plain cell ended with an exit code other than 0."""


class ShownError(Exception):
    """A cell showed an error, as ``%run`` does with a script's, and raised none."""


class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
    """One replay's talk with its kernel.

    Parameters
    ----------
    manager
        Keeps the work log.
    kernel
        The kernel, started or not; it is ended with the run.
    handed
        What each request carries for our magics, under our key in its metadata.
    limit
        The time limit of a cell in seconds, or None.
    secrets
        What the request of the parameters' cell alone carries, by name.
    options
        Those of papermill's own client.
    """

    km: Any
    kc: Any

    def __init__(
        self,
        manager: Manager,
        kernel: PrivateKernel,
        handed: Mapping[str, Any],
        limit: float | None,
        *,
        secrets: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(manager, kernel_name=kernel.name, **options)
        self._kernel = kernel
        self._handed = handed
        self._limit = limit
        self._secrets = secrets or {}
        self._at_work: Any = None
        self._exit_code: str | None = None
        self._signals: list[str] = []
        # The kernel redacts what it says once our extension is loaded there; what it says before, only we can.
        self._messages = Messages(leave=is_whole)
        self._stopped: asyncio.Event
        self._pressed: asyncio.Event
        self.on_cell_executed = self._remember

    def execute(self, **_: Any) -> Any:
        """Run every cell.

        Raises
        ------
        CellTimeoutError, DeadKernelError, ShellLineFailed, ShownError
            How a cell ended, where that is no error of its own code; a cell that raises ends the run without one.
        Stopped
            Somebody stopped it.
        RuntimeError
            The kernel does not start.
        """
        run_sync(self._run)()
        return self.nb

    async def _run(self) -> None:
        self.reset_execution_trackers()
        # Made here, on the loop that waits for them.
        self._stopped, self._pressed = asyncio.Event(), asyncio.Event()
        with self._listening():
            async with self._answering():
                info = await self.async_wait_for_reply(self.kc.kernel_info())
                self.nb.metadata["language_info"] = info["content"]["language_info"]
                await self._cells()
                self.set_widgets_metadata()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Take the signals that stop a program; a second one while the first is heeded stops at once."""
        loop = asyncio.get_running_loop()
        ours = []

        def take(name: str) -> None:
            self._signals.append(name)
            (self._pressed if self._stopped.is_set() else self._stopped).set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup
            before = signal.getsignal(number)
            # Outside the main thread a program has no say in signals.
            with suppress(RuntimeError, ValueError):
                loop.add_signal_handler(number, take, number.name)
                ours.append((number, before))
        try:
            yield
        finally:
            for number, before in ours:
                loop.remove_signal_handler(number)
                signal.signal(number, before)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Start the kernel, if it is not yet, wait until it answers, and end it."""
        asked = True
        try:
            self.km = await self._kernel.start()
            self.kc = self.km.client()
            self.kc.start_channels(stdin=False, hb=False)
            await self._unless_stopped(self._kernel.ready(self.kc, self.startup_timeout))
            self.kc.execute = self._request
            yield
        except (Stopped, CellTimeoutError, DeadKernelError):
            # It was asked nicely, or can't hear any more.
            asked = False
            raise
        finally:
            await self._kernel.end(self.kc if asked else None)
            if self.kc is not None:
                self.kc.stop_channels()

    async def _unless_stopped(self, starting: Any) -> None:
        """Wait for something that may be left half done."""
        task, stopped = asyncio.ensure_future(starting), asyncio.ensure_future(self._stopped.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise Stopped(self._signals[0])
        task.result()

    def _request(self, code: str, *, store_history: bool = True, stop_on_error: bool = True, **_: Any) -> str:
        """Send a cell's code with its id and metadata, which nbclient leaves out; return the request's id."""
        cell = self._at_work
        theirs = {name: value for name, value in cell.metadata.items() if name != "papermill"}
        ours = {**(theirs.get(KEY) or {}), **self._handed}
        if self._secrets and INJECTED in tags(cell):
            ours["secrets"] = {name: opened(value) for name, value in self._secrets.items()}
        message = self.kc.session.msg(
            "execute_request",
            {
                "code": code,
                "silent": False,
                "store_history": store_history,
                "user_expressions": {"exit_code": _EXIT_CODE},
                "allow_stdin": False,
                "stop_on_error": stop_on_error,
            },
            metadata={**theirs, "cellId": cell.get("id"), KEY: ours},
        )
        self.kc.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    async def _remember(self, execute_reply: Any, **_: Any) -> None:
        said = execute_reply["content"].get("user_expressions", {}).get("exit_code", {})
        self._exit_code = said.get("data", {}).get("text/plain")

    async def _cells(self) -> None:
        manager = self.nb_man
        manager.watch.begun(sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in self.nb.cells))
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                manager.passed(cell)
                continue
            if self.skip_cells_with_tag in tags(cell):
                manager.cell_ended(cell, index, Verdict("skipped", f"it is tagged {self.skip_cells_with_tag}"))
                continue
            if self._stopped.is_set():
                raise Stopped(self._signals[0])
            self._at_work, self._exit_code = cell, None
            manager.cell_start(cell, index)
            verdict, error = await self._cell(cell, index)
            manager.cell_ended(cell, index, verdict)
            if isinstance(error, CellExecutionError):
                return
            if error is not None:
                raise error

    async def _cell(self, cell: Any, index: int) -> tuple[Verdict, BaseException | None]:
        """Run one cell; return what became of it, and what ends the run, if anything does."""
        task = asyncio.ensure_future(self.async_execute_cell(cell, index))
        late = await self._watch(task, self._allowed(cell))
        if self._stopped.is_set() and (not task.done() or task.exception()):
            await self._give_up(task)
            return Verdict("interrupted", f"stopped by {self._signals[0]}"), Stopped(self._signals[0])
        if late:
            await self._give_up(task)
            text = f"it took longer than {self._limit:g} s"
            return Verdict("failed", text), CellTimeoutError(text)
        try:
            task.result()
        except CellExecutionError as error:
            verdict = judge(cell)
            return verdict if verdict.status != "done" else _no_magic(error), error
        except DeadKernelError as error:
            return Verdict("interrupted", "the kernel died"), error
        return self._unraised(cell)

    def _unraised(self, cell: Any) -> tuple[Verdict, BaseException | None]:
        """Return what became of a cell that raised nothing: it may have failed all the same."""
        if "raises-exception" not in tags(cell):
            if self._exit_code not in (None, "0"):
                text = f"a shell line in it exited with {self._exit_code}"
                return Verdict("failed", text), ShellLineFailed(text)
            if shown := _shown_error(cell):
                return Verdict("failed", shown), ShownError(shown)
        return judge(cell), None

    def _allowed(self, cell: Any) -> float | None:
        if self._limit is None:
            return None
        return self._limit + (SLACK if cell.source.lstrip().startswith("%%") else 0)

    async def _watch(self, task: asyncio.Future[Any], limit: float | None) -> bool:
        """Wait for a cell's end; interrupt it when its time is over or somebody stops the replay. Tell if it was late.

        It is interrupted as by the stop button, so that a step can undo, clean up and write its record.
        """
        stopped = asyncio.ensure_future(self._stopped.wait())
        pressed = asyncio.ensure_future(self._pressed.wait())
        try:
            await asyncio.wait({task, stopped}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return False
            late = not stopped.done()
            await self.km.interrupt_kernel()
            await asyncio.wait({task, pressed}, timeout=GRACE, return_when=asyncio.FIRST_COMPLETED)
            return late
        finally:
            stopped.cancel()
            pressed.cancel()

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Take a message of the kernel; what a step shows while it runs is for those who watch, too."""
        if msg["msg_type"] == "update_display_data":
            text = msg["content"].get("data", {}).get("text/plain")
            if isinstance(text, str):
                self.nb_man.watch.cell_shown(text)
        output = None
        for kind, content in self._messages.take(
            msg["msg_type"], msg["content"], msg["parent_header"].get("msg_id", "")
        ):
            made = {**msg, "msg_type": kind, "header": {**msg["header"], "msg_type": kind}, "content": content}
            output = super().process_message(made, cell, cell_index)
        return output

    async def _check_raise_for_error(self, cell: Any, cell_index: int, exec_reply: Any) -> None:
        if exec_reply is not None:
            exec_reply = {**exec_reply, "content": self._messages.clean("execute_reply", exec_reply["content"])}
        await super()._check_raise_for_error(cell, cell_index, exec_reply)

    @staticmethod
    async def _give_up(task: asyncio.Future[Any]) -> None:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        # Its error is known by now, and asyncio would complain of one that nobody looked at.
        if not task.cancelled():
            task.exception()


def _shown_error(cell: Any) -> str | None:
    """Return the error that a cell has shown and not raised; None where there is none."""
    if records(cell):
        return None
    return next((error_line(one) for one in cell.outputs if one.output_type == "error"), None)


def _no_magic(error: CellExecutionError) -> Verdict:
    """Return the verdict on an error that is in no output: IPython tells of a magic that it lacks on stderr alone."""
    known = any(f"`%%{name}`" in error.evalue for name in providers())
    hint = "; a cell above it needs %load_ext jupyter_runbook" if known else ""
    return Verdict("failed", f"{error.ename}: {error.evalue.rstrip('.')}{hint}")
