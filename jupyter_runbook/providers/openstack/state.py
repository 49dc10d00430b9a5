"""What there is in a cloud, as it was listed: found by name or ID, and seen as a cell would write it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.compare import UNKNOWN
from jupyter_runbook.providers.openstack.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_runbook.providers.openstack.body import OpenStackSpec

__all__ = ["CloudState", "Listed", "kinds_needed"]

#: A resource as openstacksdk tells it: its attributes by openstacksdk's names.
Listed = dict[str, Any]

# A router's ports that a subnet hangs on, by the beginning of their owner's name; others are its own business.
INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")


@dataclass(frozen=True)
class CloudState:
    """What was listed.

    Parameters
    ----------
    cloud
        The cloud's name.
    lists
        The resources of each kind that was asked for.
    """

    cloud: str
    lists: Mapping[str, tuple[Listed, ...]] = field(default_factory=dict)

    def find(self, kind: str, text: str) -> list[Listed]:
        """Return the resources that a name or an ID stands for; names are not unique."""
        identity = KINDS[kind].identity
        by_id = [one for one in self.lists.get(kind, ()) if one.get("id") == text]
        return by_id or [one for one in self.lists.get(kind, ()) if one.get(identity) == text]

    def names(self, kind: str) -> list[str]:
        """Return the names that there are of a kind."""
        return sorted({str(one.get(KINDS[kind].identity)) for one in self.lists.get(kind, ())})

    def fields(self, kind: str, listed: Listed) -> dict[str, Any]:
        """Return a resource's fields as a cell would write them, references as IDs; what is not reported is unknown."""
        found = {}
        for name, known in KINDS[kind].fields.items():
            value = listed.get(known.reads or name, UNKNOWN)
            # A service that does not know an attribute leaves it out, and openstacksdk says None.
            found[name] = UNKNOWN if value is None and known.form in {"flag", "integer"} else value
        view = _VIEWS.get(kind)
        return {**found, **(view(listed, self) if view else {})}


def kinds_needed(spec: OpenStackSpec) -> tuple[str, ...]:
    """Return the kinds that have to be listed for a cell: its own, what they refer to, and what tells of them."""
    needed = set(spec.kinds)
    for one in spec.resources:
        for name in one.values:
            known = KINDS[one.kind].fields[name]
            needed |= {known.refers, *(inner.refers for inner in known.fields.values())}
    needed |= {other for kind in spec.kinds for other in KINDS[kind].told_by}
    return tuple(kind for kind in KINDS if kind in needed)


def _keypair(listed: Listed, _state: CloudState) -> dict[str, Any]:
    return {"private_key_file": UNKNOWN, "type": listed.get("type") or "ssh"}


def _security_group(listed: Listed, _state: CloudState) -> dict[str, Any]:
    rules = [
        {
            **{key: one.get(key) for key in ("direction", "protocol", "port_range_min", "port_range_max", "id")},
            "ether_type": one.get("ethertype") or one.get("ether_type"),
            "remote_ip_prefix": one.get("remote_ip_prefix"),
            "remote_group": one.get("remote_group_id"),
        }
        for one in listed.get("security_group_rules") or ()
    ]
    return {"rules": rules}


def _router(listed: Listed, state: CloudState) -> dict[str, Any]:
    gateway = listed.get("external_gateway_info") or {}
    ports = [one for one in state.lists.get("ports", ()) if one["device_id"] == listed["id"]]
    subnets = [
        fixed["subnet_id"]
        for port in ports
        if str(port["device_owner"]).startswith(INTERFACES)
        for fixed in port["fixed_ips"]
    ]
    return {
        "external_gateway": gateway.get("network_id"),
        "enable_snat": gateway.get("enable_snat", UNKNOWN),
        "interfaces": subnets,
    }


def _port(listed: Listed, _state: CloudState) -> dict[str, Any]:
    return {"fixed_ips": [_fixed(one) for one in listed.get("fixed_ips") or ()]}


def _fixed(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"subnet": given.get("subnet_id"), "ip_address": given.get("ip_address")}


def _server(listed: Listed, state: CloudState) -> dict[str, Any]:
    ports = [one for one in state.lists.get("ports", ()) if one["device_id"] == listed["id"]]
    floating = {one["port_id"]: one["floating_ip_address"] for one in state.lists.get("floating_ips", ())}
    flavor = listed.get("flavor") or {}
    flavors = state.find("flavors", str(flavor.get("id") or flavor.get("original_name") or flavor.get("name")))
    return {
        "image": (listed.get("image") or {}).get("id"),
        # Since microversion 2.47 a server has a copy of its flavor, by name.
        "flavor": flavors[0]["id"] if len(flavors) == 1 else UNKNOWN,
        "networks": [
            {"network": one["network_id"], "port": one["id"], "fixed_ip": _first(one["fixed_ips"])} for one in ports
        ],
        "security_groups": sorted({group for one in ports for group in one.get("security_group_ids") or ()}),
        "volumes": [one.get("id") or one.get("volume_id") for one in listed.get("attached_volumes") or ()],
        "floating_ip": next((floating[one["id"]] for one in ports if one["id"] in floating), None),
        "tags": listed.get("tags", UNKNOWN),
        "has_config_drive": bool(listed.get("has_config_drive")),
    }


def _first(fixed: Iterable[Mapping[str, Any]]) -> str | None:
    return next((one.get("ip_address") for one in fixed), None)


_VIEWS: dict[str, Callable[[Listed, CloudState], dict[str, Any]]] = {
    "keypairs": _keypair,
    "security_groups": _security_group,
    "routers": _router,
    "ports": _port,
    "servers": _server,
}
