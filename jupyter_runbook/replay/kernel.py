"""A replay's kernel: its sockets are in a folder that only this user can enter, and it opens no port."""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.replay.died import cause, memory_events, out_of_memory
from jupyter_runbook.secret.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.manager import AsyncKernelManager

__all__ = ["PrivateKernel"]

#: How the folders of replays' sockets begin; the process follows.
PREFIX = "runbook-"
#: What the path of a socket has room for, in bytes (unix(7)), and what comes below the folder for temporary files: the
#: pid, what makes the name its own, and the longest name of a socket.
ROOM, BELOW = 107, len(f"/{PREFIX}4194304-xxxxxxxx/kernel-99")
#: Where the sockets are if that folder's own path is too long, as a job's on a cluster may be.
SHORT = "/tmp"  # noqa: S108 -- the folder that is made there is this user's alone
#: Milliseconds until ZeroMQ tries again to reach a socket.
RECONNECT = 5
#: Seconds that a kernel gets to end by itself: on the shell channel, then on the control channel.
FIRST_PATIENCE = 1.0
PATIENCE = 5.0
#: What Python kernels' specifications start, and what a replay starts instead.
LAUNCHERS = (["-m", "ipykernel_launcher"], ["-m", "ipykernel"])
LAUNCHER = Path(__file__).with_name("launcher.py")


class PrivateKernel:
    """One kernel process; it is started before anything slow is imported, since it takes longest to be ready.

    Parameters
    ----------
    name
        The kernel, as ``jupyter kernelspec list`` names it.
    cwd
        The folder that it works in; None for ours.
    """

    def __init__(self, name: str, cwd: Path | None = None) -> None:
        self.name = name
        self.cwd = cwd
        self.manager: AsyncKernelManager | None = None
        self._folder: Path | None = None
        # Who counts the processes that are killed for want of memory, and what it counted at first.
        self._memory: Path | None = None
        self._killed: int | None = None

    async def start(self) -> AsyncKernelManager:
        """Start it, if it is not yet, and return its manager; it need not answer yet.

        Raises
        ------
        jupyter_client.kernelspec.NoSuchKernel
            There is none of this name.
        OSError
            It can't be started.
        """
        if self.manager is not None:
            return self.manager
        import zmq
        from jupyter_client.manager import AsyncKernelManager

        usual = tempfile.gettempdir()
        place = usual if len(os.fsencode(usual)) + BELOW <= ROOM else SHORT
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
        manager: Any = AsyncKernelManager(
            kernel_name=self.name,
            transport="ipc",
            ip=str(self._folder / "kernel"),
            connection_file=str(self._folder / "kernel.json"),
        )
        self.manager = manager
        manager.kernel_spec.argv = _private(manager.kernel_spec.argv)
        # Its sockets are not there yet when we first try them; by default ZeroMQ tries again after 100 ms.
        manager.context.setsockopt(zmq.RECONNECT_IVL, RECONNECT)
        # A replay's cells are in its work log, and not in the history of the user's own IPython.
        history = ["--HistoryManager.hist_file=:memory:"] if manager.ipykernel else []
        options: dict[str, Any] = {"cwd": str(self.cwd)} if self.cwd else {}
        with self._heard() as ends:
            await manager.start_kernel(extra_arguments=history, **options, **ends)
        self._memory = memory_events(getattr(manager.provisioner, "pid", None))
        self._killed = out_of_memory(self._memory)
        return self.manager

    async def died(self) -> str:
        """Wait until its process is gone, and return why, as a clause."""
        provisioner = self.manager.provisioner if self.manager is not None else None
        if provisioner is None:
            return cause(None, None)
        while not await _ended(provisioner, PATIENCE):
            pass
        killed = out_of_memory(self._memory)
        code = await provisioner.poll()
        return cause(code if isinstance(code, int) else None, (killed or 0) - (self._killed or 0))

    @contextmanager
    def _heard(self) -> Iterator[dict[str, int]]:
        """Yield where the kernel's process writes to: we hand it on without the secrets.

        Its programs' outputs come there, too, and its own last words if it crashes.
        """
        ends = {}
        for name in ("stdout", "stderr"):
            reader, ends[name] = os.pipe()
            threading.Thread(target=_hand_on, args=(reader,), name=f"kernel {name}", daemon=True).start()
        try:
            yield ends
        finally:
            for end in ends.values():
                os.close(end)

    async def ready(self, client: Any, within: float) -> None:
        """Wait until it answers, and until we hear what it publishes.

        jupyter_client's own waiting also waits for 0.2 s of silence, to leave nothing behind for its callers; nbclient
        asks each message whose it is anyway.

        Parameters
        ----------
        client
            Its client, with the channels started.
        within
            So many seconds.

        Raises
        ------
        RuntimeError
            It died, or did not answer in time.
        """
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            client.kernel_info()
            with suppress(queue.Empty):
                await client.shell_channel.get_msg(timeout=1)
                await client.iopub_channel.get_msg(timeout=0.2)
                return
            if not await client.is_alive():
                raise RuntimeError("it died while it started")
        raise RuntimeError(f"it did not answer in {within:g} s")

    async def end(self, client: Any = None) -> None:
        """End it, if it is there, and take its folder away.

        Parameters
        ----------
        client
            Its client, to ask it to end; left out, it is killed, as it is if it does not heed.
        """
        manager, self.manager = self.manager, None
        try:
            if manager is not None and manager.has_kernel:
                if client is not None:
                    await _ask(client, manager.provisioner)
                if manager.provisioner is not None:
                    # jupyter_client interrupts it first, and one that still starts begins to show a traceback.
                    await manager.provisioner.kill()
                await manager.shutdown_kernel(now=True)
            elif manager is not None:  # it could not be started
                await manager.cleanup_resources()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                _sweep(self._folder.parent)


def _hand_on(reader: int) -> None:
    redacted = Redactor().stream()
    with open(reader, encoding="utf-8", errors="replace", newline="") as said:
        # A line at a time: what is held back of it is a secret's beginning.
        for line in said:
            _write(redacted.feed(line))
    _write(redacted.close())


def _write(text: str) -> None:
    # Standard output is for the replay's own answer, which may be the work log.
    with suppress(OSError, ValueError, AttributeError):  # it may be closed, or none
        sys.stderr.write(text)
        sys.stderr.flush()


def _private(command: list[str]) -> list[str]:
    """Return a kernel's command with our launcher in place of ipykernel's own; that of another kernel as it is."""
    for at in range(len(command) - 1):
        if command[at : at + 2] in LAUNCHERS:
            return [*command[:at], str(LAUNCHER), *command[at + 2 :]]
    return command


def _sweep(folder: Path) -> None:
    """Take away what replays that were killed have left there."""
    for left in folder.glob(f"{PREFIX}[0-9]*-*"):
        with suppress(OSError, ValueError):
            if left.stat().st_uid == os.getuid() and not Path(f"/proc/{int(left.name.split('-')[1])}").exists():
                shutil.rmtree(left, ignore_errors=True)


async def _ask(client: Any, provisioner: Any) -> None:
    """Ask a kernel to end, and wait until it has, or has been given its time.

    jupyter_client's own way sends SIGINT first and then asks on the control channel. A kernel that is hit at the wrong
    moment does not hear the rest; and ipykernel (7.4) now and then locks up when its control thread still publishes
    while its main thread closes what it publishes on. On the shell channel both are one thread.
    """
    client.shell_channel.send(client.session.msg("shutdown_request", {"restart": False}))
    if not await _ended(provisioner, FIRST_PATIENCE):
        client.shutdown()
        await _ended(provisioner, PATIENCE)


async def _ended(provisioner: Any, within: float) -> bool:
    """Wait for a kernel's process to end, and tell if it did; jupyter_client would look ten times a second."""
    pid = getattr(provisioner, "pid", None)
    if pid is None:
        with suppress(TimeoutError):
            await asyncio.wait_for(provisioner.wait(), within)
        return await provisioner.poll() is not None
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), within)
        return over.is_set()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
