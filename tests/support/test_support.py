"""What the suite stands on: limits that end what a test started, signals that arrive, groups that stay together."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.checkout import ROOT
from tests.support import groups
from tests.support.scheduler import GroupScheduling, write_groups

if TYPE_CHECKING:
    from pathlib import Path

SLOW = """
import subprocess
import time
import pytest
from tests.support import limits

before = subprocess.Popen(["sleep", "300"])
time.sleep(0.05)  # the kernel counts in hundredths of a second
limits.start(0.5)
child = subprocess.Popen(["sh", "-c", "sleep 300 & wait"])
try:
    with limits.at_most(60):
        pass
    child.wait()
except pytest.fail.Exception as error:
    print(error)
limits.stop()
print(child.wait(), before.poll())
before.kill()
before.wait()
"""


def test_a_test_that_takes_too_long_fails_and_what_it_started_is_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SLOW], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    said, *_, ends = done.stdout.splitlines()
    assert said.startswith("the test took longer than 0.5 s; killed: sh -c sleep 300 & wait")
    assert ends == "-9 None", "what was there before stays"


LEFT = """
import os, signal, sys
from pathlib import Path
from jupyter_runbook.sandbox import sandbox
from tests.support import sandboxes

end = sandboxes.begin()
hosts = sandbox("hosts")
print(hosts.folder.exists(), flush=True)
sandboxes.note(Path(sys.argv[1]), hosts)
hosts.folder.mkdir(parents=True, exist_ok=True)
if len(sys.argv) > 2:
    input()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_what_a_killed_run_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "RUNBOOK_SANDBOX": str(tmp_path / "sandbox")}
    words = [sys.executable, "-c", LEFT, str(tmp_path / "notes")]

    def begun(*more: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen([*words, *more], cwd=ROOT, env=env, stdin=pipe, stdout=pipe, text=True)

    assert begun().communicate(timeout=60)[0] == "False\n"
    assert (tmp_path / "sandbox/hosts").exists()
    second = begun("waits")
    assert second.stdout
    assert second.stdout.readline() == "False\n"
    # One that is at work keeps what it has.
    assert begun().communicate(timeout=60)[0] == "True\n"
    second.communicate("\n", timeout=60)
    assert begun().communicate(timeout=60)[0] == "False\n"


HANGS = """
import subprocess, time
import pytest

@pytest.fixture
def slow_to_go():
    yield
    subprocess.run(["sleep", "300"])

def test_caught():
    with pytest.raises(BaseException):
        time.sleep(300)

def test_failed(slow_to_go):
    assert 0

def test_quick():
    pass
"""


def suite(folder: Path, source: str, words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run tests of their own as these are run, each with half a second; what they read is said at once."""
    (folder / "test_one.py").write_text(source)
    fixed = "-q -c pyproject.toml -p no:cacheprovider -p tests.conftest --dist loadgroup --timeout 0.5"
    command = [sys.executable, "-m", "pytest", *fixed.split(), *words.split(), str(folder)]
    return subprocess.run(command, cwd=ROOT, input=said, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_what_hangs_fails_however_it_takes_its_end(tmp_path: Path, workers: int) -> None:
    done = suite(tmp_path, HANGS, f"-n {workers}")
    assert done.returncode == 1, done.stderr
    assert "2 failed, 1 passed, 1 error in " in done.stdout
    assert done.stdout.count("the test took longer than 0.5 s") >= 2
    assert "killed: sleep 300" in done.stdout


@pytest.mark.slow
def test_a_test_that_ends_its_worker_is_not_run_again(tmp_path: Path) -> None:
    killer = "import os\n\ndef test_killer():\n    os.kill(os.getpid(), 9)\n\ndef test_after():\n    pass\n"
    done = suite(tmp_path, killer, "-n 1")
    assert "worker 'gw0' crashed while running" in done.stdout
    assert "1 failed, 1 passed in " in done.stdout


LOCKED = """
import ctypes
from tests.support import limits

limits.LAST = 0.5

def test_locked():
    buffer = ctypes.create_string_buffer(128)
    lock = ctypes.PyDLL(None).pthread_mutex_lock
    lock(buffer)
    lock(buffer)
"""


@pytest.mark.slow
def test_what_python_cannot_interrupt_ends_and_says_where_it_was(tmp_path: Path) -> None:
    done = suite(tmp_path, LOCKED, "-n 0")
    assert done.returncode == 1
    assert "in test_locked" in done.stderr


DEBUGGED = """
import time

def test_debugged():
    breakpoint()
    time.sleep(1)
"""


@pytest.mark.slow
def test_whoever_debugs_a_test_has_all_the_time(tmp_path: Path) -> None:
    done = suite(tmp_path, DEBUGGED, "-n 0 -s", "c\n")
    assert "1 passed in " in done.stdout, done.stdout


HEED = """
import os, signal, subprocess
from tests.support import signals

signals.heed()
for name in ("INT", "QUIT", "HUP", "TERM"):
    print(subprocess.run(["sh", "-c", f"kill -s {name} $$; echo deaf"], capture_output=True, text=True).stdout, end="")
os.kill(os.getpid(), signal.SIGHUP)
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("heard")
"""


def test_signals_that_a_background_job_ignores_reach_the_tests_and_what_they_start() -> None:
    command = ["sh", "-c", 'trap "" INT QUIT HUP TERM; exec "$@"', "sh", sys.executable, "-c", HEED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "heard\n"


def item(nodeid: str, *fixtures: str, marks: tuple[str, ...] = (), scope: str = "function") -> Any:
    """Return what `groups` asks of a test."""
    return SimpleNamespace(
        nodeid=nodeid,
        fixturenames=fixtures,
        get_closest_marker=lambda name: name in marks or None,
        _fixtureinfo=SimpleNamespace(name2fixturedefs={"some": [SimpleNamespace(scope=scope)]}),
    )


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (item("tests/a.py::t", "sandbox_cloud", marks=("machine",)), "machine"),
        (item("tests/a.py::t", "docker_engine", "sandbox_cloud"), "openstack"),
        (item("tests/a.py::t", "tenant", "sandbox_cloud", "docker_engine"), "servers"),
        (item("tests/a.py::t", "docker_engine"), "docker tests/a.py"),
        (item("tests/a.py::t", "browser"), "browser"),
        (item("tests/a.py::t"), "tests/a.py"),
        (item("tests/a.py::t", marks=("slow",)), None),
        (item("tests/a.py::t", marks=("slow",), scope="module"), "tests/a.py"),
        (item("tests/providers/ansible/a.py::t", marks=("slow",)), "plays"),
        (item("tests/providers/ansible/a.py::t", "sandbox_hosts", marks=("slow",)), "hosts"),
    ],
)
def test_a_tests_group(test: Any, expected: str | None) -> None:
    assert groups.group(test) == expected


def test_groups_go_first_and_quick_tests_last() -> None:
    tests = [
        item("quick"),
        item("slow", marks=("slow",)),
        item("docker", "docker_engine"),
        item("machine", marks=("machine",)),
    ]
    groups.order(tests)
    assert [test.nodeid for test in tests] == ["machine", "docker", "slow", "quick"]


class Worker:
    """What the scheduler sees of a worker of pytest-xdist's: where it sends the numbers of tests."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.gateway = SimpleNamespace(id="gw")
        self.shutting_down = False

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.asked += numbers

    def shutdown(self) -> None:
        self.shutting_down = True


def test_nobody_waits_for_the_one_that_has_the_machine(tmp_path: Path) -> None:
    tests = ["m::1", "m::2", "m::3", "o::1", "d::1", "s::1", "s::2"]
    write_groups(
        tmp_path / "groups",
        {test: {"m": groups.MACHINE, "o": "openstack", "d": "docker d"}.get(test[0], test) for test in tests},
    )
    workers = [Worker(), Worker()]
    config = SimpleNamespace(getvalue=lambda _name: ["popen"] * len(workers), option=SimpleNamespace())
    scheduler = GroupScheduling(config, None, tmp_path / "groups")
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, tests)
    scheduler.schedule()
    asked = [[tests[number] for number in worker.asked] for worker in workers]
    assert asked == [["m::1", "m::2", "m::3"], ["s::1", "s::2"]]
    for number in (0, 1, 2):
        scheduler.mark_test_complete(workers[0], number)
    scheduler.mark_test_complete(workers[1], 5)
    assert [tests[number] for number in workers[0].asked[3:]] == ["o::1", "d::1"]
