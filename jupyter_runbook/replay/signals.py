"""The signals that stop a program, while no loop takes them: before a run's cells and after them.

While the cells run, `jupyter_runbook.replay.client` takes them, so that the step at work can write its record.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["STOPPING", "Stops"]

#: What stops a program; one that is ignored (``nohup``) stays so.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stops:
    """Raises KeyboardInterrupt for each of them, as Python does for SIGINT alone, until the run is over.

    What is written then is written to its end: how the run ended is decided. Only in the main thread, where a program
    has a say in signals.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._over = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                if (before := signal.getsignal(number)) is not signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._take)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def over(self) -> None:
        """Take note that the run is over; whoever else waits for signals, too."""
        self._over = True
        for before in self._before.values():
            if isinstance(outer := getattr(before, "__self__", None), Stops):
                outer.over()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if not self._over:
            raise KeyboardInterrupt(signal.Signals(number).name)
