"""The hosts of the sandbox come up, can be reached, keep what is written on them, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml
from click.testing import CliRunner

from jupyter_runbook.cli import main
from jupyter_runbook.errors import BadInput, Conflict
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.hosts import LINK, HostsSandbox, _greets
from tests.bench import ends

if TYPE_CHECKING:
    from tests.hosts import Hosts

pytestmark = pytest.mark.machine


@pytest.fixture
def sandbox(sandbox_hosts: Hosts) -> HostsSandbox:
    return sandbox_hosts.free()


def command(*words: str) -> str:
    done = CliRunner().invoke(main, ["sandbox", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def leavings(sandbox: HostsSandbox) -> dict[str, Any]:
    """Return what hosts could leave on this machine."""
    return {
        "links": {link.name for link in Path("/sys/class/net").iterdir()},
        "mounts": Path("/proc/self/mounts").read_text(),
        "routes": Path("/proc/net/route").read_text(),
        "processes": [one.pid for one in leftovers.processes(sandbox.folder, ("unshare", "nsenter", "ssh"))],
        "folder": sandbox.folder.exists(),
    }


def ssh(sandbox: HostsSandbox, host: str, script: str) -> str:
    """Run a script on a host, by what the inventory says."""
    known = yaml.safe_load(sandbox.inventory.read_text())["all"]
    words = [known["vars"].get("ansible_ssh_executable", "ssh"), "-F", "none", "-o", "BatchMode=yes"]
    words += ["-i", known["vars"]["ansible_ssh_private_key_file"], *known["vars"]["ansible_ssh_common_args"].split()]
    words += [f"{known['vars']['ansible_user']}@{known['hosts'][host]['ansible_host']}", script]
    return subprocess.run(words, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def test_up_env_status_down(sandbox: HostsSandbox) -> None:
    before = leavings(sandbox)
    assert "hosts: down\n" in command("status")
    assert command("up", "hosts", "--count", "2").startswith("hosts: up")
    assert command("env", "hosts") == f"export ANSIBLE_INVENTORY={sandbox.inventory}\n"
    shown = command("status", "hosts")
    assert "host2: " in shown
    assert "host3: " not in shown
    assert stat_of(sandbox.folder / "key") == 0o600
    assert ssh(
        sandbox, "host1", "hostname; id -un; python3 -c 'import apt; print(1)'; cat /etc/debian_version"
    ).split()[:3] == ["host1", "root", "1"]
    other = yaml.safe_load(sandbox.inventory.read_text())["all"]["hosts"]["host2"]["ansible_host"]
    assert ssh(sandbox, "host1", f"python3 -c \"import socket; socket.create_connection(('{other}', 22), 5)\"") == ""
    command("down", "hosts")
    assert leavings(sandbox) == before
    command("down", "hosts")  # nothing to do


def stat_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_host_sees_and_touches_no_other_and_not_this_machine(sandbox: HostsSandbox) -> None:
    sandbox.count = 2
    sandbox.up()
    script = (
        "ps -e | wc -l; touch /mark; mknod /dev/disk b 254 0; mount -t tmpfs x /mnt; echo 1 > /proc/sys/vm/swappiness"
    )
    said = ssh(sandbox, "host1", f"{{ {script}; true; }} 2>&1")
    assert int(said.split()[0]) < 12
    assert said.count("Operation not permitted") + said.count("permission denied") >= 2
    assert "Read-only file system" in said
    assert ssh(sandbox, "host2", "ls /mark 2>&1 || true") != "/mark\n"
    assert not Path("/mark").exists()


def test_a_stopped_host_starts_again_with_what_was_written(sandbox: HostsSandbox) -> None:
    sandbox.count = 2
    sandbox.up()
    ssh(sandbox, "host2", "echo kept > /root/mark")
    first = sandbox._running()
    os.kill(first["host2"], signal.SIGTERM)
    assert ends(first["host2"])
    assert "host2: 1" in command("status", "hosts")
    assert "stopped; sandbox up hosts starts it" in command("status", "hosts")
    sandbox.up()
    assert sandbox._running()["host1"] == first["host1"], "what is up stays up"
    assert ssh(sandbox, "host2", "cat /root/mark") == "kept\n"
    sandbox.stop("host1")
    address = yaml.safe_load(sandbox.inventory.read_text())["all"]["hosts"]["host1"]["ansible_host"]
    assert not _greets(address)


def test_the_count_grows_and_shrinks(sandbox: HostsSandbox) -> None:
    before = leavings(sandbox)
    for count in (1, 3, 2):
        sandbox.count = count
        sandbox.up()
        assert sorted(sandbox._running()) == [f"host{number}" for number in range(1, count + 1)]
        assert len(yaml.safe_load(sandbox.inventory.read_text())["all"]["hosts"]) == count
    sandbox.count = None
    sandbox.up()
    assert len(sandbox._running()) == 2
    sandbox.down()
    assert leavings(sandbox) == before


@pytest.mark.parametrize("step", ["_prepare", "_start", "_furnish", "_await", "_write_inventory"])
def test_what_a_killed_up_left_is_no_hindrance(sandbox: HostsSandbox, step: str) -> None:
    before = leavings(sandbox)
    script = (
        "import os, signal\n"
        "from jupyter_runbook.sandbox.hosts import HostsSandbox\n"
        f"done = HostsSandbox.{step}\n"
        "def last(*given):\n"
        "    done(*given)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"HostsSandbox.{step} = last\n"
        "HostsSandbox(count=2).up()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    if step in ("_prepare", "_await"):
        sandbox.count = 2
        sandbox.up()
        assert len(sandbox._running()) == 2
    sandbox.down()
    assert leavings(sandbox) == before


def test_connections_that_ssh_keeps_end_with_the_hosts(sandbox: HostsSandbox, tmp_path: Path) -> None:
    sandbox.count = 1
    sandbox.up()
    known = yaml.safe_load(sandbox.inventory.read_text())["all"]
    words = [shutil.which("ssh") or "ssh", "-F", "none", "-i", str(sandbox.folder / "key"), "-o", "ControlMaster=yes"]
    words += [
        *known["vars"]["ansible_ssh_common_args"].split(),
        "-o",
        "ControlPersist=60",
        "-o",
        f"ControlPath={tmp_path}/c",
    ]
    words += [f"root@{known['hosts']['host1']['ansible_host']}", "true"]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=False, stderr=subprocess.DEVNULL)
    (master,) = leftovers.talking_to(sandbox.state["network"], ("ssh",))
    sandbox.down()
    assert ends(master.pid)


def test_another_sandboxs_hosts_stay_untouched(
    sandbox: HostsSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """TRAPS, Sandbox 3."""
    sandbox.count = 1
    sandbox.up()
    running = sandbox._running()
    monkeypatch.setenv("RUNBOOK_SANDBOX", str(tmp_path / "another"))
    another = HostsSandbox()
    with pytest.raises(Conflict, match=f"a link {LINK} that is not of this sandbox"):
        another.up()
    another.down()
    assert sandbox._running() == running
    assert all(psutil.pid_exists(pid) for pid in running.values())


def test_on_a_machine_without_ssh_the_inventory_names_the_hosts_own(
    sandbox: HostsSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **options: None if name == "ssh" else which(name, **options))
    sandbox.count = 1
    sandbox.up()
    assert "ansible_ssh_executable" in sandbox.inventory.read_text()
    assert ssh(sandbox, "host1", "hostname") == "host1\n"


def test_bad_input(sandbox: HostsSandbox) -> None:
    with pytest.raises(BadInput, match="the hosts sandbox is down"):
        sandbox.env()
    for words in (["--count", "0"], ["--count", "201"], ["--count", "many"]):
        assert CliRunner().invoke(main, ["sandbox", "up", "hosts", *words]).exit_code == 2
    done = CliRunner().invoke(main, ["sandbox", "up", "docker", "--count", "2"])
    assert done.exit_code == 2
    assert "--count is for hosts" in done.stderr
    assert not sandbox.folder.exists()
