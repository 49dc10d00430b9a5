"""What ``--out`` binds: a row a container, and an inventory of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_runbook.providers.docker.state import name_of, place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jupyter_runbook.providers.docker.model import DockerSpec
    from jupyter_runbook.providers.docker.state import HostState

__all__ = ["inventory", "rows"]


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


def inventory(found: Iterable[Mapping[str, Any]], engines: Mapping[str, str]) -> dict[str, Any]:
    """Return the containers that run as groups of Ansible's YAML inventories, a group for each service.

    One that publishes port 22 is reached by SSH; another one by its engine, through the connection of the collection
    community.docker.

    Parameters
    ----------
    found
        What `rows` goes through.
    engines
        The address of each engine, by the name of its host.
    """
    groups: dict[str, Any] = {}
    for row in found:
        if row["state"] == "running":
            engine = engines.get(row["host"], "")
            hosts = groups.setdefault(row["service"].replace("-", "_"), {"hosts": {}})["hosts"]
            name = row["name"] if len(engines) == 1 else f"{row['name']}.{row['host']}"
            hosts[name] = _by_ssh(row, engine) or {
                "ansible_connection": "community.docker.docker_api",
                "ansible_host": row["name"],
                "ansible_docker_docker_host": engine,
            }
    return groups


def _by_ssh(row: Mapping[str, Any], engine: str) -> dict[str, Any] | None:
    address, _, port = row["ports"].get("22/tcp", "").rpartition(":")
    if not port:
        return None
    away = urlsplit(engine).hostname if not engine.startswith(("unix:", "npipe:")) else None
    if address in ("0.0.0.0", "::"):  # noqa: S104 -- what the engine says, and nothing that we listen on
        address = away or "127.0.0.1"
    elif away and address.startswith("127."):
        return None  # published on the engine's own machine alone
    return {"ansible_host": address, "ansible_port": int(port)}
