"""``extends`` of a service (the Compose Specification, "extends" and "Merge"): what one takes from another. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.yamltext import Document

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.spec.yamltext import Path

__all__ = ["extended"]

# What is taken as a whole from the service itself where both have it.
_WHOLE = ("command", "entrypoint", "test")
# What may be written as a mapping or as a list of KEY=VALUE.
_PAIRS = ("environment", "labels", "sysctls", "annotations", "extra_hosts", "args")
# What may be written as a mapping or as a list of keys.
_KEYS = ("networks", "depends_on")


def extended(document: Document) -> Document:
    """Return a document whose services have what they extend, and no ``extends`` any more.

    Raises
    ------
    InvalidSpec
        A service that is not there, that extends itself in the end, or that is in another file.
    """
    services = document.data.get("services") if isinstance(document.data, dict) else None
    if not isinstance(services, dict):
        return document
    if not any(isinstance(one, dict) and "extends" in one for one in services.values()):
        return document
    lines = dict(document.lines)
    done: dict[str, Any] = {}

    def resolve(name: str, above: tuple[str, ...]) -> Any:
        if name in done:
            return done[name]
        service = services[name]
        if isinstance(service, dict) and "extends" in service:
            base = _base(document, name, services)
            if base in above or base == name:
                chain = " → ".join([*above, name, base])
                raise document.error(("services", name, "extends"), f"they extend each other: {chain}")
            taken = resolve(base, (*above, name))
            own = {key: value for key, value in service.items() if key != "extends"}
            service = _merge(taken, own, ()) if isinstance(taken, dict) else own
            for path, line in document.lines.items():
                if path[:2] == ("services", base):
                    lines.setdefault(("services", name, *path[2:]), line)
        done[name] = service
        return service

    merged = {name: resolve(name, ()) for name in services}
    return Document({**document.data, "services": merged}, lines)


def _base(document: Document, name: str, services: dict[str, Any]) -> str:
    place: Path = ("services", name, "extends")
    given = services[name]["extends"]
    if isinstance(given, dict):
        if "file" in given:
            raise document.error(
                (*place, "file"), "extends from another file is not supported", hint="paste the service into this one"
            )
        given = given.get("service")
    if not isinstance(given, str) or given not in services:
        raise document.error(place, f"{name} extends {given!r}, which is no service of this cell")
    return given


def _merge(base: dict[str, Any], own: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        merged[key] = _both(key, base[key], value, (*path, key)) if key in base else value
    return merged


def _both(key: str, base: Any, own: Any, path: tuple[str, ...]) -> Any:
    if key in _WHOLE:
        return own
    for names, split in ((_PAIRS, _pair), (_KEYS, _key)):
        if key in names and isinstance(base, (dict, list)) and isinstance(own, (dict, list)):
            return {**_mapped(base, split), **_mapped(own, split)}
    if isinstance(base, dict) and isinstance(own, dict):
        return _merge(base, own, path)
    if isinstance(base, list) and isinstance(own, list):
        if key == "volumes":
            return list({_target(one): one for one in [*base, *own]}.values())
        return [*base, *(one for one in own if one not in base)]
    return own


def _mapped(value: Any, split: Callable[[Any], tuple[str, Any]]) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else dict(split(one) for one in value)


def _pair(item: Any) -> tuple[str, Any]:
    text = item.reveal() if isinstance(item, Secret) else str(item)
    mark = "=" if "=" in text or ":" not in text else ":"
    key, found, value = text.partition(mark)
    if isinstance(item, Secret) and value:
        return key, Secret(value, name=item.name)
    return key, value if found else None


def _key(item: Any) -> tuple[str, Any]:
    return str(item), None


def _target(volume: Any) -> str:
    """Return where a volume stands: one of the service's own takes the place of one that is taken over."""
    if isinstance(volume, dict):
        return str(volume.get("target"))
    parts = str(volume).split(":")
    return parts[0] if len(parts) == 1 else parts[1]
