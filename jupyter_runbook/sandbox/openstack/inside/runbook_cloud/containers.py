"""Servers as containers on the sandbox's Docker engine, where that is up; without it there is nothing in them.

A container is not privileged, which would show this machine's own disks in it: what it may do more than others is what
mounting a disk, an address and an engine of its own need.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from runbook_cloud.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The label of all that is made on the engine; its value is the cloud's folder.
LABEL = "jupyter-runbook.cloud"
#: Where a server finds what it begins with: see init.sh.
INSIDE = "/var/lib/runbook"
SNAPSHOT = "runbook/snapshot"
SECONDS = 60
# A server that is told to stop has so many seconds for it.
GRACE = 5
MEBIBYTE = 1 << 20
# Wanted to enlarge a mounted file system and to raise limits; the engine starts nothing with a capability that this
# machine itself lacks (linux/capability.h).
RESOURCE = 24

_lock = Lock()
_known: list[Any] = []


@dataclass(frozen=True)
class Server:
    """A server as it begins.

    Parameters
    ----------
    server, name
        Its ID, and what it calls itself.
    memory
        In mebibytes.
    files
        What it finds below `INSIDE`, by name: the mode and the text.
    snapshot
        The ID of the image, which a server may have been stored as.
    """

    server: str
    name: str
    memory: int
    snapshot: str = ""
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)


def engine() -> Any | None:
    """Return the client of the engine that servers run on; None where there is none."""
    import docker

    if not Path(settings().engine).is_socket():
        return None
    with _lock:
        if not _known:
            _known.append(docker.DockerClient(f"unix://{settings().engine}", version="1.41", timeout=SECONDS))
    try:
        _known[0].images.get(settings().image)
    except (docker.errors.DockerException, OSError):
        return None
    return _known[0]


def find(server: str) -> Any | None:
    """Return a server's container; None where it has none.

    Raises
    ------
    docker.errors.DockerException
        The engine does not tell.
    """
    import docker
    import requests

    if not Path(settings().engine).is_socket() or not (_known or engine()):
        return None
    try:
        return _known[0].containers.get(_name(server))
    except docker.errors.NotFound:
        return None
    except requests.ConnectionError:  # the engine was killed: its socket is left, and nobody is behind it
        return None


def lost(server: str) -> bool:
    """Tell whether a server had a container, which is gone: its engine was taken away."""
    return _mark(server).exists() and find(server) is None


def create(server: Server) -> Any:
    """Create a server's container, which is not started; nothing is left where it fails."""
    client = engine()
    if client is None:
        raise RuntimeError("there is no engine")
    api = client.api
    host = api.create_host_config(
        cap_add=_capabilities(),
        # The loop devices: a volume is one.
        device_cgroup_rules=["b 7:* rmw"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        mem_limit=_limit(server.memory),
        network_mode="none",
    )
    # As the command line's --security-opt systempaths=unconfined; the SDK has no word for it.
    host["MaskedPaths"] = host["ReadonlyPaths"] = []
    try:
        made = api.create_container(
            _image(client, server),
            ["/bin/bash", f"{INSIDE}/init.sh"],
            name=_name(server.server),
            hostname=server.name,
            host_config=host,
            labels={LABEL: settings().folder},
            stop_signal="SIGTERM",
            # An engine in a server wants a folder that is on no overlay.
            volumes=["/var/lib/docker"],
        )
        init, power = ((Path(__file__).parent / name).read_text() for name in ("init.sh", "power.sh"))
        files = {**server.files, "init.sh": (0o755, init), "power.sh": (0o755, power)}
        api.put_archive(made["Id"], "/", _archive(files))
        _mark(server.server).parent.mkdir(exist_ok=True)
        _mark(server.server).touch()
    except Exception:
        remove(server.server)
        raise
    return client.containers.get(made["Id"])


def start(container: Any, memory: int) -> int:
    """Start a container with so much memory (in mebibytes), and return its first process."""
    limit = _limit(memory)
    if container.attrs["HostConfig"]["Memory"] != limit:  # of a server that was resized
        container.update(mem_limit=limit, memswap_limit=2 * limit)
    container.start()
    container.reload()
    return int(container.attrs["State"]["Pid"])


def process(container: Any) -> int | None:
    """Return the first process of a container; None where it does not run."""
    state = container.attrs["State"]
    return int(state["Pid"]) if state["Running"] else None


def stop(server: str) -> None:
    """Stop a server; nothing where it has no container."""
    container = find(server)
    if container:
        if container.status == "paused":
            container.unpause()
        container.stop(timeout=GRACE)


def remove(server: str) -> None:
    """Take a server's container away; nothing where it has none."""
    container = find(server)
    if container:
        container.remove(v=True, force=True)
    _mark(server).unlink(missing_ok=True)


def store(server: str, image: str) -> None:
    """Store a server as it is: one that is made of the image begins with it."""
    container = find(server)
    if container:
        container.commit(SNAPSHOT, image, changes=f"LABEL {LABEL}={settings().folder}")


def run(container: Any, script: str) -> None:
    """Run a script in a server, as root.

    Raises
    ------
    RuntimeError
        It failed; the message is its own.
    """
    code, output = container.exec_run(["/bin/sh", "-c", script], user="root")
    if code:
        raise RuntimeError(f"{script}: {output.decode(errors='replace')[-300:]}")


def _image(client: Any, server: Server) -> str:
    stored = f"{SNAPSHOT}:{server.snapshot}"
    return stored if server.snapshot and client.images.list(name=stored) else settings().image


def _mark(server: str) -> Path:
    """Return the file that is there while a server has a container, or had one."""
    return Path(settings().folder, "nova/containers", server)


def _limit(memory: int) -> int:
    """Return a server's limit in bytes: an SSH server and a shell want some."""
    return max(memory, 64) * MEBIBYTE


def _name(server: str) -> str:
    return f"server-{server}"


def _capabilities() -> list[str]:
    bounding = int(Path("/proc/self/status").read_text().split("CapBnd:")[1].split()[0], 16)
    return ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", *(["SYS_RESOURCE"] if bounding >> RESOURCE & 1 else [])]


def _archive(files: Mapping[str, tuple[int, str]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(INSIDE.lstrip("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(folder)
        for name, (mode, text) in files.items():
            data = text.encode()
            info = tarfile.TarInfo(f"{INSIDE.lstrip('/')}/{name}")
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
