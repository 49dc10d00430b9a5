"""The Docker sandbox comes up, tells of itself, and leaves nothing behind."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from jupyter_runbook.cli import main
from jupyter_runbook.errors import BadInput, Conflict
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.docker import BRIDGE, DockerSandbox
from tests.engine import leavings

if TYPE_CHECKING:
    from tests.engine import Engine

pytestmark = pytest.mark.machine


@pytest.fixture
def sandbox(docker_engine: Engine) -> DockerSandbox:
    return docker_engine.free()


def command(*words: str) -> str:
    done = CliRunner().invoke(main, ["sandbox", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def run(host: str, *words: str) -> str:
    """Run something in a container of the sandbox's image, by the engine's own interface."""
    sandbox = DockerSandbox()
    assert host == f"unix://{sandbox.address}"
    made = sandbox.json("POST", "/containers/create", {"Image": "busybox:latest", "Cmd": list(words)})
    sandbox.call("POST", f"/containers/{made['Id']}/start")
    sandbox.call("POST", f"/containers/{made['Id']}/wait")
    return sandbox.call("GET", f"/containers/{made['Id']}/logs?stdout=1")[8:].decode()


def answer(registry: str, account: str | None) -> int:
    """Return the status that a registry answers with."""
    connection = HTTPConnection(registry, timeout=10)
    headers = {"Authorization": f"Basic {base64.b64encode(account.encode()).decode()}"} if account else {}
    with closing(connection):
        connection.request("GET", "/v2/", headers=headers)
        return connection.getresponse().status


def test_up_env_status_down(sandbox: DockerSandbox) -> None:
    before = leavings()
    assert "docker: down\n" in command("status")
    assert command("up", "docker").startswith("docker: up")
    exports = dict(line.removeprefix("export ").split("=", 1) for line in command("env", "docker").splitlines())
    registry = {f"RUNBOOK_REGISTRY{part}" for part in ("", "_USER", "_PASSWORD")}
    assert set(exports) == {"DOCKER_HOST", "DOCKER_CONFIG", *registry}
    account = f"{exports['RUNBOOK_REGISTRY_USER']}:{exports['RUNBOOK_REGISTRY_PASSWORD']}"
    assert answer(exports["RUNBOOK_REGISTRY"], None) == 401
    assert answer(exports["RUNBOOK_REGISTRY"], account[:-1]) == 401
    assert answer(exports["RUNBOOK_REGISTRY"], account) == 200
    for path in (sandbox.client, sandbox.client / "config.json", sandbox.folder / "registry.htpasswd"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert exports["RUNBOOK_REGISTRY_PASSWORD"] not in (sandbox.folder / "state.json").read_text()
    shown = command("status", "docker")
    assert "docker: up" in shown
    assert "registry: 127.0.0.1:" in shown
    assert run(exports["DOCKER_HOST"], "echo", "hello") == "hello\n"
    pid = (sandbox.folder / "dockerd.pid").read_text()
    command("up", "docker")
    assert (sandbox.folder / "dockerd.pid").read_text() == pid, "what is up stays up"
    command("down", "docker")
    assert leavings() == before
    assert not leftovers.processes(sandbox.folder)
    command("down", "docker")  # nothing to do


def test_env_of_one_that_is_down_is_an_error(sandbox: DockerSandbox) -> None:
    with pytest.raises(BadInput, match="the docker sandbox is down"):
        sandbox.env()
    done = CliRunner().invoke(main, ["sandbox", "env", "docker"])
    assert done.exit_code == 2
    assert done.stderr.splitlines() == ["error: the docker sandbox is down", "→ jupyter runbook sandbox up docker"]


def test_what_a_killed_engine_left_is_taken_away(sandbox: DockerSandbox) -> None:
    before = leavings()
    sandbox.up()
    made = sandbox.json("POST", "/containers/create", {"Image": "busybox:latest", "Cmd": ["sleep", "1000"]})
    sandbox.json("POST", "/networks/create", {"Name": "left"})
    sandbox.call("POST", f"/containers/{made['Id']}/start")
    os.kill(int((sandbox.folder / "dockerd.pid").read_text()), signal.SIGKILL)
    assert leftovers.processes(sandbox.folder)
    sandbox.down()
    assert leavings() == before
    assert not leftovers.processes(sandbox.folder)


def test_what_a_killed_up_left_is_no_hindrance(sandbox: DockerSandbox) -> None:
    """Kill it as soon as it has made its bridge: the next one takes that away, and comes up."""
    before = leavings()
    script = (
        "import os, signal, subprocess\n"
        "from jupyter_runbook.sandbox import docker\n"
        "docker.begin = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "docker.DockerSandbox().up()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert BRIDGE in leavings()["links"]  # type: ignore[operator]
    sandbox.up()
    assert sandbox.status()
    sandbox.down()
    assert leavings() == before


def test_beside_another_engine_it_refuses(sandbox: DockerSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second engine of this machine would take the first one's rules away (TRAPS, Sandbox 3)."""
    sandbox.up()
    before = leavings()
    monkeypatch.setenv("RUNBOOK_SANDBOX", str(sandbox.folder.parent.parent / "another"))
    another = DockerSandbox()
    with pytest.raises(Conflict, match=r"an engine runs on this machine already \(dockerd, pid \d+\)"):
        another.up()
    assert not another.folder.exists()
    assert leavings() == before
    assert sandbox.status()
