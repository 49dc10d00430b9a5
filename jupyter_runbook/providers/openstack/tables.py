"""What a step tells of a cloud's resources: rows for ``--out``, tables to look at, hosts for an inventory. Pure."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.compare import UNKNOWN
from jupyter_runbook.providers.openstack.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_runbook.providers.openstack.body import OpenStackSpec
    from jupyter_runbook.providers.openstack.planning import Planner
    from jupyter_runbook.providers.openstack.state import CloudState, Listed

__all__ = ["hosts", "rows", "tables"]

# The user of a distribution's own cloud images, where it is not the distribution's name.
USERS = {"centos": "cloud-user", "rhel": "cloud-user", "amzn": "ec2-user", "amazon": "ec2-user", "arch": "arch"}
NAMED = ("alma", "alpine", "cirros", "debian", "fedora", "freebsd", "opensuse", "rocky", "ubuntu")
# A server's key of its host is known by the server's ID: its address may have been another one's before.
SSH = "-o HostKeyAlias={} -o StrictHostKeyChecking={}"


def rows(planner: Planner) -> list[dict[str, Any]]:
    """Return a row for each resource of a cell that is there: its fields, references by name; a server's addresses."""
    spec, state = planner.spec, planner.state
    found = []
    for one in spec.resources:
        for listed in state.find(one.kind, one.name)[:1]:
            row = {"kind": one.kind, "name": one.name, "id": listed["id"], **_status(one.kind, listed)}
            row |= {name: value for name, value in labels(planner, one.kind, listed).items() if value is not None}
            if one.kind == "servers":
                row |= {"address": address(listed, state), "addresses": addresses(listed, state)}
            found.append(row)
    return found


def tables(planner: Planner) -> dict[str, list[dict[str, Any]]]:
    """Return a table for each kind of a cell that asks for nothing, but names what is to be seen."""
    spec, state = planner.spec, planner.state
    if spec.absent or any(one.values for one in spec.resources):
        return {}
    found = {}
    for kind in dict.fromkeys((*spec.shown, *(one.kind for one in spec.resources))):
        asked = [listed for one in spec.resources if one.kind == kind for listed in state.find(kind, one.name)]
        listed = list(state.lists.get(kind, ())) if kind in spec.shown else asked
        table = [row for one in listed for row in _ROWS.get(kind, _row)(planner, kind, one)]
        found[kind] = sorted(table, key=lambda row: str(row.get("name")))
    return found


def hosts(spec: OpenStackSpec, state: CloudState, keys: Mapping[str, str]) -> dict[str, Any]:
    """Return a cell's servers as groups of Ansible's inventories.

    A server is in a group for each of its tags, for each name in the metadata ``group`` and ``groups`` (as Ansible's
    own inventory of OpenStack has it), and for each other metadata as ``KEY_VALUE``. Its user is its image's: the
    property ``os_admin_user``, else the one that the distribution's images have.

    Parameters
    ----------
    spec, state
        The cell, and the cloud.
    keys
        The files of private keys, by the names of their keypairs.
    """
    found: dict[str, Any] = {"all": {"hosts": {}}}
    names = [one.name for one in spec.resources if one.kind == "servers"]
    servers = [listed for name in names for listed in state.find("servers", name)[:1]]
    if "servers" in spec.shown:
        servers = list(state.lists.get("servers", ()))
    for listed in servers:
        where = address(listed, state)
        if where is None:
            continue
        host = {"ansible_host": where, **_user(listed, state)}
        if listed.get("key_name") in keys:
            host["ansible_ssh_private_key_file"] = keys[listed["key_name"]]
        checking = "accept-new" if spec.accept else "yes"
        host["ansible_ssh_common_args"] = SSH.format(shlex.quote(listed["id"]), checking)
        found["all"]["hosts"][listed["name"]] = host
        for group in _groups(listed):
            found.setdefault(group, {"hosts": {}})["hosts"][listed["name"]] = {}
    return found if found["all"]["hosts"] else {}


def labels(planner: Planner, kind: str, listed: Listed) -> dict[str, Any]:
    """Return a resource's fields with names for IDs; None for what is not known."""
    known = KINDS[kind].fields
    return {name: planner.label(known[name], value) for name, value in planner.state.fields(kind, listed).items()}


def addresses(listed: Listed, state: CloudState) -> dict[str, list[str]]:
    """Return a server's addresses by network, floating ones last: as its ports have them, which Nova learns late."""
    ports = state.ports(listed["id"])
    if not ports:
        return {name: [one["addr"] for one in some] for name, some in (listed.get("addresses") or {}).items()}
    found: dict[str, list[str]] = {}
    for one in ports:
        fixed = [str(it["ip_address"]) for it in one["fixed_ips"]]
        floating = [str(it["floating_ip_address"]) for it in state.floating(one["id"])]
        found.setdefault(state.name("networks", one["network_id"]), []).extend([*fixed, *floating])
    return found


def address(listed: Listed, state: CloudState) -> str | None:
    """Return the address that a server is reached at: a floating IP, else its first fixed one, IPv4 before IPv6."""
    for port in state.ports(listed["id"]):
        for one in state.floating(port["id"]):
            return str(one["floating_ip_address"])
    known = [one for some in addresses(listed, state).values() for one in some]
    return min(known, key=lambda one: ":" in one, default=None)


def _status(kind: str, listed: Listed) -> dict[str, Any]:
    known = KINDS[kind]
    return {"status": listed[known.status]} if known.ready and listed.get(known.status) else {}


def _row(planner: Planner, kind: str, listed: Listed) -> Iterable[dict[str, Any]]:
    known = KINDS[kind]
    named = labels(planner, kind, listed)
    told = {name: named[name] if name in named else listed.get(name) for name in known.columns}
    yield {"name": listed.get(known.identity), **told, "id": listed["id"]}


def _server(planner: Planner, kind: str, listed: Listed) -> Iterable[dict[str, Any]]:
    [row] = _row(planner, kind, listed)
    identifier = row.pop("id")
    known = addresses(listed, planner.state)
    yield {**row, **{name: ", ".join(some) for name, some in known.items()}, "id": identifier}


def _group(planner: Planner, kind: str, listed: Listed) -> Iterable[dict[str, Any]]:
    [row] = _row(planner, kind, listed)
    identifier = row.pop("id")
    yield {**row, "rules": len(listed.get("security_group_rules") or ()), "id": identifier}


def _quota(_planner: Planner, _kind: str, listed: Listed) -> Iterable[dict[str, Any]]:
    """Go through what is counted: used of how many, -1 for as many as one likes."""
    for name, used in (listed.get("used") or {}).items():
        limit = listed.get(name)
        if limit is None:
            continue
        percent = round(100 * used / limit, 1) if limit > 0 else None
        yield {"project": listed["project"], "name": name, "used": used, "limit": limit, "percent": percent}


_ROWS: dict[str, Callable[[Planner, str, Listed], Iterable[dict[str, Any]]]] = {
    "servers": _server,
    "security_groups": _group,
    "quotas": _quota,
}


def _groups(listed: Listed) -> list[str]:
    metadata: Mapping[str, str] = listed.get("metadata") or {}
    found = list(listed.get("tags") or ())
    for key, value in metadata.items():
        found += [one.strip() for one in value.split(",")] if key in {"group", "groups"} else [f"{key}_{value}"]
    # What is no identifier is no name of a group of Ansible's.
    clean = [re.sub(r"\W", "_", one) for one in found if one]
    return list(
        dict.fromkeys(f"_{one}" if one[0].isdigit() else one for one in clean if one not in {"all", "ungrouped"})
    )


def _user(listed: Listed, state: CloudState) -> dict[str, str]:
    image = next(iter(state.find("images", str((listed.get("image") or {}).get("id")))), {})
    told = {**image, **(image.get("properties") or {})}
    distribution = str(told.get("os_distro") or told.get("name") or "").lower()
    named = next((one for one in (*USERS, *NAMED) if distribution.startswith(one)), "")
    user = told.get("os_admin_user") or USERS.get(named) or {"alma": "almalinux"}.get(named, named)
    return {"ansible_user": str(user)} if user and user is not UNKNOWN else {}
