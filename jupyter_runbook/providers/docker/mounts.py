"""A service's volumes, in all their spellings (the Compose Specification, "volumes")."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from jupyter_runbook.spec.node import Node

__all__ = ["Mount", "anonymous", "kept_volumes", "read_mounts", "seen_mounts", "write_mounts"]

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_LONG = ("type", "source", "target", "read_only", "bind", "volume", "tmpfs", "consistency")
_PROPAGATION = ("shared", "slave", "private", "rshared", "rslave", "rprivate")
_MODES = ("ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent", *_PROPAGATION)


@dataclass(frozen=True)
class Mount:
    """What stands at one path of a container.

    Parameters
    ----------
    target
        The path.
    type
        ``bind``, ``volume`` or ``tmpfs``.
    source
        The host's path, or the key of a volume of the cell; empty for a volume without a name, and for a tmpfs.
    read_only
        Whether the container may write there.
    options
        What else was asked for, sorted: the engine does not tell of all of it.
    """

    target: str
    type: str
    source: str = ""
    read_only: bool = False
    options: tuple[tuple[str, Any], ...] = field(default=())

    def __str__(self) -> str:
        source = f"{self.source}:" if self.source else ""
        return f"{self.type} {source}{self.target}{':ro' if self.read_only else ''}"


def anonymous(name: str) -> bool:
    """Tell whether the engine made a volume's name up: 64 hex digits."""
    return _ANONYMOUS.fullmatch(name) is not None


def read_mounts(node: Node, folder: Path, volumes: Iterable[str]) -> list[Mount]:
    """Read a service's ``volumes``, in the order of their targets.

    Parameters
    ----------
    node
        The list.
    folder
        What relative paths start from.
    volumes
        The volumes that the cell declares.

    Raises
    ------
    InvalidSpec
        A volume that is not declared, a target that is there twice, or what can't be read.
    """
    declared = list(volumes)
    found: dict[str, Mount] = {}
    for one in node.items():
        mount = _long(one, folder) if isinstance(one.value, dict) else _short(one, folder)
        if mount.type == "volume" and mount.source and mount.source not in declared:
            raise one.error(f"the volume {mount.source} is not declared", hint=f"volumes:\n  {mount.source}:")
        if mount.target in found:
            raise one.error(f"two volumes stand at {mount.target}", hint="keep one of them")
        found[mount.target] = mount
    return [found[target] for target in sorted(found)]


def _short(node: Node, folder: Path) -> Mount:
    parts = node.text().split(":")
    if len(parts) > 3:  # noqa: PLR2004 -- the most that there can be
        raise node.wrong("[SOURCE:]TARGET[:MODE]")
    source, target, mode = ("", parts[0], "") if len(parts) == 1 else (parts[0], parts[1], ":".join(parts[2:]))
    modes = [word for word in mode.split(",") if word]
    for word in modes:
        if word not in _MODES:
            raise node.error(f"the mode {word} is not known", hint=f"one of {', '.join(_MODES)}")
    names = {"z": "selinux", "Z": "selinux", **dict.fromkeys(_PROPAGATION, "propagation")}
    options: dict[str, Any] = {names[word]: word for word in modes if word in names}
    if "nocopy" in modes:
        options["nocopy"] = True
    kind = "bind" if source.startswith(("/", ".", "~")) else "volume"
    if kind == "bind":
        options["create_host_path"] = True
        source = _host_path(source, folder)
    return Mount(_target(node, target), kind, source, "ro" in modes, _options(options))


def _long(node: Node, folder: Path) -> Mount:
    parts = node.mapping(_LONG, "a volume")
    for needed in ("type", "target"):
        if needed not in parts:
            raise node.error(f"{needed} is needed")
    kind = parts["type"].choice("bind", "volume", "tmpfs")
    for other in ("bind", "volume", "tmpfs"):
        if other in parts and other != kind:
            raise parts[other].error(f"a {kind} has no options for a {other}")
    source = parts["source"].text() if "source" in parts and kind != "tmpfs" else ""
    if kind == "bind":
        if not source:
            raise node.error("source is needed: the host's path")
        source = _host_path(source, folder)
    options = {"create_host_path": True} if kind == "bind" else {}
    if kind in parts:
        inner = parts[kind].mapping(_INNER[kind], kind)
        options.update({key: _INNER[kind][key](one) for key, one in inner.items()})
    if not options.get("nocopy", True):
        del options["nocopy"]
    read_only = "read_only" in parts and parts["read_only"].flag()
    return Mount(_target(parts["target"], parts["target"].text()), kind, source, read_only, _options(options))


_INNER: dict[str, dict[str, Callable[[Node], Any]]] = {
    "bind": {
        "propagation": lambda node: node.choice(*_PROPAGATION),
        "selinux": lambda node: node.choice("z", "Z"),
        "create_host_path": lambda node: node.flag(),
    },
    "volume": {"nocopy": lambda node: node.flag(), "subpath": lambda node: node.text()},
    "tmpfs": {"size": lambda node: node.size(), "mode": lambda node: node.integer()},
}


def _target(node: Node, target: str) -> str:
    if not target.startswith("/"):
        raise node.error(f"the path in the container has to begin with /, not be {target!r}")
    return os.path.normpath(target)


def _host_path(source: str, folder: Path) -> str:
    return os.path.normpath(folder / os.path.expanduser(source))  # noqa: PTH111 -- a text comes out


def _options(options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(options.items()))


def write_mounts(mounts: Iterable[Mount], names: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, Any]:
    """Return ``HostConfig.Binds`` and ``HostConfig.Mounts``.

    Parameters
    ----------
    mounts
        What is wanted.
    names
        The engine's names of the cell's volumes, by their keys.
    kept
        The volumes without a name of the container that is replaced, by the paths that they stood at.
    """
    binds: list[str] = []
    others: list[dict[str, Any]] = []
    for mount in mounts:
        options = dict(mount.options)
        if mount.type == "bind" and options.get("create_host_path"):
            words = ["ro" if mount.read_only else "rw", *filter(None, [options.get("selinux")])]
            words += filter(None, [options.get("propagation")])
            binds.append(f"{mount.source}:{mount.target}:{','.join(words)}")
            continue
        one: dict[str, Any] = {"Type": mount.type, "Target": mount.target, "ReadOnly": mount.read_only}
        if mount.type == "bind":
            one["Source"] = mount.source
            if "propagation" in options:
                one["BindOptions"] = {"Propagation": options["propagation"]}
        elif mount.type == "volume":
            one["Source"] = names[mount.source] if mount.source else kept.get(mount.target, "")
            inner = {"NoCopy": options.get("nocopy"), "Subpath": options.get("subpath")}
            one["VolumeOptions"] = {key: value for key, value in inner.items() if value}
        else:
            inner = {"SizeBytes": options.get("size"), "Mode": options.get("mode")}
            one["TmpfsOptions"] = {key: value for key, value in inner.items() if value}
        others.append(one)
    wanted = {mount.target for mount in mounts}
    for target, name in sorted(kept.items()):
        if target not in wanted:
            others.append({"Type": "volume", "Source": name, "Target": target})
    return {key: value for key, value in (("Binds", binds), ("Mounts", others)) if value}


def seen_mounts(container: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Mount]:
    """Return what stands where in an inspected container.

    Parameters
    ----------
    container
        What the engine tells of it.
    keys
        The keys of the cell's volumes, by the engine's names of them.
    """
    found = {}
    for one in container.get("Mounts") or ():
        target = os.path.normpath(one["Destination"])
        source = str(one.get("Source") or "")
        if one["Type"] == "volume":
            name = str(one.get("Name") or "")
            source = "" if anonymous(name) else keys.get(name, name)
        elif one["Type"] == "tmpfs":
            source = ""
        found[target] = Mount(target, one["Type"], source, not one.get("RW", True))
    return found


def kept_volumes(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the volumes without a name of an inspected container, by the paths that they stand at."""
    return {
        os.path.normpath(one["Destination"]): one["Name"]
        for one in container.get("Mounts") or ()
        if one["Type"] == "volume" and anonymous(str(one.get("Name") or ""))
    }
