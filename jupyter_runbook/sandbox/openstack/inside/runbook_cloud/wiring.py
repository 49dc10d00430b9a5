"""Cables, bridges and routers in network namespaces of their own, from plain data: what OpenStack's agents would do.

The networks of all projects are bridges without an address in one namespace, so that none of their ranges is seen by
this machine, and two may have the same one. A router is a namespace, too; floating IPs are its address translation, as
an L3 agent has it. One link of this machine leads to the bridge of the network that leads outside.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_cloud.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The bridge that this machine's link leads to.
OUTSIDE = "bridge"
# A link's name has at most 15 characters.
PART = 13


@dataclass(frozen=True)
class Port:
    """A port of a network: one end of a cable.

    Parameters
    ----------
    port, network
        Their IDs.
    mac
        The hardware address.
    addresses
        Each with the length of its prefix.
    ranges
        Of the network's subnets.
    """

    port: str
    network: str
    mac: str
    addresses: tuple[str, ...]
    ranges: tuple[str, ...]


@dataclass(frozen=True)
class Router:
    """A router as it shall be.

    Parameters
    ----------
    router
        Its ID.
    inner, outer
        Its ports; at most one leads outside.
    hides
        Whether what comes from inside and has no floating IP gets the router's own address.
    floating
        Pairs of a floating IP and the address that it leads to.
    routes
        Pairs of a range, or ``default``, and the address of who leads there.
    """

    router: str
    inner: tuple[Port, ...]
    outer: Port | None
    hides: bool
    floating: tuple[tuple[str, str], ...]
    routes: tuple[tuple[str, str], ...]


def plug(port: Port, process: int, routes: Iterable[tuple[str, str]] = ()) -> None:
    """Lead a cable from a port's network into the network namespace of a process: its next interface.

    Parameters
    ----------
    port
        What the process's end becomes.
    process
        Its ID.
    routes
        As in `Router`.
    """
    within = ["--target", str(process), "--net"]
    with _alone():
        shown = json.loads(_run(["nsenter", *within, "ip", "-json", "link"]))
        device = f"eth{sum(link['ifname'].startswith('eth') for link in shown)}"
        end = end_name(port.port)
        lines, bridge = _bridge(port, end)
        lines.append(f"link add {end} type veth peer name {device} address {port.mac} netns {process}")
        lines.append(f"link set {end} master {bridge} up")
        _ip(_switch(), lines)
        lines = [f"address add {one}{_at_once(one)} dev {device}" for one in port.addresses]
        _ip(within, [*lines, f"link set {device} up"])
        _lead(within, routes)


def unplug(port: str) -> None:
    """Take a port's cable away; nothing where there is none."""
    with suppress(OSError), _alone():
        _ip(_switch(), [f"link delete {end_name(port)}"])


def end_name(port: str) -> str:
    """Return the name of a cable's end at its network's bridge, by a server's port."""
    return f"p{port[:PART]}"


def bridge_name(network: str) -> str:
    """Return the name of a network's bridge.

    By its ID alone: a project may take the very range of the network that leads outside, and must not get there by it.
    """
    try:
        outside = Path(settings().folder, "outside").read_text()
    except FileNotFoundError:
        outside = ""
    return OUTSIDE if network == outside else f"n{network[:PART]}"


def announce(process: int) -> None:
    """Tell a server's first process, which waits for it, that all its cables are there."""
    # The name goes with the namespace: it is of this start, not of the last one.
    _ip(["--target", str(process), "--net"], ["link set lo up alias wired"])


def guard(tables: str, version: int) -> None:
    """Replace the networks' own tables of iptables (see firewall.py), for a version of IP."""
    program = "iptables-restore" if version == 4 else "ip6tables-restore"  # noqa: PLR2004 -- IPv4
    with _alone():
        _run(["nsenter", *_switch(), f"{settings().folder}/bin/{program}"], tables)


def converge(router: Router) -> None:
    """Make a router what it shall be; connections through what stays are not cut."""
    namespace = _of_router(router.router)
    with _alone():
        if not namespace.exists():
            namespace.parent.mkdir(exist_ok=True)
            namespace.touch()
            _run(["unshare", f"--net={namespace}", "true"])
            forward = "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding || true"
            _run(["nsenter", f"--net={namespace}", "sh", "-c", f"ip link set lo up; {forward}"])
        _converge_links(router, namespace)
        _run(["nsenter", f"--net={namespace}", f"{settings().folder}/bin/iptables-restore"], _translation(router))
        # Another router may have had the address: who remembers that one is told to forget it.
        for address, _ in router.floating:
            forget(address)


def forget(address: str) -> None:
    """Let this machine ask anew who has an address of the network that leads outside."""
    if ipaddress.ip_address(address) in ipaddress.ip_network(settings().network):
        _run(["ip", "neighbour", "flush", "to", address, "dev", settings().link])


def remove(router: str) -> None:
    """Take a router away, with its cables; nothing where there is none."""
    namespace = _of_router(router)
    with _alone():
        if namespace.exists():
            with suppress(OSError):
                _run(["umount", str(namespace)])
            namespace.unlink()


def _converge_links(router: Router, namespace: Path) -> None:
    ports = [*router.inner, *([router.outer] if router.outer else [])]
    wanted = {f"i{port.port[:PART]}": port for port in ports}
    shown = json.loads(_run(["nsenter", f"--net={namespace}", "ip", "-json", "address"]))
    there = {
        link["ifname"]: {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] != "link"}
        for link in shown
        if link["ifname"] != "lo"
    }
    lines = [f"link delete {name}" for name in there if name not in wanted]
    for name, port in wanted.items():
        if name not in there:
            end = f"r{port.port[:PART]}"
            outside, bridge = _bridge(port, end)
            outside.append(f"link add {end} type veth peer name {name} address {port.mac} netns {namespace}")
            outside.append(f"link set {end} master {bridge} up")
            _ip(_switch(), outside)
        addresses = set(port.addresses)
        if port is router.outer:
            addresses |= {f"{floating}/32" for floating, _ in router.floating}
        has = there.get(name, set())
        lines += [f"address del {one} dev {name}" for one in sorted(has - addresses)]
        lines += [f"address add {one}{_at_once(one)} dev {name}" for one in sorted(addresses - has)]
        lines.append(f"link set {name} up")
    _ip([f"--net={namespace}"], lines)
    _lead([f"--net={namespace}"], router.routes)


def _lead(namespace: Iterable[str], routes: Iterable[tuple[str, str]]) -> None:
    for to, by in routes:
        with suppress(OSError):  # one that nobody can go, as people may ask for
            _ip(namespace, [f"route replace {to} via {by}"])


def _translation(router: Router) -> str:
    """Return the table of a router's address translation, for iptables-restore, which replaces it as a whole."""
    lines = ["*nat", ":PREROUTING ACCEPT", ":INPUT ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT"]
    if router.outer:
        link = f"i{router.outer.port[:PART]}"
        own = next((one.partition("/")[0] for one in router.outer.addresses if ":" not in one), None)
        for floating, fixed in router.floating:
            lines.append(f"-A PREROUTING -d {floating}/32 -j DNAT --to-destination {fixed}")
            lines.append(f"-A OUTPUT -d {floating}/32 -j DNAT --to-destination {fixed}")
        for floating, fixed in router.floating:
            lines.append(f"-A POSTROUTING -s {fixed}/32 -o {link} -j SNAT --to-source {floating}")
        inner = [one for port in router.inner for one in port.ranges if ":" not in one]
        if own and router.floating:
            # From one server to the floating IP of another one: the answer has to come back this way.
            lines += [
                f"-A POSTROUTING -s {one} ! -o {link} -m conntrack --ctstate DNAT -j SNAT --to-source {own}"
                for one in inner
            ]
        if own and router.hides:
            lines += [f"-A POSTROUTING -s {one} -o {link} -j SNAT --to-source {own}" for one in inner]
    return "\n".join([*lines, "COMMIT", ""])


def _bridge(port: Port, end: str) -> tuple[list[str], str]:
    """Return what makes a network's bridge and takes an old end of a cable away, where that is due; and its name."""
    shown = {link["ifname"] for link in json.loads(_run(["nsenter", *_switch(), "ip", "-json", "link"]))}
    bridge = bridge_name(port.network)
    # Of a server that stopped, the kernel takes it away when it finds the time.
    lines = [f"link delete {end}"] if end in shown else []
    if bridge not in shown:
        lines += [f"link add {bridge} type bridge", f"link set {bridge} up"]
    return lines, bridge


def _at_once(address: str) -> str:
    # Nobody has it but this port: nothing is asked before it can be used.
    return " nodad" if ":" in address else ""


def _of_router(router: str) -> Path:
    return Path(settings().folder, "routers", router)


def _switch() -> list[str]:
    return [f"--net={settings().folder}/net"]


def _ip(namespace: Iterable[str], lines: Iterable[str]) -> None:
    _run(["nsenter", *namespace, "ip", "-batch", "-"], "\n".join([*lines, ""]))


def _run(command: list[str], text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        # Of a failed command Python tells the words, but not what it read and said.
        raise OSError(f"{' '.join(command)}: {' '.join(done.stderr.split())}: {text}")
    return done.stdout


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other thread or process wires, Nova's and Neutron's."""
    with Path(settings().folder, "lock/wiring").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
