"""What runs in a cloud's servers: a small Debian, in a container each, where the Docker sandbox is up."""

from __future__ import annotations

import json
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.debian import environment
from jupyter_runbook.sandbox.docker import DockerSandbox
from jupyter_runbook.sandbox.openstack import config
from jupyter_runbook.sandbox.openstack.config import SERVER_IMAGE
from jupyter_runbook.sandbox.rootfs import SERVER, debian_root

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jupyter_runbook.sandbox.openstack.config import Layout

__all__ = ["TRANSLATOR", "clear", "give_bodies", "lead_out", "told", "write_translator"]

#: Debian's packages of the programs by which routers translate addresses.
TRANSLATOR = ("iptables",)
#: The label of all that the cloud makes on the engine: see inside/runbook_cloud/containers.py.
LABEL = "jupyter-runbook.cloud"


def give_bodies(tell: Callable[[str], object]) -> None:
    """Give the engine the servers' image; nothing where it is down, or has it.

    Raises
    ------
    ToolFailed
        The image can't be made.
    """
    docker = DockerSandbox(tell)
    if docker.status() is None or docker.has(SERVER_IMAGE):
        return
    root = debian_root(tell, "server", SERVER)
    tell("giving the engine the servers' Debian")
    docker.import_folder(root, SERVER_IMAGE)


def lead_out(layout: Layout) -> None:
    """Let what comes from the cloud's routers go where this machine goes, while the engine lets it forward at all."""
    if Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() != "1":
        return
    for rule in _rules(layout):
        if not _iptables(layout.folder, "-C", rule):
            _iptables(layout.folder, "-I", rule)


def write_translator(folder: Path, root: Path) -> None:
    """Write the programs by which routers translate addresses: they need not be installed here.

    Parameters
    ----------
    folder
        The cloud's.
    root
        The folder of the unpacked packages.
    """
    env = environment(root, root / "usr/bin")
    kept = " ".join(f"{name}={shlex.quote(env[name])}" for name in ("LD_LIBRARY_PATH", "XTABLES_LIBDIR") if name in env)
    # Debian's own one, where there was nothing to unpack.
    program = root / "usr/sbin/xtables-nft-multi"
    command = program if program.exists() else program.name
    (folder / "bin").mkdir()
    for name in ("iptables", "iptables-restore", "ip6tables-restore"):
        path = folder / "bin" / name
        path.write_text(f'#!/bin/sh\n{kept} exec {command} {name} "$@"\n')
        path.chmod(0o755)


def told(folder: Path) -> str:
    """Return what runs in the servers, for people."""
    docker = DockerSandbox()
    if not docker.has(SERVER_IMAGE):
        return "fakes: nothing runs in them; sandbox up docker openstack makes new ones containers"
    containers = docker.json("GET", f"/containers/json?filters={_ours(folder)}")
    return f"containers on the docker sandbox's engine, {len(containers)} running; ssh as debian, by their floating IPs"


def clear(layout: Layout) -> None:
    """Take away what a cloud made on the engine, its volumes' loop devices, and the rules of `lead_out`."""
    folder = layout.folder
    for rule in _rules(layout):
        while _iptables(folder, "-D", rule):
            pass
    docker = DockerSandbox()
    with suppress(OSError, RunbookError):
        for container in docker.json("GET", f"/containers/json?all=1&filters={_ours(folder)}"):
            docker.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for image in docker.json("GET", f"/images/json?filters={_ours(folder)}"):
            docker.call("DELETE", f"/images/{image['Id']}?force=1")
        if docker.has(SERVER_IMAGE):
            docker.call("DELETE", f"/images/{SERVER_IMAGE}?force=1")
    leftovers.clear_loops(folder)


def _rules(layout: Layout) -> list[list[str]]:
    """Return the rules by which servers reach what this machine reaches: each is told by the link that it names."""
    link, answers = config.LINK, ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    return [
        ["POSTROUTING", "-t", "nat", "-s", layout.network, "!", "-o", link, "-j", "MASQUERADE"],
        ["FORWARD", "-i", link, "-j", "ACCEPT"],
        ["FORWARD", "-o", link, *answers, "-j", "ACCEPT"],
    ]


def _iptables(folder: Path, action: str, rule: Sequence[str]) -> bool:
    try:
        done = subprocess.run([folder / "bin/iptables", "-w", action, *rule], capture_output=True, check=False)
    except OSError:  # a killed up had not come so far
        return False
    return done.returncode == 0


def _ours(folder: Path) -> str:
    return quote(json.dumps({"label": [f"{LABEL}={folder}"]}))
