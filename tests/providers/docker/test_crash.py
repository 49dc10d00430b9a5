"""A run that dies at any point: the next one finishes it, and leaves no orphan (TRAPS, Docker 11)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.providers.docker.lock import lock_name
from jupyter_runbook.record import Status
from tests.bench import ends
from tests.providers.docker.yard import Tap, Yard, row, told

if TYPE_CHECKING:
    from collections.abc import Iterator

# Runs each cell that comes on standard input in a fork, so that what it needs is imported once. A line for its process,
# and a line for how it ended: nothing where it was killed.
SCRIPT = """
    import json, os, sys
    from pathlib import Path
    from jupyter_runbook.running import Step
    from jupyter_runbook.session import Session
    from jupyter_runbook.step import run
    from tests.providers.docker.yard import DOCKER

    DOCKER.load()
    for asked in sys.stdin:
        body, line = json.loads(asked)
        child = os.fork()
        if child == 0:
            record = run(Step(DOCKER, line, body, {}, body, "cell-1"), Session(Path.cwd())).record
            sys.stderr.write("" if record.status == "changed" else f"{record.status}: {record.error}")
            sys.stderr.flush()
            os._exit(record.status != "changed")
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

# The requests of one replace that change something. More than there are, for those that a change would add.
MOST = 30


def cell(value: str) -> str:
    """Return a service with a volume without a name, two networks and a file: everything that a replace has to do."""
    web: dict[str, Any] = {
        "image": "busybox",
        "command": "sh -c 'cp -n /page /kept/page; sleep 1000'",
        "stop_signal": "KILL",
        "environment": {"VALUE": value},
        "volumes": ["/kept"],
        "networks": ["front", "back"],
        "configs": ["page"],
        "healthcheck": {"test": "test -e /kept/page", "interval": "100ms"},
    }
    top = {"services": {"web": web}, "networks": {"front": {}, "back": {}}, "configs": {"page": {"content": value}}}
    return json.dumps(top)


class Killer:
    """Kill a process at its request of a number; that one is lost with it, or is done all the same."""

    def __init__(self, at: int, *, lost: bool) -> None:
        self.at = at
        self.lost = lost
        self.count = 0
        self.process = 0

    def __call__(self, line: str) -> bool:
        if line.startswith(("GET ", "HEAD ")):
            return True
        hit = self.count == self.at
        if hit and self.process:
            os.kill(self.process, signal.SIGKILL)
            ends(self.process)
        self.count += 1
        return not (hit and self.lost)


class Runner:
    """Run cells, each in a process of its own."""

    def __init__(self, yard: Yard, tap: Tap, folder: Path) -> None:
        self._tap = tap
        self._line = f"--project {yard.project} --host {tap.host}"
        self._said = folder / "runner.err"
        with self._said.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(SCRIPT)],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def kill(self, body: str, killer: Killer) -> int:
        """Run a cell that is killed, and return how that ended."""
        assert self._process.stdin
        assert self._process.stdout
        # Before the process is known there is none to kill: its first request waits.
        known = threading.Event()

        def asked(line: str) -> bool:
            assert known.wait(60)
            return killer(line)

        self._tap.on_request = asked
        self._process.stdin.write(json.dumps([body, self._line]) + "\n")
        self._process.stdin.flush()
        killer.process = int(self._process.stdout.readline())
        known.set()
        code = int(self._process.stdout.readline())
        assert code in {0, -signal.SIGKILL}, self._said.read_text()
        return code

    def end(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture
def runner(yard: Yard, tap: Tap, tmp_path: Path) -> Iterator[Runner]:
    made = Runner(yard, tap, tmp_path)
    yield made
    made.end()


def locks(yard: Yard) -> list[str]:
    return [one["Name"] for one in yard.engine.get("/networks") if one["Name"] == lock_name(yard.project)]


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "done"])
def test_a_replace_killed_anywhere_is_finished_by_the_next_run(yard: Yard, runner: Runner, *, lost: bool) -> None:
    yard.up(cell("0"))
    seen = set()
    for at in range(MOST):
        value = str(at + 1)
        code = runner.kill(cell(value), Killer(at, lost=lost))
        state = tuple(name.removeprefix(yard.name("web")) for name in yard.containers())
        if code == 0:
            break
        seen.add(state)
        record = yard.run(cell(value))
        assert record.status in {Status.CHANGED, Status.OK}, (at, state, record.error, told(record))
        assert yard.containers() == [yard.name("web")], (at, state)
        found = yard.inspect("web")
        assert f"VALUE={value}" in found["Config"]["Env"]
        assert found["State"]["Health"]["Status"] == "healthy"
        assert set(found["NetworkSettings"]["Networks"]) == {f"{yard.project}_front", f"{yard.project}_back"}
        assert yard.execute("web", "cat", "/page", "/kept/page") == f"{value}0", "a new file, and the old data"
        assert locks(yard) == []
        assert yard.run(cell(value)).status is Status.OK
    else:
        pytest.fail(f"it never came to its end in {MOST} requests")
    assert at > 8, "a replace takes more requests than this"
    # It was really met half done: the new one beside the old one, none of the name, and the new one in its place.
    if lost:
        assert {("",), ("", ".next"), (".next", ".old"), ("", ".old")} <= seen


def test_a_first_run_killed_anywhere_is_finished_by_the_next_one(yard: Yard, runner: Runner) -> None:
    for at in range(MOST):
        code = runner.kill(cell("0"), Killer(at, lost=True))
        if code == 0:
            break
        record = yard.run(cell("0"))
        assert record.status in {Status.CHANGED, Status.OK}, (at, record.error, told(record))
        assert yard.containers() == [yard.name("web")]
        assert yard.execute("web", "cat", "/page") == "0"
        assert locks(yard) == []
        yard.run(cell("0"), "--absent --volumes")
        assert yard.containers() == []
    else:
        pytest.fail(f"it never came to its end in {MOST} requests")
    assert at > 4


def test_one_that_does_not_become_healthy_gives_way_to_the_old_one(yard: Yard) -> None:
    yard.up(cell("0"))
    identifier = yard.inspect("web")["Id"]
    sick = json.loads(cell("1"))
    sick["services"]["web"]["healthcheck"] = {"test": "echo no answer; false", "interval": "50ms", "retries": 1}
    record = yard.run(json.dumps(sick))
    assert record.status is Status.FAILED
    assert "it is unhealthy: no answer; the old one is back" in str(record.error)
    assert yard.containers() == [yard.name("web")]
    found = yard.inspect("web")
    assert (found["Id"], found["State"]["Status"]) == (identifier, "running")
    assert yard.run(cell("0")).status in {Status.OK, Status.CHANGED}  # it may have to become healthy again
    assert yard.inspect("web")["Id"] == identifier


def test_one_that_can_not_start_gives_way_to_the_old_one(yard: Yard) -> None:
    yard.up(cell("0"))
    identifier = yard.inspect("web")["Id"]
    broken = json.loads(cell("1"))
    broken["services"]["web"]["command"] = ["no-such-program"]
    record = yard.run(json.dumps(broken))
    assert record.status is Status.FAILED
    assert "no-such-program" in str(record.error)
    assert "the old one is back" in str(record.error)
    assert (yard.inspect("web")["Id"], yard.inspect("web")["State"]["Running"]) == (identifier, True)
    assert yard.containers() == [yard.name("web")]


def test_a_stop_in_the_middle_of_a_replace_brings_the_old_one_back(yard: Yard) -> None:
    """--timeout comes while the new one is to become healthy."""
    yard.up(cell("0"))
    identifier = yard.inspect("web")["Id"]
    slow = json.loads(cell("1"))
    slow["services"]["web"]["healthcheck"] = {"test": "false", "interval": "60s", "retries": 9}
    record = yard.run(json.dumps(slow), "--timeout 3")
    assert record.error
    assert record.error.kind == "timeout"
    assert "the old one is back" in record.error.message
    assert record.seconds < 8
    assert (yard.inspect("web")["Id"], yard.inspect("web")["State"]["Running"]) == (identifier, True)
    assert row(record, "web").status == "failed"
    assert yard.containers() == [yard.name("web")]
    assert locks(yard) == []
