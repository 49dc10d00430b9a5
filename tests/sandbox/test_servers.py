"""The servers of the sandbox's OpenStack, with an engine beside it: reached by SSH, as a virtual machine would be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import pytest

from jupyter_runbook.providers.docker.engine import Engine as Client
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.docker import DockerSandbox
from jupyter_runbook.sandbox.hosts import HostsSandbox
from tests.openstack import administer, connect, loops
from tests.tenant import INTERVAL, Tenant, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.sandbox.openstack import OpenStackSandbox
    from tests.engine import Engine
    from tests.openstack import Cloud


def routes() -> set[str]:
    """Return where this machine's routes lead, but for those of the other sandboxes: their tests run beside."""
    states = DockerSandbox().state, HostsSandbox().state
    others = [IPv4Network(state[key]) for state, key in zip(states, ("pool", "network"), strict=True) if state]
    listed = json.loads(leftovers._run(["ip", "-json", "route"], os.environ))
    # A range that a Compose file names is none of the engine's own: Docker's bridge tells.
    found = {str(route["dst"]) for route in listed if not re.fullmatch("br-[0-9a-f]{12}", route["dev"])} - {"default"}
    return {one for one in found if not any(IPv4Network(one).subnet_of(other) for other in others)}


@pytest.fixture(scope="module")
def sandbox(docker_engine: Engine, sandbox_cloud: Cloud) -> OpenStackSandbox:
    docker_engine.up()
    return sandbox_cloud.start()


@pytest.fixture(scope="module")
def tenant(sandbox: OpenStackSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """Return a project of its own, whose servers are containers: the sandbox's own has other tests' beside these."""
    name = f"servers-{uuid4().hex[:6]}"
    auth = {"project_name": name, "username": name, "password": uuid4().hex}
    with administer(sandbox) as connection:
        admin: Any = connection
        project = admin.identity.create_project(name=name)
        user = admin.identity.create_user(name=name, password=auth["password"])
        admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role("member"))
        # The usual quota is ten.
        admin.set_compute_quotas(name, instances=50, cores=100)
        with connect(sandbox, **auth) as cloud:
            kind = {"disk_format": "raw", "container_format": "bare"}
            cast("Any", cloud).image.create_image(name=name, data=b"no disk", os_admin_user="debian", **kind)
            made = Tenant(cloud, tmp_path_factory.mktemp("tenant"), name)
            yield made
            made.clear()
        admin.identity.delete_user(user)
        admin.identity.delete_project(project)


SCRIPT = "#!/bin/sh\necho from-user-data >/root/marker\nservice docker start\n"


@pytest.fixture(scope="module")
def pair(tenant: Tenant) -> list[tuple[Any, str]]:
    """Return two servers, each with its floating IP; tests leave them as they were."""
    asked = [tenant.ask(name, script=SCRIPT) for name in ("one", "two")]
    servers = [tenant.settled(server) for server in asked]
    return [(server, tenant.reached(server)) for server in servers]


def test_a_server_is_reached_by_its_floating_ip(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    (server, address), (_, other) = pair
    said = tenant.ssh(address, "hostname; id -un; sudo id -u; ip -4 -o addr show dev eth0; ip -o link | wc -l")
    lines = said.splitlines()
    assert lines[:3] == ["one", "debian", "0"]
    fixed = tenant.port(server).fixed_ips[0]["ip_address"]
    assert f"inet {fixed}/24" in lines[3], "its own address, and not the floating one"
    assert tenant.ssh(address, "id -un", user="root") == "root"
    until(lambda: "from-user-data" in tenant.ssh(address, "sudo cat /root/marker; true"), "user_data has not run")
    # Whoever reads the console's log knows the server before the first connection.
    log = tenant.cloud.compute.get_server_console_output(server.id)["output"]
    key = next(line for line in log.splitlines() if line.startswith("ssh-ed25519 "))
    assert key.split()[1] in (tenant.folder / "known").read_text()
    for target in (other, tenant.port(pair[1][0]).fixed_ips[0]["ip_address"]):
        tenant.ssh(address, f"ping -c1 -W2 -q {target}; exec 3<>/dev/tcp/{target}/22; head -c4 <&3 | grep SSH-")
    # It sees no disk of this machine's, and no other server's processes.
    assert (
        tenant.ssh(address, "lsblk -no NAME 2>/dev/null | wc -l; ls /dev | grep -c '^[svn]*d[a-z]$'; true")[-1] == "0"
    )
    assert int(tenant.ssh(address, "ls -d /proc/[0-9]* | wc -l")) < 30


CLOUD_CONFIG = """#cloud-config
write_files:
  - path: /etc/motd
    content: made by cloud-config
runcmd:
  - [sh, -c, "echo ran >/root/marker"]
users:
  - default
  - {name: deploy, groups: sudo}
"""


@pytest.mark.parametrize(
    ("user_data", "code", "word"),
    [
        ("", 0, "status: done"),
        ("#!/bin/sh\nsleep 1\necho ran >/root/marker\n", 0, "status: done"),
        ("#!/bin/sh\necho ran >/root/marker\nexit 3\n", 1, "user_data ended with 3"),
        (CLOUD_CONFIG, 0, "status: done"),
    ],
    ids=["none", "script", "failed", "cloud-config"],
)
def test_user_data_runs_and_is_waited_for(tenant: Tenant, user_data: str, code: int, word: str) -> None:
    server = tenant.settled(tenant.ask("fed", script=user_data))
    address = tenant.reached(server)
    done = tenant.try_ssh(address, "cloud-init status --wait --long")
    assert done.returncode == code, done.stdout
    assert word in done.stdout
    if user_data:
        assert tenant.ssh(address, "sudo cat /root/marker") == "ran"
    if user_data == CLOUD_CONFIG:
        assert tenant.ssh(address, "cat /etc/motd; id -un deploy").split("\n") == ["made by cloud-configdeploy"]
    tenant.cloud.compute.delete_server(server)
    tenant.forget_host_keys()


def test_a_server_reaches_what_this_machine_reaches(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    """A container on the engine's own bridge stands for the world: it is behind this machine, as seen from a server."""
    docker = DockerSandbox()
    command = ["sh", "-c", "while true; do echo hello | nc -l -p 80; done"]
    made = docker.json("POST", "/containers/create", {"Image": "busybox:latest", "Cmd": command})
    docker.call("POST", f"/containers/{made['Id']}/start")
    try:
        address = docker.json("GET", f"/containers/{made['Id']}/json")["NetworkSettings"]["IPAddress"]
        assert tenant.ssh(pair[0][1], f"exec 3<>/dev/tcp/{address}/80; head -c5 <&3") == "hello"
        # Also one without a floating IP: it goes out by its router's address.
        tenant.settled(tenant.ask("inner", script=f"#!/bin/bash\nexec 3<>/dev/tcp/{address}/80; head -c5 <&3\n"))
        log = tenant.cloud.compute
        inner = next(one for one in log.servers() if one.name == "inner")
        until(lambda: "hello" in log.get_server_console_output(inner.id)["output"], "no way out")
    finally:
        docker.call("DELETE", f"/containers/{made['Id']}?force=1")


def test_ansible_plays_on_servers(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    inventory = tenant.folder / "hosts.ini"
    words = f"ansible_user=debian ansible_ssh_executable={tenant.folder}/bin/ssh"
    words += " ansible_python_interpreter=/usr/bin/python3"
    inventory.write_text("".join(f"{address} {words}\n" for _, address in pair))
    ansible = Path(sys.executable).parent / "ansible"
    done = subprocess.run(
        [ansible, "-i", inventory, "all", "-b", "-m", "command", "-a", "id -un"],
        env={**os.environ, "ANSIBLE_SSH_ARGS": "-o ControlMaster=no"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.count("\nroot") == 2, done.stdout + done.stderr


def test_docker_on_a_server_is_reached_by_ssh(
    tenant: Tenant, pair: list[tuple[Any, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = pair[0][1]
    # user_data has started it, unless another test has rebooted the server since.
    tenant.ssh(address, "sudo service docker start")
    until(lambda: tenant.try_ssh(address, "docker version").returncode == 0, "docker did not start")
    monkeypatch.setenv("PATH", os.pathsep.join([f"{tenant.folder}/bin", os.environ["PATH"]]))
    with closing(Client(f"ssh://debian@{address}")) as client:
        assert client.get("/info")["Name"] == "one"
    # A program that needs no library is an image.
    script = "tar -C /sbin -c ldconfig | docker import - tiny >/dev/null; docker run --rm tiny /ldconfig --version"
    assert tenant.ssh(address, script).startswith("ldconfig")


def test_a_volume_is_a_disk_that_moves(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    (first, address), (second, other) = pair
    cloud = tenant.cloud
    volume = cloud.block_storage.create_volume(name="data", size=1)
    cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.1, 60)

    def attach(server: Any) -> str:
        cloud.compute.create_volume_attachment(server.id, volume_id=volume.id)
        attached = cloud.block_storage.wait_for_status(volume, "in-use", ["error"], 0.1, 60)
        return str(attached.attachments[0]["device"])

    def detach(server: Any) -> None:
        cloud.compute.delete_volume_attachment(server.id, volume.id)
        cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.1, 60)

    device = attach(first)
    assert device == "/dev/vdb"
    by_id = f"/dev/disk/by-id/virtio-{volume.id[:20]}"
    script = (
        f"mkfs.ext4 -q {by_id}; mkdir -p /data; mount {device} /data; echo kept >/data/word; df -BM --output=size /data"
    )
    assert 900 < int(tenant.ssh(address, f"sudo sh -ec '{script}'").splitlines()[-1].strip().rstrip("M")) < 1024
    detach(first)  # while it is mounted
    gone = f"if test -e {device} || test -e {by_id} || mountpoint -q /data; then echo there; else echo gone; fi"
    assert tenant.ssh(address, gone) == "gone"
    device = attach(second)
    tenant.ssh(other, f"sudo sh -ec 'mkdir -p /data; mount {device} /data; grep kept /data/word'")
    cloud.compute.stop_server(second)
    tenant.settled(second, "SHUTOFF")
    assert tenant.try_ssh(other, "true").returncode == 255
    cloud.compute.start_server(second)
    tenant.settled(second)
    tenant.answers(other)
    tenant.ssh(other, f"sudo sh -ec 'mount {device} /data; grep kept /data/word; umount /data; grep from /root/marker'")
    detach(second)
    cloud.block_storage.extend_volume(volume, 2)
    # openstacksdk's own waiting would take the volume as it was before for one that is there already.
    until(lambda: cloud.block_storage.get_volume(volume.id).status != "extending", "extend")
    device = attach(first)
    size = tenant.ssh(address, f"sudo sh -ec 'e2fsck -fp {device} >/dev/null; resize2fs {device} 2>&1'")
    assert "524288 (4k) blocks" in size
    detach(first)
    assert not [file for file in loops() if volume.id in file]


def test_reboots_and_what_is_switched_off_from_inside(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    server, address = pair[0]
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = tenant.ssh(address, boot)

    def booted() -> bool:
        done = tenant.try_ssh(address, boot)
        return done.returncode == 0 and done.stdout.strip() != before

    for kind in ("SOFT", "HARD"):
        tenant.cloud.compute.reboot_server(server, kind)
        until(booted, f"{kind} reboot")
        tenant.settled(server)
        before = tenant.ssh(address, boot)
    tenant.ssh(address, "sudo reboot")
    until(booted, "reboot from inside")
    assert tenant.ssh(address, "sudo cat /root/marker; hostname; pgrep -c sshd").splitlines()[:2] == [
        "from-user-data",
        "one",
    ]
    tenant.ssh(address, "sudo poweroff")
    tenant.settled(server, "SHUTOFF")
    tenant.cloud.compute.start_server(server)
    tenant.settled(server)
    tenant.answers(address)


def test_a_resized_server_has_what_it_was_given(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    server, address = pair[1]
    cloud = tenant.cloud

    def memory() -> int:
        found = DockerSandbox().json("GET", f"/containers/server-{server.id}/json")
        return int(found["HostConfig"]["Memory"]) >> 20

    assert memory() == 512
    cloud.compute.resize_server(server, cloud.compute.find_flavor("m1.small"))
    tenant.settled(server, "VERIFY_RESIZE")
    tenant.answers(address)
    assert memory() == 2048
    cloud.compute.revert_server_resize(server)
    tenant.settled(server)
    tenant.answers(address)
    assert memory() == 512
    assert tenant.ssh(address, "hostname") == "two"


def test_a_snapshot_is_what_a_server_was_and_a_rebuild_begins_anew(tenant: Tenant) -> None:
    cloud = tenant.cloud
    server = tenant.settled(tenant.ask("mould"))
    address = tenant.reached(server)
    tenant.ssh(address, "echo cast >~/mark; sync")
    image = cloud.compute.create_server_image(server, "cast", wait=True, timeout=60)
    again = tenant.settled(tenant.ask("again", image_id=image.id))
    other = tenant.reached(again)
    assert tenant.ssh(other, "hostname; cat mark").split() == ["again", "cast"]
    key = tenant.ssh(address, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    assert tenant.ssh(other, "cat /etc/ssh/ssh_host_ed25519_key.pub") != key
    cloud.compute.rebuild_server(server, tenant.image)
    until(lambda: cloud.compute.get_server(server).status == "ACTIVE", "rebuild")
    tenant.forget_host_keys()
    tenant.answers(address)
    assert tenant.ssh(address, "ls") == ""
    for one in (server, again):
        cloud.compute.delete_server(one)
        cloud.compute.wait_for_delete(one, interval=INTERVAL, wait=60)
    cloud.image.delete_image(image)


def test_a_floating_ip_moves_and_goes(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    cloud = tenant.cloud
    # One behind a router of its own: this machine has to learn who has the address now.
    elsewhere = tenant.add_network("10.7.0.0/24", tenant.add_router())
    servers = [tenant.settled(one) for one in (tenant.ask("three"), tenant.ask("four", elsewhere))]
    floating = tenant.float(servers[0])
    address = floating.floating_ip_address
    assert cloud.network.get_ip(floating).status == "ACTIVE"
    command = [f"{tenant.folder}/bin/ssh", f"debian@{pair[0][1]}", "cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        for server in (*servers, servers[0]):
            cloud.network.update_ip(floating, port_id=None)
            cloud.network.update_ip(floating, port_id=tenant.port(server).id)
            tenant.forget_host_keys()
            tenant.answers(address)
            assert tenant.ssh(address, "hostname") == server.name
        # A connection through a router that changes for another address is not cut.
        assert held.communicate(b"still here", timeout=10)[0] == b"still here"
    cloud.network.update_ip(floating, port_id=None)
    assert cloud.network.get_ip(floating).status == "DOWN"
    assert tenant.try_ssh(address, "true").returncode == 255
    tenant.forget_host_keys()


def test_networks_are_apart_until_a_router_joins_them(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    cloud = tenant.cloud
    apart, joined = tenant.add_network("10.7.0.0/24"), tenant.add_network("10.8.0.0/24", tenant.router)
    # The same address as another server's, in a network of its own.
    taken = tenant.port(pair[0][0]).fixed_ips[0]["ip_address"]
    servers = [
        tenant.settled(one)
        for one in (
            tenant.ask("apart", networks=[{"uuid": apart.id, "fixed_ip": taken}]),
            tenant.ask("joined", joined),
        )
    ]
    address = tenant.reached(servers[1])
    assert tenant.ssh(address, f"exec 3<>/dev/tcp/{taken}/22; head -c4 <&3") == "SSH-"
    assert tenant.ssh(pair[0][1], "hostname") == "one", "the address is still the first server's in its own network"
    # A second interface into the one that was apart.
    port = cloud.compute.create_server_interface(servers[1].id, net_id=apart.id)
    fixed = port.fixed_ips[0]["ip_address"]
    until(lambda: fixed in tenant.ssh(address, "ip -4 -o addr show dev eth1 || true"), "no eth1")
    cloud.compute.delete_server_interface(port.port_id, servers[1].id)
    until(lambda: "eth1" not in tenant.ssh(address, "ip -o link"), "eth1 stays")


def test_security_groups_let_through_what_they_say(tenant: Tenant, pair: list[tuple[Any, str]]) -> None:
    cloud = tenant.cloud
    web, tools = (cloud.network.create_security_group(name=f"{name}-{tenant.word}") for name in ("web", "tools"))
    script = "#!/bin/sh\ncd /srv && echo hello >index.html && python3 -m http.server 80 >/dev/null 2>&1 &\n"
    server = tenant.settled(tenant.ask("guarded", script=script, security_groups=[{"name": web.name}]))
    fixed = tenant.port(server).fixed_ips[0]["ip_address"]
    address = tenant.float(server).floating_ip_address
    inside = pair[0][1]
    ask = f"timeout 1 bash -c 'exec 3<>/dev/tcp/{fixed}/80 && echo open' || echo closed"
    until(lambda: "runbook: user_data" in cloud.compute.get_server_console_output(server.id)["output"], "user_data")
    assert tenant.try_ssh(address, "true").returncode == 255
    assert tenant.ssh(inside, ask) == "closed", "also for its neighbours"
    tenant.let_in(web, protocol="tcp", port_range_min=22, port_range_max=22)
    tenant.answers(address)
    until(lambda: tenant.ssh(address, f"exec 3<>/dev/tcp/{fixed}/80; echo $?") == "0", "the web server")
    assert tenant.ssh(inside, ask) == "closed"
    # From the members of another group; being one is what opens it.
    rule = tenant.let_in(web, protocol="tcp", port_range_min=80, port_range_max=80, remote_group_id=tools.id)
    assert tenant.ssh(inside, ask) == "closed"
    cloud.compute.add_security_group_to_server(pair[0][0], tools)
    until(lambda: tenant.ssh(inside, ask) == "open", "a member is let in", 10)
    cloud.network.delete_security_group_rule(rule)
    until(lambda: tenant.ssh(inside, ask) == "closed", "the rule is gone", 10)
    cloud.compute.remove_security_group_from_server(pair[0][0], tools)
    # What it may send is a rule as well.
    for rule in cloud.network.security_group_rules(security_group_id=web.id, direction="egress"):
        cloud.network.delete_security_group_rule(rule)
    out = f"timeout 1 bash -c 'exec 3<>/dev/tcp/{tenant.port(pair[0][0]).fixed_ips[0]['ip_address']}/22 && echo open'"
    until(lambda: tenant.ssh(address, f"{out} || echo closed") == "closed", "nothing goes out", 15)
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=INTERVAL, wait=60)
    tenant.forget_host_keys()


def test_no_range_of_a_project_is_seen_by_this_machine(
    tenant: Tenant, sandbox: OpenStackSandbox, pair: list[tuple[Any, str]]
) -> None:
    """TRAPS, Sandbox 1: also where a project takes the range of this machine's own resolver or neighbours."""
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    resolvers = [line.split()[1] for line in lines if line.startswith("nameserver ") and ":" not in line]
    names = [*resolvers, "192.0.2.1", "10.96.0.10"]
    ways = {name: leftovers._run(["ip", "route", "get", name], os.environ) for name in names}
    before = routes()
    for name in names:
        cidr = f"{name.rpartition('.')[0]}.0/24"
        tenant.settled(tenant.ask("greedy", tenant.add_network(cidr, tenant.add_router())))
    # And the range of the floating IPs, with the address that this machine has there.
    public = sandbox.state["network"]
    mine = public.replace(".0/24", ".1")
    twin = tenant.add_network(public, gateway_ip=None)
    tenant.settled(tenant.ask("twin", networks=[{"uuid": twin.id, "fixed_ip": mine}]))
    tenant.forget_host_keys()
    assert tenant.ssh(pair[0][1], "hostname") == "one"
    assert {name: leftovers._run(["ip", "route", "get", name], os.environ) for name in names} == ways
    assert routes() == before
    assert sandbox.state["network"] in leftovers._run(["ip", "route"], os.environ)


def test_a_server_that_is_deleted_while_it_is_made_leaves_nothing(tenant: Tenant) -> None:
    cloud = tenant.cloud
    volume = cloud.block_storage.create_volume(name="held", size=1)
    cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.1, 60)
    whole, half = tenant.settled(tenant.ask("whole")), tenant.ask("half")
    cloud.compute.create_volume_attachment(whole.id, volume_id=volume.id)
    cloud.block_storage.wait_for_status(volume, "in-use", ["error"], 0.1, 60)
    assert [file for file in loops() if volume.id in file]
    for server in (whole, half):
        cloud.compute.delete_server(server)
    for server in (whole, half):
        cloud.compute.wait_for_delete(server, interval=INTERVAL, wait=60)
    cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.1, 60)
    names = [name for one in DockerSandbox().json("GET", "/containers/json?all=1") for name in one["Names"]]
    assert not [name for name in names if whole.id in name or half.id in name]
    assert not [file for file in loops() if volume.id in file]
