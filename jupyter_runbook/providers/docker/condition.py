"""Whether a container is in the condition that its service is meant to be in. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_runbook.providers.docker.model import Service

__all__ = ["Condition", "condition", "has_health", "health_log", "health_says"]

Inspected = dict[str, Any]
# So much of what a health check said is shown, in characters.
SAID = 200


@dataclass(frozen=True)
class Condition:
    """What a container is like.

    Parameters
    ----------
    words
        For people: ``running``, ``ended with 1``.
    mend
        What makes it what it should be: ``start``, ``unpause``, ``restart``, ``wait``, ``replace``; empty where it is.
    """

    words: str
    mend: str = ""

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return not self.mend


def condition(container: Inspected, service: Service) -> Condition:
    """Judge an inspected container: one that runs, but keeps crashing or is unhealthy, is not as it should be."""
    state = container["State"]
    status = state["Status"]
    if status == "running":
        return _running(state)
    if status == "exited":
        code = state.get("ExitCode", 0)
        if code == 0 and service.one_shot:
            return Condition("ended with 0")
        return Condition(f"ended with {code}" if code else "was stopped", "start")
    known = {
        "created": Condition("was never started", "start"),
        "paused": Condition("is paused", "unpause"),
        "restarting": Condition(f"keeps ending with {state.get('ExitCode')}", "restart"),
    }
    return known.get(status, Condition(f"is {status}", "replace"))


def has_health(container: Inspected) -> bool:
    """Tell whether an inspected container has a health check."""
    test = (container["Config"].get("Healthcheck") or {}).get("Test") or []
    return bool(test) and test[0] != "NONE"


def health_log(container: Inspected) -> str:
    """Return what the last health check of an inspected container said."""
    log = (container["State"].get("Health") or {}).get("Log") or []
    return str(log[-1].get("Output", "")).strip() if log else ""


def health_says(container: Inspected) -> str:
    """Return the last line of `health_log`, where an error stands."""
    return " ".join((health_log(container).splitlines() or [""])[-1].split())[:SAID]


def _running(state: Inspected) -> Condition:
    health = (state.get("Health") or {}).get("Status")
    if health in {None, "none", "healthy"}:
        return Condition("healthy" if health == "healthy" else "running")
    return Condition("is unhealthy" if health == "unhealthy" else "is not healthy yet", "wait")
