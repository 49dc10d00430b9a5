"""Ports that somebody else has, found before anything is touched."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.docker.ports import seen_ports

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_runbook.providers.docker.engine import Engine
    from jupyter_runbook.providers.docker.model import DockerSpec
    from jupyter_runbook.providers.docker.ports import Port

__all__ = ["busy_ports"]

Inspected = dict[str, Any]


def busy_ports(spec: DockerSpec, engine: Engine, containers: Iterable[Inspected]) -> dict[Port, str]:
    """Return who has the ports that a cell wants and its containers do not have yet.

    Other containers are known from the engine; other programs, where the engine is this machine's own.

    Parameters
    ----------
    spec, engine
        What the cell says, and where.
    containers
        The project's containers, as inspected.
    """
    ours = {
        _place(port)
        for one in containers
        for port in seen_ports(one["HostConfig"].get("PortBindings"))
        if _running(one)
    }
    wanted = [port for service in spec.services.values() for port in service.ports or () if service.scale]
    new = [port for port in wanted if port.published.isdigit() and _place(port) not in ours]
    if not new:
        return {}
    found: dict[Port, str] = {}
    listed = engine.get("/containers/json")
    mine = {one["Id"] for one in containers}
    for port in new:
        for one in listed:
            if one["Id"] not in mine and any(_meets(port, other) for other in one.get("Ports") or ()):
                found[port] = f"the container {one['Names'][0].removeprefix('/')}"
        if port not in found and engine.url.startswith("unix://") and (who := _program(port)):
            found[port] = who
    return found


def _running(container: Inspected) -> bool:
    return bool(container["State"]["Running"])


def _place(port: Port) -> tuple[str, str]:
    return port.published, port.protocol


def _meets(port: Port, other: Inspected) -> bool:
    """Tell whether a listed port of another container stands where one is wanted."""
    if (str(other.get("PublicPort")), other.get("Type")) != _place(port):
        return False
    ip = other.get("IP") or ""
    return not port.host_ip or ip in {"", "0.0.0.0", "::", port.host_ip}  # noqa: S104 -- compared, not bound


def _program(port: Port) -> str | None:
    """Return who of this machine's programs has a port; None where it is free, or that can't be told."""
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}.get(port.protocol)
    if kind is None:
        return None
    family = socket.AF_INET6 if ":" in port.host_ip else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host_ip or "127.0.0.1", int(port.published)))
        except OSError as error:
            return _listener(port) if error.errno == errno.EADDRINUSE else None
    return None


def _listener(port: Port) -> str:
    import psutil

    for one in psutil.net_connections(port.protocol):
        if one.laddr and one.laddr.port == int(port.published) and one.pid and one.status in {"LISTEN", "NONE"}:
            try:
                return f"{psutil.Process(one.pid).name()} (process {one.pid})"
            except psutil.Error:
                break
    return "another program"
