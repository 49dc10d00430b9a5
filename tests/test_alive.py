"""Whether a process is still at work, whatever was done to the clocks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_runbook.alive import is_alive, this_process

ME = this_process()


@pytest.mark.parametrize(
    ("entry", "alive"),
    [
        (ME, True),
        ({**ME, "host": "elsewhere"}, None),
        ({**ME, "boot": "another"}, False),
        ({**ME, "boot": None}, False),
        ({**ME, "process_started": 1.0}, False),
        ({**ME, "pid": 1 << 40}, False),
        ({**ME, "pid": 1e400}, False),
        ({**ME, "pid": None}, False),
        ({"host": ME["host"]}, False),
        ({}, None),
    ],
)
def test_what_an_entry_says(entry: dict[str, Any], alive: bool | None) -> None:  # noqa: FBT001 -- what is asked
    assert is_alive(entry) is alive


def test_an_entry_of_an_older_version_has_the_time_of_day() -> None:
    created = psutil.Process().create_time()
    older = {"host": ME["host"], "pid": ME["pid"], "process_started": created}
    assert is_alive(older) is True
    assert is_alive({**older, "process_started": created - 60}) is False


def test_a_clock_that_is_set_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of day at which a process started is reckoned from the clock; what we keep is not."""
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: 12345.0)
    assert is_alive(ME) is True


def test_a_process_that_nobody_has_asked_after_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as one:
        stat = Path(f"/proc/{one.pid}/stat")
        while b") Z" not in stat.read_bytes():
            pass
        started = float(stat.read_bytes().rpartition(b")")[2].split()[19])
        assert is_alive({**ME, "pid": one.pid, "process_started": started}) is False
