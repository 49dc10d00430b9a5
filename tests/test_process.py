"""Programs: output as it comes, an end that waits for nobody, a stop that leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from jupyter_runbook.errors import Interrupted, StepTimeout
from jupyter_runbook.process import run_program
from jupyter_runbook.stop import Stop
from tests.bench import descriptors, ends

if TYPE_CHECKING:
    from pathlib import Path


def bash(script: str, stop: Stop | None = None) -> tuple[int, str]:
    said: list[str] = []
    status = run_program(["bash", "-c", script], stop=stop or Stop(), output=said.append)
    return status, "".join(said)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo a; echo b >&2; exit 3", (3, "a\nb\n")),
        ("kill -9 $$", (-9, "")),
        ("cat", (0, "")),
        ("printf '\\xc3'; printf '\\xbc \\xff'", (0, "ü �")),
        ("printf '\\xc3'", (0, "�")),
        ("exec >&- 2>&-; exit 4", (4, "")),
        ("head -c 3000000 /dev/zero | tr '\\0' x", (0, "x" * 3_000_000)),
    ],
)
def test_output_and_exit_status(script: str, expected: tuple[int, str]) -> None:
    assert bash(script) == expected


def test_output_comes_while_the_program_runs(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    said: list[str] = []

    def output(text: str) -> None:
        said.append(text)
        flag.touch()  # what the program waits for: it can't end before its first line has come

    script = f"echo first; for i in $(seq 300); do [ -e {flag} ] && echo second && exit; sleep 0.1; done; exit 1"
    assert run_program(["bash", "-c", script], stop=Stop(), output=output) == 0
    assert "".join(said) == "first\nsecond\n"


def test_a_process_left_in_the_background_does_not_hold_it_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    begun = time.monotonic()
    status, said = bash(f"sleep 300 & echo $! > {pid}; echo done")
    assert (status, said) == (0, "done\n")
    assert time.monotonic() - begun < 60
    background = psutil.Process(int(pid.read_text()))
    assert background.is_running()
    background.kill()


def test_a_program_that_can_not_be_started() -> None:
    with pytest.raises(FileNotFoundError):
        run_program(["/no/such/program"], stop=Stop(), output=lambda _: None)


PLAIN = "sleep 300 & echo $! $$; wait"
STUBBORN = "trap '' TERM; sleep 300 & echo $! $$; wait; sleep 300"
SILENT = "sleep 300 & echo $! $$; exec >&- 2>&-; wait"


@pytest.mark.parametrize("script", [PLAIN, STUBBORN, SILENT])
def test_a_deadline_leaves_no_process(script: str) -> None:
    said: list[str] = []
    with Stop(0.4) as stop, pytest.raises(StepTimeout):
        run_program(["bash", "-c", script], stop=stop, output=said.append)
    for pid in "".join(said).split():
        assert ends(int(pid), 1), "it was killed: the kernel takes it away in its own time"


def test_a_program_may_clean_up_when_it_is_stopped() -> None:
    said: list[str] = []
    stop = Stop()

    def output(text: str) -> None:
        said.append(text)
        threading.Thread(target=stop.set).start()

    script = "trap 'echo cleaned; exit 0' TERM; echo up; sleep 300 & wait"
    with pytest.raises(Interrupted):
        run_program(["bash", "-c", script], stop=stop, output=output)
    assert "".join(said) == "up\ncleaned\n"


def test_a_stop_that_is_set_already_starts_nothing(tmp_path: Path) -> None:
    stop = Stop()
    stop.set()
    with pytest.raises(Interrupted):
        bash(f"touch {tmp_path}/ran", stop)
    assert not (tmp_path / "ran").exists()


def test_no_descriptor_is_left_open() -> None:
    before = descriptors()
    for _ in range(20):
        bash("echo a")
    assert descriptors() == before


ALONE = """
import os, sys
from jupyter_runbook.process import run_program
from jupyter_runbook.stop import Stop
run_program(["bash", "-c", sys.argv[1]], stop=Stop(), output=lambda text: os.kill(os.getpid(), 9))
"""


@pytest.mark.parametrize("script", ["", "trap '' TERM; "], ids=["heeds SIGTERM", "does not"])
def test_the_whole_group_ends_when_our_own_process_is_killed(tmp_path: Path, script: str) -> None:
    write = f"sleep 300 & echo $! $$ > {tmp_path}/pids; echo ready; wait; sleep 300"
    done = subprocess.run([sys.executable, "-c", ALONE, script + write], check=False)
    assert done.returncode == -9
    for pid in (tmp_path / "pids").read_text().split():
        assert ends(int(pid))


# As where the machine is busy: the program is at work before we are.
LATE = """
import subprocess, sys, time
from jupyter_runbook import process
from jupyter_runbook.stop import Stop
class Late(subprocess.Popen):
    def __init__(self, *given, **more):
        super().__init__(*given, **more)
        if sys.argv[1] in given[0]:
            time.sleep(60)
subprocess.Popen = Late
process.run_program(["bash", "-c", sys.argv[1]], stop=Stop(), output=print)
"""


def test_a_program_that_kills_us_at_once_does_not_outlive_us(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; kill -9 $PPID; sleep 300"
    assert subprocess.run([sys.executable, "-c", LATE, script], check=False).returncode == -9
    assert ends(int((tmp_path / "pid").read_text()))
