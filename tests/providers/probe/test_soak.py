"""``for``: what holds has to go on to hold."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.record import ChangeStatus, Status

if TYPE_CHECKING:
    from tests.bench import Bench


def test_what_holds_is_watched_for_as_long_as_it_says(bench: Bench) -> None:
    Path("there").touch()
    begun = time.monotonic()
    record = bench.run("- file: there\n  for: 0.4s\n  every: 100ms\n").record
    assert time.monotonic() - begun >= 0.4
    assert (record.status, [row.status for row in record.changes]) == (Status.OK, [ChangeStatus.OK])
    assert record.changes[0].reason == "it holds now (exists true), and has to for 0.4 s"
    assert record.log
    assert "it held for 0.4 s, looked " in record.log.head


def test_what_comes_true_is_watched_from_then_on(bench: Bench) -> None:
    timer = threading.Timer(0.3, Path("late").touch)
    timer.start()
    begun = time.monotonic()
    record = bench.run("- file: late\n  within: 30s\n  for: 300ms\n  every: 50ms\n").record
    timer.join()
    assert record.status is Status.OK
    assert time.monotonic() - begun >= 0.6
    assert "it has 30 s to come true, and then to hold for 0.3 s" in (record.changes[0].reason or "")


def test_what_breaks_meanwhile_fails_and_does_not_start_again(bench: Bench) -> None:
    Path("there").touch()
    timers = [threading.Timer(0.3, Path("there").unlink), threading.Timer(0.6, Path("there").touch)]
    for timer in timers:
        timer.start()
    record = bench.run("- file: there\n  within: 30s\n  for: 30s\n  every: 50ms\n").record
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.kind == "not-converged"
    assert record.error.message.startswith("it is not there, after it had held for 0.")
    assert record.error.message.endswith(" s of 30 s")
    for timer in timers:
        timer.join()


def test_a_dry_run_looks_once_and_says_what_it_would_do(bench: Bench) -> None:
    Path("there").touch()
    record = bench.run("- file: there\n  for: 1h\n", "--check").record
    assert (record.status, record.changes[0].status) == (Status.PLANNED, ChangeStatus.PLANNED)


def test_a_stop_tells_how_long_it_had_held(bench: Bench) -> None:
    Path("there").touch()
    record = bench.run("- file: there\n  for: 1h\n", "--timeout 0.5").record
    assert record.error
    assert record.error.kind == "timeout"
    assert "it had held for 0." in record.error.message
