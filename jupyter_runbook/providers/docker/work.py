"""Make the changes of a plan: one operation, one method."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import Conflict, RunbookError, ToolFailed
from jupyter_runbook.files import expanded
from jupyter_runbook.providers.docker.body import container_body, endpoint, files_archive, update_body
from jupyter_runbook.providers.docker.engine import NotFound
from jupyter_runbook.providers.docker.mounts import kept_volumes
from jupyter_runbook.providers.docker.resources import network_body, volume_body
from jupyter_runbook.providers.docker.state import NEXT, OLD, container_name, name_of
from jupyter_runbook.providers.docker.waiting import wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.docker.engine import Engine
    from jupyter_runbook.providers.docker.model import DockerSpec, Service
    from jupyter_runbook.providers.docker.operation import Operation

__all__ = ["Work"]

# Seconds that a container has to end, where neither it nor its image says otherwise; and those that the engine needs.
GRACE, MARGIN = 10, 30
# Seconds for what the engine does at once, but on a slow disk.
SLOW = 300.0


class Work:
    """One operation at work on one engine; each public method is a task, and returns what is there now.

    Parameters
    ----------
    engine, spec, ctx
        Where, what the cell says, and the core's context.
    reach
        Returns the engine at an address: that which an image comes from.
    """

    def __init__(self, engine: Engine, spec: DockerSpec, ctx: Context, reach: Callable[[str], Engine]) -> None:
        self.reach = reach
        self.engine = engine
        self.spec = spec
        self.ctx = ctx
        self._stopping = False

    def do(self, operation: Operation) -> Any:
        """Do the operation's task."""
        self.ctx.stop.check()
        return getattr(self, operation.task)(operation)

    def release(self, operation: Operation) -> None:
        """Do nothing: whoever holds the project has taken over the lock that was left."""

    # Networks and volumes

    def create_network(self, operation: Operation) -> None:
        """Make a network."""
        made = self.engine.create("/networks/create", network_body(operation.target, self.spec.project))
        self.ctx.found(operation.change.resource, made["Id"])

    def replace_network(self, operation: Operation) -> None:
        """Take a network away from the containers in it, and make it anew; they join it in changes of their own."""
        assert operation.container is not None  # noqa: S101 -- one that is replaced is there
        identifier = operation.container["Id"]
        inspected = self.engine.get(f"/networks/{identifier}")
        ours = {one["Id"] for one in self.ctx.state[operation.host].containers}
        for container, how in (inspected.get("Containers") or {}).items():
            if container not in ours:
                raise Conflict(f"{how['Name']} is in it, and is not ours", hint="take it out of the network first")
        for container in inspected.get("Containers") or {}:
            self.engine.call("POST", f"/networks/{identifier}/disconnect", {"Container": container, "Force": True})
        self.engine.call("DELETE", f"/networks/{identifier}")
        self.create_network(operation)

    def remove_network(self, operation: Operation) -> None:
        """Take a network away."""
        identifier = operation.container["Id"] if operation.container else operation.name
        self.engine.call("DELETE", f"/networks/{identifier}")

    def create_volume(self, operation: Operation) -> None:
        """Make a volume."""
        self.engine.create("/volumes/create", volume_body(operation.target, self.spec.project))
        self.ctx.found(operation.change.resource, operation.name)

    def remove_volume(self, operation: Operation) -> None:
        """Take a volume away, with its data."""
        self.engine.call("DELETE", f"/volumes/{operation.name}")

    # Images

    def pull(self, operation: Operation) -> Any:
        """Pull an image."""
        from jupyter_runbook.providers.docker.images import pull

        return pull(self.engine, _service(operation), self.ctx)

    def build(self, operation: Operation) -> Any:
        """Build an image."""
        from jupyter_runbook.providers.docker.images import build

        return build(self.engine, _service(operation), self.ctx)

    def load(self, operation: Operation) -> Any:
        """Take an image from an archive or another engine, unless it came with one that was loaded before it."""
        from jupyter_runbook.providers.docker.archives import is_engine, load

        offer, name = operation.target, operation.name
        if (now := self._image(name)) is None or now["Id"] not in offer.ids:
            source = self.reach(offer.source) if is_engine(offer.source) else None
            load(self.engine, offer, (name,), self.ctx, source)
            now = self._image(name)
        if now is None:
            raise ToolFailed(f"{offer.source} was loaded, but there is no {name}", hint="save it anew")
        return {"id": now["Id"].removeprefix("sha256:")[:12], "size": now.get("Size")}

    def save(self, operation: Operation) -> Any:
        """Save images into an archive."""
        from jupyter_runbook.providers.docker.archives import save

        return save(self.engine, expanded(operation.name), operation.target, self.ctx)

    def _image(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(self.engine.get(f"/images/{name}/json"))
        except NotFound:
            return None

    def push(self, operation: Operation) -> Any:
        """Push an image."""
        from jupyter_runbook.providers.docker.images import push

        return push(self.engine, operation.name, self.ctx)

    # Containers

    def create_container(self, operation: Operation) -> dict[str, Any]:
        """Make a container and start it."""
        for extra in operation.extras:
            self._remove(extra["Id"])
        identifier = self._create(operation, operation.name, {})
        self._start(identifier)
        return {"id": identifier[:12]}

    def update_container(self, operation: Operation) -> None:
        """Give a container what it can be given as it is, and bring it up where it is not."""
        container, service = operation.container, _service(operation)
        assert container is not None  # noqa: S101 -- one that is updated is there
        for extra in operation.extras:
            self._remove(extra["Id"])
        if name_of(container) != operation.name:
            self._rename(container["Id"], operation.name)
        self._mend(operation, container["Id"])
        state = operation.condition.mend if operation.condition else ""
        if state == "start":
            if container["State"]["Status"] == "created":
                self._put_files(service, container["Id"])  # whoever made it may not have come so far
            self._start(container["Id"])
        elif state == "unpause":
            self.engine.call("POST", f"/containers/{container['Id']}/unpause")
        elif state == "restart":
            self.restart_container(operation)

    def restart_container(self, operation: Operation) -> None:
        """Stop a container, and start it again."""
        assert operation.container is not None  # noqa: S101 -- one that is started again is there
        self._blocking("restart", operation.container)

    def replace_container(self, operation: Operation) -> dict[str, Any]:
        """Make the new one beside the old one, change over, and take the old one away when the new one is good."""
        old = operation.container
        assert old is not None  # noqa: S101 -- one that is replaced is there
        for extra in operation.extras:
            self._remove(extra["Id"])
        new = self._create(operation, operation.name + NEXT, kept_volumes(old))
        return self._change_over(operation, old, new)

    def finish_container(self, operation: Operation) -> dict[str, Any]:
        """Go on with a replace that was broken off, where it had come to."""
        old, half = operation.container, operation.half
        assert old is not None  # noqa: S101 -- both are there, or there is nothing to finish
        assert half is not None  # noqa: S101
        for extra in operation.extras:
            self._remove(extra["Id"])
        return self._change_over(operation, old, half["Id"])

    def remove_container(self, operation: Operation) -> None:
        """Stop a container and take it away; volumes without a name go with it where volumes are to go."""
        assert operation.container is not None  # noqa: S101 -- one that is removed is there
        with suppress(NotFound):
            self._blocking("stop", operation.container)
            self._remove(operation.container["Id"], volumes=self.spec.absent and self.spec.remove_volumes)

    def wait(self, operation: Operation) -> dict[str, Any]:
        """Wait until a container is what it is for."""
        return wait(self.engine, operation.name, _service(operation), operation.goal, self.ctx)

    def _change_over(self, operation: Operation, old: dict[str, Any], new: str) -> dict[str, Any]:
        service = _service(operation)
        try:
            self._mend(operation, new)
            self._blocking("stop", old)
            if name_of(old) != operation.name + OLD:
                self._rename(old["Id"], operation.name + OLD)
            if name_of(self.engine.get(f"/containers/{new}/json")) != operation.name:
                self._rename(new, operation.name)
            self._start(new)
            self.ctx.output("the new one runs; the old one is stopped\n")
            state = wait(self.engine, new, service, operation.goal, self.ctx)
        except RunbookError as error:
            self._put_back(operation, old, new)
            raise type(error)(
                f"{error.message}; the old one is back", hint=error.hint, resource=operation.change.resource
            ) from None
        self._remove(old["Id"])
        return {"id": new[:12], **state}

    def _put_back(self, operation: Operation, old: dict[str, Any], new: str) -> None:
        """Take the new one away, and bring the old one back as it was."""
        self._remove(new)
        if self._stopping:
            # Its stop goes on after us; what is started before that has ended would end as well.
            self.engine.call("POST", f"/containers/{old['Id']}/wait", seconds=self._grace(old) + MARGIN)
        if name_of(self.engine.get(f"/containers/{old['Id']}/json")) != operation.name:
            self._rename(old["Id"], operation.name)
        if old["State"]["Running"] or operation.half is not None:
            self._start(old["Id"])

    def _create(self, operation: Operation, name: str, kept: dict[str, str]) -> str:
        service = _service(operation)
        body = container_body(
            self.spec, service, operation.number, kept=kept, shared=self._shared(service), api=self.engine.api
        )
        try:
            made = self.engine.create("/containers/create", body, name=name, platform=service.platform)
        except NotFound as error:
            raise ToolFailed(error.message, hint=f"the image {service.image} has to be there") from None
        identifier = str(made["Id"])
        self.ctx.found(operation.change.resource, identifier)
        for warning in made.get("Warnings") or ():
            self.ctx.output(f"the engine warns: {warning}\n")
        try:
            for key, how in list((service.networks or {}).items())[1:]:
                self._join(service, identifier, self.spec.networks[key].name, how)
            self._put_files(service, identifier)
        except RunbookError:
            self._remove(identifier)
            raise
        return identifier

    def _shared(self, service: Service) -> dict[str, str]:
        """Return the IDs of the containers that a service shares something with."""
        return {
            f"service:{name}": self.engine.get(f"/containers/{container_name(self.spec, name, 1)}/json")["Id"]
            for name in service.shares
        }

    def _put_files(self, service: Service, container: str) -> None:
        if files := [one for one in service.files if one.path is None]:
            self.engine.call("PUT", f"/containers/{container}/archive", files_archive(files), path="/")

    def _mend(self, operation: Operation, container: str) -> None:
        """Update what can be, and join and leave networks."""
        service = _service(operation)
        differences = [one for one in operation.differences if one.update]
        if operation.task == "replace_container":
            return  # the new one is as it should be
        if body := update_body(service, differences):
            self.engine.call("POST", f"/containers/{container}/update", body)
        keys = {self.spec.networks[key].name: key for key in service.networks or ()}
        for name in dict.fromkeys(one.network for one in differences if one.network):
            assert name is not None  # noqa: S101 -- filtered above
            with suppress(NotFound, ToolFailed, Conflict):
                self.engine.call("POST", f"/networks/{name}/disconnect", {"Container": container, "Force": True})
            if name in keys:
                self._join(service, container, name, (service.networks or {})[keys[name]])

    def _join(self, service: Service, container: str, network: str, how: Any) -> None:
        body = {"Container": container, "EndpointConfig": endpoint(self.spec, service, how)}
        self.engine.call("POST", f"/networks/{network}/connect", body)

    def _start(self, container: str) -> None:
        self.engine.call("POST", f"/containers/{container}/start", seconds=SLOW)

    def _rename(self, container: str, name: str) -> None:
        self.engine.call("POST", f"/containers/{container}/rename", name=name)

    def _blocking(self, what: str, container: dict[str, Any]) -> None:
        """Stop or restart a container, which takes as long as it has to end; a stop of the step is heeded meanwhile."""
        self._stopping = True
        seconds = self._grace(container) + MARGIN
        self.ctx.stop.bounded(
            lambda: self.engine.call("POST", f"/containers/{container['Id']}/{what}", seconds=seconds), seconds
        )
        self._stopping = False

    def _grace(self, container: dict[str, Any]) -> float:
        given = container["Config"].get("StopTimeout")
        return GRACE if given is None else float(given)

    def _remove(self, container: str, *, volumes: bool = False) -> None:
        with suppress(NotFound):
            self.engine.call("DELETE", f"/containers/{container}", force=True, v=volumes, seconds=SLOW)


def _service(operation: Operation) -> Service:
    assert operation.service is not None  # noqa: S101 -- a container's operation has one
    return operation.service
