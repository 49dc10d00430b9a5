"""A terminal for the tests: what a person would see on it, at any time."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

LIMIT = 60  # seconds: what only a broken test waits out


def on_terminal(
    command: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    *,
    size: tuple[int, int] = (40, 100),
    seen: Callable[[str, int], object] = lambda _text, _pid: None,
) -> tuple[int, str]:
    """Run a program on a terminal, and return its exit status and what the screen shows in the end.

    Parameters
    ----------
    command, cwd, env
        The program, and where it runs.
    size
        Lines and columns.
    seen
        Called with what the screen shows whenever it has changed, and with the program's process.

    Raises
    ------
    AssertionError
        It does not end; it is killed, with what it started.
    """
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe(command[0], list(command), {**env, "TERM": "xterm-256color"})  # noqa: S606 -- a shell's own job
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    screen = pyte.Screen(size[1], size[0])
    stream = pyte.ByteStream(screen)
    over = False
    ends = time.monotonic() + LIMIT
    try:
        while not over and time.monotonic() < ends:
            if not select.select([descriptor], [], [], 0.1)[0]:
                continue
            data = b""
            with suppress(OSError):  # the program has ended
                data = os.read(descriptor, 65536)
            over = not data
            stream.feed(data)
            seen(_text(screen), pid)
    finally:
        os.close(descriptor)
        if not over:
            # It leads a session of its own, and may not heed that its terminal is gone.
            os.killpg(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert over, f"it did not end within {LIMIT} s; the screen shows:\n{_text(screen)}"
    return status, _text(screen)


def _text(screen: pyte.Screen) -> str:
    return "\n".join(line.rstrip() for line in screen.display).rstrip()
