"""Do one operation of a plan: make a resource, change it, or take it away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.plan import Action
from jupyter_runbook.providers.openstack.api import api_of
from jupyter_runbook.providers.openstack.calls import FILLED, LATER, PARTS
from jupyter_runbook.providers.openstack.cloud import calls
from jupyter_runbook.providers.openstack.compare import UNKNOWN
from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.providers.openstack.parts import Parts
from jupyter_runbook.providers.openstack.planning import KEPT
from jupyter_runbook.providers.openstack.servers import Servers
from jupyter_runbook.providers.openstack.views import fault_of, floating_of

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        self._settled = False
        self._made: dict[str, Listed] = {}
        self.parts = Parts(cloud, self.servers)

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
        kind, identifier = operation.wanted.kind, str((operation.there or {})["id"])
        if kind != "servers":
            back = self.parts.let_go(kind, identifier)
            self._delete(operation)
            made = self._create(operation, values)
            if back:
                self._settle(operation.wanted, str(made["id"]))
                self.parts.take_back(kind, str(made["id"]), back)
            return made
        there, state = operation.there or {}, self.planner.state
        before = self.planner.state.fields("servers", there)
        floating = floating_of(identifier, operation.wanted.name, state)
        self._delete(operation, leave=floating)
        kept = {name: before[name] for name in KEPT if before[name] is not UNKNOWN and before[name]}
        return self._create(operation, {**kept, **values}, floating)

    def _create(self, operation: Operation, values: dict[str, Any], floating: Sequence[Listed] = ()) -> Listed:
        wanted = operation.wanted
        made = api_of(self.cloud, wanted.kind).create(wanted.name, values)
        identifier = str(made["id"])
        self.ctx.found(wanted.title, identifier)
        # A group's rule may refer to the group itself.
        self._made = {wanted.title: made}
        values = {**values, **self._values(operation)}
        parts = [part for part in PARTS.get(wanted.kind, ()) if part in values]
        if (parts or floating) and wanted.kind not in FILLED:
            self._settle(wanted, identifier)
        for one in floating:
            self.servers.move(one, identifier)
        for part in parts:
            had = floating[0]["floating_ip_address"] if part == "floating_ip" and floating else None
            self.parts.bring(wanted.kind, part, identifier, had, values[part])
        return made

    def _update(self, operation: Operation, identifier: str) -> None:
        wanted, values = operation.wanted, self._values(operation)
        if operation.found and wanted.kind not in FILLED:
            # One that a run which died has asked for may not be ready yet.
            self._settle(wanted, identifier, operation.there)
        changed = {one.name: values[one.name] for one in operation.found}
        api_of(self.cloud, wanted.kind).update(identifier, changed)
        before = self.planner.state.fields(wanted.kind, operation.there or {})
        for part in (*PARTS.get(wanted.kind, ()), *LATER.get(wanted.kind, ())):
            if part in changed:
                self.parts.bring(wanted.kind, part, identifier, before.get(part), changed[part])

    def _delete(self, operation: Operation, leave: Sequence[Listed] = ()) -> None:
        wanted, there = operation.wanted, operation.there or {}
        identifier = str(there.get("id") or "")
        if wanted.kind == "routers":
            if there.get("routes"):
                # An interface that a route leads over can't be taken away.
                self.cloud.call("update", "routers", identifier, routes=[])
            for subnet in self.planner.state.fields("routers", there)["interfaces"]:
                self.cloud.service("routers").remove_interface_from_router(identifier, subnet_id=subnet)
        if wanted.kind == "servers":
            own = floating_of(identifier, wanted.name, self.planner.state)
            self.servers.let_go([one for one in own if one not in leave])
            if not identifier:
                return
        api_of(self.cloud, wanted.kind).delete(identifier)
        if KINDS[wanted.kind].ready:
            self.watch.until(wanted.kind, identifier, lambda found: found is None, f"{wanted.title} does not go")

    def _ready(self, operation: Operation, identifier: str) -> dict[str, Any]:
        """Wait until a resource can be used, and return what is there now."""
        self._settle(operation.wanted, identifier)
        return {**operation.wanted.values, "id": identifier}

    def _settle(self, wanted: Wanted, identifier: str, there: Listed | None = None) -> None:
        """Wait until a resource can be used; its status is told as it changes."""
        kind = KINDS[wanted.kind]
        if self._settled or not kind.ready or (there or {}).get(kind.status) in kind.ready:
            return
        last = ""

        def settled(found: Listed | None) -> bool:
            nonlocal last
            status = str((found or {}).get(kind.status) or "not listed yet")
            if status != last:
                self.ctx.output(f"{status}\n")
                last = status
            if found is not None and status in kind.broken:
                hint = (
                    "once the cause is gone, --allow-replace makes it anew" if kind.held else "--absent takes it away"
                )
                raise ToolFailed(f"is in {status}: {fault_of(found)}", hint=hint, resource=wanted.title)
            return status in kind.ready

        self.watch.until(wanted.kind, identifier, settled, f"{wanted.title} does not become {kind.ready[0]}")
        # A volume may be at work again once it was changed; a server's parts are there when their calls are answered.
        self._settled = wanted.kind == "servers"

    def _values(self, operation: Operation) -> dict[str, Any]:
        """Return the wanted values with IDs, also of what this run has made."""
        wanted = operation.wanted
        known = {name: self._known(value) for name, value in self.planner.resolved(wanted).items()}
        return {name: wanted.values[name] if KINDS[wanted.kind].fields[name].local else known[name] for name in known}

    def _known(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._known(one) for one in value]
        if isinstance(value, dict):
            return {key: self._known(one) for key, one in value.items()}
        made = (self._made.get(value) or self.ctx.done.get(value)) if isinstance(value, str) else None
        return made["id"] if isinstance(made, dict) and "id" in made else value
