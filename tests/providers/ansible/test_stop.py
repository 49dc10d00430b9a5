"""A play that is stopped: within seconds, nothing of it goes on, and the record says what had run."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from jupyter_runbook.record import Status
from tests.bench import ends
from tests.kernel import kernel
from tests.providers.ansible.helpers import row, tasks

if TYPE_CHECKING:
    from jupyter_runbook.providers.ansible.launch import Launcher
    from tests.bench import Bench

pytestmark = pytest.mark.slow

#: A task whose processes are in sessions of their own, and do not heed SIGTERM.
LONG = (
    "- name: first\n"
    "  copy: {content: done, dest: first}\n"
    "- name: long\n"
    "  shell: |\n"
    "    trap '' TERM\n"
    "    setsid sh -c 'trap \"\" TERM; echo $$ >> pids; sleep 1000' &\n"
    "    echo $$ >> pids\n"
    "    while :; do sleep 1000; done\n"
    "- name: never\n"
    "  copy: {content: done, dest: never}\n"
)
SECONDS = 3.0
# A task is at work by then, also on a machine that has three such plays to run, in seconds.
LIMIT = 12


def pids(seconds: float = 60) -> list[int]:
    """Return the processes of the long task, once they are there: a kernel's first play has Ansible to start."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = Path("pids").read_text().split() if Path("pids").exists() else []
        if len(found) == 2:
            return [int(one) for one in found]
        time.sleep(0.02)
    pytest.fail(f"the task did not begin within {seconds:.0f} seconds")


@pytest.mark.parametrize(("line", "first"), [("", "changed"), ("--check", "planned")])
def test_the_stop_button(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, first: str) -> None:
    monkeypatch.chdir(tmp_path)
    with kernel(tmp_path, tmp_path / "ipython") as lab:
        lab.run("%load_ext jupyter_runbook")
        pressed: list[float] = []
        found: list[int] = []

        def seen(message: dict[str, Any]) -> None:
            shown = message["content"].get("data", {}).get("text/plain", "")
            if "1 running (localhost)" in shown and "long" in shown and not pressed:
                found.extend(pids())
                pressed.append(time.monotonic())
                lab.manager.interrupt_kernel()

        body = LONG.replace("- name: long\n", "- name: long\n  check_mode: false\n")
        reply = lab.run(f"%%ansible {line} --name play\n{body}", seen=seen)
        assert time.monotonic() - pressed[0] < SECONDS
        assert reply.status == "error"
        assert reply.record["status"] == "interrupted"
        assert {one["resource"]: one["status"] for one in reply.record["changes"] if one["kind"] == "task"} == {
            "localhost: first": first,
            "localhost: long": "interrupted",
        }
        assert all(ends(pid, 0.5) for pid in found)
        assert not list(tmp_path.glob(".runbook-cell-*"))
        assert not Path("never").exists()
        assert lab.run("%%ansible\n- ping:\n").record["status"] == "ok", "the next one plays"


@pytest.mark.parametrize("line", ["", "--check"])
def test_the_timeout(bench: Bench, line: str) -> None:
    assert bench.run("- ping:\n").record.status is Status.OK  # Ansible is there: the time is the play's alone
    body = LONG.replace("- name: long\n", "- name: long\n  check_mode: false\n")
    begun = time.monotonic()
    record = bench.run(body, f"{line} --timeout {LIMIT}").record
    assert time.monotonic() - begun < LIMIT + SECONDS
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.kind == "timeout"
    assert tasks(record)["localhost: long"] == "interrupted"
    assert row(record, "localhost: long").reason == "it was at work when the play ended"
    assert all(ends(pid, 0.5) for pid in pids())


def test_a_kernel_that_is_killed_leaves_nothing(tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    handed = Path.home() / ".ansible" / "tmp"
    before = set(handed.iterdir()) if handed.exists() else set()
    with kernel(tmp_path, tmp_path / "ipython") as lab:
        lab.run("%load_ext jupyter_runbook")
        lab.run("from jupyter_runbook.secret import Secret; word = Secret('seen-by-nobody', name='word')")
        me = int(lab.run("import os; print(os.getpid())").text)
        body = LONG.replace("echo $$ >> pids\n    while", ": {{ word }}; echo $$ >> pids\n    while")
        lab.client.execute(f"%%ansible\n{body}")
        found = pids()
        assert list(tmp_path.glob(".runbook-cell-*"))
        assert list(private.iterdir())
        family = psutil.Process(me).children(recursive=True)
        assert len(family) > 3
        os.kill(me, signal.SIGKILL)
        assert all(ends(pid, SECONDS) for pid in found)
        assert all(ends(one.pid, SECONDS) for one in family)
    assert not list(tmp_path.glob(".runbook-cell-*"))
    assert not list(private.iterdir())
    # Ansible itself leaves there what it handed to a task that was killed.
    assert set(handed.iterdir()) <= before
    assert not Path("never").exists()


def driver(launcher: Launcher) -> psutil.Process:
    """Return Ansible's process, which is there."""
    assert launcher._process
    return psutil.Process(launcher._process.pid)


def test_ansibles_process_that_is_killed_is_started_again(bench: Bench, launcher: Launcher) -> None:
    assert bench.run("- ping:\n").record.status is Status.OK
    before = driver(launcher)
    before.kill()
    assert ends(before.pid)
    assert bench.run("- ping:\n").record.status is Status.OK


def test_a_play_whose_keeper_is_killed_is_no_success_and_ends(bench: Bench, launcher: Launcher) -> None:
    def kill() -> None:
        pids()
        driver(launcher).children()[0].kill()

    with ThreadPoolExecutor() as pool:
        killed = pool.submit(kill)
        # Where the killer fails, the play would last for ever.
        record = bench.run(LONG, "--timeout 60").record
        killed.result()
    assert record.status is Status.FAILED
    assert tasks(record) == {"localhost: first": "changed", "localhost: long": "interrupted"}
    assert record.error
    assert record.error.message.startswith("the play broke off without its final stats")
    assert all(ends(pid, 0.5) for pid in pids())
