"""What a replay's Python kernel is started with, in place of ``ipykernel_launcher``: each function changes one thing.

An ipykernel (7.4) is made for a person who looks on: it drops messages that the front end is too slow for, hears what
its forked children print on a TCP port that any user of the machine can connect to, waits for what somebody types, and
lets a cell end well that has shown an error. Nobody looks on at a replay.

This file is run by the kernel's own Python, which need have nothing of ours: it imports only what ipykernel has. A
version of ipykernel or IPython that has other names for what is changed here keeps to its own way.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import os
import runpy
import select
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# A message has so many characters of a stream at most, and so many are waiting to be sent: whoever prints more waits.
PIECE, WAITING = 1 << 16, 1 << 22
# Milliseconds after which a forked child looks whether its kernel is still there.
PATIENCE_OF_CHILDREN = 1000
# Seconds that a flush waits: the replay may be stopped (SIGSTOP) for as long as somebody likes.
PATIENCE = 86_400.0
# Seconds that a kernel which leaves by os._exit() is held up, so that what it said last is heard.
LAST_MOMENT = 0.1
# The kernel's own, whatever ``sys.stdout`` and ``sys.stderr`` are.
STREAMS: list[Any] = []


def lose_nothing(folder: Path) -> None:
    """Have the kernel wait for a reader that is slow, number what it publishes, and hear its forked children.

    These it hears on a socket in the kernel's folder, which only this user can enter, and not on a TCP port.

    Parameters
    ----------
    folder
        The kernel's own, which others can't enter.
    """
    from ipykernel import kernelapp

    publishes: Any = kernelapp
    publishes.IOPubThread = _lossless(publishes.IOPubThread, f"ipc://{folder}/forked")


def _lossless(base: Any, address: str) -> Any:  # noqa: C901 -- one class
    """Return ipykernel's class that publishes with what `lose_nothing` says."""
    import zmq
    from zmq.eventloop.zmqstream import ZMQStream

    class IOPub(base):  # type: ignore[misc]
        def __init__(self, socket: Any, *words: Any, **options: Any) -> None:
            # Without it, what is more than a thousand messages ahead of the reader is dropped (zmq_setsockopt(3)).
            socket.setsockopt(zmq.XPUB_NODROP, 1)
            self._number = 0
            super().__init__(socket, *words, **options)

        def _setup_pipe_in(self) -> None:
            self._pipe_uuid = os.urandom(16)
            self._children: dict[tuple[int, int], Any] = {}
            socket = self.socket.context.socket(zmq.REP)
            socket.linger = 0
            socket.bind(address)
            self._pipe_in = ZMQStream(socket, self.io_loop)
            self._pipe_in.on_recv(self._handle_pipe_msg)

        def _handle_pipe_msg(self, msg: list[bytes]) -> None:
            # Already in the thread that publishes: it must not wait for itself.
            if self._is_master_process():
                if msg[0] == self._pipe_uuid:
                    self._really_send(msg[1:])
                self._pipe_in.socket.send(b"")

        def _really_send(self, msg: list[bytes], *words: Any, **options: Any) -> None:
            if self._is_master_process():
                self._number += 1
                super()._really_send([b"#%d" % self._number, *msg], *words, **options)
            elif self._pipe_flag:
                self._hand_over(msg)

        def _hand_over(self, msg: list[bytes]) -> None:
            """Have the kernel publish a forked child's message, and wait until it has: a child that ends is heard."""
            mine = os.getpid(), threading.get_ident()
            if mine not in self._children:
                # A ZeroMQ context does not outlive a fork, and a socket is one thread's: each has its own.
                self._children[mine] = zmq.Context().socket(zmq.REQ)
                self._children[mine].linger = 0
                self._children[mine].connect(address)
            self._children[mine].send_multipart([self._pipe_uuid, *msg])
            while not self._children[mine].poll(PATIENCE_OF_CHILDREN):
                if not Path(f"/proc/{self._master_pid}").exists():
                    del self._children[mine]
                    return
            self._children[mine].recv()

    return IOPub


def keep_streams_whole() -> None:
    """Have nothing missing of what is printed, by Python or by a program, once a cell has ended.

    ipykernel reads what programs print in a thread of its own, which may be late, and cuts characters in two that are
    longer than a byte.
    """
    from ipykernel import iostream

    iostream.OutStream = _whole(iostream.OutStream)  # type: ignore[misc]

    leave, kernel = os._exit, os.getpid()

    def heard(status: int) -> Any:
        if os.getpid() == kernel:
            flush()
            # Nobody tells when the socket has passed it on.
            time.sleep(LAST_MOMENT)
        leave(status)

    os._exit = heard


def flush() -> None:
    """Send what the kernel's own streams have, also where a cell has put others in their place."""
    for stream in STREAMS:
        with contextlib.suppress(Exception):
            stream.flush()


def _whole(base: Any) -> Any:  # noqa: C901 -- one class
    """Return ipykernel's class of streams with what `keep_streams_whole` says."""

    class WholeStream(base):  # type: ignore[misc]
        flush_timeout = PATIENCE

        def __init__(self, *words: Any, **options: Any) -> None:
            STREAMS.append(self)
            self._reading = threading.RLock()
            self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
            self._waiting = 0
            super().__init__(*words, **options)

        def write(self, string: str) -> Any:
            if isinstance(string, str) and not string.isascii():
                # A file's name that is no UTF-8, say: such a message could not be sent.
                string = string.encode("utf-8", "backslashreplace").decode("utf-8")
            written = super().write(string)
            self._waiting += len(string)
            if self._waiting > WAITING and threading.current_thread() is not self.pub_thread.thread:
                self.flush()
            return written

        def flush(self) -> None:
            self._take_programs()
            super().flush()

        def _flush_buffers(self) -> Iterator[tuple[Any, str]]:
            self._waiting = 0
            for parent, text in super()._flush_buffers():
                for at in range(0, len(text), PIECE):
                    yield parent, text[at : at + PIECE]

        def _watch_pipe_fd(self) -> None:
            if self._fid is None:
                return
            os.set_blocking(self._fid, False)
            there = select.poll()
            there.register(self._fid, select.POLLIN)
            while self._should_watch:
                there.poll()
                self._take_programs()

        def _take_programs(self) -> None:
            """Take what programs have printed so far; not in a forked child, where another has the lock."""
            if self._fid is None or not self._should_watch or not self._is_master_process():
                return
            with self._reading, contextlib.suppress(BlockingIOError):
                # No more than a few times what a pipe holds: a program that goes on for ever would be read for ever.
                for _ in range(16):
                    self.write(self._decoder.decode(os.read(self._fid, PIECE)))

    return WholeStream


class SeenCode(int):
    """An exit status for which a cell was judged: a later one is not, and may still read it."""


def say_all_texts() -> None:
    """Have a message sent also where a text in it is no Unicode, as a file's name may be: with its escapes."""
    from jupyter_client import session

    serialize = session.Session.serialize

    @functools.wraps(serialize)
    def escaped(self: Any, msg: Any, ident: Any = None) -> Any:
        try:
            return serialize(self, msg, ident)
        except UnicodeEncodeError:
            return serialize(self, {**msg, "content": _escaped(msg.get("content"))}, ident)

    session.Session.serialize = escaped  # type: ignore[method-assign]


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_escaped(name): _escaped(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(one) for one in value]
    return value


def name_threads() -> None:
    """Have what a thread shows belong to the cell that started it, as what an asyncio task shows does."""
    from IPython.core.getipython import get_ipython

    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        shell = get_ipython()
        set_parent = getattr(shell, "set_thread_parent", None)
        parent = getattr(shell, "parent_header", None)
        if set_parent and parent:
            run = thread.run

            def run_named() -> None:
                thread.__dict__.pop("run", None)
                set_parent(parent)
                run()

            thread.run = run_named  # type: ignore[method-assign]
        start(thread)

    threading.Thread.start = started  # type: ignore[method-assign,assignment]


def tell_of_failures() -> None:
    """Have ``exit()`` fail its cell, as ``sys.exit()`` does, and note each error that a cell shows and does not raise.

    `jupyter_runbook.replay.client` asks for these with the cell's reply: an output may have been captured.
    """
    import builtins

    from ipykernel import ipkernel, zmqshell
    from IPython.core import autocall

    def leave(_: Any, code: object = None) -> None:
        raise SystemExit(code if type(code) is int else 0)

    autocall.ZMQExitAutocall.__call__ = leave  # type: ignore[method-assign]

    show = zmqshell.ZMQInteractiveShell._showtraceback  # noqa: SLF001 -- there is no other place

    def shown(self: Any, etype: Any, evalue: Any, stb: Any) -> None:
        name = getattr(etype, "__name__", "Exception")
        # The name of a class of one's own is a text like any other.
        self._runbook_shown = name if hasattr(builtins, name) else "Exception"
        show(self, etype, evalue, stb)  # type: ignore[no-untyped-call]

    zmqshell.ZMQInteractiveShell._showtraceback = shown  # type: ignore[method-assign]  # noqa: SLF001

    execute = ipkernel.IPythonKernel.do_execute

    @functools.wraps(execute)
    async def judged(self: Any, *words: Any, **options: Any) -> Any:
        # What a cell before has left is not this one's.
        self.shell.__dict__.pop("_runbook_shown", None)
        if type(code := self.shell.user_ns.get("_exit_code")) is int:
            self.shell.user_ns["_exit_code"] = SeenCode(code)
        for stream in STREAMS:
            stream.set_parent(self.get_parent("shell"))
        # What the client asks of any kernel marks what it has seen.
        if "user_expressions" in options:
            options["user_expressions"] = None
        reply = await execute(self, *words, **options)  # type: ignore[no-untyped-call]
        flush()
        code = self.shell.user_ns.get("_exit_code")
        # Not by an expression of the client's: a cell may have a variable called int, or type.
        reply["runbook"] = {
            "exit_code": code if type(code) is int else 0,
            "shown": self.shell.__dict__.pop("_runbook_shown", None),
        }
        return reply

    ipkernel.IPythonKernel.do_execute = judged  # type: ignore[method-assign]


def number_cells_fast() -> None:
    """Have the number that a cell has in tracebacks reckoned in C: in Python it takes seconds for a cell of megabytes.

    ipykernel's own is for a debugger, which has to come to the same.
    """
    import zlib

    from ipykernel import compiler

    def number(data: str, seed: int) -> int:
        return zlib.crc32(data.encode("utf-8", "surrogatepass"), seed)

    compiler.murmur2_x86 = number


def stay_where_it_fails() -> None:
    """Have a ``%cd`` or ``%pushd`` that fails raise: IPython prints why, and goes on in another folder."""
    from IPython.core.magics import osm

    change = osm.OSMagics.cd

    @functools.wraps(change)
    def cd(self: Any, parameter_s: str = "") -> Any:
        errors: list[OSError] = []
        chdir = os.chdir

        def noted(path: Any) -> None:
            try:
                chdir(path)
            except OSError as error:
                errors.append(error)
                raise

        os.chdir = noted
        try:
            there = change(self, parameter_s)
        finally:
            os.chdir = chdir
        if errors:
            raise errors[-1]
        return there

    osm.OSMagics.cd = cd  # type: ignore[method-assign]


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
        return done.stdout.decode(errors="backslashreplace")

    for module in (interactiveshell, zmqshell):
        module.system = deaf  # type: ignore[attr-defined]
    interactiveshell.getoutput = getoutput  # type: ignore[attr-defined]


def main() -> None:
    """Start the kernel as ``python -m ipykernel_launcher`` does, with the same command line and the same paths."""
    # Python puts a script's folder first, but a module's caller's: our neighbours here are nothing to import there.
    ours = bool(sys.path) and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent
    if ours:
        del sys.path[0]
    changes = [
        keep_streams_whole,
        name_threads,
        number_cells_fast,
        say_all_texts,
        tell_of_failures,
        stay_where_it_fails,
        nobody_types,
    ]
    if "-f" in sys.argv[:-1]:
        folder = Path(sys.argv[sys.argv.index("-f") + 1]).absolute().parent
        changes.insert(0, lambda: lose_nothing(folder))
    for change in changes:
        with contextlib.suppress(ImportError, AttributeError):  # another version
            change()
    if ours:
        sys.path.insert(0, "")
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
