"""What security groups become: the matches, as data, and tables that iptables itself takes."""

from __future__ import annotations

import subprocess
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.sandbox.debian import unpacked
from jupyter_runbook.sandbox.openstack import config, processes, servers
from jupyter_runbook.sandbox.openstack.config import Layout
from tests.support.sandboxes import can_start, leave_out

if TYPE_CHECKING:
    from pathlib import Path

CASES: list[tuple[dict[str, Any], int, str | None]] = [
    ({}, 4, ""),
    ({}, 6, None),
    ({"ethertype": "IPv6"}, 6, ""),
    ({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}, 4, "-p tcp --dport 22:22 "),
    ({"protocol": "6", "port_range_min": 1, "port_range_max": 65535}, 4, "-p tcp --dport 1:65535 "),
    ({"protocol": "TCP"}, 4, "-p tcp "),
    (
        {"protocol": "udp", "port_range_min": 53, "source_ip_prefix": "10.0.0.7"},
        4,
        "-s 10.0.0.7/32 -p udp --dport 53:53 ",
    ),
    ({"protocol": "any", "source_ip_prefix": "10.0.0.9/24"}, 4, "-s 10.0.0.0/24 "),
    ({"protocol": "icmp"}, 4, "-p icmp "),
    ({"protocol": "1", "port_range_min": 8, "port_range_max": 0}, 4, "-p icmp --icmp-type 8/0 "),
    ({"protocol": "icmp", "port_range_min": 3}, 4, "-p icmp --icmp-type 3 "),
    ({"protocol": "ipv6-icmp", "ethertype": "IPv6"}, 6, "-p icmpv6 "),
    ({"protocol": "vrrp"}, 4, "-p vrrp "),
    ({"protocol": "47"}, 4, "-p 47 "),
    ({"direction": "egress", "dest_ip_prefix": "0.0.0.0/0"}, 4, "-d 0.0.0.0/0 "),
    # What Neutron adds for DHCP.
    ({"protocol": "udp", "port_range_min": 68, "source_port_range_min": 67}, 4, None),
]


@pytest.fixture
def firewall(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return what runs in OpenStack's own interpreter; it asks for nothing that is there alone."""
    monkeypatch.syspath_prepend(processes.INSIDE)
    told = processes.environment(Layout(tmp_path, tmp_path, config.PORTS, {}, "172.30.0.0/24"))
    monkeypatch.setenv("RUNBOOK_CLOUD", told["RUNBOOK_CLOUD"])
    return import_module("runbook_cloud.firewall")


def rule(given: dict[str, Any]) -> dict[str, Any]:
    return {"direction": "ingress", "ethertype": "IPv4", **given}


@pytest.mark.parametrize(("given", "version", "words"), CASES)
def test_a_rule_becomes_a_match(firewall: Any, given: dict[str, Any], version: int, words: str | None) -> None:
    assert firewall._words(rule(given), version) == words


@pytest.mark.parametrize("version", [4, 6])
def test_iptables_takes_the_tables(firewall: Any, version: int, tmp_path: Path) -> None:
    if why := can_start():
        leave_out("openstack", why)
    servers.write_translator(tmp_path, unpacked("iptables", servers.TRANSLATOR, print))
    ports = [
        {
            "id": "11111111-2222",
            "network_id": "aaaaaaaa-bbbb",
            "security_group_rules": [rule(one) for one, _, _ in CASES],
        },
        {"id": "33333333-4444", "network_id": "aaaaaaaa-bbbb", "security_group_rules": []},
        {"id": "55555555", "network_id": "cccccccc", "security_group_rules": [], "port_security_enabled": False},
    ]
    text = firewall.tables(ports, version)
    assert "55555555" not in text
    assert "cccccccc" not in text
    assert text.count("-j DROP") == 4, "both ways of two ports"
    program = tmp_path / "bin" / ("iptables-restore" if version == 4 else "ip6tables-restore")
    command = ["/usr/bin/unshare", "--net", str(program)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
