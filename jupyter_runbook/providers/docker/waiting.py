"""Wait until a container is what it is for: told by the engine's events, not by asking again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.providers.docker.condition import health_log, health_says, steady_in
from jupyter_runbook.secret.excerpt import last_line

if TYPE_CHECKING:
    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.docker.engine import Engine
    from jupyter_runbook.providers.docker.model import Service

__all__ = ["last_words", "wait"]

# Seconds that a container without a health check has to stay up: most that can't start say so sooner.
SETTLE = 0.5
# So many lines of what a container said are shown where it failed.
LINES = 20
_EVENTS = ["health_status", "die", "start", "stop", "destroy", "oom"]


def wait(engine: Engine, container: str, service: Service, goal: str, ctx: Context) -> dict[str, Any]:
    """Wait until a container is healthy, or has stayed up, or (``completed``) has ended with 0.

    Returns
    -------
    dict
        What it is then, for the record.

    Raises
    ------
    ToolFailed
        It ended, keeps ending, or is unhealthy; what it said last goes to the log.
    """
    filters = {"container": [container], "event": _EVENTS, "type": ["container"]}
    patience = None if goal else SETTLE
    while True:
        # The events first: what comes between the look and them would be lost.
        with engine.stream("GET", "/events", ctx.stop, seconds=patience, filters=filters) as events:
            inspected = engine.get(f"/containers/{container}/json")
            verdict = _verdict(engine, inspected, service, goal, ctx)
            if verdict:
                return verdict
            if patience is not None and (more := steady_in(inspected)) > patience:
                patience = more
                continue
            waits_for_health = inspected["State"].get("Health", {}).get("Status") == "starting"
            if waits_for_health and patience is not None:
                patience = None
                continue
            try:
                events.readline()
            except TimeoutError:
                return {"state": "running"}
            ctx.stop.check()


def last_words(engine: Engine, container: dict[str, Any], ctx: Context) -> str:
    """Send the last lines that a container said to the log, and return the last of them."""
    raw = engine.call("GET", f"/containers/{container['Id']}/logs", stdout=True, stderr=True, tail=LINES)
    text = raw.decode(errors="replace") if container["Config"].get("Tty") else _plain(raw)
    if text.strip():
        ctx.output(f"its last words:\n{text.rstrip()}\n")
    return last_line(text, "")


def _verdict(
    engine: Engine, inspected: dict[str, Any], service: Service, goal: str, ctx: Context
) -> dict[str, Any] | None:
    state = inspected["State"]
    health = (state.get("Health") or {}).get("Status")
    if state["Status"] == "exited" and state["ExitCode"] == 0 and (goal or service.one_shot):
        return {"state": "ended with 0"}
    if state["Status"] in {"exited", "dead", "restarting"}:
        raise _failed(f"it ended with {state['ExitCode']}", state.get("Error") or last_words(engine, inspected, ctx))
    if health == "unhealthy" and not goal:
        last_words(engine, inspected, ctx)
        ctx.output(f"its health check said:\n{health_log(inspected)}\n")
        raise _failed("it is unhealthy", health_says(inspected))
    return {"state": "healthy"} if health == "healthy" and not goal else None


def _failed(what: str, said: str) -> ToolFailed:
    return ToolFailed(f"{what}: {said}" if said else what, hint="the step's log has what it said last")


def _plain(raw: bytes) -> str:
    """Take apart what a container without a terminal said: frames of eight bytes of head and the text."""
    parts = []
    at = 0
    while at + 8 <= len(raw):
        size = int.from_bytes(raw[at + 4 : at + 8], "big")
        parts.append(raw[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(parts).decode(errors="replace")
