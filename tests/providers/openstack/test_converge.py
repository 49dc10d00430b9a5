"""Cells of %%os on the sandbox: changed, then ok; a difference is planned; what shall be gone goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from jupyter_runbook.record import Status
from jupyter_runbook.sandbox.openstack import OpenStackSandbox
from tests.providers.openstack.lab import told

if TYPE_CHECKING:
    import pytest

    from tests.providers.openstack.lab import Lab

NETWORKS = """
security_groups:
  - name: web
    description: what the web needs
    rules:
      - {protocol: tcp, port_range_min: 22, port_range_max: 22}
      - {protocol: icmp, remote_ip_prefix: 10.0.0.0/8}
networks:
  - {name: back, mtu: 1400, tags: [lab]}
subnets:
  - {name: back, network: back, cidr: 10.9.0.0/24, dns_nameservers: [9.9.9.9]}
routers:
  - {name: out, external_gateway: public, interfaces: [back]}
"""


def test_networks_are_made_changed_and_taken_away(lab: Lab) -> None:
    before = lab.there()
    record = lab.up(NETWORKS)
    assert told(record) == dict.fromkeys(
        ["security group web", "network back", "subnet back", "router out"], ("create", "is not there")
    )
    changed = NETWORKS.replace("mtu: 1400", "mtu: 1300").replace("port_range_max: 22", "port_range_max: 23")
    changed = changed.replace("interfaces: [back]", "interfaces: []").replace("tags: [lab]", "tags: [lab, more]")
    planned = lab.run(changed, "--check")
    assert planned.status is Status.PLANNED
    assert {row.resource: row.reason for row in planned.changes if str(row.action) != "no-op"} == {
        "security group web": "rules",
        "network back": "mtu, tags",
        "router out": "interfaces",
    }
    lab.up(changed)
    [network] = lab.cloud.network.networks(name="back")
    assert (network.mtu, sorted(network.tags)) == (1300, ["lab", "more"])
    lab.up(changed, "--absent")
    assert lab.there() == before


SERVERS = """
keypairs:
  - {name: lab, private_key_file: key}
security_groups:
  - name: web
    rules: [{protocol: tcp, port_range_min: 22, port_range_max: 22}]
networks: [{name: back, mtu: 1400}]
subnets: [{name: back, network: back, cidr: 10.9.0.0/24}]
routers: [{name: out, external_gateway: public, interfaces: [back]}]
volumes: [{name: data, size: 1}]
servers:
  - name: web1
    image: debian
    flavor: m1.tiny
    key_name: lab
    networks: [back]
    security_groups: [web]
    floating_ip: true
    volumes: [data]
    metadata: {tier: web}
  - {name: web2, image: debian, flavor: m1.tiny, networks: [{network: back, fixed_ip: 10.9.0.77}], floating_ip: true}
"""


def test_servers_with_all_that_they_need(lab: Lab) -> None:
    before = lab.there()
    record = lab.up(SERVERS)
    assert len(record.changes) == 8
    assert {str(row.action) for row in record.changes} == {"create"}
    key = lab.bench.root / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" in key.read_text()
    assert "PRIVATE KEY" not in lab.bench.session.journal.path.read_text()
    there = lab.there()
    assert (there["servers"], len(there["floating IPs"])) == (["web1", "web2"], 2)
    servers = {one.name: one for one in lab.cloud.compute.servers()}
    assert "10.9.0.77" in str(servers["web2"].addresses)
    assert servers["web1"].metadata == {"tier": "web"}
    [volume] = lab.cloud.block_storage.volumes()
    assert [one["server_id"] for one in volume.attachments] == [servers["web1"].id]

    larger = SERVERS.replace("flavor: m1.tiny\n    key_name", "flavor: m1.small\n    key_name")
    refused = lab.run(larger)
    assert refused.status is Status.FAILED
    assert refused.error
    assert refused.name == "keypair lab and 7 more"
    assert (refused.error.kind, refused.error.message) == (
        "not-approved",
        "server web1 would be replaced: flavor; volumes, floating ip come along",
    )
    assert {one.name: one.id for one in lab.cloud.compute.servers()} == {name: one.id for name, one in servers.items()}
    address = next(
        one.floating_ip_address for one in lab.cloud.network.ips() if one.port_id in ports(lab, servers["web1"])
    )
    replaced = lab.up(larger, "--allow-replace")
    assert {row.resource: str(row.action) for row in replaced.changes if str(row.action) != "no-op"} == {
        "server web1": "replace"
    }
    again = {one.name: one for one in lab.cloud.compute.servers()}
    assert again["web2"].id == servers["web2"].id
    assert again["web1"].id != servers["web1"].id
    # TRAPS, OpenStack 10: what it had comes back on the new one.
    assert address in str(lab.cloud.compute.get_server(again["web1"].id).addresses)
    [volume] = lab.cloud.block_storage.volumes()
    assert [one["server_id"] for one in volume.attachments] == [again["web1"].id]
    lab.up(larger, "--absent")
    assert lab.there() == before


def ports(lab: Lab, server: Any) -> set[str]:
    return {one.id for one in lab.cloud.network.ports(device_id=server.id)}


def test_ports_and_server_groups(lab: Lab) -> None:
    before = lab.there()
    body = """
networks: [{name: back, mtu: 1400}]
subnets: [{name: back, network: back, cidr: 10.9.0.0/24}]
security_groups: [{name: web, description: x}]
ports:
  - {name: front, network: back, fixed_ips: [{subnet: back, ip_address: 10.9.0.50}], security_groups: [web]}
server_groups: [{name: apart, policy: soft-anti-affinity}]
servers: [{name: a, image: debian, flavor: m1.tiny, networks: [{port: front}], server_group: apart, tags: [x, y]}]
"""
    lab.up(body)
    [server] = lab.cloud.compute.servers()
    assert "10.9.0.50" in str(server.addresses)
    assert sorted(server.tags) == ["x", "y"]
    [group] = lab.cloud.compute.server_groups()
    assert group.member_ids == [server.id]
    lab.up(body.replace("tags: [x, y]", "tags: [z]"))
    assert lab.cloud.compute.get_server(server.id).tags == ["z"]
    # TRAPS, OpenStack 10: its fixed port is the new one's, and so is what the cell no longer says.
    larger = body.replace(", tags: [x, y]", "").replace("m1.tiny", "m1.small")
    digest = lab.run(larger, "--check").plan_digest
    record = lab.run(larger, f"--confirm --plan {digest}")
    assert record.status is Status.CHANGED, record.error
    [change] = [row for row in record.changes if row.action != "no-op"]
    assert (change.action, change.reason) == ("replace", "flavor; security groups, tags, networks come along")
    [server] = lab.cloud.compute.servers()
    assert ("10.9.0.50" in str(server.addresses), server.tags) == (True, ["z"])
    assert lab.run(larger).status is Status.OK
    lab.up(larger, "--absent")
    assert lab.there() == before


def test_a_flavor_is_made_by_the_administrator_alone(lab: Lab) -> None:
    body = "flavors: [{name: lab.nano, ram: 128, vcpus: 1, disk: 1}]"
    refused = lab.run(body)
    assert refused.status is Status.FAILED
    assert refused.error
    assert refused.error.kind == "denied"
    lab.up(body, "--cloud sandbox-admin")
    lab.up(body, "--cloud sandbox-admin --absent")


def test_a_keypair_is_replaced_without_asking(lab: Lab) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIt0Yb1UvHjPAG6HPqvmW2M6xTF8xHn0aYh5a9o4Ffes"
    body = f"keypairs: [{{name: k, public_key: {key}}}]"
    lab.up(body)
    other = body.replace("Ffes", "Ffet")
    # A keypair holds nothing that can't be had again.
    assert [str(row.action) for row in lab.up(other).changes] == ["replace"]


def test_errors_that_people_meet(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "networks: [{name: back, mtu: 1400}]"
    record = lab.run(body, "--cloud nope")
    assert record.error
    assert (record.error.kind, record.error.message) == ("invalid-spec", "no such cloud: Cloud nope was not found.")
    known = yaml.safe_load(OpenStackSandbox().clouds.read_text())["clouds"]["sandbox"]
    wrong = {**known, "auth": {**known["auth"], "password": "wrong"}}
    away = {**known, "auth": {**known["auth"], "auth_url": "http://127.0.0.1:9/v3"}}
    clouds = lab.bench.root / "clouds.yaml"
    clouds.write_text(yaml.safe_dump({"clouds": {"wrong": wrong, "away": away}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    for name, kind in (("wrong", "auth"), ("away", "unreachable")):
        record = lab.run(body, f"--cloud {name}")
        assert record.error
        assert record.error.kind == kind
        assert record.error.hint
        assert len(record.error.message.splitlines()) == 1


def test_no_volume_shrinks(lab: Lab) -> None:
    body = "volumes: [{name: data, size: 2}]"
    lab.up(body)
    [before] = lab.cloud.block_storage.volumes()
    smaller = body.replace("2", "1")
    record = lab.run(smaller)
    assert record.error
    assert record.error.message == "volume data would be replaced: size"
    lab.up(smaller, "--allow-replace")
    [after] = lab.cloud.block_storage.volumes()
    assert (after.size, after.id != before.id) == (1, True)
