"""Networks and volumes: what the engine is asked for, and what differs from what it has. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.docker.difference import Difference
from jupyter_runbook.providers.docker.labels import OURS, PROJECT, foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.providers.docker.model import Network, Volume

__all__ = ["network_body", "network_differences", "volume_body", "volume_differences"]

Inspected = dict[str, Any]
_COMPOSE = "com.docker.compose."
# The Compose words for what the engine has of an address range, and the engine's.
_RANGE = {"subnet": "Subnet", "ip_range": "IPRange", "gateway": "Gateway", "aux_addresses": "AuxiliaryAddresses"}


def network_body(network: Network, project: str) -> dict[str, Any]:
    """Return what a network is created from."""
    ipam = network.ipam or {}
    body: dict[str, Any] = {
        "Name": network.name,
        "CheckDuplicate": True,
        "Driver": network.driver or "bridge",
        "Internal": bool(network.internal),
        "Attachable": bool(network.attachable),
        "EnableIPv6": bool(network.ipv6),
        "Options": dict(network.options or {}),
        "Labels": {**(network.labels or {}), **_labels(network.key, project, "network")},
    }
    if ipam:
        body["IPAM"] = {
            "Driver": ipam.get("driver", "default"),
            "Options": ipam.get("options", {}),
            "Config": [{_RANGE[key]: value for key, value in one.items()} for one in ipam.get("config", ())],
        }
    return body


def network_differences(network: Network, now: Inspected) -> Iterator[Difference]:
    """Go through what differs; what the cell does not say is not compared."""
    ipam = now.get("IPAM") or {}
    pairs: list[tuple[str, Any, Any]] = [
        ("driver", network.driver, now.get("Driver")),
        ("internal", network.internal, bool(now.get("Internal"))),
        ("attachable", network.attachable, bool(now.get("Attachable"))),
        ("enable_ipv6", network.ipv6, bool(now.get("EnableIPv6"))),
        ("labels", network.labels, foreign(now.get("Labels"))),
        ("ipam.driver", (network.ipam or {}).get("driver"), ipam.get("Driver")),
    ]
    for name, wanted, seen in pairs:
        if wanted is not None and wanted != seen:
            yield Difference(name, seen, wanted, "differs")
    options = now.get("Options") or {}
    for name, value in (network.options or {}).items():
        if options.get(name) != value:
            yield Difference(f"driver_opts.{name}", options.get(name), value, "differs")
    there = ipam.get("Config") or []
    for wanted_range in (network.ipam or {}).get("config", ()):
        asked = {_RANGE[key]: value for key, value in wanted_range.items()}
        if not any(all(one.get(key) == value for key, value in asked.items()) for one in there):
            yield Difference("ipam.config", [_compose(one) for one in there], wanted_range, "differs")


def volume_body(volume: Volume, project: str) -> dict[str, Any]:
    """Return what a volume is created from."""
    return {
        "Name": volume.name,
        "Driver": volume.driver or "local",
        "DriverOpts": dict(volume.options or {}),
        "Labels": {**(volume.labels or {}), **_labels(volume.key, project, "volume")},
    }


def volume_differences(volume: Volume, now: Inspected) -> Iterator[Difference]:
    """Go through what differs; what the cell does not say is not compared."""
    pairs = [
        ("driver", volume.driver, now.get("Driver")),
        ("driver_opts", volume.options, now.get("Options") or {}),
        ("labels", volume.labels, foreign(now.get("Labels"))),
    ]
    for name, wanted, seen in pairs:
        if wanted is not None and wanted != seen:
            yield Difference(name, seen, wanted, f"is {seen!r}, and {wanted!r} in the cell")


def _labels(key: str, project: str, kind: str) -> dict[str, str]:
    return {PROJECT: project, OURS: key, f"{_COMPOSE}project": project, f"{_COMPOSE}{kind}": key}


def _compose(one: Inspected) -> dict[str, Any]:
    return {key: one[name] for key, name in _RANGE.items() if one.get(name)}
