"""What ``--out`` binds: a row a container. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.docker.state import name_of, place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.providers.docker.model import DockerSpec
    from jupyter_runbook.providers.docker.state import HostState

__all__ = ["rows"]


def rows(spec: DockerSpec, host: str, state: HostState) -> Iterator[dict[str, Any]]:
    """Go through a project's containers: service, name, state, image, ports and addresses."""
    for one in sorted(state.containers, key=place):
        service, number = place(one)
        if service not in spec.services:
            continue
        networks = one["NetworkSettings"].get("Networks") or {}
        condition = one["State"]
        yield {
            "host": host,
            "service": service,
            "number": number,
            "name": name_of(one),
            "id": one["Id"],
            "image": one["Config"]["Image"],
            "state": condition["Status"],
            "health": (condition.get("Health") or {}).get("Status"),
            "exit_code": condition.get("ExitCode") if condition["Status"] == "exited" else None,
            "ports": _published(one["NetworkSettings"].get("Ports") or {}),
            "addresses": {name: how["IPAddress"] for name, how in networks.items() if how.get("IPAddress")},
        }


def _published(ports: dict[str, list[dict[str, str]] | None]) -> dict[str, str]:
    """Return where each of a container's ports is on its host: ``{"80/tcp": "127.0.0.1:8080"}``."""
    return {name: f"{places[0]['HostIp']}:{places[0]['HostPort']}" for name, places in ports.items() if places}
