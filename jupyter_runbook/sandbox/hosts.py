"""Debian hosts with SSH, an inventory and a key: for Debian as root.

Each host is a set of namespaces (processes, mounts, network, names) over one small Debian, with a layer of its own on
top; its first process is an SSH server. They share a bridge in a namespace of its own, where no rule of this machine's
reaches, and one link leads there; its range of addresses was looked for. Nothing leads from there to other networks.
Inside, root has what a container's root has.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from contextlib import suppress
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import BadInput, ToolFailed
from jupyter_runbook.files import write_atomically
from jupyter_runbook.sandbox import leftovers, switch
from jupyter_runbook.sandbox.addresses import choose
from jupyter_runbook.sandbox.base import Sandbox
from jupyter_runbook.sandbox.rootfs import debian_root
from jupyter_runbook.sandbox.tools import begin, found, ran
from jupyter_runbook.secret.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import psutil

__all__ = ["HostsSandbox"]

LINK = "runbook1"
COUNT, MOST = 3, 200
# The first host's address is the eleventh of the range.
FIRST = 11
# Seconds that a host has to come up, and to go.
READY, GONE = 30.0, 3.0
# What a container's root may do by Docker's default, but for making devices.
CAPABILITIES = (
    "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot audit_write"
    " setfcap"
)
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Runs as a host's first process; $1 is its name.
START = """set -e
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs /sys || true
mount -t tmpfs -o nosuid,mode=755,size=1m tmpfs /dev
mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/zero c 1 5; mknod -m 666 /dev/full c 1 7
mknod -m 666 /dev/random c 1 8; mknod -m 666 /dev/urandom c 1 9; mknod -m 666 /dev/tty c 5 0
mkdir /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts /dev/pts
ln -s pts/ptmx /dev/ptmx; ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin; ln -s /proc/self/fd/1 /dev/stdout; ln -s /proc/self/fd/2 /dev/stderr
mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mkdir -p /run/sshd /run/lock
mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys
if [ -e /proc/sysrq-trigger ]; then mount --bind /dev/null /proc/sysrq-trigger; fi
hostname "$1"
exec setpriv --bounding-set "$2" /usr/bin/tini -- /usr/sbin/sshd -D -e
"""

SERVER = """HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
UseDNS no
MaxStartups 100
"""


class HostsSandbox(Sandbox):
    """See the module.

    Parameters
    ----------
    tell
        See `Sandbox`.
    count
        How many hosts there shall be; None for as many as there are, or three.
    """

    name = "hosts"
    summary = "Debian hosts with SSH, an inventory and a key; on Debian as root."

    def __init__(self, tell: Callable[[str], object] = lambda _line: None, count: int | None = None) -> None:
        super().__init__(tell)
        self.count = count

    @property
    def inventory(self) -> Path:
        """The path of the inventory."""
        return self.folder / "inventory.yml"

    def up(self) -> None:
        """See `Sandbox.up`; a host that was stopped is started again, with what was written on it."""
        if self.count is not None and not 1 <= self.count <= MOST:
            raise BadInput(f"--count {self.count}: from 1 to {MOST} hosts", hint="each takes about 10 MB of memory")
        with self.alone():
            root = debian_root(self.tell)
            try:
                self._converge(root)
            except BaseException:
                self._clear()
                raise

    def down(self) -> None:
        """See `Sandbox.down`."""
        if self.folder.exists():
            with self.alone():
                self._clear()

    def status(self) -> Mapping[str, str] | None:
        """See `Sandbox.status`; the process that is named for a host stops it."""
        state = self.state
        if not state or not self.inventory.exists():
            return None
        running = self._running()
        known = {"inventory": str(self.inventory), "addresses": state["network"]}
        for number in range(1, state["count"] + 1):
            name = f"host{number}"
            pid = running.get(name)
            word = f"up, its first process is {pid} here" if pid else "stopped; sandbox up hosts starts it"
            known[name] = f"{_address(state, number)} {word}"
        return known

    def env(self) -> Mapping[str, str]:
        """See `Sandbox.env`."""
        if not self.inventory.exists():
            raise BadInput("the hosts sandbox is down", hint="jupyter runbook sandbox up hosts")
        return {"ANSIBLE_INVENTORY": str(self.inventory)}

    def stop(self, name: str) -> None:
        """Stop a host, as a machine that loses its power."""
        self._end([process for process in self._processes() if process.info["host"] == name])

    def _converge(self, root: Path) -> None:
        state, linked = self.state, switch.connected(LINK)
        if not state:
            switch.refuse_anothers(LINK, self.name)
        if not linked:
            self._clear()
            self.folder.mkdir(mode=0o700, parents=True)
            network = next(choose().subnets(new_prefix=24))
            state = {"network": str(network), "count": 0}
            write_atomically(self.folder / "state.json", json.dumps(state))
            self._prepare(network, root)
        count = self.count or state["count"] or COUNT
        running = self._running()
        for number in range(count + 1, state["count"] + 1):
            self._remove(f"host{number}")
        state["count"] = count
        write_atomically(self.folder / "state.json", json.dumps(state))
        missing = [number for number in range(1, count + 1) if f"host{number}" not in running]
        if missing:
            names = f"host{missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            self.tell(f"starting {names} on {state['network']}")
        self._await({number: self._start(number, state, root) for number in missing}, state)
        self._write_inventory(state, root)

    def _prepare(self, network: IPv4Network, root: Path) -> None:
        switch.connect(LINK, network, self.folder / "net")
        self._key(root, self.folder / "key")

    def _key(self, root: Path, path: Path) -> None:
        """Make a key: by the hosts' own program, for this machine need not have one."""
        ran([*_program(root, "usr/bin/ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "runbook", "-f", str(path)])

    def _start(self, number: int, state: Mapping[str, Any], root: Path) -> int:
        """Start a host, and return the process that holds it."""
        name = f"host{number}"
        folder = self.folder / "hosts" / name
        self._end([process for process in self._processes() if process.info["host"] == name])
        leftovers.clear_mounts(folder / "net")
        self._unplug(name)
        top = folder / "root"
        if not os.path.ismount(top):
            for part in ("upper", "work", "root"):
                (folder / part).mkdir(parents=True, exist_ok=True)
            _overlay(root, folder)
        if not (folder / "ready").exists():
            self._furnish(name, _address(state, number), top, root)
            (folder / "ready").touch()
        (folder / "net").touch()
        ran(["unshare", f"--net={folder}/net", "true"])
        gateway = next(IPv4Network(state["network"]).hosts())
        batch = (
            # A host that starts again has the address that its neighbours remember.
            f"link add eth0 address 02:00:00:00:00:{number:02x} type veth peer name {name} netns {self.folder}/net\n"
            f"address add {_address(state, number)}/24 dev eth0\nlink set lo up\nlink set eth0 up\n"
            f"route add default via {gateway}\n"
        )
        ran(["nsenter", f"--net={folder}/net", "ip", "-batch", "-"], batch)
        ran(["nsenter", f"--net={self.folder}/net", "ip", "link", "set", name, "master", "bridge", "up"])
        bounding = "-all," + ",".join(f"+{one}" for one in CAPABILITIES.split())
        command = ["nsenter", f"--net={folder}/net", "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork"]
        command += ["--kill-child", f"--root={top}", "--wd=/", "/bin/sh", "-c", START, "runbook", name, bounding]
        env = {"PATH": PROGRAMS, "HOME": "/root", "LC_ALL": "C.UTF-8"}
        return begin([found(command[0]), *command[1:]], env, folder / "log")

    def _furnish(self, name: str, address: str, top: Path, root: Path) -> None:
        """Write what is a host's own."""
        (top / "etc/hostname").write_text(f"{name}\n")
        (top / "etc/hosts").write_text(f"127.0.0.1 localhost\n{address} {name}\n")
        (top / "etc/resolv.conf").write_text("")
        (top / "etc/ssh/sshd_config").write_text(SERVER + "Subsystem sftp internal-sftp\n")
        self._key(root, top / "etc/ssh/ssh_host_ed25519_key")
        keys = top / "root/.ssh"
        keys.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.folder / "key.pub", keys / "authorized_keys")

    def _await(self, holders: Mapping[int, int], state: Mapping[str, Any]) -> None:
        """Wait until each SSH server says hello."""
        ends = time.monotonic() + READY
        for number, holder in holders.items():
            while not _greets(_address(state, number)):
                if time.monotonic() > ends or os.waitpid(holder, os.WNOHANG) != (0, 0):
                    log = self.folder / "hosts" / f"host{number}" / "log"
                    said = log.read_text(errors="replace").strip() or "it said nothing"
                    raise ToolFailed(
                        f"host{number} did not come up: {excerpt(said, end=True)}",
                        hint="it needs root with all capabilities: mounts, network namespaces, veth",
                    )
                time.sleep(0.02)

    def _write_inventory(self, state: Mapping[str, Any], root: Path) -> None:
        known = self.folder / "known_hosts"
        lines = []
        hosts = {}
        for number in range(1, state["count"] + 1):
            name, address = f"host{number}", _address(state, number)
            kind, key = (self.folder / "hosts" / name / "root/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
            lines.append(f"{address} {kind} {key}\n")
            hosts[name] = {"ansible_host": address}
        known.write_text("".join(lines))
        variables = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={known} -o ConnectTimeout=5",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        if shutil.which("ssh") is None:
            variables["ansible_ssh_executable"] = str(self._client(root))
        import yaml

        write_atomically(self.inventory, yaml.safe_dump({"all": {"hosts": hosts, "vars": variables}}, sort_keys=False))

    def _client(self, root: Path) -> Path:
        """Return the path of an SSH client: the hosts' own."""
        path = self.folder / "ssh"
        path.write_text(f'#!/bin/sh\nexec {" ".join(_program(root, "usr/bin/ssh"))} "$@"\n')
        path.chmod(0o755)
        return path

    def _processes(self) -> list[psutil.Process]:
        """Return the processes that hold a host each; ``info["host"]`` is its name."""
        import psutil

        found, mark = [], f"{self.folder}/hosts/"
        for process in leftovers.processes(self.folder, ("unshare", "nsenter"), family=False):
            with suppress(psutil.Error):  # one that ends meanwhile has no words any more
                for word in process.cmdline():
                    if mark in word:
                        process.info = {"host": word.rpartition(mark)[2].partition("/")[0]}
                        found.append(process)
                        break
        return found

    def _running(self) -> dict[str, int]:
        """Return the first process of each host that is up, by name."""
        import psutil

        found = {}
        for process in self._processes():
            with suppress(psutil.Error):
                for child in process.children():
                    if child.status() != psutil.STATUS_ZOMBIE:
                        found[process.info["host"]] = child.pid
        return found

    def _end(self, holders: list[psutil.Process]) -> None:
        """End hosts at once: when its first process is killed, the kernel kills all others in it."""
        import psutil

        found = list(holders)
        for process in holders:
            with suppress(psutil.Error):
                found += process.children()
        leftovers.end(found, GONE, kill=True)

    def _remove(self, name: str) -> None:
        self._end([process for process in self._processes() if process.info["host"] == name])
        leftovers.clear_mounts(self.folder / "hosts" / name)
        self._unplug(name)
        shutil.rmtree(self.folder / "hosts" / name, ignore_errors=True)

    def _unplug(self, name: str) -> None:
        """Take a host's end of its cable from the bridge: the kernel does it too, when it finds the time."""
        with suppress(ToolFailed):
            ran(["nsenter", f"--net={self.folder}/net", "ip", "link", "delete", name])

    def _clear(self) -> None:
        """Take everything away, whoever left it, in whatever state."""
        if not self.folder.exists():
            return
        state = self.state
        self._end(self._processes())
        if state:
            leftovers.end(leftovers.talking_to(state["network"], ("ssh",)), GONE)
        leftovers.clear_mounts(self.folder)
        if state:
            leftovers.clear_bridges([LINK], os.environ)
        shutil.rmtree(self.folder)


def _address(state: Mapping[str, Any], number: int) -> str:
    return str(IPv4Network(state["network"])[FIRST - 1 + number])


def _greets(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), 2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _overlay(root: Path, folder: Path) -> None:
    """Lay a host's own layer over the Debian that all share."""
    options = f"lowerdir={root},upperdir={folder}/upper,workdir={folder}/work"
    try:
        ran(["mount", "-t", "overlay", "runbook", "-o", options, f"{folder}/root"])
    except ToolFailed:
        # A container's own root is such a layer, and can't carry another: memory can.
        (folder / "memory").mkdir(exist_ok=True)
        ran(["mount", "-t", "tmpfs", "runbook", f"{folder}/memory"])
        for part in ("upper", "work"):
            (folder / "memory" / part).mkdir()
        options = f"lowerdir={root},upperdir={folder}/memory/upper,workdir={folder}/memory/work"
        ran(["mount", "-t", "overlay", "runbook", "-o", options, f"{folder}/root"])


def _program(root: Path, path: str) -> list[str]:
    """Return the command of a program of the hosts' Debian that runs here, with the libraries that it came with."""
    loader = next((root / "lib64").glob("ld-linux*"), None) or next((root / "lib").glob("ld-linux*"))
    libraries = ":".join(str(one) for one in (root / "usr/lib").glob("*-linux-gnu*"))
    return [str(loader), "--library-path", libraries, str(root / path)]
