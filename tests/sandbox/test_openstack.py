"""The OpenStack of the sandbox comes up, is a cloud as any other, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml
from click.testing import CliRunner
from openstack.exceptions import ForbiddenException

from jupyter_runbook.cli import main
from jupyter_runbook.errors import BadInput, Conflict
from jupyter_runbook.sandbox.debian import unpacked
from jupyter_runbook.sandbox.openstack import OpenStackSandbox, database, install, processes
from jupyter_runbook.sandbox.openstack.config import ADMIN, CLOUD, LINK, PORTS
from tests.bench import ends
from tests.engine import leavings as engine_leavings
from tests.openstack import administer, connect, loops
from tests.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.sandbox.docker import DockerSandbox
    from tests.engine import Engine
    from tests.openstack import Cloud

pytestmark = pytest.mark.machine


@pytest.fixture
def sandbox(sandbox_cloud: Cloud) -> OpenStackSandbox:
    return sandbox_cloud.free()


def command(*words: str) -> str:
    done = CliRunner().invoke(main, ["sandbox", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def leavings(sandbox: OpenStackSandbox) -> dict[str, Any]:
    """Return what a cloud could leave on this machine."""
    return {
        "links": {link.name for link in Path("/sys/class/net").iterdir()},
        # The engine's own come and go with its containers.
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if "/docker/" not in line],
        "routes": Path("/proc/net/route").read_text(),
        "processes": sorted(processes.running(sandbox.folder)),
        # Under any name: of what it starts, each has the folder among its words or in its environment.
        "strays": [one.pid for one in psutil.process_iter() if str(sandbox.folder) in words(one)],
        "loops": loops(),
        "folder": sandbox.folder.exists(),
    }


def typed(process: psutil.Process) -> str:
    """Return what everybody on the machine can read of a process."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def words(process: psutil.Process) -> str:
    try:
        return " ".join([typed(process), *process.environ().values()])
    except psutil.Error:
        return ""


def test_a_first_server_in_a_new_cloud(sandbox: OpenStackSandbox) -> None:
    before = leavings(sandbox)
    assert "openstack: down\n" in command("status")
    assert command("up", "openstack").startswith("openstack: up")
    exports = dict(line.removeprefix("export ").split("=", 1) for line in command("env", "openstack").splitlines())
    assert exports == {"OS_CLIENT_CONFIG_FILE": str(sandbox.clouds), "OS_CLOUD": CLOUD}
    shown = command("status", "openstack")
    assert f"clouds: {CLOUD} (a project's member) and {ADMIN}, in {sandbox.clouds}" in shown
    assert "servers: " in shown
    assert "not running" not in shown

    running = {name: one.pid for name, one in processes.running(sandbox.folder).items()}
    assert set(running) == {"database", *PORTS}
    command("up", "openstack")
    assert {name: one.pid for name, one in processes.running(sandbox.folder).items()} == running, "what is up stays"
    passwords = sandbox.state["passwords"]
    assert len(set(passwords.values())) == len(passwords) == 3, "each account has its own"
    assert min(map(len, passwords.values())) > 20
    lines = [typed(one) for one in psutil.process_iter()]
    assert not [line for line in lines if any(one in line for one in passwords.values())]
    clouds = yaml.safe_load(sandbox.clouds.read_text())["clouds"]
    assert clouds[CLOUD]["auth"]["password"] == passwords["demo"]
    assert clouds[ADMIN]["auth"]["password"] == passwords["admin"]
    assert sandbox.folder.stat().st_mode & 0o077 == 0
    for path in (sandbox.clouds, sandbox.folder / "state.json", sandbox.folder / "etc/nova/nova.conf"):
        assert path.stat().st_mode & 0o077 == 0, path
    listening = {one.laddr.ip for pid in running.values() for one in psutil.Process(pid).net_connections("inet")}
    assert listening == {"127.0.0.1"}

    with connect(sandbox) as cloud:
        network = cloud.network.create_network(name="first")
        cloud.network.create_subnet(name="first", network_id=network.id, ip_version=4, cidr="10.7.0.0/24")
        server = cloud.compute.create_server(
            name="first",
            image_id=cloud.image.find_image("debian", ignore_missing=False).id,
            flavor_id=cloud.compute.find_flavor("m1.tiny", ignore_missing=False).id,
            networks=[{"uuid": network.id}],
        )
        assert cloud.compute.wait_for_server(server, wait=60, interval=0.2).status == "ACTIVE"
        outside = cloud.network.find_network("public", ignore_missing=False)
        floating = cloud.network.create_ip(floating_network_id=outside.id)
        assert floating.floating_ip_address.startswith(sandbox.state["network"].rpartition(".")[0])
        with pytest.raises(ForbiddenException):
            cloud.compute.create_flavor(name="mine", ram=1, vcpus=1, disk=1)
    with administer(sandbox) as cloud:
        assert cloud.compute.create_flavor(name="mine", ram=1, vcpus=1, disk=1)
        assert {one.state for one in cloud.block_storage.services()} == {"up"}
    command("down", "openstack")
    assert leavings(sandbox) == before
    command("down", "openstack")  # nothing to do


@pytest.mark.parametrize("last", ["switch.connect", "database.start", "processes.serve", "config.clouds"])
def test_what_a_killed_up_left_is_taken_away(sandbox: OpenStackSandbox, last: str) -> None:
    before = leavings(sandbox)
    room, name = last.split(".")
    script = (
        "import os, signal\n"
        "from jupyter_runbook.sandbox.openstack import OpenStackSandbox, sandbox\n"
        f"done = sandbox.{last}\n"
        "def last(*given):\n"
        "    done(*given)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"sandbox.{room}.{name} = last\n"
        "OpenStackSandbox().up()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert leavings(sandbox) != before
    with pytest.raises(BadInput, match="the openstack sandbox is down"):
        sandbox.env()
    sandbox.down()
    assert leavings(sandbox) == before


def installed() -> tuple[Path, Path]:
    """Make what a cloud is made from, where that is not there yet: its database's packages, and OpenStack's."""
    return unpacked("openstack-database", database.PACKAGES, print), install.interpreter(print)


def cache_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a cache that has all but the databases."""
    cache = folder / "jupyter-runbook"
    cache.mkdir(parents=True)
    for kept in installed():
        (cache / kept.name).symlink_to(kept)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return cache


def test_what_a_killed_install_left_is_no_hindrance(sandbox: OpenStackSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill it while it makes the databases: the next one ends their server, and takes what it had written away."""
    with tempfile.TemporaryDirectory() as folder:
        killed_install(sandbox, cache_in(Path(folder), monkeypatch))


def killed_install(sandbox: OpenStackSandbox, cache: Path) -> None:
    script = (
        "import os, signal\n"
        "from jupyter_runbook.sandbox.openstack import OpenStackSandbox, install\n"
        "install._fill = lambda _layout: os.kill(os.getpid(), signal.SIGKILL)\n"
        "OpenStackSandbox().up()\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    (left,) = cache.glob(".openstack-made-*")
    (server,) = [one for one in psutil.process_iter() if one.name() == "mariadbd" and str(left) in words(one)]
    with install._scratch() as scratch:
        assert list(cache.glob(".openstack-made-*")) == [scratch]
        assert ends(server.pid)
        with pytest.raises(Conflict, match="another sandbox installs OpenStack"), install._scratch():
            pass
    assert not sandbox.folder.exists()


def test_a_path_too_long_for_a_socket_is_said_to_be(
    sandbox: OpenStackSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = leavings(sandbox)
    monkeypatch.setenv("RUNBOOK_SANDBOX", str(tmp_path / ("long" * 25) / "sandbox"))
    with pytest.raises(BadInput, match="is too long a path for the database's socket"):
        OpenStackSandbox().up()
    assert not list(tmp_path.iterdir())
    assert leavings(sandbox) == before


def test_fakes_without_an_engine_and_down_takes_the_servers_and_nothing_else(
    sandbox: OpenStackSandbox, docker_engine: Engine, tmp_path: Path
) -> None:
    """TRAPS, Sandbox 2 and 3: with servers, disks and routers there, on an engine that has something of its own."""
    docker = docker_engine.free()
    before = {**engine_leavings(), **leavings(sandbox)}
    sandbox.up()
    assert "fakes: nothing runs in them; sandbox up docker openstack" in command("status", "openstack")
    with connect(sandbox) as cloud:
        tenant = Tenant(cloud, tmp_path)
        fake = tenant.settled(tenant.ask("fake"))
        docker.up()
        mine = docker.json("POST", "/containers/create", {"Image": "busybox:latest", "Cmd": ["sleep", "1000"]})
        docker.call("POST", f"/containers/{mine['Id']}/start")
        engine = on(docker)
        sandbox.up()
        assert "containers on the docker sandbox's engine, 0 running" in command("status", "openstack")
        cloud.compute.stop_server(fake)
        tenant.settled(fake, "SHUTOFF")
        server = tenant.settled(tenant.ask("real"))
        address = tenant.reached(server)
        volume = cloud.block_storage.create_volume(name="left", size=1)
        cloud.block_storage.wait_for_status(volume, "available", ["error"], 0.1, 60)
        cloud.compute.create_volume_attachment(server.id, volume_id=volume.id)
        cloud.block_storage.wait_for_status(volume, "in-use", ["error"], 0.1, 60)
        tenant.ssh(address, "sudo sh -ec 'mkfs.ext4 -q /dev/vdb; mount /dev/vdb /mnt'")
        cloud.compute.create_server_image(server, "left", wait=True, timeout=60)
    assert "1 running" in command("status", "openstack")
    assert loops() != before["loops"]
    sandbox.down()
    assert on(docker) == engine
    assert docker.json("GET", f"/containers/{mine['Id']}/json")["State"]["Running"]
    docker.down()
    assert {**engine_leavings(), **leavings(sandbox)} == before


def on(docker: DockerSandbox) -> dict[str, Any]:
    """Return what there is on an engine."""
    return {
        "containers": [one["Id"] for one in docker.json("GET", "/containers/json?all=1")],
        "images": sorted(one["Id"] for one in docker.json("GET", "/images/json?all=1")),
        "volumes": docker.json("GET", "/volumes")["Volumes"],
        "networks": sorted(one["Name"] for one in docker.json("GET", "/networks")),
    }


@pytest.mark.usefixtures("sandbox")
def test_env_of_one_that_is_down_is_an_error() -> None:
    done = CliRunner().invoke(main, ["sandbox", "env", "openstack"])
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "error: the openstack sandbox is down",
        "→ jupyter runbook sandbox up openstack",
    ]


@pytest.fixture
def crowded(sandbox_cloud: Cloud) -> OpenStackSandbox:
    """Return a cloud that came up while a port and a range that it would have taken were somebody else's.

    It is for the last tests here, and stays up for those of other modules.
    """
    sandbox = sandbox_cloud.sandbox
    # Tests share it, for each `up` takes its time: where one has come up so, it is as good.
    if sandbox.status() is None or sandbox.state["ports"]["placement"] == PORTS["placement"]:
        sandbox_cloud.free()
        with socket.create_server(("127.0.0.1", PORTS["placement"])), real_route(TAKEN):
            sandbox.up()
    return sandbox


#: Where the range of addresses would be taken from.
TAKEN = "172.30.9.0/24"


@contextmanager
def real_route(network: str) -> Iterator[None]:
    """Put a real route there, for as long as the block."""
    ip = shutil.which("ip")
    assert ip
    subprocess.run([ip, "route", "add", "unreachable", network], check=True)
    try:
        yield
    finally:
        subprocess.run([ip, "route", "delete", "unreachable", network], check=True)


def test_a_port_that_is_taken_is_left_to_who_has_it(crowded: OpenStackSandbox) -> None:
    assert crowded.state["ports"]["placement"] != PORTS["placement"]
    with administer(crowded) as cloud:
        assert cloud.placement.get("/resource_providers").json()["resource_providers"]
    # It has been let go since, and nobody has taken it.
    socket.create_server(("127.0.0.1", PORTS["placement"])).close()


def test_the_range_of_floating_ips_is_chosen_by_looking(
    crowded: OpenStackSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRAPS, Sandbox 1."""
    assert not crowded.state["network"].startswith("172.30.")
    assert crowded.state["network"] in command("status", "openstack")
    # TRAPS, Sandbox 3: another sandbox, by another folder, touches nothing of this one's.
    monkeypatch.setenv("RUNBOOK_SANDBOX", str(crowded.folder.parent.parent / "another"))
    another = OpenStackSandbox()
    with pytest.raises(Conflict, match=f"a link {LINK} that is not of this sandbox"):
        another.up()
    another.down()
    assert not crowded._missing()


def test_a_service_that_died_comes_up_again_with_what_the_cloud_had(crowded: OpenStackSandbox) -> None:
    sandbox = crowded
    with connect(sandbox) as cloud:
        cloud.compute.create_keypair(name="kept")
        running = processes.running(sandbox.folder)
        for name in ("nova", "database"):
            os.kill(running[name].pid, signal.SIGKILL)
            assert ends(running[name].pid)
        assert "not running: database, nova; sandbox up openstack starts them" in command("status", "openstack")
        sandbox.up()
        again = processes.running(sandbox.folder)
        assert again["neutron"].pid == running["neutron"].pid
        assert cloud.compute.find_keypair("kept")
        cloud.compute.delete_keypair("kept")


def test_a_port_that_was_taken_meanwhile_is_left_to_who_has_it(crowded: OpenStackSandbox) -> None:
    """As after the machine was started again, where something else came up first."""
    had = crowded.state["ports"]
    with connect(crowded) as cloud:
        cloud.compute.create_keypair(name="kept")
    keystone = processes.running(crowded.folder)["keystone"].pid
    os.kill(keystone, signal.SIGKILL)
    assert ends(keystone)
    with socket.create_server(("127.0.0.1", had["keystone"])):
        command("up", "openstack")
    ports = crowded.state["ports"]
    assert ports["keystone"] != had["keystone"]
    assert {**ports, "keystone": 0} == {**had, "keystone": 0}, "the others stay where they were"
    with connect(crowded) as cloud:
        assert cloud.compute.find_keypair("kept")
        cloud.compute.delete_keypair("kept")
        assert f":{had['keystone']}/" not in json.dumps(cloud.service_catalog)
