"""Ctrl-C and the stop button while a step runs: no bookkeeping is ever cut in half."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.stop import Stop

__all__ = ["Interrupts"]


class Interrupts:
    """Take SIGINT for the time of a block (in the main thread; elsewhere it does nothing).

    It sets the stop token, and a second one tells that to hurry; what begins next raises. In a `raising` block, where
    nothing is changed, it raises KeyboardInterrupt as well, as Python does; the token ends what that block has put into
    other threads and now waits for. The handler only notes it and writes to a pipe, and a thread does the rest: a
    handler must not take a lock that the code it interrupts may hold.
    """

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self._pressed = False
        self._told = False
        self._raise = False
        self._before: signal._HANDLER = None
        self._pipe: tuple[int, int] | None = None
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._pipe = os.pipe()
            self._watcher = threading.Thread(target=self._watch, args=self._pipe[:1], name="runbook stop", daemon=True)
            self._watcher.start()
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if self._pipe is None or self._watcher is None:
            return
        signal.signal(signal.SIGINT, self._before or signal.default_int_handler)
        os.close(self._pipe[1])
        self._watcher.join()
        os.close(self._pipe[0])
        if kind is None and self._pressed and not self._told:
            raise KeyboardInterrupt  # it came too late for this step, and stops what is queued behind it

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Mark a block that only reads: an interrupt raises KeyboardInterrupt there, also one that came before."""
        if self.stop is not None:
            self.stop.check()
        if self._pressed and not self._told:
            self._told = True
            raise KeyboardInterrupt
        self._raise = True
        try:
            yield
        finally:
            self._raise = False

    def _handle(self, _number: int, _frame: object) -> None:
        self._pressed = True
        if self._pipe is not None:
            os.write(self._pipe[1], b"!")
        if self._raise:
            self._told = True
            raise KeyboardInterrupt

    def _watch(self, reader: int) -> None:
        while os.read(reader, 1):
            stop = self.stop
            if stop is not None:
                self._told = True
                stop.set() if stop.error is None else stop.hurry()
