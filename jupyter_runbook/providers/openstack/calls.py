"""What openstacksdk's calls are given, from a resource's values. Pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_runbook.providers.openstack.kinds import Field

__all__ = ["FILLED", "LATER", "PARTS", "call_names", "creation", "update"]

#: The fields that have calls of their own, made once the resource is there: see parts.py.
PARTS: dict[str, tuple[str, ...]] = {
    "users": ("roles",),
    "flavors": ("extra_specs",),
    "images": ("file",),
    "security_groups": ("rules", "tags"),
    "networks": ("tags",),
    "subnets": ("tags",),
    "ports": ("tags",),
    "floating_ips": ("tags",),
    "routers": ("interfaces", "tags"),
    "volumes": ("is_bootable",),
    "servers": ("volumes", "floating_ip"),
}
#: The fields that the call which makes a resource takes, and that have calls of their own later.
LATER: dict[str, tuple[str, ...]] = {
    "servers": ("security_groups", "metadata", "tags"),
    "volumes": ("size", "metadata"),
}


#: The kinds that are never ready before their parts are there.
FILLED = ("images",)


def call_names(kind: str) -> tuple[str, str]:
    """Return what the calls for a kind end in: for all of them, and for one."""
    known = KINDS[kind]
    return known.lists or kind, known.one or known.title.replace(" ", "_")


def creation(kind: str, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the call that makes a resource.

    Parameters
    ----------
    kind, name
        Its own.
    values
        Its fields, references as IDs.
    """
    known = KINDS[kind]
    given = {known.identity: name}
    for field, value in values.items():
        if field not in PARTS.get(kind, ()) and value is not None and not known.fields[field].local:
            given[known.fields[field].sends or field] = _sent(known.fields[field], value)
    return _shaped(kind, given)


def update(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the call that changes some fields of a resource; empty where none is needed."""
    known = KINDS[kind]
    given = {
        # No service takes null for a description that shall be none.
        known.fields[field].sends or field: ""
        if value is None and field == "description"
        else _sent(known.fields[field], value)
        for field, value in values.items()
        if field not in (*PARTS.get(kind, ()), *LATER.get(kind, ()))
    }
    return _shaped(kind, given)


def _sent(known: Field, value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if known.form == "items" and value is not None:
        return [_renamed(known, item) for item in value]
    return _renamed(known, value) if known.form == "item" and value else value


def _renamed(known: Field, item: Mapping[str, Any]) -> dict[str, Any]:
    return {known.fields[key].sends or key: _sent(known.fields[key], one) for key, one in item.items()}


def _shaped(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    shape = _SHAPES.get(kind)
    return shape(given) if shape and given else given


def _flavor(given: dict[str, Any]) -> dict[str, Any]:
    if "ram" in given:
        given.setdefault("disk", 0)
    return given


def _subnet(given: dict[str, Any]) -> dict[str, Any]:
    if "cidr" in given:
        given.setdefault("ip_version", 6 if ":" in given["cidr"] else 4)
    return given


def _router(given: dict[str, Any]) -> dict[str, Any]:
    if "external_gateway" in given:
        network = given.pop("external_gateway")
        given["external_gateway_info"] = {"network_id": network} if network else {}
    if "enable_snat" in given:
        given.setdefault("external_gateway_info", {})["enable_snat"] = given.pop("enable_snat")
    return given


def _server(given: dict[str, Any]) -> dict[str, Any]:
    if boot := given.pop("boot_volume", None):
        given["block_device_mapping"] = [_boot(boot, given.pop("image", None))]
    for name in ("image", "flavor"):
        if name in given:
            given[f"{name}_id"] = given.pop(name)
    if "networks" in given:
        given["networks"] = [
            {{"network": "uuid"}.get(key, key): value for key, value in one.items()} for one in given["networks"]
        ]
    if "security_groups" in given:
        given["security_groups"] = [{"name": one} for one in given["security_groups"]]
    if "user_data" in given:
        given["user_data"] = base64.b64encode(given["user_data"].encode()).decode()
    if "server_group" in given:
        given["scheduler_hints"] = {"group": given.pop("server_group")}
    return given


def _boot(boot: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    """Return a block device to boot from: a volume, or one that is made of an image and goes with the server."""
    volume = boot.get("volume")
    found = {
        "boot_index": 0,
        "uuid": volume or image,
        "source_type": "volume" if volume else "image",
        "destination_type": "volume",
        "delete_on_termination": boot.get("delete_on_termination", not volume),
    }
    if not volume:
        found |= {"volume_size": boot.get("size"), "volume_type": boot.get("volume_type")}
    return {key: value for key, value in found.items() if value is not None}


_SHAPES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "flavors": _flavor,
    "subnets": _subnet,
    "routers": _router,
    "servers": _server,
}
