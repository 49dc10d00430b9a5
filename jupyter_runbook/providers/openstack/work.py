"""Do one operation of a plan: make a resource, change it, or take it away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.files import replacing
from jupyter_runbook.plan import Action
from jupyter_runbook.providers.openstack.calls import LATER, PARTS, creation, update
from jupyter_runbook.providers.openstack.cloud import calls
from jupyter_runbook.providers.openstack.compare import extra_rules, missing_rules
from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.providers.openstack.servers import Servers, floating_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.openstack.body import Wanted
    from jupyter_runbook.providers.openstack.cloud import Cloud
    from jupyter_runbook.providers.openstack.planning import Operation, Planner
    from jupyter_runbook.providers.openstack.state import Listed
    from jupyter_runbook.providers.openstack.watch import Watch

__all__ = ["Work"]


class Work:
    """Does what a plan says.

    Parameters
    ----------
    cloud
        Where.
    planner
        Whose plan it is.
    ctx
        Whom to tell, and what was done before.
    watch
        Who looks, where something takes its time.
    """

    def __init__(self, cloud: Cloud, planner: Planner, ctx: Context, watch: Watch) -> None:
        self.cloud = cloud
        self.planner = planner
        self.ctx = ctx
        self.watch = watch
        self.servers = Servers(cloud, watch)

    def do(self, operation: Operation) -> dict[str, Any]:
        """Do it, and return what is there now."""
        wanted = operation.wanted
        with calls(wanted.title):
            action = operation.change.action
            if action is Action.DELETE:
                self._delete(operation)
                return {}
            if action is Action.CREATE:
                there = self._create(operation, self._values(operation))
            elif action is Action.REPLACE:
                there = self._replace(operation)
            else:
                there = dict(operation.there or {})
                self._update(operation, str(there["id"]))
            return self._ready(operation, str(there["id"]))

    def _replace(self, operation: Operation) -> Listed:
        """Take a resource away and make it anew; what a server had beside itself comes along."""
        values = self._values(operation)
        if operation.wanted.kind != "servers":
            self._delete(operation)
            return self._create(operation, values)
        lists, there = self.planner.state.lists, operation.there or {}
        before = self.planner.state.fields("servers", there)
        floating = floating_of(str(there["id"]), lists)
        self._delete(operation, leave=floating)
        return self._create(operation, {"volumes": before["volumes"], **values}, floating)

    def _create(self, operation: Operation, values: dict[str, Any], floating: Sequence[Listed] = ()) -> Listed:
        wanted = operation.wanted
        made = self.cloud.call("create", wanted.kind, **creation(wanted.kind, wanted.name, values))
        self.ctx.found(wanted.title, made.id)
        if wanted.kind == "keypairs" and "public_key" not in values:
            self._keep_key(made, Path(values["private_key_file"]).expanduser())
        parts = [part for part in PARTS.get(wanted.kind, ()) if part in values]
        if (parts or floating) and KINDS[wanted.kind].ready:
            self._settle(wanted, made.id)
        for one in floating:
            self.servers.move(one, made.id)
        for part in parts:
            had = floating[0]["floating_ip_address"] if part == "floating_ip" and floating else None
            self._part(wanted.kind, part)(made.id, had, values[part])
        return dict(made.to_dict(computed=False))

    def _keep_key(self, made: Any, path: Path) -> None:
        """Write the key that the service tells once; where it can't be written, there is no keypair."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path, mode=0o600) as file:
                file.write(made.private_key.encode())
        except OSError as error:
            self.cloud.call("delete", "keypairs", made.id)
            raise ToolFailed(f"the key can't be kept in {path}: {error.strerror}") from None

    def _update(self, operation: Operation, identifier: str) -> None:
        wanted, values = operation.wanted, self._values(operation)
        changed = {one.name: values[one.name] for one in operation.found}
        if arguments := update(wanted.kind, changed):
            self.cloud.call("update", wanted.kind, identifier, **arguments)
        before = self.planner.state.fields(wanted.kind, operation.there or {})
        for part in (*PARTS.get(wanted.kind, ()), *LATER.get(wanted.kind, ())):
            if part in changed:
                self._part(wanted.kind, part)(identifier, before.get(part), changed[part])

    def _delete(self, operation: Operation, leave: Sequence[Listed] = ()) -> None:
        wanted, there = operation.wanted, operation.there or {}
        identifier = str(there["id"])
        if wanted.kind == "routers":
            for subnet in self.planner.state.fields("routers", there)["interfaces"]:
                self.cloud.service("routers").remove_interface_from_router(identifier, subnet_id=subnet)
        if wanted.kind == "servers":
            self.servers.let_go([one for one in floating_of(identifier, self.planner.state.lists) if one not in leave])
        self.cloud.call("delete", wanted.kind, identifier)
        if KINDS[wanted.kind].ready:
            self.watch.until(wanted.kind, identifier, lambda found: found is None, f"{wanted.title} does not go")

    def _ready(self, operation: Operation, identifier: str) -> dict[str, Any]:
        """Wait until a resource can be used, and return what is there now."""
        self._settle(operation.wanted, identifier)
        return {**operation.wanted.values, "id": identifier}

    def _settle(self, wanted: Wanted, identifier: str) -> None:
        kind = KINDS[wanted.kind]
        if not kind.ready:
            return

        def settled(found: Listed | None) -> bool:
            if found is not None and found.get("status") in kind.broken:
                fault = (found.get("fault") or {}).get("message") or "the service does not say why"
                raise ToolFailed(f"{wanted.title} is in {found['status']}: {fault}", resource=wanted.title)
            return found is not None and found.get("status") in kind.ready

        self.watch.until(wanted.kind, identifier, settled, f"{wanted.title} does not become {kind.ready[0]}")

    def _values(self, operation: Operation) -> dict[str, Any]:
        """Return the wanted values with IDs, also of what this run has made."""
        return {name: self._known(value) for name, value in self.planner.resolved(operation.wanted).items()}

    def _known(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._known(one) for one in value]
        if isinstance(value, dict):
            return {key: self._known(one) for key, one in value.items()}
        made = self.ctx.done.get(value) if isinstance(value, str) else None
        return made["id"] if isinstance(made, dict) and "id" in made else value

    def _part(self, kind: str, part: str) -> Callable[[str, Any, Any], None]:
        if part == "tags" and kind != "servers":
            return lambda identifier, _before, tags: self._tag(kind, identifier, tags)
        parts: dict[tuple[str, str], Callable[[str, Any, Any], None]] = {
            ("security_groups", "rules"): self._rules,
            ("routers", "interfaces"): self._interfaces,
            ("servers", "security_groups"): self.servers.security_groups,
            ("servers", "volumes"): self.servers.volumes,
            ("servers", "floating_ip"): self.servers.floating_ip,
            ("servers", "metadata"): self.servers.metadata,
            ("servers", "tags"): self.servers.tags,
            ("volumes", "size"): self._extend,
            ("volumes", "metadata"): self._describe,
        }
        return parts[kind, part]

    def _tag(self, kind: str, identifier: str, tags: list[str]) -> None:
        network = self.cloud.connection.network
        find = getattr(network, f"get_{KINDS[kind].one or KINDS[kind].title.replace(' ', '_')}")
        network.set_tags(find(identifier), tags)

    def _rules(self, group: str, before: Any, after: list[Mapping[str, Any]]) -> None:
        network = self.cloud.connection.network
        there = before if before is not None else _rules_of(network.get_security_group(group))
        for one in extra_rules(after, there):
            network.delete_security_group_rule(one["id"])
        for one in missing_rules(after, there):
            arguments = {("remote_group_id" if key == "remote_group" else key): value for key, value in one.items()}
            network.create_security_group_rule(
                security_group_id=group, **{"direction": "ingress", "ether_type": "IPv4", **arguments}
            )

    def _extend(self, volume: str, _before: Any, size: int) -> None:
        self.cloud.connection.block_storage.extend_volume(volume, size)

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
