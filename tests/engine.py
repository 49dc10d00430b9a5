"""The Docker engine that the tests talk to: a sandbox of our own, or one that is up already."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.providers.docker.engine import Engine as Client
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.sandbox.docker import PACKAGES, DockerSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The services that must be there, by name: a missing one fails its tests instead of leaving them out.
REQUIRED = set(os.environ.get("RUNBOOK_REQUIRE", "").split(",")) - {""}


def leave_out(service: str, why: str) -> None:
    """Skip the test for want of a service, or fail it where that has to be there."""
    if service in REQUIRED:
        pytest.fail(f"{service} is required: {why}")
    pytest.skip(f"{service}: {why}")


def can_start() -> str | None:
    """Return why no engine can be started here; None where one can."""
    if os.geteuid() != 0:
        return "a sandbox needs root"
    return None if shutil.which("apt-get") else "a sandbox is made of Debian's packages"


class Engine:
    """The session's engine: up when first asked for, and gone at the end where it was not up before."""

    def __init__(self) -> None:
        self.sandbox = DockerSandbox()
        self.theirs = self.sandbox.status() is not None

    def up(self) -> str:
        """Return its address."""
        if not self.theirs and (why := can_start()):
            leave_out("docker", why)
        try:
            self.sandbox.up()
        except RunbookError as error:
            leave_out("docker", " ".join(error.lines()))
        return self.sandbox.env()["DOCKER_HOST"]

    def down(self) -> None:
        """Take it away, where it is ours."""
        if not self.theirs:
            self.sandbox.down()

    def free(self) -> DockerSandbox:
        """Return the sandbox, down: for the tests of its coming and going."""
        if self.theirs:
            pytest.skip("the docker sandbox was up before the tests: it is left alone")
        if why := can_start():
            leave_out("docker", why)
        self.sandbox.down()
        return self.sandbox


@contextmanager
def beside(folder: Path) -> Iterator[str]:
    """Start a second engine in a network namespace of its own, without any rules, and return its address."""
    root = unpacked("docker", PACKAGES, print)
    env = environment(root, DockerSandbox().folder / "bin")
    dockerd = shutil.which("dockerd", path=env["PATH"]) or "dockerd"
    unshare = shutil.which("unshare", path=env["PATH"]) or "unshare"
    command = [unshare, "--net", dockerd, "--host", f"unix://{folder}/second.sock"]
    command += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    command += ["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--bridge=none"]
    with (folder / "second.log").open("wb") as log:
        engine = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        ends = time.monotonic() + 60
        address = f"unix://{folder}/second.sock"
        while engine.poll() is None and time.monotonic() < ends:
            with suppress(RunbookError), closing(Client(address)) as client:
                client.get("/info")
                break
            time.sleep(0.05)
        yield address
    finally:
        engine.terminate()
        engine.wait()
        leftovers.end(leftovers.processes(folder), 5)
        leftovers.clear_mounts(folder)


def leavings() -> dict[str, object]:
    """Return what an engine could leave on this machine."""
    root = Path("/sys/fs/cgroup")
    env = environment(unpacked("docker", PACKAGES, print), Path("/nowhere"))
    return {
        "rules": {table: leftovers._run(["iptables", "-w", "-t", table, "-S"], env) for table in ("filter", "nat")},
        "links": {link.name for link in Path("/sys/class/net").iterdir()},
        "mounts": {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()},
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        "groups": sorted(str(path) for path in [root / "docker", *root.glob("*/docker")] if path.exists()),
        "folder": DockerSandbox().folder.parent.parent.exists(),
    }
