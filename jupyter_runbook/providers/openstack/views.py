"""What is listed of a resource, as a cell would write it: references as IDs, and unknown what is not reported. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.compare import UNKNOWN
from jupyter_runbook.providers.openstack.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_runbook.providers.openstack.state import CloudState, Listed

__all__ = ["INTERFACES", "MADE", "fault_of", "floating_of", "made_for", "viewed"]

#: How the description of a floating IP begins that was made for a server: it goes with that one. Another one stays when
#: its server goes. It is given by the call that makes it, so that a run which dies right then leaves none that nobody
#: knows.
MADE = "made by jupyter-runbook for server "
# The status of a server whose ports and disks are yet to come.
BUILDING = "BUILD"
#: A router's ports that a subnet hangs on, by the beginning of their owner's name; others are its own business.
INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")


def viewed(kind: str, listed: Listed, state: CloudState) -> dict[str, Any]:
    """Return a resource's fields as a cell would write them."""
    found = {}
    for name, known in KINDS[kind].fields.items():
        value = listed.get(known.reads or name, UNKNOWN)
        # No service says null for a flag, a number or a list that it knows.
        found[name] = UNKNOWN if value is None and known.form != "text" else value
    view = _VIEWS.get(kind)
    return {**found, **(view(listed, state) if view else {})}


def made_for(server: str) -> str:
    """Return the description of a floating IP that is made for a server of a name."""
    return MADE + server


def floating_of(server: str, name: str, state: CloudState) -> list[Listed]:
    """Return a server's floating IPs: those that lead to it, and those made for it that lead nowhere.

    Parameters
    ----------
    server
        Its ID; empty for one that is not there.
    name
        Its name.
    state
        What was listed.
    """
    ports = state.ports(server) if server else ()
    there = [one for port in ports for one in state.floating(port["id"])]
    left = [one for one in state.find("floating_ips", made_for(name)) if not one["port_id"]]
    return there + left


def fault_of(listed: Listed) -> str:
    """Return why a resource is in error, as its service says it."""
    return str((listed.get("fault") or {}).get("message") or "the service does not say why")


def _keypair(listed: Listed, _state: CloudState) -> dict[str, Any]:
    return {"private_key_file": listed.get("public_key", UNKNOWN), "type": listed.get("type") or UNKNOWN}


def _user(listed: Listed, state: CloudState) -> dict[str, Any]:
    roles = [
        {"role": one["role"]["id"], "project": one["scope"]["project"]["id"]}
        for one in state.lists.get("role_assignments", ())
        if (one.get("user") or {}).get("id") == listed["id"] and "project" in (one.get("scope") or {})
    ]
    return {"roles": roles}


def _image(listed: Listed, _state: CloudState) -> dict[str, Any]:
    more = listed.get("properties") or {}
    # What people call an image's properties are attributes of any name.
    empty = "" if listed.get("status") == "queued" else UNKNOWN
    return {"file": listed.get("os_hash_value") or empty, "properties": {**listed, **more}}


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
    subnets = [
        fixed["subnet_id"]
        for port in state.ports(listed["id"])
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
    building = listed.get("status") == BUILDING
    ports = state.ports(listed["id"])
    floating = [one["floating_ip_address"] for port in ports for one in state.floating(port["id"])]
    flavor = listed.get("flavor") or {}
    flavors = state.find("flavors", str(flavor.get("id") or flavor.get("original_name") or flavor.get("name")))
    image = (listed.get("image") or {}).get("id")
    boot, attached = _disks(listed, state)
    return {
        # One that boots from a volume has no image of its own.
        "image": image or UNKNOWN,
        "boot_volume": UNKNOWN if building else boot,
        # Since microversion 2.47 a server has a copy of its flavor, by name.
        "flavor": flavors[0]["id"] if len(flavors) == 1 else UNKNOWN,
        "networks": UNKNOWN
        if building
        else [{"network": one["network_id"], "port": one["id"], "fixed_ip": _first(one["fixed_ips"])} for one in ports],
        "security_groups": UNKNOWN
        if building
        else sorted({group for one in ports for group in one.get("security_group_ids") or ()}),
        "volumes": attached,
        "floating_ip": next(iter(floating), None),
        "has_config_drive": bool(listed.get("has_config_drive")),
    }


def _disks(listed: Listed, state: CloudState) -> tuple[dict[str, Any], list[str]]:
    """Return the volume that a server boots from, and the IDs of the others."""
    attached = {str(one.get("id") or one.get("volume_id")): one for one in listed.get("attached_volumes") or ()}
    if (listed.get("image") or {}).get("id"):
        return {}, list(attached)
    volumes = {str(one["id"]): one for one in state.lists.get("volumes", ()) if str(one["id"]) in attached}
    boot = next((one for one, volume in volumes.items() if volume.get("is_bootable")), None) or next(iter(attached), "")
    volume = volumes.get(boot, {})
    seen = {
        "volume": boot or UNKNOWN,
        "size": volume.get("size", UNKNOWN),
        "volume_type": volume.get("volume_type", UNKNOWN),
        "delete_on_termination": attached.get(boot, {}).get("delete_on_termination", UNKNOWN),
    }
    return seen, [one for one in attached if one != boot]


def _first(fixed: Iterable[Mapping[str, Any]]) -> str | None:
    return next((one.get("ip_address") for one in fixed), None)


_VIEWS: dict[str, Callable[[Listed, CloudState], dict[str, Any]]] = {
    "keypairs": _keypair,
    "users": _user,
    "images": _image,
    "security_groups": _security_group,
    "routers": _router,
    "ports": _port,
    "servers": _server,
}
