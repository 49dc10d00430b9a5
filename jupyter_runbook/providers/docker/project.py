"""A cell → what it says: the Compose file's top level (the Compose Specification), and the magic's own options."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.providers.docker.extends import extended
from jupyter_runbook.providers.docker.hosts import engine_address, read_hosts
from jupyter_runbook.providers.docker.interpolate import interpolate, variables
from jupyter_runbook.providers.docker.model import DockerSpec, Network, Service, Volume
from jupyter_runbook.providers.docker.services import read_service
from jupyter_runbook.providers.docker.surroundings import Surroundings
from jupyter_runbook.secret import Secret, is_secret_name, secret_by_name
from jupyter_runbook.spec.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_runbook.spec.cell import Cell

__all__ = ["read_project"]

_TOP = ("name", "version", "services", "networks", "volumes", "configs", "secrets")
_NOT_HERE = {
    "include": "is not supported yet: paste what the other file says",
    "models": "needs Docker's model runner",
}
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")


def read_project(cell: Cell) -> DockerSpec:
    """Read a cell of ``%%docker``, and the files that it takes values from: ``.env``, env files, configs, secrets.

    Raises
    ------
    InvalidSpec
        With the line.
    """
    folder = Path(cell.own("project_directory") or ".").expanduser().resolve()
    if not folder.is_dir():
        raise InvalidSpec(f"--project-directory: the folder {folder.name} is not there", line=1, hint="make it first")
    lookup = _Lookup(folder)
    document = extended(cell.document(literal=lookup.fill))
    if document.data is None:
        raise document.error((), "the cell is empty", hint="write a Compose file below the magic")
    top = Node(document)
    for key, why in _NOT_HERE.items():
        if isinstance(top.value, dict) and key in top.value:
            raise top.child(key).error(f"{key} {why}")
    parts = top.mapping(_TOP, "a Compose file")
    if "services" not in parts:
        raise top.error("there are no services", hint="services:\n  web:\n    image: nginx")
    project = _project(cell, parts, folder, lookup.variables)
    declared = {
        kind: parts[kind].mapping() if kind in parts and parts[kind].value is not None else {}
        for kind in ("networks", "volumes", "configs", "secrets")
    }
    around = Surroundings(
        project,
        folder,
        lookup.variables,
        tuple(declared["networks"]),
        tuple(declared["volumes"]),
        {
            (kind, key): _content(one, kind, folder, lookup.variables)
            for kind in ("configs", "secrets")
            for key, one in declared[kind].items()
        },
        frozenset(str(Path(one).expanduser().resolve()) for one in (*cell.own("load"), cell.own("save")) if one),
    )
    nodes = {key: one for key, one in parts["services"].mapping().items() if not key.startswith("x-")}
    services = {key: read_service(one, around) for key, one in nodes.items()}
    asleep = tuple(
        key for key, one in nodes.items() if not cell.options.absent and _asleep(one, cell, lookup.variables)
    )
    awake = {key: one for key, one in services.items() if key not in asleep}
    _check_dependencies(nodes, awake, asleep)
    networks = {key: _network(one, project) for key, one in declared["networks"].items()}
    used = {key for one in awake.values() for key in one.networks or ()}
    if "default" in used:
        networks.setdefault("default", Network("default", f"{project}_default"))
    volumes = {key: _volume(one, project) for key, one in declared["volumes"].items()}
    mounted = {mount.source for one in awake.values() for mount in one.mounts or () if mount.type == "volume"}
    everything = cell.options.absent
    hosts = read_hosts(cell, lookup.variables)
    return DockerSpec(
        project=project,
        hosts=hosts,
        services=awake,
        networks={key: one for key, one in networks.items() if everything or key in used},
        volumes={key: one for key, one in volumes.items() if everything or key in mounted},
        asleep=asleep,
        absent=everything,
        remove_volumes=bool(cell.own("volumes")),
        remove_orphans=bool(cell.own("remove_orphans")),
        push=bool(cell.own("push")),
        load=_sources(cell),
        save=_archive(cell, awake, hosts),
        notices=tuple(f"the variable {name} is not set: it counts as empty" for name in sorted(lookup.unset)),
    )


class _Lookup:
    """The variables of a cell: read when the first one is asked for, and what was asked for in vain."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unset: set[str] = set()
        self._variables: dict[str, str] | None = None

    @property
    def variables(self) -> dict[str, str]:
        if self._variables is None:
            try:
                self._variables = variables(self.folder)
            except (OSError, ValueError) as error:
                raise InvalidSpec(f"{self.folder.name}/.env: {error}", hint="mend that file") from None
        return self._variables

    def fill(self, text: str) -> str | Secret:
        """Fill one scalar; what a variable with a secret's name brings makes a secret of it."""
        if "$" not in text:
            return text
        taken: list[str] = []

        def lookup(name: str) -> str | None:
            value = self.variables.get(name)
            if value is None:
                self.unset.add(name)
            elif is_secret_name(name):
                taken.append(name)
            return value

        before = set(self.unset)
        filled = interpolate(text, lookup)
        if re.search(r"\$\{[A-Za-z0-9_]+:?[-+]", text):
            self.unset = before  # it says what is to stand there instead
        return secret_by_name(taken[0], filled) if taken else filled


def _sources(cell: Cell) -> tuple[str, ...]:
    """Return what ``--load`` names; a file has to be there."""
    found = []
    for text in cell.own("load") or ():
        if "://" in text:
            found.append(engine_address(text, "--load"))
        elif Path(text).expanduser().is_file():
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
    path = Path(text).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        what = f"{text} is a folder" if path.is_dir() else f"the folder of {text} is not there"
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


def _check_dependencies(nodes: Mapping[str, Node], awake: Mapping[str, Service], asleep: Iterable[str]) -> None:
    for key, service in awake.items():
        for other, how in service.depends.items():
            if other in awake or not how.required:
                continue
            place = nodes[key].child("depends_on") if "depends_on" in nodes[key].value else nodes[key]
            if other in asleep:
                raise place.error(f"{key} depends on {other}, whose profile is not active", hint="--profile NAME")
            raise place.error(f"{key} depends on {other}, which is no service of this cell")
    try:
        TopologicalSorter({key: list(one.depends) for key, one in awake.items()}).prepare()
    except CycleError as error:
        raise nodes[error.args[1][0]].error(f"they depend on each other: {' → '.join(error.args[1])}") from None


_FILE = ("file", "content", "environment", "name", "external", "template_driver", "driver", "driver_opts", "labels")


def _content(node: Node, kind: str, folder: Path, known: Mapping[str, str]) -> str | Secret:
    """Return what a config or a secret holds; bytes that are no UTF-8 stand as lone surrogates."""
    key = str(node.path[-1])
    parts = node.mapping(_FILE, f"one of the {kind}")
    for other in ("external", "driver", "template_driver"):
        if other in parts and parts[other].value is not False:
            raise parts[other].error(f"{other} is Swarm's own: an engine by itself keeps no {kind}", hint="use file:")
    sources = [name for name in ("file", "content", "environment") if name in parts]
    if len(sources) != 1:
        raise node.error("one of file, content and environment is needed")
    one = parts[sources[0]]
    if sources[0] == "file":
        path = folder / Path(one.text()).expanduser()
        try:
            text: str | Secret = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise one.error(f"{error.strerror}: {one.text()}", hint="make it in a step above") from None
    elif sources[0] == "environment":
        if one.text() not in known:
            raise one.error(f"the variable {one.text()} is not set", hint="set it, or write file: or content:")
        text = known[one.text()]
    else:
        text = one.secret_text()
    if kind == "secrets" and isinstance(text, str) and text:
        return Secret(text, name=key)
    return text


def _network(node: Node, project: str) -> Network:
    names = {_SPELLED.get(key, key): key for key in _NETWORK}
    parts, name, external = _named(node, project, names, "a network")
    values = {names[key]: _NETWORK[names[key]](one) for key, one in parts.items() if one.value is not None}
    return Network(str(node.path[-1]), name, external, **values)


def _volume(node: Node, project: str) -> Volume:
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
