"""What is a difference, and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.providers.openstack.compare import UNKNOWN, differences, extra_rules, missing_rules, rule
from jupyter_runbook.providers.openstack.kinds import KINDS

OUT = [{"direction": "egress", "ether_type": "IPv4"}, {"direction": "egress", "ether_type": "IPv6"}]
SSH = {"direction": "ingress", "ether_type": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}

NETWORKS = [{"network": "n1", "port": "p1", "fixed_ip": "10.0.0.5"}, {"network": "n2", "port": "p2", "fixed_ip": None}]

# A kind, what the cell wants, what is there, and the names of the fields that differ, each with what it takes.
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ("networks", {"mtu": 1400}, {"mtu": 1400, "is_shared": True}, {}),
    ("networks", {"mtu": 1400}, {"mtu": 1450}, {"mtu": "update"}),
    ("networks", {"description": None}, {"description": ""}, {}),
    ("networks", {"tags": ["a", "b"]}, {"tags": ["b", "a"]}, {}),
    ("networks", {"tags": []}, {"tags": ["a"]}, {"tags": "update"}),
    ("networks", {"dns_domain": "x."}, {}, {}),
    ("networks", {"dns_domain": "x."}, {"dns_domain": UNKNOWN}, {}),
    ("subnets", {"cidr": "10.0.0.0/24"}, {"cidr": "10.1.0.0/24"}, {"cidr": "replace"}),
    (
        "subnets",
        {"dns_nameservers": ["1.1.1.1", "9.9.9.9"]},
        {"dns_nameservers": ["9.9.9.9", "1.1.1.1"]},
        {"dns_nameservers": "update"},
    ),
    ("subnets", {"gateway_ip": None}, {"gateway_ip": "10.0.0.1"}, {"gateway_ip": "update"}),
    (
        "subnets",
        {"host_routes": [{"destination": "10.9.0.0/24", "nexthop": "10.0.0.9"}]},
        {"host_routes": []},
        {"host_routes": "update"},
    ),
    ("ports", {"fixed_ips": [{"subnet": "s1"}]}, {"fixed_ips": [{"subnet": "s1", "ip_address": "10.0.0.7"}]}, {}),
    (
        "ports",
        {"fixed_ips": [{"ip_address": "10.0.0.8"}]},
        {"fixed_ips": [{"subnet": "s1", "ip_address": "10.0.0.7"}]},
        {"fixed_ips": "update"},
    ),
    ("volumes", {"size": 2}, {"size": 1}, {"size": "update"}),
    # No volume shrinks.
    ("volumes", {"size": 1}, {"size": 2}, {"size": "replace"}),
    ("servers", {"flavor": "f2"}, {"flavor": "f1"}, {"flavor": "replace"}),
    ("servers", {"networks": [{"network": "n1"}, {"port": "p2"}]}, {"networks": NETWORKS}, {}),
    ("servers", {"networks": [{"port": "p2"}, {"network": "n1"}]}, {"networks": NETWORKS}, {}),
    ("servers", {"networks": [{"network": "n1"}]}, {"networks": NETWORKS}, {"networks": "replace"}),
    ("servers", {"networks": [{"network": "n1"}, {"network": "n1"}]}, {"networks": NETWORKS}, {"networks": "replace"}),
    ("servers", {"floating_ip": True}, {"floating_ip": "172.30.0.9"}, {}),
    ("servers", {"floating_ip": True}, {"floating_ip": None}, {"floating_ip": "update"}),
    ("servers", {"floating_ip": False}, {"floating_ip": "172.30.0.9"}, {"floating_ip": "update"}),
    ("keypairs", {"public_key": "ssh-rsa AAAA me@here\n"}, {"public_key": "ssh-rsa AAAA other"}, {}),
    ("keypairs", {"public_key": "ssh-rsa AAAB"}, {"public_key": "ssh-rsa AAAA"}, {"public_key": "replace"}),
    ("servers", {"metadata": {"tier": "web"}}, {"metadata": {"tier": "web", "other": "x"}}, {}),
    ("servers", {"metadata": {"tier": "db"}}, {"metadata": {"tier": "web"}}, {"metadata": "update"}),
    ("servers", {"user_data": "new"}, {"user_data": "old"}, {}),
    (
        "servers",
        {"image": "i1", "key_name": "k"},
        {"image": "i2", "key_name": None},
        {"image": "replace", "key_name": "replace"},
    ),
    (
        "security_groups",
        {"rules": [{"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}]},
        {"rules": [*OUT, SSH]},
        {},
    ),
    ("security_groups", {"rules": [SSH]}, {"rules": OUT}, {"rules": "update"}),
    ("security_groups", {"rules": []}, {"rules": [*OUT, SSH]}, {"rules": "update"}),
    (
        "security_groups",
        {"rules": [{"direction": "egress", "protocol": "udp"}]},
        {"rules": [*OUT, {"direction": "egress", "protocol": "udp"}]},
        {"rules": "update"},
    ),
]


@pytest.mark.parametrize(("kind", "wanted", "observed", "expected"), CASES)
def test_differences(kind: str, wanted: dict[str, Any], observed: dict[str, Any], expected: dict[str, str]) -> None:
    found = differences(KINDS[kind], wanted, observed)
    assert {one.name: one.change for one in found} == expected
    for one in found:
        assert (one.before, one.after) == (observed[one.name], wanted[one.name])


# TRAPS, OpenStack 6: pairs of rules that let the same through.
SAME = [
    ({"remote_ip_prefix": "10.0.0.7"}, {"remote_ip_prefix": "10.0.0.7/32"}),
    ({"remote_ip_prefix": "10.0.0.9/24"}, {"remote_ip_prefix": "10.0.0.0/24"}),
    ({"remote_ip_prefix": "0.0.0.0/0"}, {}),
    ({"ether_type": "IPv6", "remote_ip_prefix": "::/0"}, {"ether_type": "IPv6"}),
    ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}, {"protocol": "tcp"}),
    ({"protocol": "tcp", "port_range_min": -1, "port_range_max": -1}, {"protocol": "TCP"}),
    ({"protocol": "tcp", "port_range_min": 22}, {"protocol": "6", "port_range_min": 22, "port_range_max": 22}),
    ({"protocol": 17}, {"protocol": "udp"}),
    ({"protocol": "icmp", "port_range_min": -1}, {"protocol": "1"}),
    ({"protocol": "icmpv6"}, {"protocol": "ipv6-icmp"}),
    ({"protocol": None, "direction": None}, {"protocol": "any", "direction": "ingress", "ether_type": "IPv4"}),
    ({"protocol": "-1"}, {}),
    ({"description": "one"}, {"description": "another"}),
]
OTHER = [
    ({"protocol": "tcp"}, {"protocol": "udp"}),
    (
        {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22},
        {"protocol": "tcp", "port_range_min": 22, "port_range_max": 23},
    ),
    ({"protocol": "icmp", "port_range_min": 8}, {"protocol": "icmp", "port_range_min": 0}),
    ({"remote_group": "a"}, {"remote_group": "b"}),
    ({"direction": "egress"}, {"direction": "ingress"}),
    ({"ether_type": "IPv6"}, {"ether_type": "IPv4"}),
    ({"remote_ip_prefix": "0.0.0.0/0", "ether_type": "IPv6"}, {"ether_type": "IPv6"}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_rules_that_let_the_same_through(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert rule(one) == rule(other)
    assert not missing_rules([one], [other])
    assert not extra_rules([one], [other])


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_rules_that_do_not(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert missing_rules([one], [other]) == [one]
    assert extra_rules([one], [other]) == [other]


RULES = st.fixed_dictionaries(
    {},
    optional={
        "direction": st.sampled_from(["ingress", "egress"]),
        "ether_type": st.sampled_from(["IPv4", "IPv6"]),
        "protocol": st.sampled_from(["tcp", "UDP", "6", "icmp", "any", None, "vrrp"]),
        "port_range_min": st.one_of(st.none(), st.integers(-1, 65535)),
        "port_range_max": st.one_of(st.none(), st.integers(-1, 65535)),
        "remote_group": st.sampled_from(["a", "b"]),
    },
)


@given(st.lists(RULES), st.lists(RULES))
def test_adding_what_is_missing_and_taking_away_what_is_extra_converges(
    wanted: list[dict[str, Any]], observed: list[dict[str, Any]]
) -> None:
    extra = extra_rules(wanted, observed)
    after = [one for one in observed if one not in extra] + missing_rules(wanted, observed)
    assert differences(KINDS["security_groups"], {"rules": wanted}, {"rules": after}) == []
