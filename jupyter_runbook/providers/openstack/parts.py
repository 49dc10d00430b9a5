"""The fields of a resource that have calls of their own, made once it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.cloud import said
from jupyter_runbook.providers.openstack.compare import extra_rules, missing_rules, rule
from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.providers.openstack.local import path_of
from jupyter_runbook.providers.openstack.views import INTERFACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_runbook.providers.openstack.cloud import Cloud
    from jupyter_runbook.providers.openstack.servers import Servers

    # Given a resource's ID, the field as it is (None for a resource that is new), and as it shall be.
    Part = Callable[[str, Any, Any], None]

__all__ = ["Parts"]

# Seconds that a service may take to keep an image once it has all of it.
UPLOADED = 3600.0
# What a rule in its one form has, in its order, as the service calls it.
RULE = (
    *("direction", "ether_type", "protocol", "port_range_min", "port_range_max"),
    *("remote_ip_prefix", "remote_group_id"),
)


class Parts:
    """Brings parts of resources to where they shall be.

    Parameters
    ----------
    cloud
        Where.
    servers
        Who knows of servers.
    """

    def __init__(self, cloud: Cloud, servers: Servers) -> None:
        self.cloud = cloud
        self.servers = servers
        self._parts: dict[tuple[str, str], Part] = {
            ("flavors", "extra_specs"): self._extra_specs,
            ("images", "file"): self._fill,
            ("routers", "interfaces"): self._interfaces,
            ("security_groups", "rules"): self._rules,
            ("servers", "floating_ip"): servers.floating_ip,
            ("servers", "metadata"): servers.metadata,
            ("servers", "security_groups"): servers.security_groups,
            ("servers", "tags"): servers.tags,
            ("servers", "volumes"): servers.volumes,
            ("users", "roles"): self._roles,
            ("volumes", "is_bootable"): self._bootable,
            ("volumes", "metadata"): self._describe,
            ("volumes", "size"): self._extend,
        }

    def bring(self, kind: str, part: str, identifier: str, before: Any, after: Any) -> None:
        """Bring one part of a resource from what it is to what it shall be.

        Parameters
        ----------
        kind, part, identifier
            The resource's kind, the field, and the resource's ID.
        before
            The field as it is; None for a resource that is new.
        after
            As it shall be, references as IDs.
        """
        if (kind, part) in self._parts:
            self._parts[kind, part](identifier, before, after)
        else:
            # What is left has one form for all kinds of the network service.
            self._tags(kind, identifier, after)

    def let_go(self, kind: str, identifier: str) -> list[str]:
        """Take what is replaced from those that have it, and return their IDs: a volume's servers, a subnet's routers.

        Parameters
        ----------
        kind, identifier
            What is replaced.
        """
        if kind == "volumes":
            servers = self.cloud.connection.block_storage.get_volume(identifier).attachments
            found = [str(one["server_id"]) for one in servers or ()]
            for server in found:
                self.servers.volumes(server, [identifier], [])
            return found
        if kind == "subnets":
            network = self.cloud.connection.network
            ports = network.ports(network_id=network.get_subnet(identifier).network_id)
            on = [one for one in ports if identifier in {fixed["subnet_id"] for fixed in one.fixed_ips}]
            found = [str(one.device_id) for one in on if one.device_owner.startswith(INTERFACES)]
            for router in found:
                network.remove_interface_from_router(router, subnet_id=identifier)
            return found
        return []

    def take_back(self, kind: str, identifier: str, back: Iterable[str]) -> None:
        """Give what was made anew to those that had it."""
        for one in back:
            if kind == "volumes":
                self.servers.volumes(one, [], [identifier])
            else:
                self.cloud.connection.network.add_interface_to_router(one, subnet_id=identifier)

    def _tags(self, kind: str, identifier: str, tags: list[str]) -> None:
        network = self.cloud.connection.network
        find = getattr(network, f"get_{KINDS[kind].one or KINDS[kind].title.replace(' ', '_')}")
        network.set_tags(find(identifier), tags)

    def _fill(self, image: str, _before: Any, file: str) -> None:
        with path_of(file).open("rb") as data:
            headers = {"Content-Type": "application/octet-stream"}
            said(self.cloud.connection.image.put(f"/images/{image}/file", data=data, headers=headers, timeout=UPLOADED))

    def _roles(self, user: str, before: Any, after: list[Mapping[str, str]]) -> None:
        identity = self.cloud.connection.identity
        there = {(one["project"], one["role"]) for one in before or ()}
        wanted = {(one["project"], one["role"]) for one in after}
        for project, role in wanted - there:
            identity.assign_project_role_to_user(project, user, role)
        for project, role in there - wanted:
            identity.unassign_project_role_from_user(project, user, role)

    def _extra_specs(self, flavor: str, _before: Any, after: Mapping[str, str]) -> None:
        self.cloud.connection.compute.create_flavor_extra_specs(flavor, dict(after))

    def _rules(self, group: str, before: Any, after: list[Mapping[str, Any]]) -> None:
        from openstack import exceptions

        network = self.cloud.connection.network
        there = before if before is not None else _rules_of(network.get_security_group(group))
        for one in extra_rules(after, there):
            network.delete_security_group_rule(one["id"])
        for one in missing_rules(after, there):
            given = {**dict(zip(RULE, rule(one), strict=True)), "description": one.get("description")}
            given = {key: value for key, value in given.items() if value not in {None, "any"}}
            try:
                network.create_security_group_rule(security_group_id=group, **given)
            except exceptions.ConflictException as error:
                # One that is there already is as good: somebody has made it since (TRAPS, OpenStack 5).
                if "already exists" not in str(error):
                    raise

    def _extend(self, volume: str, _before: Any, size: int) -> None:
        self.cloud.connection.block_storage.extend_volume(volume, size)

    def _bootable(self, volume: str, _before: Any, after: bool) -> None:  # noqa: FBT001 -- as the cell has it
        self.cloud.connection.block_storage.set_volume_bootable_status(volume, after)

    def _describe(self, volume: str, _before: Any, metadata: Mapping[str, str]) -> None:
        self.cloud.connection.block_storage.set_volume_metadata(volume, **metadata)

    def _interfaces(self, router: str, before: Any, after: list[str]) -> None:
        network = self.cloud.connection.network
        for subnet in set(before or ()) - set(after):
            network.remove_interface_from_router(router, subnet_id=subnet)
        for subnet in after:
            if subnet not in (before or ()):
                network.add_interface_to_router(router, subnet_id=subnet)


def _rules_of(group: Any) -> list[dict[str, Any]]:
    return [
        {**one, "ether_type": one.get("ethertype"), "remote_group": one.get("remote_group_id")}
        for one in group.security_group_rules or ()
    ]
