"""The stop token: once, from any thread, at once."""

from __future__ import annotations

import threading
import time

import pytest

from jupyter_runbook.errors import Interrupted, StepTimeout
from jupyter_runbook.stop import Stop


def test_a_deadline_ends_a_wait() -> None:
    begun = time.monotonic()
    with Stop(0.05) as stop, pytest.raises(StepTimeout, match=r"longer than 0\.05 s"):
        stop.wait(30)
    assert time.monotonic() - begun < 5


def test_a_stop_from_another_thread_ends_a_wait_and_calls_back() -> None:
    called = threading.Event()
    with Stop() as stop, stop.calling(called.set):
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(Interrupted):
            stop.wait(30)
        assert called.wait(5)


def test_the_first_reason_stays() -> None:
    stop = Stop()
    stop.set(StepTimeout("first"))
    stop.set()
    assert isinstance(stop.error, StepTimeout)
    with pytest.raises(StepTimeout, match="first"):
        stop.check()


def test_who_comes_late_is_called_at_once_and_who_left_is_not() -> None:
    calls: list[str] = []
    stop = Stop()
    with stop.calling(lambda: calls.append("left")):
        pass
    stop.set()
    with stop.calling(lambda: calls.append("late")):
        assert calls == ["late"]


def test_a_timer_ends_with_the_block() -> None:
    with Stop(3600) as stop:
        assert stop.remaining(10) == 10
        assert stop.remaining(1e9) <= 3600
    timer = stop._timer
    assert timer is not None
    timer.join(5)
    assert not timer.is_alive()
    assert stop.error is None
    assert Stop().remaining(7) == 7
    assert Stop(0).remaining(7) == 0


def test_a_blocking_call_is_bounded() -> None:
    def fail() -> int:
        raise OSError("no")

    never = threading.Event()
    with Stop() as stop:
        assert stop.bounded(lambda: 3, 30) == 3
        with pytest.raises(OSError, match="no"):
            stop.bounded(fail, 30)
        with pytest.raises(TimeoutError, match=r"no end within 0\.05 s") as caught:
            stop.bounded(never.wait, 0.05)
        assert not isinstance(caught.value, StepTimeout)
        threading.Timer(0.05, stop.set).start()
        begun = time.monotonic()
        with pytest.raises(Interrupted):
            stop.bounded(never.wait, 30)
        assert time.monotonic() - begun < 5
        called: list[str] = []
        with pytest.raises(Interrupted):
            stop.bounded(lambda: called.append("late"), 30)
    never.set()


def test_a_deadline_is_one_also_where_its_timer_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Timer, "start", lambda _timer: None)
    with Stop(0.05) as stop, pytest.raises(StepTimeout):
        stop.bounded(lambda: time.sleep(0.3), 60)


def test_a_deadline_ends_with_its_block() -> None:
    with Stop(0.02) as stop:
        pass
    time.sleep(0.03)
    stop.check()
    assert stop.error is None
