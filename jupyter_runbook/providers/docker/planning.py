"""State and spec → what makes an engine what the cell says, and after what. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import Conflict, ToolFailed
from jupyter_runbook.plan import Action, Change
from jupyter_runbook.providers.docker.body import wanted_links
from jupyter_runbook.providers.docker.difference import Scene
from jupyter_runbook.providers.docker.imaging import plan_images
from jupyter_runbook.providers.docker.operation import Operation
from jupyter_runbook.providers.docker.placing import Place, place_operations
from jupyter_runbook.providers.docker.resources import network_differences, volume_differences
from jupyter_runbook.providers.docker.shown import shown
from jupyter_runbook.providers.docker.state import container_name, name_of, place

if TYPE_CHECKING:
    from jupyter_runbook.providers.docker.difference import Difference
    from jupyter_runbook.providers.docker.model import DockerSpec, Network, Service, Volume
    from jupyter_runbook.providers.docker.state import HostState, Inspected

__all__ = ["Planner"]


@dataclass
class Planner:
    """What makes one engine what the cell says.

    Parameters
    ----------
    spec, state
        What the cell says, and what is there.
    host, suffix
        The engine's name, and what is added to the names of its resources.
    """

    spec: DockerSpec
    host: str
    state: HostState
    suffix: str

    def __post_init__(self) -> None:
        self.found: dict[str, Operation] = {}
        self.first: tuple[str, ...] = ()

    def called(self, kind: str, name: str) -> str:
        """Return what the plan calls a resource of this engine."""
        return f"{kind} {name}{self.suffix}"

    def add(
        self,
        kind: str,
        name: str,
        action: Action,
        reason: str,
        *,
        before: Any = None,
        after: Any = None,
        needs: tuple[str, ...] = (),
        **known: Any,
    ) -> None:
        """Add an operation; ``known`` are parts of an `Operation`."""
        resource = self.called(kind, name)
        change = Change(resource, kind, action, reason, before, after, needs)
        self.found[resource] = Operation(change, self.host, name=name, **known)

    def all(self) -> dict[str, Operation]:
        """Return all that makes the engine what the cell says."""
        self.refuse()
        self.leavings()
        plan_images(self)
        # What most often fails comes before anything is touched.
        self.first = tuple(resource for resource, one in self.found.items() if one.change.kind == "image" and one.task)
        for network in self.spec.networks.values():
            self.network(network)
        for volume in self.spec.volumes.values():
            self.volume(volume)
        for service in self.in_order():
            for number in range(1, service.scale + 1):
                self.place(service, number)
            self.surplus(service)
        self.orphans()
        return self.found

    def refuse(self) -> None:
        """Refuse a name or a port that somebody else has."""
        for service in self.spec.services.values():
            for port in service.ports or ():
                if port in self.state.busy:
                    raise Conflict(
                        f"the port {port.published}/{port.protocol} is taken by {self.state.busy[port]}",
                        hint="end that, or publish another port",
                        resource=self.called("container", container_name(self.spec, service.name, 1)),
                    )
        for one in self.state.taken:
            name = one["Names"][0].removeprefix("/")
            project = (one.get("Labels") or {}).get("com.docker.compose.project")
            whose = f"of the Compose project {project}" if project else f"its image is {one['Image']}"
            raise Conflict(
                f"the name {name} is taken by a container that is not ours ({one['Id'][:12]}, {whose})",
                hint="remove it, or give this one another name with --project or container_name",
                resource=self.called("container", name),
            )

    def leavings(self) -> None:
        """Remove what a run left that died: its lock, and networks of a name that another one of ours has."""
        if self.state.lock:
            name = self.state.lock["Name"]
            self.add("lock", name, Action.DELETE, "a run that died has left it", task="release")
        for one in self.state.duplicates:
            name = f"{one['Name']} ({one['Id'][:12]})"
            self.add("network", name, Action.DELETE, "another one has its name", container=one, task="remove_network")

    def network(self, network: Network) -> None:
        """Plan a network: make it, make it anew, or leave it."""
        now = self.state.networks.get(network.key)
        if now is None:
            self.missing("network", network)
            return
        differences = [] if network.external else list(network_differences(network, now))
        if not differences:
            self.add("network", network.name, Action.NO_OP, _as_it_is(network))
            return
        before, after = _sides(differences)
        reason = _reason(differences)
        known: dict[str, Any] = {
            "before": before,
            "after": after,
            "target": network,
            "container": now,
            "task": "replace_network",
        }
        self.add("network", network.name, Action.REPLACE, reason, **known)

    def volume(self, volume: Volume) -> None:
        """Plan a volume: make it, or leave it; one that is another than the cell says is refused."""
        now = self.state.volumes.get(volume.key)
        if now is None:
            self.missing("volume", volume)
            return
        differences = [] if volume.external else list(volume_differences(volume, now))
        if differences:
            raise Conflict(
                f"the volume {volume.name} is not what the cell says ({differences[0]}); its data is not dropped",
                hint="save the data, remove the volume, and run the step again",
                resource=self.called("volume", volume.name),
            )
        self.add("volume", volume.name, Action.NO_OP, _as_it_is(volume))

    def missing(self, kind: str, target: Network | Volume) -> None:
        """Plan a network or a volume that is not there."""
        if target.external:
            raise ToolFailed(
                f"the {kind} {target.name} is external, and not there",
                hint="make it in a step above, or take external out",
                resource=self.called(kind, target.name),
            )
        known: dict[str, Any] = {
            "after": shown(target),
            "target": target,
            "task": f"create_{kind}",
            "needs": self.first,
        }
        self.add(kind, target.name, Action.CREATE, "is not there", **known)

    def in_order(self) -> list[Service]:
        """Return the services, each after those that it depends on; what nothing binds stays as the cell has it."""
        services = self.spec.services
        order = TopologicalSorter(
            {key: [one for one in how.depends if one in services] for key, how in services.items()}
        )
        order.prepare()
        found: list[str] = []
        place = list(services)
        while order.is_active():
            ready = sorted(order.get_ready(), key=place.index)
            found += ready
            order.done(*ready)
        return [services[key] for key in found]

    def place(self, service: Service, number: int) -> None:
        """Plan what is to be done at a service's place, and after what."""
        where = Place(service, number, container_name(self.spec, service.name, number), self.host, self.suffix)
        image = self.found[self.called("image", service.image)]
        needs = [image.change.resource]
        needs += [self.called("network", f"{one['Name']} ({one['Id'][:12]})") for one in self.state.duplicates]
        needs += [self.called("network", self.spec.networks[key].name) for key in service.networks or ()]
        needs += [
            self.called("volume", self.spec.volumes[mount.source].name)
            for mount in service.mounts or ()
            if mount.type == "volume" and mount.source
        ]
        needs += self.dependencies(service)
        before = self.found.get(self.called("container", container_name(self.spec, service.name, number - 1)))
        if before and before.change.action is Action.REPLACE:
            needs.append(before.change.resource)  # one after the other, so that the service goes on
        goal = "completed" if self.awaited(service) else ""
        candidates = self.state.of(service.name, number)
        for one in place_operations(where, candidates, lambda container: self.scene(service, container), goal):
            again = self.again(service) if one.change.action is Action.NO_OP and one.change.kind == "container" else ""
            made = one.restart(again) if again and one.condition and one.condition.good else one
            self.found[made.change.resource] = made.needing(needs)

    def again(self, service: Service) -> str:
        """Return why a container is to be started again: what it depends on is made anew, and it says so."""
        for key, how in service.depends.items():
            if how.restart and any(one.change.action is not Action.NO_OP for one in self.of(key, "container")):
                return f"{key} is changed, and it restarts with it"
        return ""

    def awaited(self, service: Service) -> bool:
        """Tell whether another service waits for this one's end."""
        return any(
            how.depends[service.name].condition == "completed"
            for how in self.spec.services.values()
            if service.name in how.depends
        )

    def dependencies(self, service: Service) -> list[str]:
        """Return the resources that a service's containers wait for."""
        needs: list[str] = []
        for key, how in service.depends.items():
            rows = self.of(key, "container")
            if how.condition != "started":
                rows = [*rows, *self.of(key, "health")]
            needs += [one.change.resource for one in rows]
        return needs

    def of(self, key: str, kind: str) -> list[Operation]:
        """Return the operations of a kind on the containers of a service."""
        return [
            one
            for one in self.found.values()
            if one.service and one.service.name == key and one.change.kind == kind and one.number
        ]

    def scene(self, service: Service, container: Inspected) -> Scene:
        """Return what a comparison of a container needs to know."""
        image = self.found[self.called("image", service.image)]
        networks = {key: self.spec.networks[key].name for key in service.networks or ()}
        settled = {
            name: self.state.networks[key]
            for key, name in networks.items()
            if self.found[self.called("network", name)].change.action is Action.NO_OP
        }
        return Scene(
            image=self.state.images.get(service.image) if image.change.action is Action.NO_OP else None,
            made_from=self.state.images.get(container["Image"]),
            networks=networks,
            network_ids={name: one["Id"] for name, one in settled.items() if one},
            volumes={key: one.name for key, one in self.spec.volumes.items()},
            containers=self.shared(service),
            links=wanted_links(self.spec, service),
        )

    def shared(self, service: Service) -> dict[str, str]:
        """Return the IDs of the containers that a service shares something with, where they stay."""
        found = {}
        for key in service.depends:
            for one in self.of(key, "container")[:1]:
                if one.container and one.change.action in {Action.NO_OP, Action.UPDATE}:
                    found[f"service:{key}"] = one.container["Id"]
        return found

    def surplus(self, service: Service) -> None:
        """Remove what is beyond a service's scale."""
        for one in self.state.containers:
            key, number = place(one)
            if key == service.name and not 1 <= number <= service.scale:
                self.remove(one, f"the service {key} has {service.scale} now", service=service)

    def orphans(self) -> None:
        """Plan the removal of containers of services that the cell does not have, where that is wanted."""
        for one in self.state.containers:
            key, _ = place(one)
            if self.spec.remove_orphans and key not in self.spec.services and key not in self.spec.asleep:
                self.remove(one, f"the cell has no service {key}")

    def remove(self, container: Inspected, reason: str, needs: tuple[str, ...] = (), **known: Any) -> None:
        """Plan the removal of a container."""
        before = {"image": container["Config"]["Image"], "id": container["Id"][:12]}
        known.update(task="remove_container", container=container, before=before, needs=needs)
        self.add("container", name_of(container), Action.DELETE, reason, **known)


def _as_it_is(target: Network | Volume) -> str:
    return "is external, and there" if target.external else "is as it should be"


def _reason(differences: list[Difference]) -> str:
    return "; ".join(str(one) for one in differences)


def _sides(differences: list[Difference]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {one.field: one.before for one in differences}, {one.field: one.after for one in differences}
