"""What is told of a cloud's resources, from what it lists: as data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyter_runbook.provider import Result
from jupyter_runbook.providers.openstack.planning import Planner
from jupyter_runbook.providers.openstack.state import CloudState
from jupyter_runbook.providers.openstack.tables import hosts, rows, tables
from tests.providers.openstack.test_body import read
from tests.providers.openstack.test_planning import CLOUD, SERVER

FIXED = {"addr": "10.0.0.7", "version": 4, "OS-EXT-IPS:type": "fixed"}
FLOATING = {"addr": "172.30.0.9", "version": 4, "OS-EXT-IPS:type": "floating"}
WEB = {**SERVER, "addresses": {"back": [FIXED, FLOATING]}, "metadata": {"tier": "web", "group": "front, a-b"}}
WEB |= {"tags": ["9lives", "web"]}
SIX = {"addr": "fd00::7", "version": 6, "OS-EXT-IPS:type": "fixed"}
OTHER = {
    "id": "v2",
    "name": "db",
    "status": "ACTIVE",
    "addresses": {"back": [SIX, {**FIXED, "addr": "10.0.0.8"}], "store": [{**FIXED, "addr": "10.1.0.8"}]},
    "image": {"id": "i2"},
}
LISTS: dict[str, Any] = {**CLOUD, "servers": (WEB, OTHER)}


def planner(body: str, lists: dict[str, Any] | None = None, **more: Any) -> Planner:
    return Planner(read(body, **more), CloudState("lab", lists or LISTS))


def test_a_row_has_names_for_ids_and_addresses() -> None:
    body = "networks: [back]\nservers: [{name: web, flavor: small}]"
    found = Result(rows(planner(body)))
    web = found["web"]
    assert (web["flavor"], web["image"], web["status"], web["security_groups"]) == (
        "small",
        "debian",
        "ACTIVE",
        ["web"],
    )
    assert (web["address"], web["addresses"]) == ("172.30.0.9", {"back": ["10.0.0.7", "172.30.0.9"]})
    assert found["back"]["id"] == "n1"
    with pytest.raises(KeyError, match="none of the resources is called other: back, web"):
        found["other"]
    assert list(found.df("servers")["address"]) == ["172.30.0.9"]
    assert len(found.df()) == 2
    with pytest.raises(KeyError):
        found.df("volumes")


def test_tables_are_for_cells_that_ask_for_nothing() -> None:
    found = tables(planner("servers:\nflavors: [small]"))
    assert list(found) == ["servers", "flavors"]
    assert [row["name"] for row in found["servers"]] == ["db", "web"]
    assert found["servers"][0]["store"] == "10.1.0.8"
    assert (
        found["servers"][1] | {"status": "ACTIVE", "image": "debian", "back": "10.0.0.7, 172.30.0.9"}
        == (found["servers"][1])
    )
    assert [row["name"] for row in found["flavors"]] == ["small"]
    assert tables(planner("servers:\nnetworks: [{name: back, mtu: 1450}]")) == {}
    assert tables(planner("servers: [web]", absent=True)) == {}


def test_a_quota_is_a_row_for_what_is_counted() -> None:
    quotas = ({"id": "p", "project": "demo", "cores": 20, "ram": -1, "used": {"cores": 5, "ram": 512}},)
    found = tables(planner("quotas:", {**CLOUD, "quotas": quotas}))["quotas"]
    assert found == [
        {"project": "demo", "name": "cores", "used": 5, "limit": 20, "percent": 25.0},
        {"project": "demo", "name": "ram", "used": 512, "limit": -1, "percent": None},
    ]


def test_hosts_are_in_groups_by_tags_and_metadata() -> None:
    one = planner("servers: [{name: web, flavor: small}, db]")
    found = hosts(one.spec, one.state, {"k": "/keys/k", "other": "/keys/other"})
    assert found["all"]["hosts"]["web"] == {
        "ansible_host": "172.30.0.9",
        "ansible_user": "debian",
        "ansible_ssh_private_key_file": "/keys/k",
        "ansible_ssh_common_args": "-o HostKeyAlias=v1 -o StrictHostKeyChecking=accept-new",
    }
    strict = hosts(replace(one.spec, accept=False), one.state, {})
    assert strict["all"]["hosts"]["web"]["ansible_ssh_common_args"].endswith("-o StrictHostKeyChecking=yes")
    # No floating IP: the first fixed one, and IPv4 before IPv6.
    assert found["all"]["hosts"]["db"]["ansible_host"] == "10.0.0.8"
    assert found["all"]["hosts"]["db"]["ansible_user"] == "fedora"
    assert {group for group in found if group != "all"} == {"tier_web", "front", "a_b", "_9lives", "web"}
    assert list(found["tier_web"]["hosts"]) == ["web"]
    nothing = planner("networks: [back]")
    assert hosts(nothing.spec, nothing.state, {}) == {}


@pytest.mark.parametrize(
    ("image", "user"),
    [
        ({"name": "ubuntu-24.04"}, "ubuntu"),
        ({"name": "prod-7", "os_distro": "centos"}, "cloud-user"),
        ({"name": "AlmaLinux 9"}, "almalinux"),
        ({"name": "golden", "os_admin_user": "ops"}, "ops"),
        ({"name": "golden", "properties": {"os_admin_user": "ops"}}, "ops"),
        ({"name": "golden"}, None),
    ],
)
def test_the_user_is_the_images(image: dict[str, Any], user: str | None) -> None:
    one = planner("servers: [web]", {**LISTS, "images": ({"id": "i1", **image},)})
    assert hosts(one.spec, one.state, {})["all"]["hosts"]["web"].get("ansible_user") == user
