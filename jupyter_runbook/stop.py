"""The token that ends a step's work: a deadline, or somebody who pressed stop."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

from jupyter_runbook.errors import Interrupted, RunbookError, StepTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Stop"]

T = TypeVar("T")


class Stop:
    """Set once, by a deadline or by hand; work asks `check`, sleeps with `wait`, and is told by `calling`.

    Use it as a context manager: the deadline's timer ends with the block.

    Parameters
    ----------
    seconds
        The time until `StepTimeout`; None for no limit.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self._error: RunbookError | None = None
        self._ends = None if seconds is None else time.monotonic() + seconds
        #: Whether somebody asked a second time: what heeds no stop is to be left behind at once.
        self.hurried = False
        self._timer: threading.Timer | None = None
        if seconds is not None:
            self._overdue = StepTimeout(f"it took longer than {seconds:g} s", hint="give it more time with --timeout")
            # A second more than the longest timer (threading.TIMEOUT_MAX) is the same as no limit.
            self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self.set, [self._overdue])
            self._timer.daemon = True

    def __enter__(self) -> Self:
        if self._timer:
            self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._timer:
            self._timer.cancel()

    def set(self, error: RunbookError | None = None) -> None:
        """End the work; the first call says why, by default that somebody pressed stop."""
        with self._lock:
            if self._error is not None:
                return
            self._error = error or Interrupted("it was stopped")
            self._event.set()
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def hurry(self) -> None:
        """End the work, and do not wait for what heeds no stop."""
        self.hurried = True
        self.set()
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    @property
    def error(self) -> RunbookError | None:
        """Why the work has to end; None while it goes on."""
        return self._error

    def check(self) -> None:
        """Raise why the work has to end, if it has to: `StepTimeout` or `Interrupted`."""
        # On a busy machine the timer comes later than those who waited until its time. It counts until its block ends.
        if self._timer and not self._timer.finished.is_set() and self.remaining(1) == 0:
            self.set(self._overdue)
        if self._error is not None:
            # Two threads that raise one and the same error would mix their tracebacks.
            raise type(self._error)(self._error.message, hint=self._error.hint)

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until the work has to end, and then raise as `check` does."""
        self._event.wait(seconds)
        self.check()

    def remaining(self, most: float) -> float:
        """Return the seconds until the deadline, at least 0 and at most ``most``: for a network call's own limit."""
        return most if self._ends is None else max(0.0, min(most, self._ends - time.monotonic()))

    def bounded(self, work: Callable[[], T], seconds: float) -> T:
        """Do what may block, like a call of a library that knows no token, and return what it returns.

        It runs in a daemon thread; what has not ended when the time is over, or the work has to end, is left behind.

        Parameters
        ----------
        work
            Takes nothing; must do no harm if it goes on after this call.
        seconds
            How long it may take.

        Raises
        ------
        TimeoutError
            It took longer.
        StepTimeout, Interrupted
            As `check` does.
        """
        box: SimpleQueue[Callable[[], T] | None] = SimpleQueue()

        def do() -> None:
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 -- it belongs to whoever waits
                caught = error
                box.put(lambda: _raise(caught))
            else:
                box.put(lambda: value)

        with self.calling(lambda: box.put(None)):
            threading.Thread(target=do, name="runbook call", daemon=True).start()
            try:
                got = box.get(timeout=self.remaining(seconds))
            except Empty:
                self.check()
                raise TimeoutError(f"no end within {seconds:g} s") from None
        if got is None:
            self.check()
        assert got is not None  # noqa: S101 -- check has raised
        return got()

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call back as soon as the work has to end (at once if it has to already), from whatever thread sets it."""
        with self._lock:
            self._callbacks.append(callback)
            late = self._error is not None
        try:
            if late:
                callback()
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


def _raise(error: BaseException) -> NoReturn:
    raise error
