"""What there is in a cloud, as it was listed: found by name or ID. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.providers.openstack.views import viewed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.providers.openstack.body import OpenStackSpec

__all__ = ["CloudState", "Listed", "kinds_needed"]

#: A resource as openstacksdk tells it: its attributes by openstacksdk's names.
Listed = dict[str, Any]


@dataclass(frozen=True)
class CloudState:
    """What was listed.

    Parameters
    ----------
    cloud
        The cloud's name.
    lists
        The resources of each kind that was asked for.
    local
        What is in the files of this machine that a cell names, by kind, name and field: a key's public half, an image's
        checksum.
    project
        The ID of the project that the cloud's entry is for; None where that is not known.
    room
        What the project may have more, by service and by what is counted; empty where nothing is to be made, or where
        a service does not tell.
    """

    cloud: str
    lists: Mapping[str, tuple[Listed, ...]] = field(default_factory=dict)
    local: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    project: str | None = None
    room: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def find(self, kind: str, text: str) -> list[Listed]:
        """Return the resources that a name or an ID stands for; names are not unique.

        What is another project's is found by its ID alone: who may list it, an administrator, does not mean it.
        """
        by_id, by_name = self._known[kind]
        return by_id[text] if text in by_id else by_name.get(text, [])

    def names(self, kind: str) -> list[str]:
        """Return the names that there are of a kind."""
        known = (one for one in self.lists.get(kind, ()) if not self.foreign(kind, one))
        return sorted({str(one.get(KINDS[kind].identity) or "") for one in known} - {""})

    def name(self, kind: str, identifier: str) -> str:
        """Return the name of the resource that has an ID, or the ID itself."""
        found = self._known[kind][0].get(identifier)
        known = KINDS[kind]
        named = (found[0].get(key) for key in (known.identity, *known.also)) if found else ()
        return str(next(filter(None, named), identifier))

    def ports(self, device: str) -> list[Listed]:
        """Return the ports of a server or a router."""
        return self._ports.get(device, [])

    def floating(self, port: str) -> list[Listed]:
        """Return the floating IPs that lead to a port."""
        return self._floating.get(port, [])

    def foreign(self, kind: str, listed: Listed) -> bool:
        """Tell whether what an administrator may list is another project's, and not shared with this one."""
        owner = listed.get("project_id") or listed.get("owner")
        if not self.project or owner in {None, self.project}:
            return False
        if kind == "images":
            return bool(listed.get("visibility") == "private")
        if KINDS[kind].service != "network":
            return False
        if kind == "subnets":
            return "networks" in self.lists and listed.get("network_id") not in self._shared
        return not listed.get("is_shared") and not listed.get("is_router_external")

    def fields(self, kind: str, listed: Listed) -> dict[str, Any]:
        """Return a resource's fields as a cell would write them, references as IDs; what is not reported is unknown."""
        return viewed(kind, listed, self)

    @cached_property
    def _known(self) -> dict[str, tuple[dict[str, list[Listed]], dict[str, list[Listed]]]]:
        """The resources of each kind by ID and by name."""
        found = {}
        for kind, known in KINDS.items():
            by_id: dict[str, list[Listed]] = {}
            by_name: dict[str, list[Listed]] = {}
            for one in self.lists.get(kind, ()):
                by_id.setdefault(str(one.get("id")), []).append(one)
                if self.foreign(kind, one):
                    continue
                for key in (known.identity, *known.also):
                    by_name.setdefault(str(one.get(key)), []).append(one)
            found[kind] = by_id, by_name
        return found

    @cached_property
    def _shared(self) -> set[str]:
        """The IDs of the networks that other projects share."""
        shared = ("is_shared", "is_router_external")
        return {str(one["id"]) for one in self.lists.get("networks", ()) if any(one.get(key) for key in shared)}

    @cached_property
    def _ports(self) -> defaultdict[str, list[Listed]]:
        return self._by("ports", "device_id")

    @cached_property
    def _floating(self) -> defaultdict[str, list[Listed]]:
        return self._by("floating_ips", "port_id")

    def _by(self, kind: str, attribute: str) -> defaultdict[str, list[Listed]]:
        found = defaultdict(list)
        for one in self.lists.get(kind, ()):
            found[str(one[attribute])].append(one)
        return found


def kinds_needed(spec: OpenStackSpec) -> tuple[str, ...]:
    """Return the kinds that have to be listed for a cell: its own, what they refer to, and what tells of them."""
    needed = set(spec.kinds)
    for one in spec.resources:
        for name in one.values:
            known = KINDS[one.kind].fields[name]
            needed |= {known.refers, *(inner.refers for inner in known.fields.values())}
    named = {one.kind for one in spec.resources}
    # Quotas that are only looked at are the project's own.
    needed |= {other for kind in spec.kinds if kind != "quotas" or kind in named for other in KINDS[kind].told_by}
    return tuple(kind for kind in KINDS if kind in needed)
