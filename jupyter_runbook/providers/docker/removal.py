"""State and spec → what takes away what the cell names, and only what is the project's own. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_runbook.plan import Action
from jupyter_runbook.providers.docker.planning import Planner
from jupyter_runbook.providers.docker.shown import shown
from jupyter_runbook.providers.docker.state import container_name, name_of, place

if TYPE_CHECKING:
    from typing import Any

    from jupyter_runbook.providers.docker.model import Network, Volume
    from jupyter_runbook.providers.docker.operation import Operation
    from jupyter_runbook.providers.docker.state import Inspected

__all__ = ["Removal"]


class Removal(Planner):
    """What takes a project away from one engine; see `Planner`."""

    def all(self) -> dict[str, Operation]:
        """Return every operation: what depends on another goes first."""
        gone: dict[str, list[str]] = {}
        left: list[Inspected] = []
        for one in self.state.containers:
            if place(one)[0] not in self.spec.services:
                (self.remove(one, "the cell has no such service") if self.spec.remove_orphans else left.append(one))
        for service in reversed(self.in_order()):
            after = [key for key, how in self.spec.services.items() if service.name in how.depends]
            needs = tuple(resource for key in after for resource in gone.get(key, ()))
            mine = [one for one in self.state.containers if place(one)[0] == service.name]
            for one in mine:
                self.remove(one, "is there", needs, service=service)
            gone[service.name] = [self.called("container", name_of(one)) for one in mine]
            if not mine and service.scale:
                self.add("container", container_name(self.spec, service.name, 1), Action.NO_OP, "is not there")
        containers = tuple(one for one in self.found if self.found[one].change.action is Action.DELETE)
        self.leavings()
        for network in self.spec.networks.values():
            self.remove_network(network, containers, left)
        for volume in self.spec.volumes.values():
            self.remove_volume(volume, containers, left)
        return self.found

    def remove_network(self, network: Network, needs: tuple[str, ...], left: list[Inspected]) -> None:
        """Plan a network's removal; one that somebody needs stays."""
        used = [name_of(one) for one in left if network.name in (one["NetworkSettings"].get("Networks") or {})]
        reason = _stays(network, self.state.networks.get(network.key), network.name in self.state.ours["network"], used)
        if reason:
            self.add("network", network.name, Action.NO_OP, reason)
            return
        known: dict[str, Any] = {"before": shown(network), "needs": needs, "target": network, "task": "remove_network"}
        self.add("network", network.name, Action.DELETE, "is there", **known)

    def remove_volume(self, volume: Volume, needs: tuple[str, ...], left: list[Inspected]) -> None:
        """Plan a volume's removal, where that is wanted; one that somebody needs stays."""
        used = [
            name_of(one) for one in left if any(mount.get("Name") == volume.name for mount in one.get("Mounts") or ())
        ]
        reason = _stays(volume, self.state.volumes.get(volume.key), volume.name in self.state.ours["volume"], used)
        if not reason and not self.spec.remove_volumes:
            reason = "stays, with its data: --volumes removes it"
        if reason:
            self.add("volume", volume.name, Action.NO_OP, reason)
            return
        known: dict[str, Any] = {"before": shown(volume), "needs": needs, "target": volume, "task": "remove_volume"}
        self.add("volume", volume.name, Action.DELETE, "is there, and --volumes is given", **known)


def _stays(target: Network | Volume, now: Inspected | None, ours: bool, used: list[str]) -> str:  # noqa: FBT001
    """Return why something is not removed; empty where it is."""
    if now is None:
        return "is not there"
    if target.external:
        return "is external: it stays"
    if not ours:
        return "is not ours: it stays"
    return f"is still used by {', '.join(used)}: it stays" if used else ""
