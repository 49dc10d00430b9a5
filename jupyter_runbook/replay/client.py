"""Runs a notebook's cells in a kernel, one after the other, and tells truly how each one ended.

nbclient knows widgets and which errors a cell may have; what is here is what it leaves out: the cell's id and metadata
in the request, every message in its order (`Channels`), an end for each way to end (`jupyter_runbook.replay.endings`),
a stop that lets the step at work write its record, and sockets that only this user can reach.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.output_widget import OutputWidget
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient

from jupyter_runbook.notebook import INJECTED, KEY, Verdict, tags
from jupyter_runbook.replay.channels import Channels
from jupyter_runbook.replay.endings import ASKED, after_error, after_success
from jupyter_runbook.replay.outputs import Displays, Outputs
from jupyter_runbook.replay.sealing import opened
from jupyter_runbook.replay.signals import STOPPING
from jupyter_runbook.secret.messages import Messages
from jupyter_runbook.secret.redact import Redactor
from jupyter_runbook.worklog import is_whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from jupyter_runbook.replay.channels import Request
    from jupyter_runbook.replay.kernel import PrivateKernel
    from jupyter_runbook.replay.manager import Manager

__all__ = ["GRACE", "Client", "Stopped"]

#: Seconds that a cell which was interrupted gets to end by itself, so that its step can write its record.
GRACE = 15.0

#: Seconds that a step gets beyond the cell's time limit, which it knows and keeps itself: its own end says more.
SLACK = 3.0


class Stopped(BaseException):
    """Somebody stopped the replay: Ctrl-C, SIGTERM, or the terminal went away."""


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
        self._signals: list[str] = []
        # What each request's cell has shown: what a task or a thread shows later belongs to the cell that began it.
        self._shown: dict[str, tuple[int, Outputs]] = {}
        self._at_work: tuple[int, Outputs] | None = None
        self._displays = Displays()
        #: Output widgets whose kernel does not know yet what they hold.
        self.widgets_behind: set[Any] = set()
        self.widget_registry = {"@jupyter-widgets/output": {"OutputModel": _PatientWidget}}
        # The kernel redacts what it says once our extension is loaded there; what it says before, only we can.
        self._messages = Messages(leave=is_whole)
        self._stopped: asyncio.Event
        self._pressed: asyncio.Event
        self._channels: Channels

    def execute(self, **_: Any) -> Any:
        """Run every cell.

        Raises
        ------
        CellTimeoutError, DeadKernelError, CellFailed
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
            try:
                async with self._answering():
                    asked = self._channels.send(self.kc.session.msg("kernel_info_request", {}))
                    info = await self._unless_stopped(self._answer(asked))
                    self.nb.metadata["language_info"] = info["content"]["language_info"]
                    await self._cells()
            finally:
                self._hear_last_words()
            self.set_widgets_metadata()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Take the signals that stop a program; a second one while the first is heeded stops at once."""
        loop = asyncio.get_running_loop()
        ours = []
        terminal = _has_terminal()

        def take(name: str) -> None:
            if name == "SIGHUP" and terminal and not _has_terminal():
                # Whoever closes a window does not mean to leave a change half done.
                self.nb_man.watch.lost = self.nb_man.watch.lost or "its terminal was closed while it ran"
                return
            self._signals.append(name)
            (self._pressed if self._stopped.is_set() else self._stopped).set()

        for number in STOPPING:
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
            self._channels = Channels(self.kc, self._published, self._lost)
            yield
        except (Stopped, CellTimeoutError, DeadKernelError):
            # It was asked nicely, or can't hear any more.
            asked = False
            raise
        finally:
            # It is read to its end: what a thread says last is heard, and a kernel that waits for us can end.
            await self._kernel.end(self.kc if asked else None)
            if channels := getattr(self, "_channels", None):
                channels.close()
            if self.kc is not None:
                self.kc.stop_channels()

    async def _unless_stopped(self, starting: Any) -> Any:
        """Wait for something that may be left half done, and return what it returns."""
        task, stopped = asyncio.ensure_future(starting), asyncio.ensure_future(self._stopped.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise Stopped(self._signals[0])
        return task.result()

    def _request(self, cell: Any) -> Request:
        """Send a cell's code with its id and metadata, which nbclient leaves out."""
        theirs = {name: value for name, value in cell.metadata.items() if name != "papermill"}
        ours = {**(theirs.get(KEY) or {}), **self._handed}
        if self._secrets and INJECTED in tags(cell):
            ours["secrets"] = {name: opened(value) for name, value in self._secrets.items()}
        message = self.kc.session.msg(
            "execute_request",
            {
                "code": cell.source,
                "silent": False,
                "store_history": True,
                "user_expressions": ASKED,
                "allow_stdin": False,
                "stop_on_error": not self._may_fail(cell),
            },
            metadata={**theirs, "cellId": cell.get("id"), KEY: ours},
        )
        if self._at_work:
            self._shown[str(message["header"]["msg_id"])] = self._at_work
        return self._channels.send(message)

    def _may_fail(self, cell: Any, error: object = None) -> bool:
        allowed = self.allow_errors or "raises-exception" in tags(cell) or error in self.allow_error_names
        return bool(allowed) and not self.force_raise_errors

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
            error = await self._step_through(cell, index)
            if isinstance(error, CellExecutionError):
                return
            if error is not None:
                raise error

    async def _step_through(self, cell: Any, index: int) -> BaseException | None:
        """Run one cell, and return what ends the run, if anything does."""
        manager = self.nb_man
        outputs = Outputs(cell, self._displays, partial(manager.save_soon, cell), Redactor().text)
        manager.showing(outputs)
        self._at_work = index, outputs
        manager.cell_start(cell, index)
        verdict, error = await self._cell(cell)
        while self.widgets_behind:
            OutputWidget.sync_state(self.widgets_behind.pop())
        manager.cell_ended(cell, index, verdict)
        return error

    async def _cell(self, cell: Any) -> tuple[Verdict, BaseException | None]:
        """Run one cell; return what became of it, and what ends the run, if anything does."""
        task = asyncio.ensure_future(self._reply(cell))
        late = await self._watch(task, self._allowed(cell))
        if self._stopped.is_set() and (not task.done() or task.exception()):
            await self._give_up(task)
            return Verdict("interrupted", f"stopped by {self._signals[0]}"), Stopped(self._signals[0])
        if late:
            await self._give_up(task)
            text = f"it took longer than {self._limit:g} s"
            return Verdict("failed", text), CellTimeoutError(text)
        try:
            reply = task.result()
        except CellExecutionError as error:
            return after_error(cell, error)
        except DeadKernelError as error:
            self.nb_man.info.died = str(error)
            return Verdict("interrupted", str(error)), error
        return after_success(cell, reply, may_fail=self._may_fail(cell))

    async def _reply(self, cell: Any) -> dict[str, Any]:
        """Run one cell, and return its reply's content, without the secrets.

        Raises
        ------
        CellExecutionError
            It raised, and may not.
        DeadKernelError
            The kernel is gone.
        """
        reply = await self._answer(self._request(cell))
        content = self._messages.clean("execute_reply", reply["content"])
        count = content.get("execution_count")
        cell["execution_count"] = count if isinstance(count, int) else cell["execution_count"]
        if content.get("status") == "error" and not self._may_fail(cell, content.get("ename")):
            # Its outputs are in the work log, and may be long.
            bare = NotebookNode({**cell, "outputs": []})  # type: ignore[no-untyped-call]
            raise CellExecutionError.from_cell_and_msg(bare, content)
        return content

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

    async def _answer(self, request: Request) -> dict[str, Any]:
        """Wait for the end of a request, and return the reply.

        Raises
        ------
        DeadKernelError
            The kernel is gone.
        """
        died: asyncio.Future[Any] = asyncio.ensure_future(self._kernel.died())
        try:
            await asyncio.wait([request.ended, died], return_when=asyncio.FIRST_COMPLETED)
            if not request.ended.done():
                await self._channels.last_words()
            if not request.ended.done():
                raise DeadKernelError(died.result())
            return request.ended.result()
        finally:
            died.cancel()

    def _published(self, message: dict[str, Any]) -> None:
        """Take a message that the kernel publishes; what a step shows while it runs is for those who watch, too."""
        kind, parent = str(message["msg_type"]), str(message["parent_header"].get("msg_id", ""))
        index, outputs = self._shown.get(parent) or self._at_work or (0, None)
        if outputs is None:
            return
        data = message["content"].get("data")
        if kind == "update_display_data" and isinstance(data, dict) and isinstance(data.get("text/plain"), str):
            self.nb_man.watch.cell_shown(data["text/plain"])
        try:
            for made, content in self._messages.take(kind, message["content"], parent):
                self._show(made, {**message, "msg_type": made, "content": content}, parent, index, outputs)
        except Exception as error:  # noqa: BLE001 -- any code in the kernel can send what it likes
            text = f"[a message of the kernel ({kind}) can't be read: {type(error).__name__}]\n"
            outputs.take("stream", {"name": "stderr", "text": text})
        if kind == "status" and message["content"].get("execution_state") == "idle":
            outputs.ended = True

    def _hear_last_words(self) -> None:
        """Show what threads said last, which might have been the beginning of a secret."""
        for parent, content in self._messages.last_words():
            index, outputs = self._shown.get(parent) or self._at_work or (0, None)
            if outputs is not None:
                self._show("stream", {"msg_type": "stream", "header": {}, "content": content}, parent, index, outputs)

    def _show(self, kind: str, message: dict[str, Any], parent: str, index: int, outputs: Outputs) -> None:
        if kind.startswith("comm_"):
            self.handle_comm_msg(outputs.cell["outputs"], message, index)
        elif self.output_hook_stack[parent] and kind in _SHOWN:
            # An Output widget shows it; see nbclient's own `output`.
            hook = self.output_hook_stack[parent][-1]
            made = {**message, "header": {**message["header"], "msg_type": kind}}
            if kind == "clear_output":
                hook.clear_output(outputs.cell["outputs"], made, index)
            else:
                hook.output(outputs.cell["outputs"], made, None, index)
        else:
            shown = outputs.take(kind, message["content"])
            if shown and (self.log_output or self.stdout_file or self.stderr_file):
                self.log_output_message(shown)

    def _lost(self, count: int) -> None:
        """Say in the cell at work that something of it is missing."""
        if self._at_work:
            text = f"[{count} messages of the kernel did not come: what they showed is missing here]\n"
            self._at_work[1].take("stream", {"name": "stderr", "text": text})

    @staticmethod
    async def _give_up(task: asyncio.Future[Any]) -> None:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        # Its error is known by now, and asyncio would complain of one that nobody looked at.
        if not task.cancelled():
            task.exception()


def _has_terminal() -> bool:
    """Tell whether this process has a terminal that is there (tty(4))."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


class _PatientWidget(OutputWidget):
    """Tells its kernel what it holds once the cell has ended: a kernel at work takes nothing in meanwhile."""

    def sync_state(self) -> None:
        """See nbclient's own."""
        self.executor.widgets_behind.add(self)


_SHOWN = frozenset({"stream", "display_data", "execute_result", "error", "clear_output"})
