"""Interrupts: where they raise, where they only set the token, and that none is lost."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from jupyter_runbook.errors import Interrupted
from jupyter_runbook.interrupts import Interrupts
from jupyter_runbook.stop import Stop

LONG = 30  # seconds: a wait that only a broken test waits out


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_where_nothing_is_changed_it_raises() -> None:
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt), interrupts.raising():
        press()


def test_where_it_raises_the_threads_are_told_too() -> None:
    """A provider looks in threads, and waits for them before the exception gets any further."""
    told: list[type[BaseException]] = []

    def look(stop: Stop) -> None:
        try:
            stop.wait(LONG)
        except Interrupted as error:
            told.append(type(error))

    with Stop() as stop, Interrupts() as interrupts:
        interrupts.stop = stop
        thread = threading.Thread(target=look, args=[stop])
        thread.start()

        def observe() -> None:
            try:
                press()
            finally:
                thread.join(LONG / 2)

        with pytest.raises(KeyboardInterrupt), interrupts.raising():
            observe()
        assert told == [Interrupted]
        assert not stop.hurried


def test_elsewhere_it_sets_the_token_and_a_second_one_hurries() -> None:
    with Stop() as stop, Interrupts() as interrupts:
        interrupts.stop = stop
        press()
        with pytest.raises(Interrupted):
            stop.wait(LONG)
        hurried = threading.Event()
        with stop.calling(lambda: hurried.set() if stop.hurried else None):
            press()
            assert hurried.wait(LONG)
        with pytest.raises(Interrupted), interrupts.raising():
            pass


def test_one_that_came_before_raises_where_it_may() -> None:
    with Interrupts() as interrupts:
        press()
        with pytest.raises(KeyboardInterrupt), interrupts.raising():
            pass
        with interrupts.raising():
            pass


def test_one_that_came_too_late_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts():
        press()


def test_the_handler_of_before_is_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_it_does_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with Interrupts() as interrupts, interrupts.raising():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
