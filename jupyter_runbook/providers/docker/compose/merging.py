"""Two versions of a service, or of a whole file, become one (the Compose Specification, "Merge"). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from jupyter_runbook.spec.placed import Placed

__all__ = ["merge", "merge_files"]

# What is taken as a whole from the one that comes over the other where both have it.
_WHOLE = ("command", "entrypoint", "test")
# What may be written as a mapping or as a list of KEY=VALUE.
_PAIRS = ("environment", "labels", "sysctls", "annotations", "extra_hosts", "args")
# What may be written as a mapping or as a list of keys.
_KEYS = ("networks", "depends_on")
# What may be written as a list or as its one item.
_LISTS = ("env_file", "label_file", "dns", "dns_search", "dns_opt", "tmpfs")
# Of what there is one at a target.
_TARGETS = ("volumes", "devices", "configs", "secrets")


def merge_files(base: Placed, own: Placed) -> Placed:
    """Return what a Compose file is when another one comes over it: all of its services, networks and so on."""
    merged = dict(base.value)
    for section, value in own.value.items():
        under = merged.get(section)
        if under is None or not isinstance(under.value, dict) or not isinstance(value.value, dict):
            merged[section] = value
            continue
        both = dict(under.value)
        for name, one in value.value.items():
            both[name] = _over(both[name], one) if name in both else one
        merged[section] = value.having(both)
    return own.having(merged)


def merge(base: Placed, own: Placed) -> Placed:
    """Return what a service, or a mapping of one, is when another one comes over it."""
    merged = dict(base.value)
    for key, value in own.value.items():
        merged[key] = _both(key, merged[key], value) if key in merged else value
    return own.having(merged)


def _over(base: Placed, own: Placed) -> Placed:
    if own.value is None and isinstance(base.value, (dict, list)):
        return base
    return merge(base, own) if isinstance(base.value, dict) and isinstance(own.value, dict) else own


def _both(key: str, base: Placed, own: Placed) -> Placed:
    if key in _WHOLE:
        return own
    for names, normal in ((_PAIRS, _pairs), (_KEYS, _keys), (("build",), _build), (_LISTS, _list)):
        if key in names:
            base, own = normal(base), normal(own)
    if isinstance(base.value, list) and isinstance(own.value, list):
        if key in _TARGETS:
            return own.having(list({_target(key, one): one for one in [*base.value, *own.value]}.values()))
        known = [one.plain() for one in base.value]
        return own.having([*base.value, *(one for one in own.value if one.plain() not in known)])
    return _over(base, own)


def _pairs(placed: Placed) -> Placed:
    if not isinstance(placed.value, list):
        return placed
    split = [(_pair(one.value), one) for one in placed.value]
    return placed.having({key: one.having(value) for (key, value), one in split})


def _pair(item: Any) -> tuple[str, Any]:
    text = item.reveal() if isinstance(item, Secret) else str(item)
    mark = "=" if "=" in text or ":" not in text else ":"
    key, found, value = text.partition(mark)
    if isinstance(item, Secret) and value:
        return key, Secret(value, name=item.name)
    return key, value if found else None


def _keys(placed: Placed) -> Placed:
    if not isinstance(placed.value, list):
        return placed
    return placed.having({str(one.value): one.having(None) for one in placed.value})


def _build(placed: Placed) -> Placed:
    return placed.having({"context": placed}) if isinstance(placed.value, str) else placed


def _list(placed: Placed) -> Placed:
    return placed if isinstance(placed.value, list) or placed.value is None else placed.having([placed])


def _target(key: str, item: Placed) -> str:
    """Return where something stands in the container: one that comes over another takes its place there."""
    value = item.plain()
    if isinstance(value, dict):
        return str(value.get("target") or value.get("source"))
    parts = str(value).split(":")
    return parts[0] if len(parts) == 1 or key in {"configs", "secrets"} else parts[1]
