"""A Compose file's top level, and ``include``: the files that it is made of, read into one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.files import expanded, is_file
from jupyter_runbook.providers.docker.compose.declared import Content, read_content, read_network, read_volume
from jupyter_runbook.providers.docker.compose.extends import extended
from jupyter_runbook.providers.docker.compose.lookup import Lookup, read_file
from jupyter_runbook.providers.docker.compose.merging import merge_files
from jupyter_runbook.providers.docker.compose.services import read_service
from jupyter_runbook.spec.node import Node
from jupyter_runbook.spec.placed import Placed

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping
    from pathlib import Path

    from jupyter_runbook.providers.docker.compose.surroundings import Surroundings
    from jupyter_runbook.providers.docker.model import Network, Service, Volume
    from jupyter_runbook.spec.yamltext import Document

__all__ = ["ComposeFile", "read_compose_file", "top_level"]

_TOP = ("name", "version", "include", "services", "networks", "volumes", "configs", "secrets")
_NOT_HERE = {"models": "needs Docker's model runner"}


@dataclass
class ComposeFile:
    """What a file declares, and what those declare that it includes; each by key.

    Parameters
    ----------
    nodes
        Where each service stands.
    services, networks, volumes
        As the model has them.
    files
        The contents of configs and secrets, by ``configs`` or ``secrets`` and key.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    files: dict[tuple[str, str], Content] = field(default_factory=dict)

    def add(self, other: ComposeFile, node: Node) -> None:
        """Take over what an included file declares.

        Raises
        ------
        InvalidSpec
            It declares something in another way than one that was included before.
        """
        for kind in ("services", "networks", "volumes", "files"):
            own: dict[Any, Any] = getattr(self, kind)
            for key, value in getattr(other, kind).items():
                if key in own and own[key] != value:
                    raise _twice(node, *(key if isinstance(key, tuple) else (kind, key)))
                own[key] = value
        self.nodes.update(other.nodes)


def top_level(document: Document) -> dict[str, Node]:
    """Return a file's top level by key.

    Raises
    ------
    InvalidSpec
        A key that is not known, or nothing in it that could be converged.
    """
    if document.data is None:
        raise document.error((), "the cell is empty", hint="write a Compose file below the magic")
    top = Node(document)
    for key, why in _NOT_HERE.items():
        if isinstance(top.value, dict) and key in top.value:
            raise top.child(key).error(f"{key} {why}")
    parts = top.mapping(_TOP, "a Compose file")
    if "services" not in parts and "include" not in parts:
        raise top.error("there are no services", hint="services:\n  web:\n    image: nginx")
    return parts


def read_compose_file(
    parts: Mapping[str, Node], base: Surroundings, lookup: Lookup, above: tuple[Path, ...] = ()
) -> ComposeFile:
    """Read a file, and those that it includes.

    Parameters
    ----------
    parts
        Its top level, with what its services extend.
    base
        Its project, folder and variables.
    lookup
        Its variables, for those of the files that it includes.
    above
        The files that include it.

    Raises
    ------
    InvalidSpec
        With the line, and the file where it is another one.
    """
    made = ComposeFile()
    for one in _items(parts, "include"):
        made.add(_included(one, base, lookup, above), one)
    for key, one in _declared(parts, "networks", made.networks):
        made.networks[key] = read_network(one, base.project)
    for key, one in _declared(parts, "volumes", made.volumes):
        made.volumes[key] = read_volume(one, base.project)
    for kind in ("configs", "secrets"):
        for key, one in _declared(parts, kind, {key for of, key in made.files if of == kind}):
            made.files[kind, key] = read_content(one, kind, base.folder, base.variables)
    around = replace(base, networks=tuple(made.networks), volumes=tuple(made.volumes), files=made.files)
    for key, one in _declared(parts, "services", made.services):
        if not key.startswith("x-"):
            made.services[key] = read_service(one, around)
            made.nodes[key] = one
    return made


def _included(node: Node, base: Surroundings, lookup: Lookup, above: tuple[Path, ...]) -> ComposeFile:
    """Read what one item of ``include`` names: a file, or several that come over one another."""
    parts = {"path": node}
    if isinstance(node.value, dict):
        parts = node.mapping(("path", "project_directory", "env_file"), "an include")
        if "path" not in parts:
            raise node.error("path is needed: the other Compose file")
    named = _items(parts, "path")
    paths = [_path(one, base.folder) for one in named]
    if not paths:
        raise parts["path"].error("the path of a file is needed")
    for path, one in zip(paths, named, strict=True):
        if path in above:
            raise one.error(f"{one.text()} includes itself in the end")
    folder = _path(parts["project_directory"], base.folder) if "project_directory" in parts else paths[0].parent
    env_files = [_path(one, base.folder) for one in _items(parts, "env_file")] if "env_file" in parts else None
    for path, one in zip(env_files or (), _items(parts, "env_file"), strict=True):
        if not is_file(path):
            raise one.error(f"there is no file {one.text()}", hint="make it in a step above")
    inner = Lookup(folder, env_files, lookup)
    try:
        known = inner.variables
    except InvalidSpec as error:
        raise node.error(error.message, hint=error.hint) from None
    documents = [Placed.of(read_file(path, one, inner, one.text())) for path, one in zip(paths, named, strict=True)]
    document = extended(reduce(merge_files, documents).document(), folder, inner)
    around = replace(base, folder=folder, variables=known)
    return read_compose_file(top_level(document), around, inner, (*above, *paths))


def _path(node: Node, folder: Path) -> Path:
    text = node.text()
    if "://" in text or text.startswith("git@"):
        raise node.error("only a file of this machine can be included", hint="clone it in a step above")
    return (folder / expanded(text)).resolve()


def _items(parts: Mapping[str, Node], key: str) -> list[Node]:
    """Return the items of a list, or one alone; none where there is no such key."""
    if key not in parts or parts[key].value is None:
        return []
    return parts[key].items() if isinstance(parts[key].value, list) else [parts[key]]


def _declared(parts: Mapping[str, Node], kind: str, others: Container[str]) -> Iterator[tuple[str, Node]]:
    """Go through what a file declares of a kind; what another one has declared is refused."""
    if kind in parts and parts[kind].value is not None:
        for key, node in parts[kind].mapping().items():
            if key in others:
                raise _twice(node, kind, key)
            yield key, node


def _twice(node: Node, kind: str, key: str) -> InvalidSpec:
    return node.error(f"{key} of the {kind} is declared by another file as well", hint="rename one of them")
