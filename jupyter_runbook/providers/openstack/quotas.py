"""Quotas: a project's own as a resource, and how much room there is for what a plan would make."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import Denied
from jupyter_runbook.plan import Action
from jupyter_runbook.providers.openstack.cloud import calls
from jupyter_runbook.providers.openstack.kinds import KINDS, QUOTAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_runbook.providers.openstack.body import OpenStackSpec
    from jupyter_runbook.providers.openstack.cloud import Cloud
    from jupyter_runbook.providers.openstack.planning import Operation, Planner
    from jupyter_runbook.providers.openstack.state import CloudState, Listed


__all__ = ["asked_for", "check_room", "read_quotas", "room_of"]

#: A service, and what it counts.
Counted = tuple[str, str]

# How Nova's and Cinder's limits call what is allowed, and what is used.
LIMITS = {
    ("compute", "instances"): ("instances", "instances_used"),
    ("compute", "cores"): ("total_cores", "total_cores_used"),
    ("compute", "ram"): ("total_ram", "total_ram_used"),
    ("compute", "server_groups"): ("server_groups", "server_groups_used"),
    ("block_storage", "volumes"): ("max_total_volumes", "total_volumes_used"),
    ("block_storage", "gigabytes"): ("max_total_volume_gigabytes", "total_gigabytes_used"),
}
# What one of a kind counts as, beside what depends on its fields.
ONE: dict[str, Counted] = {
    "servers": ("compute", "instances"),
    "server_groups": ("compute", "server_groups"),
    "volumes": ("block_storage", "volumes"),
    **{kind: ("network", kind) for kind in QUOTAS["network"] if kind in KINDS},
}
# What is no count, but how large one may be.
SIZES = ("server_group_members", "per_volume_gigabytes")
UNITS = {"ram": " MiB", "gigabytes": " GiB"}
# The rules that a new security group has from the first.
RULES_OUT = 2


def read_quotas(cloud: Cloud, spec: OpenStackSpec, state: CloudState) -> tuple[Listed, ...]:
    """Return the quotas of the projects that a cell names and that are there, all of a service by one call.

    A cell that names none asks for its own project's.
    """
    wanted = [one for one in spec.resources if one.kind == "quotas"]
    projects = [project for one in wanted for project in state.find("projects", one.name)]
    if "quotas" in spec.shown:
        own = cloud.connection.current_project
        projects = [{"id": own.id, "name": own.name}]
    asked = [(project, service) for project in projects for service in QUOTAS]
    with ThreadPoolExecutor(max(len(asked), 1), "runbook os quotas") as pool:
        told = list(pool.map(lambda one: _quota(cloud, one[0]["id"], one[1], default=spec.absent), asked))
    found: dict[str, Listed] = {}
    for (project, _), values in zip(asked, told, strict=True):
        one = found.setdefault(project["id"], {"id": project["id"], "project": project["name"]})
        one.update({**values, "used": {**one.get("used", {}), **values.get("used", {})}})
    # A project whose quotas are the cloud's has none of its own.
    return tuple(one for one in found.values() if len(one) > len(("id", "project", "used")))


def _quota(cloud: Cloud, project: str, service: str, *, default: bool) -> dict[str, Any]:
    """Return a project's quotas of a service; where they are to be set back, those alone that are not the cloud's."""
    proxy = getattr(cloud.connection, service)
    network = service == "network"
    with calls(f"the quotas of {project}"):
        if not default:
            told = proxy.get_quota(project, details=True) if network else proxy.get_quota_set(project, usage=True)
            return _used(told, service)
        asked = proxy.get_quota(project) if network else proxy.get_quota_set(project)
        own = {name: asked.get(name) for name in QUOTAS[service]}
        asked = proxy.get_quota_default(project) if network else proxy.get_quota_set_defaults(project)
    return {name: value for name, value in own.items() if value != asked.get(name)}


def _used(told: Any, service: str) -> dict[str, Any]:
    """Return what is allowed of each, and under ``used`` how much of it is taken."""
    found: dict[str, Any] = {"used": {}}
    for name in QUOTAS[service]:
        value = told.get(name)
        # Neutron tells both of each; Nova and Cinder, both of all.
        found[name] = value["limit"] if isinstance(value, dict) else value
        used = value["used"] if isinstance(value, dict) else (told.usage or {}).get(name)
        if name not in SIZES and used is not None:
            found["used"][name] = used
    return found


def asked_for(operations: Iterable[Operation], planner: Planner) -> Counter[Counted]:
    """Return how much more of what is counted a plan needs. Pure.

    Parameters
    ----------
    operations
        What is to be done.
    planner
        Who planned it.
    """
    more: Counter[Counted] = Counter()
    for one in operations:
        made = one.change.action is Action.CREATE
        if made and one.wanted.kind in ONE:
            more[ONE[one.wanted.kind]] += 1
        count = _COUNTS.get(one.wanted.kind)
        if count and (made or one.change.action in {Action.UPDATE, Action.REPLACE}):
            more.update(count(one, planner))
    return more


def room_of(cloud: Cloud, services: Iterable[str]) -> dict[Counted, int]:
    """Return how much more a project may have, as far as the services tell."""
    with ThreadPoolExecutor(len(_ROOMS), "runbook os limits") as pool:
        told = pool.map(lambda service: _ROOMS[service](cloud), dict.fromkeys(services))
        return {key: value for some in told for key, value in some.items()}


def check_room(asked: Mapping[Counted, int], room: Mapping[Counted, int]) -> None:
    """Refuse what does not fit. Pure.

    Raises
    ------
    Denied
        Something would be more than the project may have.
    """
    short = [
        f"{key[1]}: {count}{UNITS.get(key[1], '')} needed, {max(room[key], 0)}{UNITS.get(key[1], '')} left"
        for key, count in asked.items()
        if count > 0 and key in room and count > room[key]
    ]
    if short:
        raise Denied(
            f"the project's quota does not allow it: {'; '.join(short)}",
            hint="nothing was made; delete something, or ask for more",
        )


def _servers(one: Operation, planner: Planner) -> Counter[Counted]:
    values, more = one.wanted.values, Counter[Counted]()
    if one.change.action is not Action.UPDATE:
        for name, field in (("cores", "vcpus"), ("ram", "ram")):
            more["compute", name] += _flavor(planner, values.get("flavor"), field)
            if one.there:
                more["compute", name] -= int((one.there.get("flavor") or {}).get(field) or 0)
    if one.there is None:
        more["network", "ports"] += sum("port" not in item for item in values.get("networks") or [{}])
        more["network", "floating_ips"] += values.get("floating_ip") is True
        boot = values.get("boot_volume") or {}
        if boot and "volume" not in boot:
            more["block_storage", "volumes"] += 1
            more["block_storage", "gigabytes"] += int(boot.get("size") or 0)
    return more


def _flavor(planner: Planner, name: Any, field: str) -> int:
    own = next((it for it in planner.spec.resources if it.kind == "flavors" and it.name == name and it.values), None)
    found = planner.state.find("flavors", str(name))
    return int((own.values if own else found[0] if found else {}).get(field) or 0)


def _volumes(one: Operation, _planner: Planner) -> Counter[Counted]:
    before = 0 if one.there is None else int(one.there.get("size") or 0)
    return Counter({("block_storage", "gigabytes"): int(one.wanted.values.get("size") or before) - before})


def _groups(one: Operation, _planner: Planner) -> Counter[Counted]:
    rules = len(one.wanted.values.get("rules") or ()) + RULES_OUT
    return Counter({("network", "security_group_rules"): rules if one.there is None else 0})


def _routers(one: Operation, _planner: Planner) -> Counter[Counted]:
    interfaces = len(one.wanted.values.get("interfaces") or ())
    return Counter({("network", "ports"): interfaces if one.there is None else 0})


_COUNTS: dict[str, Callable[[Operation, Planner], Counter[Counted]]] = {
    "servers": _servers,
    "volumes": _volumes,
    "security_groups": _groups,
    "routers": _routers,
}


def _limits(cloud: Cloud, service: str) -> dict[Counted, int]:
    """Return the room that Nova or Cinder tells of; one that won't tell is no reason not to try."""
    from openstack import exceptions

    try:
        told = getattr(cloud.connection, service).get_limits().absolute
    except exceptions.SDKException:
        return {}
    asked = {key: (told.get(most), told.get(used)) for key, (most, used) in LIMITS.items() if key[0] == service}
    # -1 is as many as one likes.
    return {key: most - (used or 0) for key, (most, used) in asked.items() if most is not None and most >= 0}


def _network(cloud: Cloud) -> dict[Counted, int]:
    from openstack import exceptions

    try:
        told = cloud.connection.network.get_quota(cloud.connection.current_project_id, details=True)
    except exceptions.SDKException:
        return {}
    found = {name: told.get(name) for name in QUOTAS["network"]}
    return {
        ("network", name): one["limit"] - one["used"] - one["reserved"]
        for name, one in found.items()
        if isinstance(one, dict) and one["limit"] >= 0
    }


_ROOMS: dict[str, Callable[[Cloud], dict[Counted, int]]] = {
    "compute": lambda cloud: _limits(cloud, "compute"),
    "block_storage": lambda cloud: _limits(cloud, "block_storage"),
    "network": _network,
}
