"""What a replay's Python kernel is started with, in place of ``ipykernel_launcher``: so that it opens no port at all.

An ipykernel (7.4) hears what its forked children print on a TCP port of 127.0.0.1, whatever its own channels are; any
user of the machine can connect there. Here it hears them on a socket in the folder of the kernel's connection file,
which only this user can enter.

This file is run by the kernel's own Python, which need have nothing of ours: it imports only what ipykernel has.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from pathlib import Path
from typing import Any


def keep_private(folder: Path) -> None:
    """Have the kernel of this process hear its forked children on a socket in this folder.

    A version of ipykernel that has other names for it keeps to its own way.

    Parameters
    ----------
    folder
        The kernel's own, which others can't enter.
    """
    import zmq
    from ipykernel import kernelapp
    from zmq.eventloop.zmqstream import ZMQStream

    address = f"ipc://{folder}/forked"

    class PrivateIOPub(kernelapp.IOPubThread):  # type: ignore[misc,name-defined] # not exported, untyped
        def _setup_pipe_in(self) -> None:
            self._pipe_uuid = os.urandom(16)
            socket = self.socket.context.socket(zmq.PULL)
            socket.linger = 0
            socket.bind(address)
            self._pipe_in = ZMQStream(socket, self.io_loop)
            self._pipe_in.on_recv(self._handle_pipe_msg)

        def _setup_pipe_out(self) -> tuple[Any, Any]:
            # A ZeroMQ context does not outlive a fork: a child has its own, and its end waits for what it said last.
            context = zmq.Context()
            socket = context.socket(zmq.PUSH)
            socket.linger = 3000
            socket.connect(address)
            return context, socket

    kernelapp.IOPubThread = PrivateIOPub  # type: ignore[attr-defined]


def nobody_types() -> None:
    """Have shell lines read from nowhere, and tell how those ended whose output is taken: ``x = !cmd``, ``%sx``.

    IPython runs ``!cmd`` on a terminal of its own, where it would wait for ever for what nobody types; and of a shell
    line whose output is taken, it forgets the exit status.
    """
    import subprocess

    from ipykernel import zmqshell
    from IPython.core import interactiveshell
    from IPython.core.getipython import get_ipython

    system = interactiveshell.system  # type: ignore[attr-defined]  # what its `!cmd` calls

    def deaf(cmd: str) -> Any:
        # On a line of its own: the command may be anything that a shell reads.
        return system(f"exec </dev/null\n{cmd}")

    def getoutput(cmd: str | list[str]) -> str:
        done = subprocess.run(
            cmd,
            shell=isinstance(cmd, str),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if (shell := get_ipython()) is not None:
            # As after !cmd: minus the number of the signal, which a shell tells as 128 and more.
            shell.user_ns["_exit_code"] = done.returncode if done.returncode <= 128 else 128 - done.returncode  # noqa: PLR2004
        return done.stdout.decode(errors="replace")

    for module in (interactiveshell, zmqshell):
        module.system = deaf  # type: ignore[attr-defined]
    interactiveshell.getoutput = getoutput  # type: ignore[attr-defined]


def main() -> None:
    """Start the kernel as ``python -m ipykernel_launcher`` does, with the same command line and the same paths."""
    # Python puts a script's folder first, but a module's caller's: our neighbours here are nothing to import there.
    ours = bool(sys.path) and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent
    if ours:
        del sys.path[0]
    if "-f" in sys.argv[:-1]:
        keep_private(Path(sys.argv[sys.argv.index("-f") + 1]).absolute().parent)
    with contextlib.suppress(ImportError, AttributeError):  # another version of IPython
        nobody_types()
    if ours:
        sys.path.insert(0, "")
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
