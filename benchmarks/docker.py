"""``%%docker`` that has nothing to do, against docker-compose, Ansible's module and the SDK, on one real engine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Kernel, Row, command, compare, no_op, no_op_afresh
from benchmarks.peers import play
from jupyter_runbook.sandbox.debian import unpacked
from jupyter_runbook.sandbox.docker import DockerSandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["rows"]

# Peers that take a second a turn are measured less often.
SLOW = 5
MANY = 100

THREE = """
services:
  web: {image: "busybox:1.35", command: sleep 100000, init: true, environment: {A: "1"}, ports: ["127.0.0.1:18501:80"]}
  db: {image: "busybox:1.35", command: sleep 100000, init: true, mem_limit: 64m, volumes: ["data:/data"]}
  app: {image: "busybox:1.35", command: sleep 100000, init: true, depends_on: [web, db], labels: {x: "y"}}
volumes:
  data:
"""
ONE = """
services:
  web: {image: "busybox:1.35", command: sleep 100000, init: true, environment: {A: "1"}, network_mode: bridge}
"""
HUNDRED = f"""
services:
  web: {{image: "busybox:1.35", command: sleep 100000, init: true, network_mode: none, scale: {MANY}}}
"""
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - community.docker.docker_container:
        name: bench-ansible
        image: busybox:1.35
        command: sleep 100000
        init: true
        env: {A: "1"}
        state: started
"""


def rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Yield each row."""
    with _engine() as host, ExitStack() as stack:
        env = {"DOCKER_HOST": host}
        kernel = stack.enter_context(Kernel(folder, env))
        kernel.run("%load_ext jupyter_runbook")
        cells = {}
        for project, body in (("three", THREE), ("one", ONE), ("many", HUNDRED)):
            line = f"%%docker --project bench-{project}"
            stack.callback(kernel.run, f"{line} --absent --volumes{body}")
            cells[project] = f"{line}{body}"
            kernel.run(cells[project])
        compose = _compose(folder, env)
        stack.callback(subprocess.run, compose("down", "-v", "-t", "0"), cwd=folder, capture_output=True, check=False)
        up = command(compose("up", "-d"), folder)
        warm = no_op(kernel, cells["three"])
        yield compare("%%docker no-op, 3 services, against docker-compose up -d", warm, up, limit=1 / 15, rounds=rounds)
        fresh = no_op_afresh(folder, env, cells["three"])
        yield compare("the same in a new kernel", fresh, up, limit=1 / 3, rounds=min(rounds, 2 * SLOW))
        ansible = play(PLAY, folder, env)
        name = "%%docker no-op, 1 container, against Ansible's module"
        yield compare(name, no_op(kernel, cells["one"]), ansible, limit=1 / 40, rounds=min(rounds, SLOW))
        stack.callback(_sdk_client(host).remove_container, "bench-ansible", force=True)
        name = f"%%docker no-op, {MANY} containers, against the SDK's list and inspects"
        yield compare(name, no_op(kernel, cells["many"]), _sdk(host), limit=1.5, rounds=rounds)


@contextmanager
def _engine() -> Iterator[str]:
    sandbox = DockerSandbox(lambda line: sys.stderr.write(f"{line}\n"))
    was_up = sandbox.status() is not None
    sandbox.up()
    try:
        yield sandbox.env()["DOCKER_HOST"]
    finally:
        if not was_up:
            sandbox.down()


def _compose(folder: Path, env: dict[str, str]) -> Callable[..., list[str]]:
    """Return what makes a command of Debian's docker-compose, with its own project up."""
    root = unpacked("docker-compose", ("docker-compose", "python3"), lambda line: sys.stderr.write(f"{line}\n"))
    (folder / "docker-compose.yml").write_text(f'version: "2.4"\n{THREE}'.replace("18501", "18502"))
    words = ["env", f"PYTHONPATH={root}/usr/lib/python3/dist-packages", f"DOCKER_HOST={env['DOCKER_HOST']}"]
    words += ["/usr/bin/python3", f"{root}/usr/bin/docker-compose", "-p", "bench-compose"]
    return lambda *more: [*words, *more]


def _sdk_client(host: str):  # type: ignore[no-untyped-def] # noqa: ANN202 -- the SDK has no types of its own
    import docker

    return docker.APIClient(host, timeout=60)


def _sdk(host: str) -> Callable[[], float]:
    client = _sdk_client(host)

    def work() -> float:
        started = time.perf_counter()
        for one in client.containers(all=True, filters={"label": "org.jupyter-runbook.project=bench-many"}):
            client.inspect_container(one["Id"])
        return time.perf_counter() - started

    return work


def available() -> str | None:
    """Return why these rows can't be measured here; None where they can."""
    return None if os.geteuid() == 0 and Path("/usr/bin/apt-get").exists() else "they need Debian, as root"
