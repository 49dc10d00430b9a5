"""Read a cell: a mapping of kinds to lists of resources. Pure, and with the line in every error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_runbook.providers.openstack.kinds import Field
    from jupyter_runbook.spec.cell import Cell

__all__ = ["NAMED", "OpenStackSpec", "Wanted", "read_body"]

# Of a field that says nothing of what is wanted: it is not in the spec's digest.
LOCAL = {"local": True}

#: The kinds that a cell may name.
NAMED = tuple(kind for kind, known in KINDS.items() if not known.hidden)


@dataclass(frozen=True)
class Wanted:
    """A resource as the cell has it.

    Parameters
    ----------
    kind
        Its kind, a key of `KINDS`.
    name
        Its name; or its address, where a floating IP is told by that.
    values
        The fields that the cell gives, and no other.
    line
        Where it stands in the cell.
    """

    kind: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = field(default=None, compare=False, metadata=LOCAL)

    @property
    def title(self) -> str:
        """The resource as its users call it: ``server web``."""
        return f"{KINDS[self.kind].title} {self.name}"


@dataclass(frozen=True)
class OpenStackSpec:
    """What a cell says.

    Parameters
    ----------
    cloud
        The name of the cloud in clouds.yaml; None for the one that the environment names.
    absent
        Whether the resources shall be gone.
    resources
        In the order of the cell.
    shown
        The kinds that the cell names without resources: they are read and shown.
    allowed
        Whether servers and volumes may be replaced: it was said, or somebody is asked, or nothing is done anyhow.
    dry
        Whether nothing is done.
    accept
        Whether the key of a server's host that is not known yet is accepted by who takes the servers for an inventory.
    """

    cloud: str | None
    absent: bool
    resources: tuple[Wanted, ...]
    shown: tuple[str, ...] = ()
    allowed: bool = field(default=False, metadata=LOCAL)
    dry: bool = field(default=False, metadata=LOCAL)
    accept: bool = field(default=True, metadata=LOCAL)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that the cell names, in the order of the table."""
        named = {one.kind for one in self.resources} | set(self.shown)
        return tuple(kind for kind in KINDS if kind in named)


def read_body(cell: Cell) -> OpenStackSpec:
    """Read a cell.

    Raises
    ------
    InvalidSpec
        An unknown kind or field, a value of another type, a resource twice or without what it needs; with its line.
    """
    root = Node(cell.document())
    if not root.value:
        raise root.error("nothing is wanted", hint="networks: [{name: back}] is a cell")
    resources: list[Wanted] = []
    shown = []
    for kind, node in root.mapping(NAMED, "a cloud").items():
        if not node.value:
            shown.append(kind)
            continue
        for item in node.items():
            wanted = _resource(kind, item)
            if any((one.kind, one.name) == (kind, wanted.name) for one in resources):
                raise item.error(f"the {wanted.title} is there twice")
            resources.append(wanted)
    options = cell.options
    allowed = bool(cell.own("allow_replace") or options.confirm or options.plan or options.check)
    return OpenStackSpec(
        cell.own("cloud"),
        options.absent,
        tuple(resources),
        tuple(shown),
        allowed,
        options.check,
        accept=not cell.own("known_hosts"),
    )


def _resource(kind: str, node: Node) -> Wanted:
    """Read one resource; a name alone is one whose other attributes do not matter."""
    known = KINDS[kind]
    if isinstance(node.value, str):
        return Wanted(kind, node.text(), line=node.line)
    fields = node.mapping([known.identity, *known.fields], f"a {known.title}")
    told_by = next((key for key in (known.identity, *known.also) if key in fields), None)
    if told_by is None:
        raise node.error(f"a {known.title} needs {' or '.join((known.identity, *known.also))}")
    name = (fields.pop(told_by) if told_by == known.identity else fields[told_by]).text()
    values = {key: _value(known.fields[key], one) for key, one in fields.items()}
    return Wanted(kind, name, values, node.line)


def _value(known: Field, node: Node) -> Any:
    if node.value is None:
        # Given, and empty: no gateway, no description.
        return [] if known.form in {"names", "items"} else {} if known.form == "item" else None
    return _READERS[known.form](known, node)


def _item(known: Field, node: Node) -> Mapping[str, Any]:
    """Read a mapping of a list; a text alone is its first field."""
    if isinstance(node.value, str):
        return {next(iter(known.fields)): node.text()}
    values = {key: _value(known.fields[key], one) for key, one in node.mapping(known.fields, "it").items()}
    missing = [key for key, one in known.fields.items() if one.required and key not in values]
    if missing:
        raise node.error(f"it needs {' and '.join(missing)}")
    return values


def _secret(known: Field, node: Node) -> str | Secret:
    value = node.secret_text()
    if not known.plain and not isinstance(value, Secret):
        name = node.path[-1]
        raise node.error("a secret is needed: this text would be in the notebook", hint=f"%runbook secret {name}")
    return value


_READERS: dict[str, Callable[[Field, Node], Any]] = {
    "text": lambda known, node: _secret(known, node) if known.secret else node.text(),
    "integer": lambda _known, node: node.integer(),
    "flag": lambda _known, node: node.flag(),
    "mapping": lambda _known, node: {key: one.text() for key, one in node.mapping().items()},
    "names": lambda _known, node: list(node.texts()),
    "items": lambda known, node: [_item(known, item) for item in node.items()],
    "item": _item,
    "switch": lambda _known, node: node.text() if isinstance(node.value, (str, Secret)) else node.flag(),
}
