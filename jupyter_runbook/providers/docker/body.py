"""What a container is created from. Pure."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.docker.labels import FIELDS, fields_label, identity
from jupyter_runbook.providers.docker.mounts import write_mounts
from jupyter_runbook.providers.docker.ports import write_ports
from jupyter_runbook.providers.docker.settings import SETTINGS, put
from jupyter_runbook.providers.docker.state import container_name
from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jupyter_runbook.providers.docker.difference import Difference
    from jupyter_runbook.providers.docker.model import DockerSpec, File, Service

__all__ = ["container_body", "endpoint", "files_archive", "update_body", "wanted_links", "with_containers"]

# From this version on, a network has the address of a card; before, the container has one.
MAC_BY_NETWORK = (1, 44)


def container_body(
    spec: DockerSpec,
    service: Service,
    number: int,
    *,
    kept: Mapping[str, str],
    shared: Mapping[str, str],
    api: tuple[int, int],
) -> dict[str, Any]:
    """Return the body of ``POST /containers/create``, joined to the first network; others are joined afterwards.

    Parameters
    ----------
    spec, service, number
        What the cell says, and the place.
    kept
        The volumes without a name that move over, by where they stood.
    shared
        The IDs of the containers that it shares something with, by ``service:NAME``.
    api
        The version that the engine speaks.
    """
    body: dict[str, Any] = {
        "Image": service.image,
        "Labels": {
            **(service.labels or {}),
            **identity(spec.project, service.name, number),
            FIELDS: fields_label(service),
        },
        "HostConfig": {},
    }
    for key, value in service.settings.items():
        setting = SETTINGS[key]
        put(body, setting.path, setting.write(with_containers(key, value, shared)))
    if service.environment is not None:
        body["Env"] = [f"{name}={_plain(value)}" for name, value in service.environment.items()]
    host = body["HostConfig"]
    if service.ports:
        host["PortBindings"] = write_ports(list(service.ports))
        body.setdefault("ExposedPorts", {}).update({port: {} for port in host["PortBindings"]})
    host.update(write_mounts(service.all_mounts, {key: one.name for key, one in spec.volumes.items()}, kept))
    if service.networks is None:
        mode = service.network_mode or "default"
        host["NetworkMode"] = f"container:{shared[mode]}" if mode in shared else mode
        return body
    first, how = next(iter(service.networks.items()))
    host["NetworkMode"] = spec.networks[first].name
    body["NetworkingConfig"] = {"EndpointsConfig": {spec.networks[first].name: endpoint(spec, service, how)}}
    if "mac_address" in how and api < MAC_BY_NETWORK:
        body["MacAddress"] = how["mac_address"]
    return body


def with_containers(key: str, value: Any, shared: Mapping[str, str]) -> Any:
    """Return a setting's value with containers in place of services; one that is not there is called as nothing is.

    Parameters
    ----------
    key, value
        The setting.
    shared
        The IDs of the containers, by ``service:NAME``.
    """
    if key in {"ipc", "pid"} and str(value).startswith("service:"):
        return f"container:{shared.get(value)}"
    if key == "volumes_from":
        split = [one.split(":") for one in value]
        return sorted(
            ":".join(["container", str(shared.get(f"service:{whose}")) if kind == "service" else whose, *mode])
            for kind, whose, *mode in split
        )
    return value


def endpoint(spec: DockerSpec, service: Service, how: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a container is in a network: its names, and its addresses where they are given."""
    ipam = {
        "IPv4Address": how.get("ipv4_address"),
        "IPv6Address": how.get("ipv6_address"),
        "LinkLocalIPs": how.get("link_local_ips"),
    }
    found: dict[str, Any] = {"Aliases": sorted({service.name, *how.get("aliases", ())})}
    if any(ipam.values()):
        found["IPAMConfig"] = {key: value for key, value in ipam.items() if value}
    if links := wanted_links(spec, service):
        found["Links"] = links
    if "mac_address" in how:
        found["MacAddress"] = how["mac_address"]
    if "driver_opts" in how:
        found["DriverOpts"] = how["driver_opts"]
    return found


def wanted_links(spec: DockerSpec, service: Service) -> list[str]:
    """Return what a container of a service finds by another name: ``CONTAINER:NAME``."""
    own = [
        f"{container_name(spec, key, number)}:{alias}"
        for key, alias in service.links
        for number in range(1, spec.services[key].scale + 1 if key in spec.services else 1)
    ]
    return sorted({*own, *(f"{name}:{alias}" for name, alias in service.external_links)})


def update_body(service: Service, differences: Iterable[Difference]) -> dict[str, Any]:
    """Return the body of ``POST /containers/ID/update``; empty where nothing of it differs."""
    body: dict[str, Any] = {}
    for one in differences:
        setting = SETTINGS.get(one.field)
        if setting is None or not one.update:
            continue
        value = -1 if one.field == "pids_limit" and one.after is None else one.after
        body[setting.path.rpartition(".")[2]] = setting.write(value)
    if "Memory" in body and "memswap_limit" not in service.settings:
        body["MemorySwap"] = 2 * body["Memory"]  # as the engine does where a container is made
    return body


def files_archive(files: Iterable[File]) -> bytes:
    """Return configs and secrets as a tar archive of the container's root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            content = _plain(file.content).encode("utf-8", "surrogateescape")
            entry = tarfile.TarInfo(file.target.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = len(content), file.mode, file.uid, file.gid
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
