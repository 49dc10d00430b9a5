"""A limit for every test: one that takes longer fails, and the processes that it started are killed.

It is pytest-timeout's, with a timer of our own: pytest-timeout's fails the test, but leaves its children to run, and
waits for ever where the test's clean-up waits for one of them.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["at_most", "overrun", "prepare", "start", "stop"]

# Seconds between the first alarm and each that follows: clean-up that hangs as well is cut short, too.
AGAIN = 30.0
# Seconds after the limit when the whole process ends: code that Python can't interrupt.
LAST = 300.0
# Where the last words go, and what was said of the test at work that took too long.
_last_words = 2
_said = ""


def prepare() -> None:
    """Note where this process writes errors, while pytest's capture does not stand between."""
    global _last_words  # noqa: PLW0603 -- a descriptor is the process's
    _last_words = os.dup(2)


def overrun() -> str:
    """Return what is said of the test at work where it took too long, once; nothing where it did not."""
    global _said
    said, _said = _said, ""
    return said


def start(seconds: float) -> None:
    """Start the time of a test, in seconds."""
    global _said  # noqa: PLW0603 -- as the timer, it is the process's
    _said = ""
    began = time.clock_gettime(time.CLOCK_BOOTTIME)

    def expired(_number: int, _frame: object) -> None:
        __tracebackhide__ = True
        global _said  # noqa: PLW0603
        stacks = _stacks()
        killed = _kill_children(began)
        _said = f"the test took longer than {seconds:g} s; killed: {killed or 'nothing'}\n{stacks}"
        pytest.fail(_said)

    signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    faulthandler.dump_traceback_later(seconds + LAST, exit=True, file=_last_words)


def stop() -> None:
    """End the time of a test."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    faulthandler.cancel_dump_traceback_later()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Give a block a limit of its own, in seconds, which does not count for the test: what is built once."""
    if not signal.getitimer(signal.ITIMER_REAL)[0]:  # tests without a limit: a debugger's
        yield
        return
    left, again = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    faulthandler.dump_traceback_later(seconds + LAST, exit=True, file=_last_words)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, again)
        faulthandler.dump_traceback_later((left or seconds) + LAST, exit=True, file=_last_words)


def _kill_children(since: float) -> str:
    """Kill what this process started since then (seconds after boot), and all that came of it; return what it was."""
    killed = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error, OSError):
            # psutil's own time of creation is off by up to a second, as the kernel's time of the boot is.
            ticks = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
            if (ticks + 1) / os.sysconf("SC_CLK_TCK") >= since:
                killed.append(" ".join(process.cmdline())[:80] or process.name())
                os.kill(process.pid, signal.SIGKILL)
    return "; ".join(killed)


def _stacks() -> str:
    """Return where every thread is; the test's own is in its traceback."""
    frames = sys._current_frames()
    return "\n".join(
        f"{thread.name}:\n{''.join(traceback.format_stack(frames[thread.ident])[-6:])}"
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and thread.ident in frames
    )
