"""Published ports, in all their spellings (the Compose Specification, "ports")."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jupyter_runbook.spec.node import Node

__all__ = ["Port", "read_ports", "seen_ports", "write_ports"]

_SHORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<published>[0-9]*(?:-[0-9]+)?):)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>[a-z]+))?"
)
_MOST = 65535
_PROTOCOLS = ("tcp", "udp", "sctp")


@dataclass(frozen=True, order=True)
class Port:
    """One port of a container on one of its host.

    Parameters
    ----------
    target
        The container's port.
    protocol
        ``tcp``, ``udp`` or ``sctp``.
    published
        The host's port, a range to choose from, or empty: the engine chooses.
    host_ip
        The host's address; empty for the engine's default.
    """

    target: int
    protocol: str = "tcp"
    published: str = ""
    host_ip: str = ""

    def __str__(self) -> str:
        ip = f"[{self.host_ip}]" if ":" in self.host_ip else self.host_ip
        return f"{ip}{':' if ip else ''}{self.published or 'any'}:{self.target}/{self.protocol}"


def read_ports(node: Node) -> list[Port]:
    """Read ``ports``, ranges taken apart; in order."""
    found: set[Port] = set()
    for one in node.items():
        found |= set(_long(one) if isinstance(one.value, dict) else _short(one))
    return sorted(found)


def write_ports(ports: list[Port]) -> dict[str, list[dict[str, str]]]:
    """Return ``HostConfig.PortBindings``."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        binding = {"HostIp": port.host_ip, "HostPort": port.published}
        bindings.setdefault(f"{port.target}/{port.protocol}", []).append(binding)
    return bindings


def seen_ports(bindings: Mapping[str, list[dict[str, str]] | None] | None) -> list[Port]:
    """Read ``HostConfig.PortBindings``: what was asked for, not what the engine chose."""
    found = set()
    for name, places in (bindings or {}).items():
        target, _, protocol = name.partition("/")
        for place in places or []:
            published = place.get("HostPort") or ""
            found.add(
                Port(int(target), protocol or "tcp", "" if published == "0" else published, _ip(place.get("HostIp")))
            )
    return sorted(found)


def _ip(text: str | None) -> str:
    """Return an address in one spelling; every address of the host is the engine's default."""
    plain = (text or "").strip("[]")
    if plain in {"", "0.0.0.0", "::"}:  # noqa: S104 -- compared, not bound
        return ""
    return str(ipaddress.ip_address(plain))


def _short(node: Node) -> Iterator[Port]:
    text = node.text()
    match = _SHORT.fullmatch(text)
    if not match or (match["protocol"] or "tcp") not in _PROTOCOLS:
        raise node.wrong("a port, such as 8080:80, 127.0.0.1:8080:80, 8000-8010:8000-8010 or 53:53/udp,")
    yield from _spread(node, match["target"], match["published"] or "", match["protocol"] or "tcp", match["ip"])


def _long(node: Node) -> Iterator[Port]:
    parts = node.mapping(("target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"), "a port")
    if "target" not in parts:
        raise node.error("target is needed: the container's port")
    if "mode" in parts:
        parts["mode"].choice("host", "ingress")
    protocol = parts["protocol"].choice(*_PROTOCOLS) if "protocol" in parts else "tcp"
    published = parts["published"].text() if "published" in parts else ""
    ip = parts["host_ip"].text() if "host_ip" in parts else None
    yield from _spread(node, parts["target"].text(), published, protocol, ip)


def _spread(node: Node, target: str, published: str, protocol: str, ip: str | None) -> Iterator[Port]:
    try:
        address = _ip(ip)
        targets = _range(target)
        places = _range(published) if published else []
    except ValueError as error:
        raise node.error(str(error)) from None
    if len(targets) == 1 and len(places) > 1:
        # One of them: the engine chooses a free one.
        yield Port(targets[0], protocol, published, address)
        return
    if places and len(places) != len(targets):
        raise node.error(f"{published} and {target} are ranges of different length")
    for index, one in enumerate(targets):
        yield Port(one, protocol, str(places[index]) if places else "", address)


def _range(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        raise ValueError(f"a port or a range is needed, not {text!r}")
    low, high = int(first), int(last or first)
    if not 0 < low <= high <= _MOST:
        raise ValueError(f"ports go from 1 to {_MOST}, not {text}")
    return list(range(low, high + 1))


def shown(ports: list[Port]) -> list[str]:
    """Return ports as people write them."""
    return [str(port) for port in ports]
