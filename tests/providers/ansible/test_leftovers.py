"""What a task has left on its host when its play is stopped: nothing, where the host can still be reached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.kernel import kernel

if TYPE_CHECKING:
    from tests.hosts import Hosts

pytestmark = pytest.mark.slow

# What a host keeps of a task at work, without pipelining: its module, with the arguments in it.
PLACE = "~/.ansible/tmp"
CANARY = "seen-by-n0body"
LONG = "- name: long\n  command: sleep {{ seconds }}\n  environment: {WORD: '{{ word }}'}\n"
BIND = f"from jupyter_runbook.secret import Secret; word = Secret({CANARY!r}, name='word'); seconds = 987"


def on_hosts(inventory: Path, line: str, limit: str = "all") -> str:
    """Run a line of a shell on each host, and return what Ansible prints."""
    program = str(Path(sys.executable).with_name("ansible"))
    command = [program, limit, "-i", str(inventory), "-m", "raw", "-a", line]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout


def left(inventory: Path, limit: str = "all") -> int:
    """Count the folders of tasks on hosts."""
    return on_hosts(inventory, f"ls -A {PLACE}", limit).count("ansible-tmp-")


@pytest.fixture
def inventory(sandbox_hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANSIBLE_PIPELINING", "0")
    found = sandbox_hosts.up()
    on_hosts(found, f"rm -rf {PLACE}; mkdir -p -m 0700 {PLACE}")
    return found


def at_work(message: dict[str, Any], hosts: int) -> bool:
    shown = str(message["content"].get("data", {}).get("text/plain", ""))
    return f"{hosts} running" in shown and "long" in shown


def test_a_stopped_play_leaves_no_arguments_on_its_hosts(inventory: Path, sandbox_hosts: Hosts, tmp_path: Path) -> None:
    count = len(yaml.safe_load(inventory.read_text())["all"]["hosts"])
    with kernel(tmp_path, tmp_path / "ipython") as lab:
        lab.run("%load_ext jupyter_runbook")
        lab.run(BIND)
        found: list[int] = []

        def seen(message: dict[str, Any]) -> None:
            if at_work(message, count) and not found:
                for _ in range(100):
                    if left(inventory) == count:
                        break
                    time.sleep(0.1)
                found.append(left(inventory))
                # One is gone meanwhile.
                sandbox_hosts.sandbox.stop("host3")
                lab.manager.interrupt_kernel()

        reply = lab.run(f"%%ansible -i {inventory}\n{LONG}", seen=seen)
    assert found == [count]
    assert reply.record["status"] == "interrupted"
    said = reply.record["log"]["head"]
    assert said.count("[not cleared: ~/.ansible/tmp/ansible-tmp-") == 1, said
    assert " on 1" in said or " on host3" in said, said
    assert left(inventory, "all:!host3") == 0


def test_a_killed_kernel_leaves_no_arguments_on_hosts(inventory: Path, tmp_path: Path, private: Path) -> None:
    with kernel(tmp_path, tmp_path / "ipython") as lab:
        lab.run("%load_ext jupyter_runbook")
        lab.run(BIND)
        me = int(lab.run("import os; print(os.getpid())").text)
        lab.client.execute(f"%%ansible -i {inventory} --limit host1\n{LONG}")
        for _ in range(300):
            if left(inventory, "host1") == 1:
                break
            time.sleep(0.1)
        assert left(inventory, "host1") == 1, "the task did not begin"
        assert not [one for one in private.rglob("*") if one.is_file()], "what reaches the host is in no file"
        os.kill(me, signal.SIGKILL)
        for _ in range(100):
            if not left(inventory, "host1"):
                break
            time.sleep(0.1)
        assert not left(inventory, "host1")
        assert not list(private.iterdir())


def test_a_play_that_ends_well_makes_no_note_of_it(inventory: Path, tmp_path: Path, private: Path) -> None:
    with kernel(tmp_path, tmp_path / "ipython") as lab:
        lab.run("%load_ext jupyter_runbook")
        reply = lab.run(f"%%ansible -i {inventory}\n- command: 'true'\n- command: 'false'\n  failed_when: false\n")
        assert reply.record["status"] == "changed"
    assert left(inventory) == 0
    assert not list(private.iterdir())
