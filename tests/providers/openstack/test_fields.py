"""Each field that is changed in place, changed on the sandbox: the plan names it, and a second run finds it so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.providers.openstack.lab import told

if TYPE_CHECKING:
    from tests.providers.openstack.lab import Lab

NET: dict[str, list[dict[str, Any]]] = {
    "networks": [{"name": "back", "mtu": 1400}],
    "subnets": [{"name": "back", "network": "back", "cidr": "10.9.0.0/24"}],
    "security_groups": [{"name": "one", "description": "x"}, {"name": "two", "description": "x"}],
}
# What else there is, a kind, what it is made with, and what it is then to be.
CASES: dict[str, tuple[dict[str, Any], str, dict[str, Any], dict[str, Any]]] = {
    "a security group": (
        {},
        "security_groups",
        {"description": "a", "stateful": True, "rules": [{"protocol": "tcp", "port_range_min": 1}], "tags": ["a"]},
        {"description": "", "stateful": True, "rules": [], "tags": []},
    ),
    "a network": (
        {},
        "networks",
        {"description": "a", "is_admin_state_up": True, "is_port_security_enabled": True, "mtu": 1400, "tags": ["a"]},
        {"description": "", "is_admin_state_up": False, "is_port_security_enabled": False, "mtu": 1300, "tags": []},
    ),
    "a subnet": (
        {"networks": [{"name": "other", "mtu": 1400}]},
        "subnets",
        {
            "network": "other",
            "cidr": "10.8.0.0/24",
            "description": "a",
            "is_dhcp_enabled": True,
            "dns_nameservers": ["9.9.9.9", "1.1.1.1"],
            "allocation_pools": [{"start": "10.8.0.10", "end": "10.8.0.20"}],
            "host_routes": [{"destination": "10.1.0.0/16", "nexthop": "10.8.0.1"}],
            "tags": ["a"],
        },
        {
            "network": "other",
            "cidr": "10.8.0.0/24",
            "description": None,
            "gateway_ip": None,
            "is_dhcp_enabled": False,
            "dns_nameservers": ["1.1.1.1", "9.9.9.9"],
            "allocation_pools": [{"start": "10.8.0.10", "end": "10.8.0.30"}],
            "host_routes": [],
            "tags": ["b", "a"],
        },
    ),
    "a router": (
        NET,
        "routers",
        {"description": "a", "external_gateway": "public", "interfaces": ["back"], "tags": ["a"]},
        {
            "description": "b",
            "external_gateway": None,
            "is_admin_state_up": False,
            "interfaces": ["back"],
            "routes": [{"destination": "10.1.0.0/16", "nexthop": "10.9.0.7"}],
            "tags": [],
        },
    ),
    "a port": (
        NET,
        "ports",
        {
            "network": "back",
            "description": "a",
            "fixed_ips": [{"subnet": "back", "ip_address": "10.9.0.50"}],
            "security_groups": ["one"],
            "allowed_address_pairs": [{"ip_address": "10.9.0.99"}],
            "tags": ["a"],
        },
        {
            "network": "back",
            "description": "",
            "is_admin_state_up": False,
            "fixed_ips": [{"subnet": "back", "ip_address": "10.9.0.51"}],
            "security_groups": ["two", "one"],
            "allowed_address_pairs": [],
            "tags": ["b"],
        },
    ),
    "a floating IP": (
        {
            **NET,
            "routers": [{"name": "out", "external_gateway": "public", "interfaces": ["back"]}],
            "ports": [{"name": "one", "network": "back"}, {"name": "two", "network": "back"}],
        },
        "floating_ips",
        {"floating_network": "public", "port": "one", "tags": ["a"]},
        {"floating_network": "public", "port": "two", "tags": []},
    ),
    "a volume": (
        {},
        "volumes",
        {"size": 1, "description": "a", "metadata": {"a": "b"}},
        {"size": 2, "description": "b", "metadata": {"a": "c", "d": "e"}, "is_bootable": True},
    ),
    "a server": (
        {
            **NET,
            "routers": [{"name": "out", "external_gateway": "public", "interfaces": ["back"]}],
            "volumes": [{"name": "one", "size": 1}, {"name": "two", "size": 1}],
        },
        "servers",
        {
            "image": "debian",
            "flavor": "m1.tiny",
            "networks": ["back"],
            "security_groups": ["one"],
            "volumes": ["one"],
            "floating_ip": True,
            "metadata": {"a": "b"},
            "tags": ["a"],
            "description": "a",
        },
        {
            "image": "debian",
            "flavor": "m1.tiny",
            "networks": ["back"],
            "security_groups": ["one", "two"],
            "volumes": ["two"],
            "floating_ip": False,
            "metadata": {"a": "c"},
            "tags": ["b"],
            "description": "b",
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_changed_in_place_stays_the_same_resource(lab: Lab, case: str) -> None:
    around, kind, first, then = CASES[case]
    before = lab.there()

    def cell(values: dict[str, Any]) -> str:
        identity = "description" if kind == "floating_ips" else "name"
        named = {identity: "it", **values}
        return str(yaml.safe_dump({**around, kind: [*around.get(kind, ()), named]}, sort_keys=False))

    lab.up(cell(first))
    made = {row.resource: row.after for row in lab.run(cell(first), "--check --absent").changes}
    record = lab.up(cell(then))
    work = {row: one for row, one in told(record).items() if one[0] != "no-op"}
    [(row, (action, reason))] = work.items()
    assert (row.split()[-1], action) == ("it", "update")
    differ = [name for name in then if name not in first or then[name] != first[name]]
    assert sorted(reason.split(", ")) == sorted(differ)
    assert made.keys() == {row.resource for row in record.changes}
    lab.up(cell(then), "--absent")
    assert lab.there() == before
