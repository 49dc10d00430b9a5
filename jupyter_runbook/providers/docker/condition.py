"""Whether a container is in the condition that its service is meant to be in. Pure but for the clock."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret.excerpt import last_line

if TYPE_CHECKING:
    from jupyter_runbook.providers.docker.model import Service

__all__ = ["STEADY", "Condition", "condition", "has_health", "health_log", "health_says", "steady_in"]

Inspected = dict[str, Any]
#: Seconds after which the engine itself takes a container that it restarted for one that runs (moby's restart manager).
STEADY = 10.0
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
        return _running(container)
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
    return last_line(health_log(container), "", SAID)


def steady_in(container: Inspected) -> float:
    """Return in how many seconds a running container that was restarted can be taken for one that runs; 0 for now.

    Between two crashes one that keeps crashing looks as if it ran. Where the engine's clock is another than ours by
    more than `STEADY`, nothing is seen of it.
    """
    if not container.get("RestartCount"):
        return 0.0
    try:
        started = dt.datetime.fromisoformat(container["State"]["StartedAt"][:19] + "+00:00")
    except (KeyError, TypeError, ValueError):
        return 0.0
    age = (dt.datetime.now(dt.UTC) - started).total_seconds()
    # The start's fraction of a second is cut off.
    return STEADY + 1 - age if -STEADY < age < STEADY + 1 else 0.0


def _running(container: Inspected) -> Condition:
    health = (container["State"].get("Health") or {}).get("Status")
    if health in {None, "none"} and steady_in(container):
        count = container["RestartCount"]
        return Condition("was restarted just now" + (f", {count} times so far" if count > 1 else ""), "wait")
    if health in {None, "none", "healthy"}:
        return Condition("healthy" if health == "healthy" else "running")
    return Condition("is unhealthy" if health == "unhealthy" else "is not healthy yet", "wait")
