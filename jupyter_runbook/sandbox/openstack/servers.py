"""What runs in a cloud's servers: a small Debian, in a container each, where the Docker sandbox is up."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.sandbox.docker import DockerSandbox
from jupyter_runbook.sandbox.openstack.config import SERVER_IMAGE
from jupyter_runbook.sandbox.rootfs import SERVER, debian_root

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["clear", "give_bodies", "told", "write_translator"]

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


def write_translator(folder: Path, tell: Callable[[str], object]) -> None:
    """Write the program by which the routers translate addresses: a packaged one, which need not be installed here."""
    root = unpacked("iptables", ("iptables",), tell)
    env = environment(root, root / "usr/bin")
    kept = " ".join(f"{name}={env[name]!r}" for name in ("LD_LIBRARY_PATH", "XTABLES_LIBDIR") if name in env)
    # Debian's own one, where there was nothing to unpack.
    program = root / "usr/sbin/xtables-nft-multi"
    path = folder / "bin/iptables-restore"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\n{kept} exec {program if program.exists() else program.name} iptables-restore "$@"\n')
    path.chmod(0o755)


def told(folder: Path) -> str:
    """Return what runs in the servers, for people."""
    docker = DockerSandbox()
    if not docker.has(SERVER_IMAGE):
        return "fakes: nothing runs in them; sandbox up docker openstack makes new ones containers"
    containers = docker.json("GET", f"/containers/json?filters={_ours(folder)}")
    return f"containers on the docker sandbox's engine, {len(containers)} running; ssh as debian, by their floating IPs"


def clear(folder: Path) -> None:
    """Take away what a cloud made on the engine, and its volumes' loop devices."""
    docker = DockerSandbox()
    with suppress(OSError, RunbookError):
        for container in docker.json("GET", f"/containers/json?all=1&filters={_ours(folder)}"):
            docker.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for image in docker.json("GET", f"/images/json?filters={_ours(folder)}"):
            docker.call("DELETE", f"/images/{image['Id']}?force=1")
        if docker.has(SERVER_IMAGE):
            docker.call("DELETE", f"/images/{SERVER_IMAGE}?force=1")
    leftovers.clear_loops(folder)


def _ours(folder: Path) -> str:
    return quote(json.dumps({"label": [f"{LABEL}={folder}"]}))
