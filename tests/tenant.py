"""A project of the sandbox's OpenStack with a network that leads outside, and servers that are reached by SSH."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from openstack.connection import Connection

SECONDS = 60
# Between two looks at a server: each of them asks Nova and Neutron for all that a server is.
INTERVAL = 0.4
SSH = shutil.which("ssh") or "ssh"


def until(true: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait until something is true; the longer it takes, the more seldom it is looked at."""
    ends, pause = time.monotonic() + seconds, 0.05
    while not true():
        assert time.monotonic() < ends, what
        time.sleep(pause)
        pause = min(pause * 1.3, 0.5)


class Tenant:
    """What a first runbook would make: a keypair, a network, a router; and servers on it.

    Parameters
    ----------
    cloud
        A connection as a project's member.
    folder
        Where the key is kept.
    image
        The name of the servers' image.
    """

    def __init__(self, cloud: Connection, folder: Path, image: str = "debian") -> None:
        self.cloud: Any = cloud
        self.folder = folder
        self.word = uuid4().hex[:6]
        self.outside = self.cloud.network.find_network("public", ignore_missing=False)
        self.image = self.cloud.image.find_image(image, ignore_missing=False)
        self.flavor = self.cloud.compute.find_flavor("m1.tiny", ignore_missing=False)
        self.pair = self.cloud.compute.create_keypair(name=f"key-{self.word}")
        with open(os.open(folder / "key", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:  # noqa: PTH123
            file.write(self.pair.private_key)
        # For programs that run ssh by themselves.
        wrapper = folder / "bin/ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(self._ssh())} "$@"\n')
        wrapper.chmod(0o755)
        default = next(self.cloud.network.security_groups(name="default"))
        for protocol, port in (("tcp", 22), ("icmp", None)):
            self.let_in(default, protocol=protocol, port_range_min=port, port_range_max=port)
        self.router = self.add_router()
        self.network = self.add_network("10.7.0.0/24", self.router)

    def let_in(self, group: Any, **rule: Any) -> Any:
        """Add a rule for what comes in to a security group."""
        wanted = {key: value for key, value in rule.items() if value is not None}
        return self.cloud.network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ethertype="IPv4", **wanted
        )

    def add_router(self) -> Any:
        return self.cloud.network.create_router(
            name=f"router-{self.word}", external_gateway_info={"network_id": self.outside.id}
        )

    def add_network(self, cidr: str, router: Any = None, **more: Any) -> Any:
        network = self.cloud.network.create_network(name=f"network-{self.word}")
        subnet = self.cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr=cidr, **more)
        if router:
            self.cloud.network.add_interface_to_router(router, subnet_id=subnet.id)
        return network

    def ask(self, name: str, network: Any = None, script: str = "", **more: Any) -> Any:
        """Ask for a server, and do not wait for it."""
        wanted = {
            "name": name,
            "flavor_id": self.flavor.id,
            "image_id": self.image.id,
            "networks": [{"uuid": (network or self.network).id}],
            "key_name": self.pair.name,
            **more,
        }
        if script:
            wanted["user_data"] = base64.b64encode(script.encode()).decode()
        return self.cloud.compute.create_server(**wanted)

    def settled(self, server: Any, status: str = "ACTIVE") -> Any:
        """Return a server that has come to a status."""
        return self.cloud.compute.wait_for_server(server, status, interval=INTERVAL, wait=SECONDS)

    def port(self, server: Any) -> Any:
        """Return a server's first port."""
        return next(self.cloud.network.ports(device_id=server.id))

    def float(self, server: Any) -> Any:
        """Give a server a floating IP."""
        return self.cloud.network.create_ip(floating_network_id=self.outside.id, port_id=self.port(server).id)

    def reached(self, server: Any) -> str:
        """Give a server a floating IP, and return that once the server answers there."""
        address = str(self.float(server).floating_ip_address)
        self.answers(address)
        return address

    def answers(self, address: str) -> None:
        """Wait until there is an SSH server at an address."""
        until(lambda: self.try_ssh(address, "true").returncode == 0, f"no ssh at {address}")

    def ssh(self, address: str, script: str, user: str = "debian") -> str:
        """Run a script on a server, and return what it said."""
        done = self.try_ssh(address, script, user)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def try_ssh(self, address: str, script: str, user: str = "debian") -> subprocess.CompletedProcess[str]:
        command = [*self._ssh(), f"{user}@{address}", script]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=SECONDS
        )

    def forget_host_keys(self) -> None:
        """Forget which server was at which address."""
        (self.folder / "known").unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all that the project has."""
        clear(self.cloud)

    def _ssh(self) -> list[str]:
        return [
            *(SSH, "-F", "none", "-i", str(self.folder / "key")),
            *("-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"),
            *("-o", f"UserKnownHostsFile={self.folder}/known", "-o", "ConnectTimeout=2"),
        ]


def clear(cloud: Any) -> None:
    """Delete all that a project has, as its member; what was there from the first stays."""
    servers = list(cloud.compute.servers())
    for server in servers:
        cloud.compute.delete_server(server)
    for server in servers:
        cloud.compute.wait_for_delete(server, interval=INTERVAL, wait=SECONDS)
    for volume in cloud.block_storage.volumes():
        cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.1, SECONDS)
        cloud.block_storage.delete_volume(volume)
        cloud.block_storage.wait_for_delete(volume, interval=0.1, wait=SECONDS)
    for image in cloud.image.images(visibility="private"):
        cloud.image.delete_image(image)
    for pair in cloud.compute.keypairs():
        cloud.compute.delete_keypair(pair)
    for group in cloud.compute.server_groups():
        cloud.compute.delete_server_group(group)
    _clear_networks(cloud.network, cloud.current_project_id)


def _clear_networks(network: Any, project: str) -> None:
    for address in network.ips():
        network.delete_ip(address)
    for router in network.routers():
        for port in network.ports(device_id=router.id):
            network.remove_interface_from_router(router, port_id=port.id)
        network.delete_router(router)
    for port in network.ports():
        network.delete_port(port)
    for one in network.networks(is_router_external=False, project_id=project):
        network.delete_network(one)
    for group in network.security_groups():
        if group.name != "default":
            network.delete_security_group(group)
    # The default group lets its own members in, and everything out; all else was added.
    for rule in network.security_group_rules():
        if rule.direction == "ingress" and not rule.remote_group_id:
            network.delete_security_group_rule(rule)
