"""State and spec → every operation, of all engines. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_runbook.providers.docker.planning import Planner
from jupyter_runbook.providers.docker.removal import Removal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.providers.docker.model import DockerSpec
    from jupyter_runbook.providers.docker.operation import Operation
    from jupyter_runbook.providers.docker.state import HostState

__all__ = ["operations"]


def operations(spec: DockerSpec, states: Mapping[str, HostState]) -> dict[str, Operation]:
    """Return every operation by its change's resource, in the order that people read them.

    Parameters
    ----------
    spec
        What the cell says.
    states
        What is there, by the names of the engines.

    Raises
    ------
    Conflict
        What the cell needs is somebody else's, or can't be changed without losing data.
    ToolFailed
        A network, a volume or an image that has to be there is not.
    """
    found: dict[str, Operation] = {}
    for host, state in states.items():
        suffix = f" on {host}" if len(states) > 1 else ""
        kind = Removal if spec.absent else Planner
        found.update(kind(spec, host, state, suffix).all())
    return found
