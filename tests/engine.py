"""The Docker engine that the tests talk to, and another one."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.providers.docker.engine import Engine as Client
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.sandbox.docker import PACKAGES, DockerSandbox
from tests.support.sandboxes import Shared

if TYPE_CHECKING:
    from collections.abc import Iterator


class Engine(Shared[DockerSandbox]):
    """The tests' engine."""

    def up(self) -> str:
        """Return its address."""
        return self.start().env()["DOCKER_HOST"]


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
        while True:
            assert engine.poll() is None, (folder / "second.log").read_text()[-2000:]
            assert time.monotonic() < ends, "the second engine does not answer"
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
