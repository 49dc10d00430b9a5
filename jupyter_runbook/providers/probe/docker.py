"""``docker``: whether a container is there, and how it is."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import quote

from jupyter_runbook.errors import NotConverged, RunbookError, StepError, StepTimeout, ToolFailed, Unreachable
from jupyter_runbook.providers.probe.check import Check, Seen, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["Docker"]

STATES = ("created", "dead", "exited", "paused", "removing", "restarting", "running")
HEALTH = ("healthy", "starting", "unhealthy", "none")


@dataclass(frozen=True)
class Docker(Check):
    """A container, by its name or ID. What was not asked for is None."""

    container: str | Secret
    host: str | None
    exists: bool
    state: str | None
    health: str | None
    image: str | None
    exit_code: int | None

    kind: ClassVar[str] = "docker"
    takes: ClassVar[tuple[str, ...]] = ("host", "exists", "state", "health", "image", "exit_code")

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:  # noqa: ARG003 -- nothing of it is code
        """Read ``docker: CONTAINER``; without more it has to run, and to be healthy if it has a healthcheck."""
        container = fields.text("docker")
        if not plain_text(container).strip():
            raise fields.error("docker", "docker: a container's name is needed", hint="- docker: web-1")
        exists = fields.flag("exists", default=True)
        more = [name for name in ("state", "health", "image", "exit_code") if name in fields.values]
        if more and not exists:
            raise fields.error(more[0], f"{more[0]} can't be looked at where exists is false", hint="keep one of them")
        code = fields.integers("exit_code", [])[0] if "exit_code" in fields.values else None
        state = _one_of(fields, "state", STATES)
        if state is None and exists and "health" not in fields.values:
            state = "exited" if code is not None else "running"
        return cls(
            **shared,
            container=container,
            host=_host(fields),
            exists=exists,
            state=state,
            health=_one_of(fields, "health", HEALTH),
            image=str(fields.text("image")) or None,
            exit_code=code,
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """What was asked for."""
        asked = {"state": self.state, "health": self.health, "image": self.image, "exit_code": self.exit_code}
        return {"exists": self.exists, **{name: value for name, value in asked.items() if value is not None}}

    def look(self, stop: Stop) -> Seen:
        """Ask the engine, which is only read from."""
        try:
            found = self.ask(self._inspect, stop)
        except StepTimeout:
            raise
        except StepError as error:
            return Seen({}, error)
        except RunbookError as error:
            return Seen({}, ToolFailed(error.message, hint=error.hint))
        except OSError as error:
            return Seen({}, Unreachable(error.strerror or str(error)))
        if found is None:
            return Seen({"exists": False}, NotConverged("there is no such container") if self.exists else None)
        if not self.exists:
            return Seen({"exists": True}, NotConverged("it is there"))
        return self._judged(found)

    def _judged(self, found: Mapping[str, Any]) -> Seen:
        state = found["State"]
        health = (state.get("Health") or {}).get("Status", "none")
        seen = {
            "exists": True,
            "state": state["Status"],
            "health": health,
            "image": found["Config"]["Image"],
            "exit_code": state["ExitCode"],
        }
        values = {name: value for name, value in seen.items() if name in self.wanted}
        wrong = [f"{name} is {seen[name]}, not {value}" for name, value in self.wanted.items() if seen[name] != value]
        if self.state == "running" and self.health is None and health in ("starting", "unhealthy"):
            # Who asks whether it runs wants to know that it works.
            values["health"] = health
            wrong.append(f"it is {health}")
        if wrong and seen["state"] == "exited" and self.exit_code is None:
            wrong.append(f"it ended with {seen['exit_code']}")
        return self.seen(values, wrong, _said(state))

    def _inspect(self) -> dict[str, Any] | None:
        from jupyter_runbook.providers.docker.engine import NotFound
        from jupyter_runbook.providers.docker.hosts import connect, default_host

        with closing(connect(self.host or default_host(os.environ))) as engine:
            try:
                found: dict[str, Any] = engine.get(f"/containers/{quote(plain_text(self.container), safe='')}/json")
            except NotFound:
                return None
            return found


def _said(state: Mapping[str, Any]) -> str:
    """Return what a healthcheck said last, or why the container did not start."""
    log = (state.get("Health") or {}).get("Log") or []
    return "\n".join(filter(None, [state.get("Error"), log[-1].get("Output") if log else None]))


def _one_of(fields: Fields, name: str, known: tuple[str, ...]) -> str | None:
    text = str(fields.text(name)) or None
    if text not in (None, *known):
        raise fields.error(name, f"{name}: one of {', '.join(known)} is needed, not {text!r}")
    return text


def _host(fields: Fields) -> str | None:
    from jupyter_runbook.errors import InvalidSpec
    from jupyter_runbook.providers.docker.hosts import engine_address

    text = str(fields.text("host"))
    try:
        return engine_address(text, "host") if text else None
    except InvalidSpec as error:
        raise fields.error("host", error.message, hint=error.hint) from None
