"""A cell → what it says: the Compose file's top level (the Compose Specification), and the magic's own options."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.files import expanded, is_file, is_folder
from jupyter_runbook.providers.docker.compose.composefile import read_compose_file, top_level
from jupyter_runbook.providers.docker.compose.extends import extended
from jupyter_runbook.providers.docker.compose.lookup import Lookup
from jupyter_runbook.providers.docker.compose.surroundings import Surroundings
from jupyter_runbook.providers.docker.hosts import engine_address, read_hosts
from jupyter_runbook.providers.docker.model import DockerSpec, Network, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from jupyter_runbook.spec.cell import Cell
    from jupyter_runbook.spec.node import Node

__all__ = ["read_project"]

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")


def read_project(cell: Cell) -> DockerSpec:
    """Read a cell of ``%%docker``, and the files that it takes something from: ``.env``, includes, configs, secrets.

    Raises
    ------
    InvalidSpec
        With the line.
    """
    folder = expanded(cell.own("project_directory") or ".").resolve()
    if not is_folder(folder):
        raise InvalidSpec(f"--project-directory: the folder {folder.name} is not there", line=1, hint="make it first")
    lookup = Lookup(folder)
    parts = top_level(extended(cell.document(literal=lookup.fill), folder, lookup))
    project = _project(cell, parts, folder, lookup.variables)
    archives = [one for one in (*(cell.own("load") or ()), cell.own("save")) if one]
    apart = frozenset(str(expanded(one).resolve()) for one in archives)
    found = read_compose_file(parts, Surroundings(project, folder, lookup.variables, archives=apart), lookup)
    everything = cell.options.absent
    asleep = tuple(key for key, one in found.nodes.items() if not everything and _asleep(one, cell, lookup.variables))
    awake = {key: one for key, one in found.services.items() if key not in asleep}
    _check_dependencies(found.nodes, awake, asleep)
    used = {key for one in awake.values() for key in one.networks or ()}
    if "default" in used:
        found.networks.setdefault("default", Network("default", f"{project}_default"))
    mounted = {mount.source for one in awake.values() for mount in one.mounts or () if mount.type == "volume"}
    hosts = read_hosts(cell, lookup.variables)
    return DockerSpec(
        project=project,
        hosts=hosts,
        services=awake,
        networks={key: one for key, one in found.networks.items() if everything or key in used},
        volumes={key: one for key, one in found.volumes.items() if everything or key in mounted},
        asleep=asleep,
        absent=everything,
        remove_volumes=bool(cell.own("volumes")),
        remove_orphans=bool(cell.own("remove_orphans")),
        push=bool(cell.own("push")),
        load=_sources(cell),
        save=_archive(cell, awake, hosts),
        notices=tuple(f"the variable {name} is not set: it counts as empty" for name in sorted(lookup.unset)),
    )


def _sources(cell: Cell) -> tuple[str, ...]:
    """Return what ``--load`` names; a file has to be there."""
    found = []
    for text in cell.own("load") or ():
        if "://" in text:
            found.append(engine_address(text, "--load"))
        elif is_file(expanded(text)):
            found.append(text)
        else:
            raise InvalidSpec(f"--load: the archive {text} is not there", line=1, hint="--save writes one")
    return tuple(found)


def _archive(cell: Cell, services: Mapping[str, Service], hosts: Mapping[str, str]) -> str | None:
    """Return what ``--save`` names, if that can be."""
    text = cell.own("save")
    if text is None:
        return None
    if len(hosts) > 1:
        raise cell.refuse("--save", f"there are {len(hosts)} engines; an archive is saved from one")
    for service in services.values():
        if "@" in service.image:
            raise cell.refuse("--save", f"an archive can't keep the name {service.image}; name the image by its tag")
    path = expanded(text)
    if is_folder(path) or not is_folder(path.parent):
        what = f"{text} is a folder" if is_folder(path) else f"the folder of {text} is not there"
        raise InvalidSpec(f"--save: {what}", line=1, hint="name a file in a folder that is there: --save site.tar")
    return str(text)


def _project(cell: Cell, parts: Mapping[str, Node], folder: Path, known: Mapping[str, str]) -> str:
    given = cell.own("project")
    if given is None and "name" in parts:
        given = parts["name"].text()
        if not _PROJECT.fullmatch(given):
            raise parts["name"].error(f"{given!r} can't be a project's name", hint=_NAMES)
    if given is None:
        given = known.get("COMPOSE_PROJECT_NAME")
    if given is None:
        given = re.sub(r"[^a-z0-9_-]", "", folder.name.lower()).lstrip("_-")
    if not _PROJECT.fullmatch(given):
        raise InvalidSpec(f"{given!r} can't be a project's name", line=1, hint=f"{_NAMES}; --project names it")
    return str(given)


_NAMES = "lower-case letters, digits, - and _, and a letter or digit first"


def _asleep(node: Node, cell: Cell, known: Mapping[str, str]) -> bool:
    if "profiles" not in node.value:
        return False
    active = {*cell.own("profile"), *filter(None, known.get("COMPOSE_PROFILES", "").split(","))}
    wanted = node.child("profiles")
    names = [one.text() for one in wanted.items()]
    return bool(names) and "*" not in active and not active & set(names)


def _naming(node: Node, other: str) -> Node:
    """Return the field of a service by which it needs another one."""
    fields = ("depends_on", "links", "volumes_from", "network_mode", "ipc", "pid")
    return next((node.child(key) for key in fields if other in str(node.value.get(key))), node)


def _check_dependencies(nodes: Mapping[str, Node], awake: Mapping[str, Service], asleep: Iterable[str]) -> None:
    for key, service in awake.items():
        for other, how in service.depends.items():
            if other in awake or not how.required:
                continue
            place = _naming(nodes[key], other)
            if other in asleep:
                raise place.error(f"{key} depends on {other}, whose profile is not active", hint="--profile NAME")
            raise place.error(f"{key} depends on {other}, which is no service of this cell")
    try:
        TopologicalSorter({key: list(one.depends) for key, one in awake.items()}).prepare()
    except CycleError as error:
        raise nodes[error.args[1][0]].error(f"they depend on each other: {' → '.join(error.args[1])}") from None
