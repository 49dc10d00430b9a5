"""One change of a plan, and what it takes to make it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jupyter_runbook.plan import Action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_runbook.plan import Change
    from jupyter_runbook.providers.docker.condition import Condition
    from jupyter_runbook.providers.docker.difference import Difference
    from jupyter_runbook.providers.docker.model import Service
    from jupyter_runbook.providers.docker.state import Inspected

__all__ = ["Operation"]


@dataclass(frozen=True)
class Operation:
    """One change, and what it takes to make it.

    Parameters
    ----------
    change
        What the plan shows.
    host
        The name of the engine.
    task
        What is to be done: the name of a method of `Work`; empty for a no-op.
    name
        What the engine calls it.
    service, number
        The container's place; 0 for what has none.
    container
        What is there, as inspected: the container that is changed, replaced or removed, or the network.
    half
        The container that a replace that was broken off had made to take its place.
    extras
        Containers that are in the way, and go.
    differences
        Why, field by field.
    condition
        What the container that is there is like.
    goal
        What is waited for: ``completed``, or empty for healthy or running.
    target
        The network or the volume.
    """

    change: Change
    host: str
    task: str = ""
    name: str = ""
    service: Service | None = None
    number: int = 0
    container: Inspected | None = None
    half: Inspected | None = None
    extras: tuple[Inspected, ...] = ()
    differences: tuple[Difference, ...] = ()
    condition: Condition | None = None
    goal: str = ""
    target: Any = None

    def needing(self, needs: Iterable[str]) -> Operation:
        """Return the same after other changes too."""
        return replace(self, change=replace(self.change, needs=tuple(dict.fromkeys([*self.change.needs, *needs]))))

    def restart(self, why: str) -> Operation:
        """Return the same, but for a container that is to be started again."""
        change = replace(self.change, action=Action.UPDATE, reason=why, before=None, after=None)
        return replace(self, change=change, task="restart_container")
