"""What a plan and a record show of services, networks, volumes and builds: Compose's words, no secrets. Pure."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from jupyter_runbook.providers.docker.difference import masked
from jupyter_runbook.providers.docker.model import Build, Network, Service, Volume

__all__ = ["shown", "sized"]

_SIZES = ("mem_limit", "mem_reservation", "memswap_limit", "shm_size")
_NANO = 1_000_000_000
_TIMES = ("interval", "timeout", "start_period", "start_interval")


@singledispatch
def shown(value: Any) -> dict[str, Any]:
    """Return what is given, as a mapping of plain values."""
    raise TypeError(f"a {type(value).__name__} is not shown")


@shown.register
def _service(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = {"image": service.image}
    found.update({key: sized(key, value) for key, value in service.settings.items()})
    if service.environment:
        found["environment"] = {name: masked(name, value, value) for name, value in service.environment.items()}
    found["labels"] = dict(service.labels or {})
    found["ports"] = [str(port) for port in service.ports or ()]
    found["volumes"] = [str(mount) for mount in service.mounts or ()]
    if service.networks is not None and list(service.networks) != ["default"]:
        found["networks"] = {key: dict(how) for key, how in service.networks.items()}
    found["links"] = [":".join(one) for one in (*service.links, *service.external_links)]
    found["network_mode"] = service.network_mode
    found["files"] = [file.target for file in service.files]
    found["platform"] = service.platform
    return {key: value for key, value in found.items() if value not in (None, [], {})}


@shown.register
def _network(network: Network) -> dict[str, Any]:
    return {
        "driver": network.driver or "bridge",
        **{
            key: value
            for key, value in (
                ("driver_opts", network.options),
                ("ipam", network.ipam),
                ("internal", network.internal),
                ("attachable", network.attachable),
                ("enable_ipv6", network.ipv6),
                ("labels", network.labels),
            )
            if value is not None
        },
    }


@shown.register
def _volume(volume: Volume) -> dict[str, Any]:
    found = {"driver": volume.driver or "local", "driver_opts": volume.options, "labels": volume.labels}
    return {key: value for key, value in found.items() if value is not None}


@shown.register
def _build(build: Build) -> dict[str, Any]:
    found: dict[str, Any] = {
        "context": build.written or build.context,
        "dockerfile": build.dockerfile if build.inline is None else "(in the cell)",
        "args": {name: masked(name, value, value) for name, value in build.args.items()},
        "target": build.target,
        "tags": list(build.tags),
        "platform": build.platform,
    }
    return {"build": {key: value for key, value in found.items() if value not in (None, [], {})}}


def sized(key: str, value: Any) -> Any:
    """Return a setting's value as people write it: ``64m``, ``0.5``."""
    if key in _SIZES and isinstance(value, int) and value > 0:
        for unit, letter in ((1 << 30, "g"), (1 << 20, "m"), (1 << 10, "k")):
            if value % unit == 0:
                return f"{value // unit}{letter}"
    if key == "healthcheck" and isinstance(value, dict):
        return {name: _duration(one) if name in _TIMES else one for name, one in value.items()}
    if key == "cpus" and isinstance(value, int):
        return value / _NANO
    return value


def _duration(nanoseconds: int) -> str:
    seconds = nanoseconds / _NANO
    return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1000:g}ms"
