"""Run a program: its output as it comes, its end without waiting on who holds its pipe, and the whole group stopped."""

from __future__ import annotations

import codecs
import errno
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from jupyter_runbook.files import write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from jupyter_runbook.stop import Stop

__all__ = ["Bell", "memory_file", "run_program"]

# Between SIGTERM and SIGKILL to a program that has to stop, in seconds.
PATIENCE = 1.0
CHUNK = 65536

# Becomes a program once it has told the guard who it is: if we did that, a program that is quick could kill us first.
_ANNOUNCE = 'echo $$ >"$0" && exec "$@"'
# Is told a process group, then that it has ended; where its pipe ends before that, whoever held it has died, and the
# group must not go on alone.
_GUARD = 'read -r group && { read -r line || { kill -s TERM -- "-$group" && sleep 1 && kill -s KILL -- "-$group"; }; }'


def run_program(
    command: Sequence[str | Path],
    *,
    stop: Stop,
    output: Callable[[str], object],
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
) -> int:
    """Run a program in a process group of its own, with both its outputs in one.

    A process that it leaves in the background does not hold this call up, even if it keeps the output open. If our own
    process is killed, the group ends too: a step that is called interrupted does not go on.

    Parameters
    ----------
    command
        The program and its arguments.
    stop
        Once it is set, the group gets SIGTERM, and SIGKILL a second later.
    output
        Called with each piece of text, in this thread; bytes that are no UTF-8 become U+FFFD.
    cwd
        The folder to run in.
    pass_fds
        Open files to hand over.
    stdin
        What it reads; left out, nothing.

    Returns
    -------
    int
        The exit status; negative for a signal.

    Raises
    ------
    StepTimeout, Interrupted
        The token was set; the program is gone.
    OSError
        The program can't be started.
    """
    stop.check()
    program = str(command[0])
    if shutil.which(program) is None:  # the shell would only print it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
    with _guard() as guard:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _ANNOUNCE, guard, *map(str, command)],
            cwd=cwd,
            pass_fds=pass_fds,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _follow(process, stop, output)
    stop.check()
    return process.returncode


def memory_file(data: bytes) -> int:
    """Return a descriptor of an unnamed file in memory with this content, at its beginning."""
    descriptor = os.memfd_create("runbook")
    write_all(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class Bell:
    """A pipe that wakes a selector from any thread, and can be closed while others still ring."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        self._lock = threading.Lock()
        self._open = True

    def ring(self) -> None:
        """Wake the selector."""
        with self._lock:
            if self._open:
                os.write(self._writer, b"!")

    def close(self) -> None:
        """Close the pipe; ringing does nothing from now on."""
        with self._lock:
            self._open = False
            os.close(self._writer)
            os.close(self.reader)


@contextmanager
def _guard() -> Iterator[str]:
    """Yield the path that a process group tells its ID to: it is ended if our own process dies before this block does.

    The guard is there before the group, and knows it before the program begins: no program can kill us faster than it
    is watched.
    """
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    )
    assert guard.stdin is not None  # noqa: S101 -- a pipe was asked for
    pipe = guard.stdin
    try:
        # By its path, no program inherits the pipe: held open by one, it would not end with us.
        yield f"/proc/{os.getpid()}/fd/{pipe.fileno()}"
    finally:
        # Somebody may have killed the guard: that is no fault of the program's.
        with suppress(BrokenPipeError):
            pipe.write(b"it has ended\n")
        pipe.close()
        guard.wait()


def _follow(process: subprocess.Popen[bytes], stop: Stop, output: Callable[[str], object]) -> None:
    """Read what a program prints until it has ended; end it where the token is set."""
    bell = Bell()

    def wait() -> None:
        process.wait()
        bell.ring()

    waiter = threading.Thread(target=wait, name="runbook wait", daemon=True)
    waiter.start()
    try:
        with _reading(process, output) as read, stop.calling(bell.ring):
            _watch(process, stop, bell, read)
    finally:
        if stop.error is not None or process.poll() is None:
            _kill(process, signal.SIGKILL)
        waiter.join()
        bell.close()
        if process.stdout:
            process.stdout.close()


@contextmanager
def _reading(process: subprocess.Popen[bytes], output: Callable[[str], object]) -> Iterator[Callable[[], bool]]:
    """Yield a function that reads one piece, and tells whether there may be more now."""
    assert process.stdout is not None  # noqa: S101 -- a pipe was asked for
    descriptor = process.stdout.fileno()
    os.set_blocking(descriptor, False)
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def read() -> bool:
        try:
            piece = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        if text := decode(piece):
            output(text)
        return bool(piece)

    yield read
    if rest := decode(b"", final=True):
        output(rest)


def _watch(process: subprocess.Popen[bytes], stop: Stop, bell: Bell, read: Callable[[], bool]) -> None:
    """Read until the program has ended and what it wrote is read."""
    kill_at: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(bell.reader, selectors.EVENT_READ)
        selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]  # checked in _reading
        while process.returncode is None:
            timeout = None if kill_at is None else max(0.0, kill_at - time.monotonic())
            ready = {key.fd for key, _ in selector.select(timeout)}
            if process.stdout and process.stdout.fileno() in ready and not read():
                selector.unregister(process.stdout)
            if bell.reader in ready:
                os.read(bell.reader, CHUNK)
            if stop.error is not None and kill_at is None:
                _kill(process, signal.SIGTERM)
                kill_at = time.monotonic() + PATIENCE
            elif kill_at is not None and time.monotonic() >= kill_at:
                _kill(process, signal.SIGKILL)
                kill_at = time.monotonic() + PATIENCE
    while read():
        pass


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
