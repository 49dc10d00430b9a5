"""``%%os`` on the sandbox's OpenStack, against Ansible's modules and against the SDK by hand."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Kernel, Row, compare, no_op, no_op_afresh
from benchmarks.peers import play
from jupyter_runbook.sandbox.openstack import OpenStackSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["available", "rows"]

# What takes seconds a turn is measured less often.
SLOW, FEW = 5, 2
#: Seconds that a plan for so many resources of six kinds may take.
LARGE, MOST = 200, 2.0
# Lists that a plan may ask for, a kind.
CALLS = 2
SERVERS = 10

FIVE = """
keypairs: [{name: bench, public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIt0Yb1UvHjPAG6HPqvmW2M6xTF8xHn0aYh5a9o4Ffes}]
security_groups: [{name: bench, description: a group}]
networks: [{name: bench, mtu: 1400}]
subnets: [{name: bench, network: bench, cidr: 10.8.0.0/24}]
volumes: [{name: bench, size: 1}]
"""
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/openstack.cloud.openstack: {cloud: sandbox}
  tasks:
    - openstack.cloud.keypair:
        name: bench
        public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIt0Yb1UvHjPAG6HPqvmW2M6xTF8xHn0aYh5a9o4Ffes
    - openstack.cloud.security_group: {name: bench, description: a group}
    - openstack.cloud.network: {name: bench, mtu: 1400}
    - openstack.cloud.subnet: {name: bench, network: bench, cidr: 10.8.0.0/24}
    - openstack.cloud.volume: {name: bench, size: 1}
"""
ROOM = """
quotas:
  - {project: demo, key_pairs: 100, security_groups: 100, security_group_rules: 500, volumes: 100, gigabytes: 1000}
"""
PATHS = {
    "keypairs": "/os-keypairs",
    "security_groups": "/security-groups",
    "networks": "/networks",
    "subnets": "/subnets",
    "ports": "/ports",
    "volumes": "/volumes/detail",
}
NET = """
networks: [{name: bench-ten, mtu: 1400}]
subnets: [{name: bench-ten, network: bench-ten, cidr: 10.7.0.0/24}]
routers: [{name: bench-ten, external_gateway: public, interfaces: [bench-ten]}]
"""
TEN = "servers:" + "".join(
    f"\n  - {{name: bench-{number}, image: debian, flavor: m1.tiny, networks: [bench-ten], floating_ip: true}}"
    for number in range(SERVERS)
)
# Each request, by the path that it asks for.
COUNTING = """
from collections import Counter
from urllib.parse import urlsplit
from requests import Session
asked, send = Counter(), Session.send
def counting(session, request, **more):
    asked[urlsplit(request.url).path] += request.method == "GET"
    return send(session, request, **more)
Session.send = counting
"""


def rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Yield each row."""
    with _cloud() as env, ExitStack() as stack:
        kernel = stack.enter_context(Kernel(folder, env))
        kernel.run("%load_ext jupyter_runbook")
        kernel.run(f"%%os{FIVE}")
        stack.callback(kernel.run, f"%%os --absent{FIVE}")
        played = play(PLAY, folder, env)
        played()
        name = "%%os no-op, 5 resources, against Ansible's modules"
        cell = f"%%os{FIVE}"
        yield compare(name, no_op(kernel, cell), played, limit=1 / 20, rounds=min(rounds, SLOW))
        afresh = no_op_afresh(folder, env, cell)
        yield compare("the same in a new kernel", afresh, played, limit=1 / 5, rounds=min(rounds, SLOW))
        yield from _large(kernel, stack, min(rounds, SLOW))
        yield from _ten(kernel, stack, min(rounds, FEW))


def _large(kernel: Kernel, stack: ExitStack, rounds: int) -> Iterator[Row]:
    kernel.run(f"%%os --cloud sandbox-admin{ROOM}")
    stack.callback(kernel.run, f"%%os --cloud sandbox-admin --absent{ROOM}")
    body = _many()
    stack.callback(kernel.run, f"%%os --absent\n{body}")
    kernel.run(f"%%os\n{body}")
    kernel.run(COUNTING)
    name = f"%%os, plan for {LARGE} resources of 6 kinds, against 2 s"
    planned = no_op(kernel, f"%%os --check\n{body}")
    yield compare(name, planned, lambda: MOST, limit=1.0, rounds=rounds)
    kernel.run("asked.clear()")
    planned()
    kernel.run("import json; print(json.dumps(asked))")
    asked = json.loads(kernel.said[kernel.said.index("{") : kernel.said.rindex("}") + 1])
    for kind, path in PATHS.items():
        calls = sum(count for one, count in asked.items() if one.endswith(path))
        if not 0 < calls <= CALLS:
            raise RuntimeError(f"a plan asks {calls} times for {kind}: {asked}")


def _many() -> str:
    """Return a cell of so many resources."""
    key = FIVE.split("public_key: ")[1].split("}", maxsplit=1)[0]
    kinds = {
        "keypairs": (20, f"public_key: {key}"),
        "security_groups": (40, "description: a group"),
        "networks": (50, "mtu: 1400"),
        "subnets": (50, "network: bench-{0}, cidr: 10.{0}.0.0/24"),
        "ports": (30, "network: bench-{0}"),
        "volumes": (10, "size: 1"),
    }
    lines = []
    for kind, (count, fields) in kinds.items():
        lines.append(f"{kind}:")
        lines += [f"  - {{name: bench-{number}, {fields.format(number)}}}" for number in range(count)]
    return "\n".join(lines)


def _ten(kernel: Kernel, stack: ExitStack, rounds: int) -> Iterator[Row]:
    kernel.run(f"%%os{NET}")
    stack.callback(kernel.run, f"%%os --absent{NET}{TEN}")
    cell = f"\n{TEN}"

    def ours() -> float:
        seconds = kernel.run(f"%%os{cell}")
        if "● changed" not in kernel.said:
            raise RuntimeError(kernel.said)
        kernel.run(f"%%os --absent{cell}")
        return seconds

    def by_hand() -> float:
        started = time.perf_counter()
        for number in range(SERVERS):
            cloud.create_server(
                f"byhand-{number}", "debian", "m1.tiny", network="bench-ten", wait=True, auto_ip=True, reuse_ips=False
            )
        seconds = time.perf_counter() - started
        for number in range(SERVERS):
            cloud.delete_server(f"byhand-{number}", wait=True, delete_ips=True)
        return seconds

    cloud = _sdk()
    name = f"%%os, {SERVERS} servers with floating IPs, against the SDK one by one"
    yield compare(name, ours, by_hand, limit=1 / 2, rounds=rounds)


@contextmanager
def _cloud() -> Iterator[Mapping[str, str]]:
    """Have an OpenStack, and give the environment that points at it."""
    sandbox = OpenStackSandbox(lambda line: sys.stderr.write(f"{line}\n"))
    was_up = sandbox.status() is not None
    sandbox.up()
    before = dict(os.environ)
    os.environ.update(sandbox.env())
    try:
        yield sandbox.env()
    finally:
        os.environ.clear()
        os.environ.update(before)
        if not was_up:
            sandbox.down()


def _sdk() -> Any:
    import openstack

    return openstack.connect()


def available() -> str | None:
    """Return why these rows can't be measured here; None where they can."""
    return None if os.geteuid() == 0 and Path("/usr/bin/apt-get").exists() else "they need Debian, as root"
