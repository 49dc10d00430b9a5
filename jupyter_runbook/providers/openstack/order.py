"""What comes before what: a resource after those that it refers to, and gone before them. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.providers.openstack.body import OpenStackSpec, Wanted
    from jupyter_runbook.providers.openstack.kinds import Field
    from jupyter_runbook.providers.openstack.state import CloudState

__all__ = ["Order"]


class Order:
    """Knows what the resources of a cell refer to.

    Parameters
    ----------
    spec
        What the cell says.
    state
        What the cloud has.
    """

    def __init__(self, spec: OpenStackSpec, state: CloudState) -> None:
        self.spec = spec
        self.state = state
        #: The titles of the cell's resources, by kind and name.
        self.titles = {(one.kind, one.name): one.title for one in spec.resources}

    def needs(self, wanted: Wanted) -> tuple[str, ...]:
        """Return the titles of the cell's own resources that come before one."""
        after = KINDS[wanted.kind].after
        before = [one.title for one in self.spec.resources if one.kind in after and self._leads(one, wanted)]
        return tuple(dict.fromkeys(title for title in (*self._referred(wanted), *before) if title != wanted.title))

    def _leads(self, one: Wanted, wanted: Wanted) -> bool:
        """Tell whether a subnet or a router is of a network that a resource is on; yes where that is not known."""
        on = self._networks(wanted)
        if not on:
            return True
        if one.kind == "subnets":
            return "network" not in one.values or self._key("networks", one.values["network"]) in on
        subnets = {self._key("subnets", name) for name in one.values.get("interfaces") or ()}
        of = {
            self._key("subnets", other.name): self._key("networks", other.values.get("network"))
            for other in self.spec.resources
            if other.kind == "subnets" and "network" in other.values
        }
        return one.kind != "routers" or any(of.get(subnet, subnet) in on or subnet not in of for subnet in subnets)

    def _networks(self, wanted: Wanted) -> set[str]:
        """Return the networks that a server or a port is on, by ID or name; empty where the cell does not say all."""
        given = wanted.values.get("networks") if wanted.kind == "servers" else None
        if given is None:
            given = [{"network": wanted.values["network"]}] if "network" in wanted.values else []
        if not all("network" in one for one in given):
            return set()
        return {self._key("networks", one["network"]) for one in given}

    def _key(self, kind: str, text: Any) -> str:
        """Return a resource's ID where it is there, else its name."""
        found = self.state.find(kind, str(text))
        return str(found[0]["id"]) if found else str(text)

    @cached_property
    def used(self) -> dict[str, set[str]]:
        """What each of the cell's resources needs, as the cell says it and as it is: that can't go before it."""
        there = {key: one.title for key, one in self.own.items()}
        found = {one.title: set(self.needs(one)) for one in self.spec.resources}
        for (kind, identifier), title in there.items():
            [listed] = self.state.find(kind, identifier)
            for name, value in self.state.fields(kind, listed).items():
                known = KINDS[kind].fields[name]
                found[title] |= {there[one] for one in _references(known, value) if one in there} - {title}
        return found

    @cached_property
    def own(self) -> dict[tuple[str, str], Wanted]:
        """The cell's resources that are there, by kind and ID."""
        return {
            (one.kind, str(listed["id"])): one
            for one in self.spec.resources
            for listed in self.state.find(one.kind, one.name)[:1]
        }

    def _referred(self, wanted: Wanted) -> Iterator[str]:
        """Go through the titles of the cell's own resources that one refers to."""
        for name, value in wanted.values.items():
            for reference in _references(KINDS[wanted.kind].fields[name], value):
                if reference in self.titles:
                    yield self.titles[reference]


def _references(known: Field, value: Any) -> Iterator[tuple[str, str]]:
    """Go through the kinds, and the names or IDs, that a field refers to."""
    if isinstance(value, list):
        for one in value:
            yield from _references(known, one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name in known.fields:
                yield from _references(known.fields[name], one)
    elif known.refers and isinstance(value, str):
        yield known.refers, value
