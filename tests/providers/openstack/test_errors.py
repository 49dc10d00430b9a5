"""Errors that people meet, each by the real service: one clear line with a hint, and nothing made that is not told."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jupyter_runbook.providers.openstack import quotas
from jupyter_runbook.record import Status
from jupyter_runbook.sandbox.openstack import OpenStackSandbox
from tests.openstack import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.record import ErrorRecord
    from tests.providers.openstack.lab import Lab

NET = "networks: [{name: back, mtu: 1400}]\n"
SUBNET = NET + "subnets: [{name: back, network: back, cidr: 10.9.0.0/24}]\n"


@pytest.fixture
def clouds(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Return entries for clouds.yaml, each of which something is wrong with; they are the only ones."""
    known = yaml.safe_load(OpenStackSandbox().clouds.read_text())["clouds"]["sandbox"]
    entries = {
        "password": {**known, "auth": {**known["auth"], "password": "wrong"}},
        "keystone": {**known, "auth": {**known["auth"], "auth_url": "http://127.0.0.1:9/v3"}},
        "neutron": {**known, "network_endpoint_override": "http://127.0.0.1:9"},
        "region": {**known, "region_name": "Elsewhere"},
        "empty": {},
    }
    path = lab.bench.root / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": entries}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    monkeypatch.delenv("OS_CLOUD")
    return entries


def failed(lab: Lab, body: str, line: str = "") -> ErrorRecord:
    """Return the error of a cell, which has a line of its own and a hint."""
    error = lab.run(body, line).error
    assert error
    assert len(error.message.splitlines()) == 1
    assert error.hint, error.message
    for word in ("<html", "Client Error for url", "Traceback", "HTTPConnectionPool"):
        assert word not in f"{error.message} {error.hint}"
    return error


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("--cloud nope", "invalid-spec", "no such cloud: Cloud nope was not found."),
        ("", "invalid-spec", "no cloud is named, or its entry is not whole"),
        ("--cloud empty", "invalid-spec", "no cloud is named, or its entry is not whole"),
        ("--cloud password", "auth", "the cloud refuses the credentials"),
        ("--cloud keystone", "unreachable", "the cloud does not answer"),
        ("--cloud neutron", "unreachable", "the cloud does not answer"),
        ("--cloud region", "invalid-spec", "its entry in clouds.yaml does not do: Service 'network'"),
    ],
)
@pytest.mark.usefixtures("clouds")
def test_a_cloud_that_can_not_be_used(
    lab: Lab, line: str, kind: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    error = failed(lab, NET, line)
    assert capfd.readouterr().err == ""
    assert (error.kind, error.message[: len(message)]) == (kind, message)
    assert lab.there()["networks"] == []


def test_an_entry_that_was_mended_is_read_anew(lab: Lab, clouds: dict[str, dict[str, Any]]) -> None:
    assert failed(lab, NET, "--cloud password").kind == "auth"
    mended = {**clouds["password"], "auth": clouds["neutron"]["auth"]}
    (lab.bench.root / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"password": mended}}))
    assert lab.run(NET, "--cloud password --check").status is Status.PLANNED


def test_a_service_that_never_answers_holds_nobody_up(lab: Lab, clouds: dict[str, dict[str, Any]]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        entry = {**clouds["password"], "auth": clouds["neutron"]["auth"]}
        entry["network_endpoint_override"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        told = {"stopped": entry, "slow": {**entry, "api_timeout": 0.5}}
        (lab.bench.root / "clouds.yaml").write_text(yaml.safe_dump({"clouds": told}))
        begun = time.monotonic()
        error = failed(lab, NET, "--cloud stopped --timeout 2")
        assert (error.kind, error.message) == ("timeout", "it took longer than 2 s")
        assert time.monotonic() - begun < 4
        assert failed(lab, NET, "--cloud slow").kind == "unreachable"


def test_no_clouds_yaml_at_all(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(lab.bench.root / "nowhere.yaml"))
    error = failed(lab, NET, "--cloud sandbox")
    assert (error.kind, error.message) == ("invalid-spec", "no such cloud: Cloud sandbox was not found.")
    assert "clouds.yaml is looked for here" in str(error.hint)


@pytest.mark.parametrize(
    "body",
    [
        "flavors: [{name: lab.nano, ram: 128, vcpus: 1}]",
        "networks: [{name: back, is_shared: true}]",
        "users: [{name: x, email: a@example.org}]",
        "floating_ips: [{floating_ip_address: 172.30.0.200, floating_network: public}]",
    ],
)
def test_what_only_an_administrator_may(lab: Lab, body: str) -> None:
    assert failed(lab, body).kind == "denied"


@pytest.fixture
def full(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fill every quota, and let nobody look at it before: who asks at the same moment is told by the service alone."""
    monkeypatch.setattr(quotas, "room_of", lambda _cloud, _services: {})
    project = lab.cloud.current_project_id
    with connect(OpenStackSandbox(), "sandbox-admin") as known:
        admin: Any = known
        admin.compute.update_quota_set(project, instances=0, key_pairs=0)
        admin.block_storage.update_quota_set(project, volumes=0)
        admin.network.update_quota(project, networks=0, floating_ips=0)
        yield
        admin.compute.revert_quota_set(project)
        admin.block_storage.revert_quota_set(project)
        admin.network.delete_quota(project)


@pytest.mark.parametrize(
    "body",
    [
        "servers: [{name: a, image: debian, flavor: m1.tiny, networks: [public]}]",
        "keypairs: [{name: a, private_key_file: key}]",
        "volumes: [{name: a, size: 1}]",
        NET,
        "floating_ips: [{description: a, floating_network: public}]",
    ],
)
@pytest.mark.usefixtures("full")
def test_a_quota_that_a_service_says_is_full(lab: Lab, body: str) -> None:
    """TRAPS, OpenStack 11: 403 from Nova, 413 from Cinder, 409 from Neutron."""
    error = failed(lab, body)
    assert (error.kind, error.message.partition(":")[0]) == ("denied", "the quota does not allow it")


def test_two_of_a_name_are_told_with_their_ids(lab: Lab) -> None:
    """TRAPS, OpenStack 1."""
    made = [lab.cloud.network.create_network(name="back").id for _ in range(2)]
    for body, line in ((NET, ""), (SUBNET, ""), ("networks: [back]", "--absent")):
        error = failed(lab, body, line)
        assert error.kind == "conflict"
        assert all(one in error.message for one in made)
    assert len(lab.there()["networks"]) == 2
    lab.up(f"networks: ['{made[0]}']", "--absent")
    assert [one.id for one in lab.cloud.network.networks(name="back")] == made[1:]


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("image: debain, flavor: m1.tiny", "there is no image debain in sandbox", "did you mean debian?"),
        ("image: debian, flavor: m1.tniy", "there is no flavor m1.tniy in sandbox", "did you mean m1.tiny"),
        ("image: debian, flavor: huge", "there is no flavor huge in sandbox", "there is m1.large, m1.medium"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_names(lab: Lab, body: str, message: str, hint: str) -> None:
    error = failed(lab, f"servers:\n  - {{name: a, {body}}}")
    assert error.kind == "invalid-spec"
    assert error.message == f"line 3: {message}"
    assert str(error.hint).startswith(hint)
    assert lab.there()["servers"] == []


def test_a_network_in_use_stays(lab: Lab) -> None:
    lab.up(SUBNET)
    [network] = lab.cloud.network.networks(name="back")
    port = lab.cloud.network.create_port(network_id=network.id)
    error = failed(lab, "networks: [back]", "--absent")
    assert error.kind == "conflict"
    assert port.id in error.message
    assert lab.there()["networks"] == ["back"]


def test_a_pool_that_is_used_up(lab: Lab) -> None:
    body = f"""{NET}
subnets:
  - name: back
    network: back
    cidr: 10.9.0.0/24
    is_dhcp_enabled: false
    allocation_pools: [{{start: 10.9.0.10, end: 10.9.0.10}}]
ports: [{{name: a, network: back}}, {{name: b, network: back}}]
"""
    error = failed(lab, body)
    assert error.kind == "partial"
    assert "No more IP addresses available" in error.message
    assert "subnet" in str(error.hint)


def test_another_servers_floating_ip_is_never_taken(lab: Lab) -> None:
    """TRAPS, OpenStack 7; and a second run allocates none."""
    body = f"""{SUBNET}
routers: [{{name: out, external_gateway: public, interfaces: [back]}}]
servers:
  - {{name: a, image: debian, flavor: m1.tiny, networks: [back], floating_ip: true}}
"""
    lab.up(body)
    [one] = lab.cloud.network.ips()
    other = "  - {name: b, image: debian, flavor: m1.tiny, networks: [back], floating_ip: %s}\n"
    error = failed(lab, body + other % one.floating_ip_address)
    assert f"the floating IP {one.floating_ip_address} is in use" in error.message
    [still] = lab.cloud.network.ips()
    assert still.port_id == one.port_id
