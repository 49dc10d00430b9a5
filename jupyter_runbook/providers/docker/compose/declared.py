"""What a Compose file declares beside its services: networks, volumes, configs and secrets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_runbook.files import expanded, read_bytes
from jupyter_runbook.providers.docker.model import Network, Volume
from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_runbook.spec.node import Node

__all__ = ["Content", "read_content", "read_network", "read_volume"]

_FILE = ("file", "content", "environment", "name", "external", "template_driver", "driver", "driver_opts", "labels")


class Content(NamedTuple):
    """What a config or a secret holds, bytes that are no UTF-8 as lone surrogates; and the file, where it is one."""

    text: str | Secret
    path: str | None = None


def read_content(node: Node, kind: str, folder: Path, known: Mapping[str, str]) -> Content:
    """Read one of ``configs`` or ``secrets``."""
    key = str(node.path[-1])
    parts = node.mapping(_FILE, f"one of the {kind}")
    for other in ("external", "driver", "template_driver"):
        if other in parts and parts[other].value is not False:
            raise parts[other].error(f"{other} is Swarm's own: an engine by itself keeps no {kind}", hint="use file:")
    sources = [name for name in ("file", "content", "environment") if name in parts]
    if len(sources) != 1:
        raise node.error("one of file, content and environment is needed")
    one = parts[sources[0]]
    path = None
    if sources[0] == "file":
        path = str(folder / expanded(one.text()))
        try:
            text: str | Secret = read_bytes(Path(path)).decode("utf-8", "surrogateescape")
        except OSError as error:
            raise one.error(f"{error.strerror}: {one.text()}", hint="make it in a step above") from None
    elif sources[0] == "environment":
        if one.text() not in known:
            raise one.error(f"the variable {one.text()} is not set", hint="set it, or write file: or content:")
        text = known[one.text()]
    else:
        text = one.secret_text()
    if kind == "secrets" and isinstance(text, str) and text:
        return Content(Secret(text, name=key), path)
    return Content(text, path)


def read_network(node: Node, project: str) -> Network:
    """Read one of ``networks``."""
    names = {_SPELLED.get(key, key): key for key in _NETWORK}
    parts, name, external = _named(node, project, names, "a network")
    values = {names[key]: _NETWORK[names[key]](one) for key, one in parts.items() if one.value is not None}
    return Network(str(node.path[-1]), name, external, **values)


def read_volume(node: Node, project: str) -> Volume:
    """Read one of ``volumes``."""
    names = {"driver": "driver", "driver_opts": "options", "labels": "labels"}
    parts, name, external = _named(node, project, names, "a volume")
    values = {names[key]: _NETWORK[names[key]](one) for key, one in parts.items() if one.value is not None}
    return Volume(str(node.path[-1]), name, external, **values)


def _named(node: Node, project: str, known: Iterable[str], what: str) -> tuple[dict[str, Node], str, bool]:
    """Return the fields of a network or a volume, its name for the engine, and whether it is somebody else's."""
    key = str(node.path[-1])
    parts = node.mapping(("name", "external", *known), what) if node.value is not None else {}
    given = parts.pop("name", None)
    outside = parts.pop("external", None)
    external = False
    name = given.text() if given else None
    if outside is not None:
        if isinstance(outside.value, dict):
            external, name = True, outside.mapping(("name",), "external").get("name", given or outside).text()
        else:
            external = outside.flag()
    if external and parts:
        raise next(iter(parts.values())).error(f"{key} is external: it is as it is", hint="take this out")
    return parts, name or (key if external else f"{project}_{key}"), external


def _ipam(node: Node) -> dict[str, Any]:
    parts = node.mapping(("driver", "config", "options"), "ipam")
    found: dict[str, Any] = {}
    if "driver" in parts:
        found["driver"] = parts["driver"].text()
    if "options" in parts:
        found["options"] = {key: str(value) for key, value in parts["options"].pairs().items()}
    if "config" in parts:
        known = ("subnet", "ip_range", "gateway", "aux_addresses")
        found["config"] = [
            {
                key: dict(inner.pairs()) if key == "aux_addresses" else inner.text()
                for key, inner in one.mapping(known, "an address range").items()
            }
            for one in parts["config"].items()
        ]
    return found


_NETWORK: dict[str, Callable[[Node], Any]] = {
    "driver": lambda node: node.text(),
    "options": lambda node: {key: str(value) for key, value in node.pairs().items()},
    "ipam": _ipam,
    "internal": lambda node: node.flag(),
    "attachable": lambda node: node.flag(),
    "ipv6": lambda node: node.flag(),
    "labels": lambda node: {key: str(value) for key, value in node.pairs().items()},
}
_SPELLED = {"options": "driver_opts", "ipv6": "enable_ipv6"}
