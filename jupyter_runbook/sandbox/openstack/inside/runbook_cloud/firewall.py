"""What security groups let through: tables for iptables in the networks' namespace, from what Neutron tells agents.

Every server's port has two chains, for what comes to it and what it sends; bridged packets pass them where the kernel
has br_netfilter. What is not let through is dropped, as elsewhere. Each network has a zone of its own for connections,
since two may have the same addresses.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any
from zlib import crc32

from runbook_cloud import wiring

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: The bits of a connection's zone.
ZONES = 0xFFFF
# Names and numbers of the protocols with ports (IANA's protocol numbers), and of ICMP by the version of IP.
WITH_PORTS = {"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "sctp": "sctp", "132": "sctp"}
ICMP = {4: {"icmp", "1"}, 6: {"icmp", "icmpv6", "ipv6-icmp", "58"}}
# Without them there is no IPv6: neighbours and routers ask and answer (RFC 4861), and group members report.
NEIGHBOURS = (130, 131, 132, 133, 134, 135, 136, 143)


def tables(ports: Iterable[Mapping[str, Any]], version: int) -> str:
    """Return the text for iptables-restore, which replaces the tables as a whole.

    Parameters
    ----------
    ports
        The servers' ports, each as Neutron tells its agents: ``id``, ``network_id``, ``port_security_enabled``,
        ``security_group_rules`` with groups and ranges resolved.
    version
        Of IP: 4 or 6.
    """
    guarded = sorted((one for one in ports if one.get("port_security_enabled", True)), key=lambda one: str(one["id"]))
    chains, rules = [], []
    for port in guarded:
        end = wiring.end_name(port["id"])
        for way, towards in (("ingress", "out"), ("egress", "in")):
            chain = f"{way[0]}{end[1:]}"
            chains.append(f":{chain} -")
            rules.append(f"-A FORWARD -m physdev --physdev-is-bridged --physdev-{towards} {end} -j {chain}")
            mine = [one for one in port["security_group_rules"] if one["direction"] == way]
            rules += [f"-A {chain} {match}" for match in _matches(mine, version)]
    zones = {str(one["network_id"]): crc32(str(one["network_id"]).encode()) % ZONES + 1 for one in guarded}
    lines = [
        *("*raw", ":PREROUTING ACCEPT", ":OUTPUT ACCEPT"),
        *(f"-A PREROUTING -i {wiring.bridge_name(name)} -j CT --zone {zone}" for name, zone in zones.items()),
        *("COMMIT", "*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT"),
        *chains,
        *rules,
        *("COMMIT", ""),
    ]
    return "\n".join(lines)


def _matches(rules: Iterable[Mapping[str, Any]], version: int) -> list[str]:
    """Return what a chain is made of: what passes, and in the end that nothing else does."""
    passes = ["-m conntrack --ctstate RELATED,ESTABLISHED "]
    if version == 6:  # noqa: PLR2004 -- IPv6
        passes += [f"-p icmpv6 --icmpv6-type {kind} " for kind in NEIGHBOURS]
    words = (_words(rule, version) for rule in rules)
    passes += dict.fromkeys(one for one in words if one is not None)
    return [*(f"{one}-j RETURN" for one in passes), "-j DROP"]


def _words(rule: Mapping[str, Any], version: int) -> str | None:
    """Return what a rule matches; None where it is of the other version, or of no concern here."""
    # Those for DHCP and router advertisements name a source's port: nobody is asked for an address here.
    if rule["ethertype"] != f"IPv{version}" or "source_port_range_min" in rule:
        return None
    words = []
    for flag, key in (("-s", "source_ip_prefix"), ("-d", "dest_ip_prefix")):
        if rule.get(key):
            words.append(f"{flag} {ipaddress.ip_network(rule[key], strict=False)}")
    protocol = str(rule.get("protocol") or "any").lower()
    least, most = rule.get("port_range_min"), rule.get("port_range_max")
    if protocol in WITH_PORTS:
        words.append(f"-p {WITH_PORTS[protocol]}")
        if least is not None:
            words.append(f"--dport {least}:{least if most is None else most}")
    elif protocol in ICMP[version]:
        name = "icmp" if version == 4 else "icmpv6"  # noqa: PLR2004 -- IPv4
        words.append(f"-p {name}")
        if least is not None:  # the type, and the code
            words.append(f"--{name}-type {least}" + ("" if most is None else f"/{most}"))
    elif protocol not in {"any", "0"}:
        words.append(f"-p {protocol}")
    return "".join(f"{word} " for word in words)
