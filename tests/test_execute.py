"""The executor: order, width, failures, stops. Threads meet at barriers; nothing here depends on how long it takes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runbook import execute
from jupyter_runbook.errors import Denied, Interrupted, StepTimeout
from jupyter_runbook.execute import REFRESH_LEAST, Executor, Outcome
from jupyter_runbook.plan import Action, Change, Plan
from jupyter_runbook.record import ChangeStatus
from jupyter_runbook.stop import Stop

LONG = 30  # seconds: a wait that only a broken test waits out


def change(name: str, *needs: str, action: Action = Action.CREATE) -> Change:
    return Change(name, "thing", action, "", needs=needs)


@dataclass
class Recorder:
    """Note begins and ends in order, and how many ran at once."""

    events: list[str] = field(default_factory=list)
    fail: frozenset[str] = frozenset()
    lock: threading.Lock = field(default_factory=threading.Lock)
    now: int = 0
    most: int = 0

    def apply(self, change: Change) -> str:
        with self.lock:
            self.events.append(f"+{change.resource}")
            self.now += 1
            self.most = max(self.most, self.now)
        with self.lock:
            self.events.append(f"-{change.resource}")
            self.now -= 1
        if change.resource in self.fail:
            raise Denied("no")
        return change.resource.upper()


def run(plan: Plan, apply: Any, stop: Stop | None = None, **options: Any) -> dict[str, Outcome]:
    outcomes = Executor(plan, apply, stop or Stop(), **options).run()
    assert [one.change for one in outcomes] == list(plan.changes)
    return {one.change.resource: one for one in outcomes}


def test_what_nothing_binds_runs_side_by_side() -> None:
    together = threading.Barrier(3)  # passes only when all three are at work at once

    def apply(_: Change) -> None:
        together.wait(LONG)

    outcomes = run(Plan((change("a"), change("b"), change("c"))), apply)
    assert {one.status for one in outcomes.values()} == {ChangeStatus.CHANGED}


def test_no_more_than_the_workers_run_at_once() -> None:
    recorder = Recorder()
    run(Plan(tuple(change(str(i)) for i in range(50))), recorder.apply, workers=2)
    assert 1 <= recorder.most <= 2


def test_what_depends_on_a_failure_does_not_run_and_the_rest_does() -> None:
    recorder = Recorder(fail=frozenset({"net"}))
    plan = Plan((change("vm", "port"), change("port", "net"), change("net"), change("disk"), change("snap", "disk")))
    outcomes = run(plan, recorder.apply)
    assert {name: one.status.value for name, one in outcomes.items()} == {
        "vm": "not-run",
        "port": "not-run",
        "net": "failed",
        "disk": "changed",
        "snap": "changed",
    }
    assert str(outcomes["port"].error) == "it needs net, which failed"
    assert str(outcomes["vm"].error) == "it needs port, which did not run"
    assert isinstance(outcomes["net"].error, Denied)
    assert outcomes["disk"].value == "DISK"
    assert outcomes["vm"].seconds is None


def test_a_no_op_is_ok_and_what_needs_it_runs() -> None:
    recorder = Recorder()
    outcomes = run(Plan((change("net", action=Action.NO_OP), change("vm", "net"))), recorder.apply)
    assert [one.status.value for one in outcomes.values()] == ["ok", "changed"]
    assert recorder.events == ["+vm", "-vm"]


def test_an_unexpected_error_is_a_failed_row() -> None:
    def apply(_: Change) -> None:
        raise KeyError("x")

    outcome = run(Plan((change("a"),)), apply)["a"]
    assert outcome.status is ChangeStatus.FAILED
    assert str(outcome.error) == "KeyError: 'x'"


@pytest.mark.parametrize(
    ("error", "status"), [(StepTimeout("too long"), ChangeStatus.FAILED), (None, ChangeStatus.INTERRUPTED)]
)
def test_a_stop_ends_what_runs_and_begins_nothing_new(error: StepTimeout | None, status: ChangeStatus) -> None:
    stop = Stop()

    def apply(_: Change) -> None:
        stop.set(error)
        stop.wait(LONG)

    outcomes = run(Plan((change("a"), change("b", "a"), change("c"))), apply, stop, workers=1)
    assert outcomes["a"].status is status
    assert [outcomes[name].status.value for name in "bc"] == ["not-run", "not-run"]


def test_what_heeds_no_stop_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "GRACE", 0.05)
    monkeypatch.setattr(execute, "REFRESH_MOST", 0.02)
    stop, release = Stop(), threading.Event()

    def apply(_: Change) -> None:
        stop.set()
        release.wait(LONG)

    outcome = run(Plan((change("deaf"),)), apply, stop)["deaf"]
    release.set()
    assert outcome.status is ChangeStatus.INTERRUPTED
    assert "may still be at work" in str(outcome.error)


def test_a_second_press_does_not_wait() -> None:
    stop, release = Stop(), threading.Event()

    def apply(_: Change) -> None:
        stop.set()
        stop.hurry()
        release.wait(LONG)

    outcomes = run(Plan((change("deaf"), change("next", "deaf"))), apply, stop)
    release.set()
    assert [one.status.value for one in outcomes.values()] == ["interrupted", "not-run"]
    assert isinstance(outcomes["next"].error, Interrupted)


def test_news_refreshes_the_display_and_everything_is_told_in_the_callers_thread() -> None:
    here = threading.get_ident()
    told: list[tuple[str, int]] = []
    shown = threading.Event()

    def apply(_: Change) -> None:
        executor.notify()
        assert shown.wait(LONG)

    def refresh() -> None:
        told.append(("refresh", threading.get_ident()))
        shown.set()

    executor = Executor(
        Plan((change("a"),)),
        apply,
        Stop(),
        started=lambda _: told.append(("started", threading.get_ident())),
        ended=lambda _: told.append(("ended", threading.get_ident())),
        refresh=refresh,
    )
    executor.run()
    assert [name for name, _ in told[:3]] == ["started", "refresh", "ended"]
    assert {thread for _, thread in told} == {here}


def test_many_short_changes_refresh_the_display_no_more_often() -> None:
    moments: list[float] = []
    begun = time.monotonic()
    executor = Executor(
        Plan(tuple(change(str(number)) for number in range(60))),
        lambda _: time.sleep(0.02),
        Stop(),
        workers=2,
        refresh=lambda: moments.append(time.monotonic()),
        shown=begun,
    )
    executor.run()
    assert len(executor.outcomes) == 60
    assert len(moments) >= 2
    assert all(later - earlier >= REFRESH_LEAST for earlier, later in pairwise([begun, *moments]))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Plan, frozenset[str]]:
    names = [str(i) for i in range(draw(st.integers(0, 12)))]
    changes = []
    for i, name in enumerate(names):
        needs = draw(st.sets(st.sampled_from(names[:i]))) if i else set()
        action = draw(st.sampled_from([Action.CREATE, Action.NO_OP]))
        changes.append(change(name, *sorted(needs), action=action))
    order = draw(st.permutations(changes))
    return Plan(tuple(order)), draw(st.frozensets(st.sampled_from(names))) if names else frozenset()


@given(graphs(), st.integers(1, 4))
@settings(max_examples=60)
def test_any_graph_runs_in_order_and_whole(graph: tuple[Plan, frozenset[str]], workers: int) -> None:
    plan, fail = graph
    recorder = Recorder(fail=fail)
    outcomes = run(plan, recorder.apply, workers=workers)
    for one in plan.changes:
        status = outcomes[one.resource].status
        needed = {outcomes[need].status for need in one.needs}
        if one.action is Action.NO_OP:
            assert status is ChangeStatus.OK
        elif needed <= {ChangeStatus.OK, ChangeStatus.CHANGED}:
            assert status is (ChangeStatus.FAILED if one.resource in fail else ChangeStatus.CHANGED)
            begun = recorder.events.index(f"+{one.resource}")
            ends = [f"-{need}" for need in one.needs if outcomes[need].status is ChangeStatus.CHANGED]
            assert all(recorder.events.index(end) < begun for end in ends)
        else:
            assert status is ChangeStatus.NOT_RUN
    assert len(recorder.events) == len(set(recorder.events))
