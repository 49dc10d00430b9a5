"""Programs that outlive the one that began them: begun, found again and ended by the folder that they work in."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.base import sandbox_folder
from jupyter_runbook.sandbox.openstack.config import HOST, LINK, SERVER_IMAGE
from jupyter_runbook.sandbox.tools import begin
from jupyter_runbook.secret.excerpt import excerpt, redacted

if TYPE_CHECKING:
    import psutil

    from jupyter_runbook.sandbox.openstack.config import Layout

__all__ = ["INSIDE", "end", "environment", "last_words", "listen", "running", "serve"]

#: The folder with what runs in OpenStack's own interpreter.
INSIDE = Path(__file__).parent / "inside"
# How the names of the programs begin: the interpreter's, and the database's.
NAMES = ("python", "mariadbd")


def environment(layout: Layout) -> dict[str, str]:
    """Return the environment of OpenStack's own programs: nothing of this machine's that would lead them astray."""
    astray = ("OS_", "PYTHON", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    env = {key: value for key, value in os.environ.items() if not key.startswith(astray)}
    path = [f"{layout.interpreter}/bin", env.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"]
    return {
        **env,
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": os.pathsep.join([str(INSIDE), f"{layout.folder}/plugins"]),
        "PYTHONWARNINGS": "ignore",
        "RUNBOOK_CLOUD": json.dumps(
            {
                "folder": str(layout.folder),
                "network": layout.network,
                "link": LINK,
                "engine": str(sandbox_folder("docker") / "docker.sock"),
                "image": SERVER_IMAGE,
            }
        ),
        # What is found of plugins is noted there.
        "XDG_CACHE_HOME": f"{layout.folder}/cache",
    }


def listen(port: int) -> socket.socket:
    """Listen on a port of loopback: on the wanted one, or on one that is free where it is taken."""
    for wanted in (port, 0):
        listening = socket.socket()
        # What is left of connections that have ended is no listener.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, wanted))
            listening.listen(500)
        except OSError:
            listening.close()
            if not wanted:
                raise
            continue
        break
    return listening


def serve(layout: Layout, name: str, listening: socket.socket) -> int:
    """Begin one of OpenStack's services on a socket that listens, and return its pid."""
    command = [f"{layout.interpreter}/bin/python", "-m", "runbook_cloud.serve", f"{layout.folder}/etc/{name}"]
    return begin(command, environment(layout), layout.folder / f"log/{name}.out", listening)


def running(folder: Path) -> dict[str, psutil.Process]:
    """Return the cloud's processes by what they are: a service's name, or ``database``."""
    import psutil

    found = {}
    for process in leftovers.processes(folder, NAMES, family=False):
        try:
            words = process.cmdline()
        except psutil.Error:  # it ends just now
            continue
        for word in words:
            if word.startswith(f"{folder}/etc/"):
                found[word.rpartition("/")[2]] = process
            elif word.startswith(f"--datadir={folder}/"):
                found["database"] = process
    return found


def end(folder: Path) -> None:
    """End all that works in a folder, at once: what it has written is thrown away."""
    leftovers.end(leftovers.processes(folder, NAMES), 5.0, kill=True)


def last_words(log: Path, lines: int = 1) -> str:
    """Return the end of what a program said, as one line of at most 300 characters."""
    try:
        said = redacted(log.read_text(errors="replace")).strip().splitlines()
    except OSError:
        said = []
    return excerpt(" ".join(said[-lines:] or ["it said nothing"]), end=True)
