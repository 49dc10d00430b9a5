"""What is to be done, from what a cell says and what a cloud has: as data."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_runbook.errors import Conflict, InvalidSpec
from jupyter_runbook.plan import Action
from jupyter_runbook.providers.openstack.planning import Planner
from jupyter_runbook.providers.openstack.state import CloudState, kinds_needed
from tests.providers.openstack.test_body import read

BACK = {"id": "n1", "name": "back", "mtu": 1450, "is_shared": False}
SUBNET = {"id": "s1", "name": "back", "network_id": "n1", "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1"}
ROUTER = {"id": "r1", "name": "out", "external_gateway_info": {"network_id": "n9", "enable_snat": True}}
INTERFACE = {
    "id": "p1",
    "device_id": "r1",
    "device_owner": "network:router_interface",
    "network_id": "n1",
    "fixed_ips": [{"subnet_id": "s1", "ip_address": "10.0.0.1"}],
}
SERVER = {
    "id": "v1",
    "name": "web",
    "status": "ACTIVE",
    "image": {"id": "i1"},
    "flavor": {"original_name": "small"},
    "key_name": "k",
    "metadata": {},
}
PORT = {
    "id": "p2",
    "device_id": "v1",
    "device_owner": "compute:nova",
    "network_id": "n1",
    "fixed_ips": [{"subnet_id": "s1", "ip_address": "10.0.0.7"}],
    "security_group_ids": ["g1"],
}
CLOUD: dict[str, tuple[dict[str, Any], ...]] = {
    "networks": (BACK, {"id": "n9", "name": "public"}),
    "subnets": (SUBNET,),
    "routers": (ROUTER,),
    "ports": (INTERFACE, PORT),
    "servers": (SERVER,),
    "images": ({"id": "i1", "name": "debian"}, {"id": "i2", "name": "fedora"}),
    "flavors": ({"id": "f1", "name": "small"}, {"id": "f2", "name": "large"}),
    "security_groups": ({"id": "g1", "name": "web"},),
    "keypairs": ({"id": "k", "name": "k"},),
    "floating_ips": ({"id": "a1", "port_id": "p2", "floating_ip_address": "172.30.0.9"},),
}

# What the server has beside itself.
ALONG = {"key_name": "k", "security_groups": ["web"], "floating_ip": "172.30.0.9"}


def planned(body: str, lists: dict[str, Any] | None = None, *, absent: bool = False) -> dict[str, Any]:
    state = CloudState("lab", CLOUD if lists is None else lists)
    operations = Planner(read(body, absent=absent), state).operations()
    return {one.change.resource: one.change for one in operations}


@pytest.mark.parametrize(
    ("body", "action", "before", "after"),
    [
        ("networks: [{name: back, mtu: 1450}]", Action.NO_OP, None, None),
        ("networks: [back]", Action.NO_OP, None, None),
        ("networks: [{name: back, mtu: 1400}]", Action.UPDATE, {"mtu": 1450}, {"mtu": 1400}),
        ("networks: [{name: front, mtu: 1400}]", Action.CREATE, None, {"mtu": 1400}),
        ("subnets: [{name: back, network: back, cidr: 10.0.0.0/24}]", Action.NO_OP, None, None),
        ("subnets: [{name: back, network: n1, cidr: 10.0.0.0/24}]", Action.NO_OP, None, None),
        (
            "subnets: [{name: back, network: public, cidr: 10.0.0.0/24}]",
            Action.REPLACE,
            {"network": "back"},
            {"network": "public"},
        ),
        ("routers: [{name: out, external_gateway: public, interfaces: [back]}]", Action.NO_OP, None, None),
        ("routers: [{name: out, interfaces: []}]", Action.UPDATE, {"interfaces": ["back"]}, {"interfaces": []}),
        (
            "routers: [{name: out, external_gateway: null}]",
            Action.UPDATE,
            {"external_gateway": "public"},
            {"external_gateway": None},
        ),
        ("servers: [{name: web, image: debian, flavor: small, key_name: k}]", Action.NO_OP, None, None),
        ("servers: [{name: web, flavor: small, security_groups: [web]}]", Action.NO_OP, None, None),
        (
            "servers: [{name: web, image: debian, flavor: large}]",
            Action.REPLACE,
            {"flavor": "small", **ALONG},
            {"flavor": "large", **ALONG},
        ),
        (
            "servers: [{name: web, image: fedora, flavor: small}]",
            Action.REPLACE,
            {"image": "debian", **ALONG},
            {"image": "fedora", **ALONG},
        ),
    ],
)
def test_one_resource(body: str, action: Action, before: Any, after: Any) -> None:
    [change] = planned(body).values()
    assert (change.action, change.before, change.after) == (action, before, after)


def test_what_is_made_comes_after_what_it_refers_to() -> None:
    changes = planned(
        "servers:\n  - {name: a, image: debian, flavor: small, networks: [new], security_groups: [own]}\n"
        "routers: [{name: r, external_gateway: public, interfaces: [new]}]\n"
        "subnets: [{name: new, network: new, cidr: 10.9.0.0/24}]\n"
        "networks: [{name: new, mtu: 1400}]\n"
        "security_groups:\n  - {name: own, rules: [{protocol: tcp, remote_group: own}]}\n"
    )
    # A server comes after its network's subnets, and its floating IP after the router.
    assert changes["server a"].needs == ("network new", "security group own", "router r", "subnet new")
    assert changes["router r"].needs == ("subnet new",)
    assert changes["subnet new"].needs == ("network new",)
    assert changes["security group own"].needs == ()


def test_what_a_server_is_not_on_does_not_hold_it_up() -> None:
    changes = planned(
        "networks: [{name: a, mtu: 1400}, {name: b, mtu: 1400}]\n"
        "subnets:\n  - {name: a, network: a, cidr: 10.1.0.0/24}\n  - {name: b, network: b, cidr: 10.2.0.0/24}\n"
        "routers: [{name: a, interfaces: [a]}, {name: b, interfaces: [b]}, {name: c, interfaces: [back]}]\n"
        "ports: [{name: p, network: b}]\n"
        "servers:\n  - {name: x, image: debian, flavor: small, networks: [a]}\n"
        "  - {name: y, image: debian, flavor: small, networks: [{port: p}]}"
    )
    # Of a subnet that the cell does not have, nobody knows the network.
    assert set(changes["server x"].needs) == {"network a", "subnet a", "router a", "router c"}
    assert set(changes["port p"].needs) == {"network b", "subnet b"}
    assert {"port p", "subnet b", "router b"} <= set(changes["server y"].needs)


def test_what_shall_be_gone_goes_after_what_refers_to_it() -> None:
    changes = planned(
        "networks: [back, front]\nsubnets: [{name: back, network: back, cidr: 10.0.0.0/24}]\n"
        "servers:\n  - {name: web, flavor: small, networks: [back]}",
        absent=True,
    )
    assert {name: one.action.value for name, one in changes.items()} == {
        "network back": "delete",
        "network front": "no-op",
        "subnet back": "delete",
        "server web": "delete",
    }
    assert changes["network back"].needs == ("subnet back", "server web")
    assert changes["subnet back"].needs == ("server web",)


def test_what_refers_to_what_is_made_anew_changes_with_it() -> None:
    """A server's flavor of the same name is another one, and so is its port."""
    flavors = ({"id": "f1", "name": "small", "ram": 512, "vcpus": 1},)
    body = (
        "flavors: [{name: small, ram: 1024, vcpus: 1}]\n"
        "servers: [{name: web, image: debian, flavor: small}]\n"
        "networks: [{name: back, mtu: 1450}]"
    )
    changes = planned(body, {**CLOUD, "flavors": flavors})
    assert changes["flavor small"].action is Action.REPLACE
    server = changes["server web"]
    assert (server.action, server.after["flavor"]) == (Action.REPLACE, {"made anew": "small"})
    assert "flavor small" in server.needs
    assert changes["network back"].action is Action.NO_OP


def test_what_a_volume_is_attached_to_comes_along() -> None:
    volume = {"id": "d1", "name": "data", "size": 1, "volume_type": "slow", "attachments": [{"server_id": "v1"}]}
    server = {**SERVER, "attached_volumes": [{"id": "d1"}]}
    body = "volumes: [{name: data, size: 1, volume_type: fast}]\nservers: [{name: web, volumes: [data]}]"
    changes = planned(body, {**CLOUD, "volumes": (volume,), "servers": (server,)})
    assert changes["volume data"].reason == "volume_type; attachments come along"
    assert changes["volume data"].before == {"attachments": ["web"], "volume_type": "slow"}
    assert changes["server web"].action is Action.NO_OP


def test_a_floating_ip_that_is_left_is_known() -> None:
    left = {"id": "a2", "port_id": None, "floating_ip_address": "172.30.0.8"}
    for described, action in (("made by jupyter-runbook for server gone", Action.DELETE), ("mine", Action.NO_OP)):
        lists = {**CLOUD, "floating_ips": ({**left, "description": described},)}
        [change] = planned("servers: [gone]", lists, absent=True).values()
        assert change.action is action


def test_names_alone_go_in_the_right_order() -> None:
    """What needs what is told by the cloud where the cell does not say it."""
    body = "networks: [back]\nsubnets: [back]\nrouters: [out]\nsecurity_groups: [web]\nkeypairs: [k]\nservers: [web]"
    changes = planned(body, absent=True)
    needs = {name: set(one.needs) for name, one in changes.items()}
    assert needs == {
        "network back": {"subnet back", "server web"},
        "subnet back": {"router out", "server web"},
        "router out": {"server web"},
        "security group web": {"server web"},
        "keypair k": {"server web"},
        "server web": set(),
    }


def test_a_server_that_is_broken_is_neither_ok_nor_updated() -> None:
    """TRAPS, OpenStack 2."""
    broken = {**SERVER, "status": "ERROR", "fault": {"message": "No valid host was found."}}
    body = "servers: [{name: web, image: debian, flavor: small}]"
    [change] = planned(body, {**CLOUD, "servers": (broken,)}).values()
    assert change.action is Action.REPLACE
    assert change.reason == "is in ERROR: No valid host was found."
    # By its name alone it is only looked at.
    [change] = planned("servers: [web]", {**CLOUD, "servers": (broken,)}).values()
    assert change.action is Action.NO_OP


def test_a_server_that_is_being_made_is_waited_for() -> None:
    """TRAPS, OpenStack 3: it was asked for by a run that died."""
    building = {**SERVER, "status": "BUILD"}
    [change] = planned("servers: [{name: web, flavor: small}]", {**CLOUD, "servers": (building,)}).values()
    assert (change.action, change.writes) == (Action.UPDATE, False)
    # Its ports and disks are not there yet: that is no difference, but what it shall have beside itself is.
    body = "servers: [{name: web, flavor: small, networks: [back], security_groups: [web], volumes: [d]}]"
    lists = {**CLOUD, "servers": (building,), "ports": (), "volumes": ({"id": "d1", "name": "d"},)}
    [change] = planned(body, lists).values()
    assert (change.action, change.before, change.after) == (Action.UPDATE, {"volumes": []}, {"volumes": ["d"]})


def test_what_is_made_or_replaced_needs_to_be_told_whole() -> None:
    for body, message in (
        ("subnets: [{name: new, cidr: 10.0.0.0/24}]", "the subnet new can't be made: it needs network"),
        ("servers: [{name: new, flavor: small}]", "the server new can't be made: it needs image or boot_volume"),
        ("servers: [{name: web, flavor: large}]", r"replaced \(flavor.*\): it needs image or boot_volume"),
    ):
        with pytest.raises(InvalidSpec, match=message) as caught:
            planned(body)
        assert caught.value.where.line == 2
    # What is there may be told in part.
    [change] = planned("servers: [{name: web, metadata: {a: b}}]").values()
    assert change.action is Action.UPDATE


def test_two_of_a_name_are_told_with_their_ids() -> None:
    """TRAPS, OpenStack 1."""
    lists = {**CLOUD, "networks": (BACK, {**BACK, "id": "n2"})}
    for body in ("networks: [{name: back, mtu: 1}]", "subnets: [{name: x, network: back, cidr: 10.0.0.0/24}]"):
        with pytest.raises(Conflict, match="2 of the cloud's networks are called back: n1, n2"):
            planned(body, lists)
    [change] = planned("subnets: [{name: back, network: n1, cidr: 10.0.0.0/24}]", lists).values()
    assert change.action is Action.NO_OP


def test_what_another_project_has_is_meant_by_its_id_alone() -> None:
    """An administrator lists the networks of all projects."""
    other = {"project_id": "other"}
    lists = {
        "networks": (
            {**BACK, "id": "n2", **other},
            {**BACK, "id": "n3", "name": "all", "is_shared": True, **other},
            {"id": "n9", "name": "public", "is_router_external": True, **other},
        ),
        "subnets": ({**SUBNET, "network_id": "n2", **other}, {**SUBNET, "id": "s3", "network_id": "n3", **other}),
        "floating_ips": (
            {"id": "a", "port_id": None, "description": "made by jupyter-runbook for server web", **other},
        ),
    }

    def of_mine(body: str, lists: dict[str, Any] = lists, *, absent: bool = False) -> dict[str, Action]:
        state = CloudState("lab", lists, project="mine")
        return {
            one.change.resource: one.change.action for one in Planner(read(body, absent=absent), state).operations()
        }

    assert of_mine("networks: [{name: back, mtu: 1400}]") == {"network back": Action.CREATE}
    assert of_mine("networks: [{name: n2, mtu: 1400}, all, public]") == {
        "network n2": Action.UPDATE,
        "network all": Action.NO_OP,
        "network public": Action.NO_OP,
    }
    assert of_mine("networks: [back]\nsubnets: [back]", absent=True)["network back"] is Action.NO_OP
    assert of_mine("servers: [web]", absent=True) == {"server web": Action.NO_OP}
    images = (
        {"id": "i1", "name": "a", "visibility": "private", "owner": "other"},
        {"id": "i2", "name": "b", "owner": "x"},
    )
    found = of_mine("images: [a, b]", {"images": images}, absent=True)
    assert found == {"image a": Action.NO_OP, "image b": Action.DELETE}
    # Both are meant, if both may be used.
    mine = {**BACK, "name": "all", "project_id": "mine"}
    with pytest.raises(Conflict, match="2 of the cloud's networks are called all: n3, n1"):
        of_mine("networks: [{name: all, mtu: 1400}]", {"networks": (*lists["networks"], mine)})
    with pytest.raises(InvalidSpec) as caught:
        of_mine("subnets: [{name: a, network: back, cidr: 10.0.0.0/24}]")
    assert caught.value.hint == "another project has one, which its ID stands for: n2"


def test_what_is_not_there_is_told_with_the_nearest_names() -> None:
    with pytest.raises(InvalidSpec) as caught:
        planned("servers:\n  - {name: a, image: debian, flavor: smal}")
    assert caught.value.message == "there is no flavor smal in lab"
    assert caught.value.hint == "did you mean small?"
    assert caught.value.where.line == 3
    with pytest.raises(InvalidSpec, match="there is no network pubic in lab"):
        planned("networks: [pubic]")


def test_only_what_a_cell_needs_is_listed() -> None:
    assert kinds_needed(read("networks: [{name: a, mtu: 1}]")) == ("networks",)
    assert kinds_needed(read("subnets: [{name: a, network: b, cidr: 10.0.0.0/24}]")) == ("networks", "subnets")
    assert kinds_needed(read("routers: [{name: a, interfaces: [b]}]")) == ("subnets", "routers", "ports")
    found = kinds_needed(read("servers: [{name: a, flavor: b, image: c}]"))
    assert found == ("flavors", "images", "networks", "ports", "floating_ips", "volumes", "servers")
