"""What is to be done: each resource of a cell beside what the cloud has of it. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import Conflict, InvalidSpec
from jupyter_runbook.plan import Action, Change
from jupyter_runbook.providers.openstack.compare import UNKNOWN, Difference, differences
from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.providers.openstack.order import Order
from jupyter_runbook.providers.openstack.views import fault_of, floating_of

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from jupyter_runbook.providers.openstack.body import OpenStackSpec, Wanted
    from jupyter_runbook.providers.openstack.kinds import Field
    from jupyter_runbook.providers.openstack.state import CloudState, Listed

__all__ = ["KEPT", "Operation", "Planner"]

# What a kind refers to that is moved to the new one where that is replaced, by that one's own operation.
MOVED = {("servers", "volumes"), ("routers", "subnets")}
#: What a server that is replaced has again where the cell does not say otherwise, beside its floating IPs.
KEPT = ("key_name", "security_groups", "volumes", "metadata", "tags", "description")


@dataclass(frozen=True)
class Operation:
    """One resource of the cell, and what is to be done with it.

    Parameters
    ----------
    wanted
        As the cell has it.
    change
        The plan's change.
    there
        As the cloud has it; None where it does not.
    found
        What differs, references as IDs.
    """

    wanted: Wanted
    change: Change
    there: Listed | None = None
    found: tuple[Difference, ...] = ()


class Planner:
    """Plans a cell.

    Parameters
    ----------
    spec
        What the cell says.
    state
        What the cloud has.
    promised
        The kinds and names of what other cells of a dry run would have made by now.
    """

    def __init__(self, spec: OpenStackSpec, state: CloudState, promised: Container[tuple[str, str]] = ()) -> None:
        self.spec = spec
        self.state = state
        self.promised = promised
        self.order = Order(spec, state)
        # What is planned; None while it is at it.
        self._planned: dict[str, Operation | None] = {}

    def operations(self) -> list[Operation]:
        """Return what is to be done with each resource, in the order of the cell.

        Raises
        ------
        InvalidSpec
            Something is referred to that is not there.
        Conflict
            Two of a name are there.
        """
        return [found for one in self.spec.resources if (found := self._operation(one))]

    def _operation(self, wanted: Wanted) -> Operation | None:
        """Return what is to be done with a resource; None for one that refers to itself."""
        if wanted.title not in self._planned:
            self._planned[wanted.title] = None
            self._planned[wanted.title] = self._remove(wanted) if self.spec.absent else self._converge(wanted)
        return self._planned[wanted.title]

    def resolved(self, wanted: Wanted) -> dict[str, Any]:
        """Return a resource's values with IDs for references, or titles for what is yet to be made.

        Raises
        ------
        InvalidSpec, Conflict
            See `operations`.
        """
        known, local = KINDS[wanted.kind].fields, self.state.local
        return {
            name: local.get((wanted.kind, wanted.name, name), UNKNOWN)
            if known[name].local
            else self._value(wanted, known[name], value)
            for name, value in wanted.values.items()
        }

    def _converge(self, wanted: Wanted) -> Operation:
        kind = KINDS[wanted.kind]
        there = self._there(wanted)
        values = self.resolved(wanted)
        if there is None:
            # With no other attribute it refers to one that is there.
            if not wanted.values and (wanted.kind, wanted.name) in self.promised:
                return Operation(wanted, self._change(wanted, Action.NO_OP, "", None, None))
            if not wanted.values:
                raise self._unknown(wanted, wanted.kind, wanted.name)
            self._complete(wanted, "made")
            return Operation(wanted, self._change(wanted, Action.CREATE, "is not there", None, dict(wanted.values)))
        if not wanted.values:
            # It has to be there, and is only looked at.
            return Operation(wanted, self._change(wanted, Action.NO_OP, "", None, None), there)
        status = str(there.get(kind.status) or "")
        found = tuple(differences(kind, values, self.state.fields(wanted.kind, there)))
        before = {one.name: self.label(kind.fields[one.name], one.before) for one in found}
        after = {one.name: wanted.values[one.name] for one in found}
        # What it refers to is the same by name, and made anew.
        after |= {name: {"made anew": after[name]} for name in after if _texts(before[name]) == _texts(after[name])}
        if status in kind.broken:
            reason = f"is in {status}: {fault_of(there)}"
            change = self._change(
                wanted, Action.REPLACE, reason, {"status": status, **before}, after or {"status": "ACTIVE"}
            )
        elif not found:
            waits = bool(kind.ready) and status not in kind.ready
            change = self._waiting(wanted, status) if waits else self._change(wanted, Action.NO_OP, "", None, None)
        else:
            replaced = any(one.change == "replace" for one in found)
            reason = ", ".join(one.name for one in found)
            if replaced and wanted.kind in {"servers", "volumes"}:
                along = self._along(there, wanted, before)
                before, after = {**along, **before}, {**along, **after}
                reason += f"; {', '.join(along)} come along".replace("_", " ") if along else ""
            change = self._change(wanted, Action.REPLACE if replaced else Action.UPDATE, reason, before, after)
        if change.action is Action.REPLACE:
            self._complete(wanted, f"replaced ({reason})")
        return Operation(wanted, change, there, found)

    def _complete(self, wanted: Wanted, done: str) -> None:
        """Refuse to make a resource of which the cell does not say what there is none without."""
        kind = KINDS[wanted.kind]
        missing = [key for key, one in kind.fields.items() if one.required and key not in wanted.values]
        if kind.either and not any(key in wanted.values for key in kind.either):
            missing.append(" or ".join(kind.either))
        if missing:
            raise InvalidSpec(
                f"the {wanted.title} can't be {done}: it needs {' and '.join(missing)}",
                line=wanted.line,
                hint=f"give {' and '.join(missing)} as well",
            )

    def _along(self, there: Listed, wanted: Wanted, differs: Container[str]) -> dict[str, Any]:
        """Return what comes along where a server or a volume is replaced: what is beside it, or not in the cell."""
        if wanted.kind == "volumes":
            servers = [self.state.name("servers", one["server_id"]) for one in there.get("attachments") or ()]
            return {"attachments": servers} if servers else {}
        fields, known = self.state.fields("servers", there), KINDS["servers"].fields
        fixed = any({"port", "fixed_ip"} & one.keys() for one in wanted.values.get("networks") or ())
        beside = ("volumes", "floating_ip", *(("networks",) if fixed else ()))
        names = [*(name for name in KEPT if name not in (*wanted.values, *beside)), *beside]
        return {
            name: self.label(known[name], fields[name])
            for name in names
            if name not in differs and fields[name] is not UNKNOWN and fields[name]
        }

    def _remove(self, wanted: Wanted) -> Operation:
        there = self._there(wanted)
        title = KINDS[wanted.kind].title
        if there is None:
            left = floating_of("", wanted.name, self.state) if wanted.kind == "servers" else ()
            if not left:
                return Operation(wanted, Change(wanted.title, title, Action.NO_OP, ""))
            before = {"floating_ip": [one["floating_ip_address"] for one in left]}
            return Operation(wanted, Change(wanted.title, title, Action.DELETE, "its floating IP is left", before))
        users = tuple(title for title, needs in self.order.used.items() if wanted.title in needs)
        change = Change(wanted.title, title, Action.DELETE, "shall be absent", {"id": there["id"]}, needs=users)
        return Operation(wanted, change, there)

    def _waiting(self, wanted: Wanted, status: str) -> Change:
        """Return the change of a resource that somebody, a run that died perhaps, has asked for already."""
        return Change(
            wanted.title,
            KINDS[wanted.kind].title,
            Action.UPDATE,
            f"is in {status}: wait",
            {"status": status},
            {"status": KINDS[wanted.kind].ready[0]},
            needs=self.order.needs(wanted),
            writes=False,
        )

    def _change(self, wanted: Wanted, action: Action, reason: str, before: Any, after: Any) -> Change:
        return Change(
            wanted.title, KINDS[wanted.kind].title, action, reason, before, after, needs=self.order.needs(wanted)
        )

    def _there(self, wanted: Wanted) -> Listed | None:
        found = self.state.find(wanted.kind, wanted.name)
        if len(found) > 1:
            raise _ambiguous(wanted.kind, wanted.name, found, wanted.title)
        return found[0] if found else None

    def _value(self, wanted: Wanted, known: Field, value: Any) -> Any:
        if value is None or not (known.refers or known.fields):
            return value
        if known.form == "items":
            return [self._inner(wanted, known, item) for item in value]
        if known.form == "item":
            return self._inner(wanted, known, value)
        if known.form == "names":
            return [self._id(wanted, known.refers, text) for text in value]
        if known.form == "switch":
            return self._switch(wanted, known, value)
        return self._id(wanted, known.refers, str(value))

    def _inner(self, wanted: Wanted, known: Field, item: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._value(wanted, known.fields[key], one) for key, one in item.items()}

    def _switch(self, wanted: Wanted, known: Field, value: Any) -> Any:
        """Return a floating IP's address; one that is nowhere is to be made, as an administrator may."""
        if isinstance(value, bool):
            return value
        found = self.state.find(known.refers, value)
        if not found and (known.refers, value) not in self.order.titles:
            return value
        identifier = self._id(wanted, known.refers, value)
        return next((one["floating_ip_address"] for one in found if one["id"] == identifier), identifier)

    def _id(self, wanted: Wanted, kind: str, text: str) -> str:
        found = self.state.find(kind, text)
        if len(found) > 1:
            raise _ambiguous(kind, text, found, wanted.title)
        if found:
            identifier = str(found[0]["id"])
            return self._anew(wanted, kind, identifier) or identifier
        title = self.order.titles.get((kind, text))
        if title is None and not self.spec.absent and (kind, text) not in self.promised:
            raise self._unknown(wanted, kind, text)
        return title or text

    def _anew(self, wanted: Wanted, kind: str, identifier: str) -> str | None:
        """Return the title of the cell's own resource where that is to be replaced: it will have another ID."""
        own = self.order.own.get((kind, identifier))
        if own is None or self.spec.absent or (wanted.kind, kind) in MOVED:
            return None
        operation = self._operation(own)
        return own.title if operation and operation.change.action is Action.REPLACE else None

    def _unknown(self, wanted: Wanted, kind: str, text: str) -> InvalidSpec:
        names = [*self.state.names(kind), *(one.name for one in self.spec.resources if one.kind == kind)]
        near = difflib.get_close_matches(text, names, 3, 0.5)
        title = KINDS[kind].title
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"there is {', '.join(names[:8]) or f'no {title} at all'}"
        )
        key = KINDS[kind].identity
        if others := [str(one["id"]) for one in self.state.lists.get(kind, ()) if one.get(key) == text]:
            hint = f"another project has one, which its ID stands for: {', '.join(others)}"
        return InvalidSpec(f"there is no {title} {text} in {self.state.cloud}", line=wanted.line, hint=hint)

    def label(self, known: Field, value: Any) -> Any:
        """Return a value as people read it: names for IDs."""
        if value is UNKNOWN or value is None:
            return None
        if known.form == "items":
            return [self._labels(known, item) for item in value]
        if known.form == "item":
            return self._labels(known, value)
        if not known.refers or known.form == "switch":
            return value
        if known.form == "names":
            return [self.state.name(known.refers, one) for one in value]
        return self.state.name(known.refers, value)

    def _labels(self, known: Field, item: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: self.label(known.fields[key], one)
            for key, one in item.items()
            if key in known.fields and one is not UNKNOWN
        }


def _texts(value: Any) -> str:
    """Return a label in a form that is the same for a name and for the list of one that it may be written as."""
    return str(value if isinstance(value, (list, dict)) else [value])


def _ambiguous(kind: str, name: str, found: list[Listed], resource: str) -> Conflict:
    identifiers = ", ".join(str(one["id"]) for one in found)
    return Conflict(
        f"{len(found)} of the cloud's {kind} are called {name}: {identifiers}",
        hint="give the ID of the one that is meant, or rename the others",
        resource=resource,
    )
