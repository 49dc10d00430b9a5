"""Which engines a cell means: ``--host``, ``DOCKER_HOST``, the Docker CLI's context, or the one of this machine."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.files import expanded
from jupyter_runbook.inventories import hosts_of
from jupyter_runbook.providers.docker.engine import Engine
from jupyter_runbook.spec.template import render_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.spec.cell import Cell

__all__ = ["connect", "engine_address", "read_hosts"]

LOCAL = "/var/run/docker.sock"
SCHEMES = ("unix", "tcp", "http", "https", "ssh")


def read_hosts(cell: Cell, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses of the engines that a cell names, by what people call them.

    ``--host`` takes an address, or ``{{ name }}`` of one, of a list of them, of a mapping of them by name, or of an
    inventory: groups of hosts as Ansible's YAML inventories have them. A host's engine is then what its variable
    ``docker_host`` says, or is reached with SSH by ``ansible_host``, ``ansible_user`` and ``ansible_port``.

    Raises
    ------
    InvalidSpec
        What is no engine's address, or one that is named twice.
    """
    given = cell.own("host")
    if not given:
        address = default_host(variables)
        return {address: address}
    found: dict[str, str] = {}
    for text in given:
        for name, address in _named(render_text(text, cell.names, line=1)):
            if name in found or address in found.values():
                raise InvalidSpec(f"--host: {name} is there twice", line=1, hint="name each engine once")
            found[name] = address
    if not found:
        raise InvalidSpec("--host names no engine", line=1, hint="fill the list, or use --when to skip the step")
    return found


def _named(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
        hosts = hosts_of(value, "--host")
        return [(name, engine_address(_engine_of(name, known))) for name, known in hosts.items()]
    if isinstance(value, dict):
        return [(str(name), engine_address(one)) for name, one in value.items()]
    if isinstance(value, (list, tuple)):
        return [(engine_address(one), engine_address(one)) for one in value]
    return [(engine_address(value), engine_address(value))]


def _engine_of(name: str, variables: Mapping[str, Any]) -> Any:
    if "docker_host" in variables:
        return variables["docker_host"]
    host = str(variables.get("ansible_host", name))
    address = f"[{host}]" if ":" in host else host
    if user := variables.get("ansible_user"):
        address = f"{user}@{address}"
    if port := variables.get("ansible_port"):
        address = f"{address}:{port}"
    return f"ssh://{address}"


def engine_address(value: Any, option: str = "--host") -> str:
    """Return an engine's address as it is used.

    Raises
    ------
    InvalidSpec
        It is none.
    """
    text = value.strip() if isinstance(value, str) else ""
    parts = urlsplit(text)
    if parts.scheme not in SCHEMES or not (parts.path if parts.scheme == "unix" else parts.hostname):
        raise InvalidSpec(
            f"{option}: {value!r} is no engine's address",
            line=1,
            hint="unix:///var/run/docker.sock, tcp://HOST:2376 or ssh://USER@HOST",
        )
    return text.rstrip("/")


def default_host(variables: Mapping[str, str]) -> str:
    """Return the engine that is meant where none is named, as the Docker CLI would find it; else a sandbox's."""
    if host := variables.get("DOCKER_HOST"):
        return host.rstrip("/")
    if host := (_context(variables) or {}).get("Host"):
        return str(host)
    if not Path(LOCAL).exists():
        from jupyter_runbook.sandbox.base import sandbox_folder

        socket = sandbox_folder("docker") / "docker.sock"
        if socket.exists():
            return f"unix://{socket}"
    return f"unix://{LOCAL}"


def connect(url: str) -> Engine:
    """Return an engine, with the certificates that the Docker CLI would use for it."""
    if urlsplit(url).scheme not in {"tcp", "http", "https"}:
        return Engine(url)
    verify = os.environ.get("DOCKER_TLS_VERIFY")
    folder = os.environ.get("DOCKER_CERT_PATH") or str(_config_folder(os.environ))
    if verify or urlsplit(url).scheme == "https":
        return Engine(url, folder)
    context = _context(os.environ)
    if context and context.get("Host") == url and (tls := context.get("tls")) and Path(tls).is_dir():
        return Engine(url, tls)
    return Engine(url)


def _config_folder(variables: Mapping[str, str]) -> Path:
    return expanded(variables.get("DOCKER_CONFIG") or "~/.docker")


def _context(variables: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the endpoint of the Docker CLI's current context, and the folder of its certificates."""
    folder = _config_folder(variables)
    try:
        name = variables.get("DOCKER_CONTEXT") or json.loads((folder / "config.json").read_text()).get("currentContext")
        if not name or name == "default":
            return None
        key = hashlib.sha256(name.encode()).hexdigest()
        meta = json.loads((folder / "contexts/meta" / key / "meta.json").read_text())
        return {**meta["Endpoints"]["docker"], "tls": str(folder / "contexts/tls" / key / "docker")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
