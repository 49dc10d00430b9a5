"""A run that dies at any point: the next one finishes it, and leaves no orphan (TRAPS, Docker 11)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.providers.docker.lock import lock_name
from jupyter_runbook.record import Status
from tests.providers.docker.yard import Tap, Yard, row, told

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
    import sys
    from pathlib import Path
    from jupyter_runbook.running import Step
    from jupyter_runbook.session import Session
    from jupyter_runbook.step import run
    from tests.providers.docker.yard import DOCKER

    body, line = sys.argv[1:]
    record = run(Step(DOCKER, line, body, {}, body, "cell-1"), Session(Path.cwd())).record
    sys.exit(0 if record.status == "changed" else f"{record.status}: {record.error}")
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
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, line: str) -> bool:
        if line.startswith(("GET ", "HEAD ")):
            return True
        hit = self.count == self.at
        if hit and self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self.count += 1
        return not (hit and self.lost)


def run_and_kill(yard: Yard, tap: Tap, body: str, killer: Killer, folder: Path) -> int:
    """Run a cell in a process of its own, and return how that ended."""
    tap.on_request = killer
    line = f"--project {yard.project} --host {tap.host}"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), body, line]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, env={**ENV})
    killer.process = process
    _, said = process.communicate(timeout=120)
    assert process.returncode in {0, -signal.SIGKILL}, said.decode()
    return process.returncode


def _environment() -> dict[str, str]:
    import os
    from pathlib import Path

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


ENV = _environment()


def locks(yard: Yard) -> list[str]:
    return [one["Name"] for one in yard.engine.get("/networks") if one["Name"] == lock_name(yard.project)]


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "done"])
def test_a_replace_killed_anywhere_is_finished_by_the_next_run(
    yard: Yard, tap: Tap, tmp_path: Path, *, lost: bool
) -> None:
    yard.up(cell("0"))
    seen = set()
    for at in range(MOST):
        value = str(at + 1)
        code = run_and_kill(yard, tap, cell(value), Killer(at, lost=lost), tmp_path)
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


def test_a_first_run_killed_anywhere_is_finished_by_the_next_one(yard: Yard, tap: Tap, tmp_path: Path) -> None:
    for at in range(MOST):
        code = run_and_kill(yard, tap, cell("0"), Killer(at, lost=True), tmp_path)
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
