"""Signals that whoever started the tests ignores: a background job, ``nohup``."""

from __future__ import annotations

import signal

__all__ = ["heed", "heed_termination"]

#: What a shell ignores for a background job (INT, QUIT), and ``nohup`` (HUP); the tests send all of them.
SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM)


def heed() -> None:
    """Handle the signals that are ignored, so that they reach the tests and the programs that these start.

    A program inherits an ignored signal and stays deaf to it: Python then has no KeyboardInterrupt, and bash no trap.
    A handler is not inherited. SIGINT gets Python's own; the others one that does nothing, as nothing happened before.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else _nothing)


def heed_termination() -> None:
    """Take SIGTERM as Ctrl-C in a process that runs no tests itself: it has sandboxes to take away."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _nothing(_number: int, _frame: object) -> None:
    pass
