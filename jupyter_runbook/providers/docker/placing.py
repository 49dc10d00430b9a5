"""One place of a service: which containers are there for it, and what makes one of them what the cell says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.plan import Action, Change
from jupyter_runbook.providers.docker.compare import compare
from jupyter_runbook.providers.docker.condition import condition, has_health, health_says
from jupyter_runbook.providers.docker.labels import not_comparable
from jupyter_runbook.providers.docker.operation import Operation
from jupyter_runbook.providers.docker.shown import shown, sized
from jupyter_runbook.providers.docker.state import NEXT, OLD, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_runbook.providers.docker.condition import Condition
    from jupyter_runbook.providers.docker.difference import Difference, Scene
    from jupyter_runbook.providers.docker.model import Service
    from jupyter_runbook.providers.docker.state import Inspected

__all__ = ["Place", "place_operations"]


@dataclass(frozen=True)
class Place:
    """A service's place on an engine, and what the container there is called."""

    service: Service
    number: int
    name: str
    host: str
    suffix: str

    def operation(
        self,
        action: Action,
        reason: str,
        *,
        before: Any = None,
        after: Any = None,
        kind: str = "container",
        name: str | None = None,
        **known: Any,
    ) -> Operation:
        """Return an operation on it."""
        resource = f"{kind} {name or self.name}{self.suffix}"
        waits = kind == "health"
        change = Change(
            resource,
            kind,
            action,
            reason,
            before,
            after,
            needs=(f"container {self.name}{self.suffix}",) if waits else (),
            judged=True if waits else None,
            writes=not waits,
        )
        return Operation(change, self.host, name=name or self.name, service=self.service, number=self.number, **known)


def place_operations(
    where: Place, candidates: list[Inspected], scene: Callable[[Inspected], Scene], goal: str
) -> Iterator[Operation]:
    """Go through what is to be done at a place.

    Parameters
    ----------
    where
        The place.
    candidates
        The containers that are there for it: one, or what a replace that was broken off left.
    scene
        What a comparison of one of them needs to know.
    goal
        ``completed`` where others wait for the container's end.
    """
    by_name = {name_of(one): one for one in candidates}
    current, half, old = (by_name.pop(f"{where.name}{end}", None) for end in ("", NEXT, OLD))
    if current is None and old is None and by_name:
        current = by_name.pop(min(by_name))  # somebody renamed it
    extras = tuple(by_name[name] for name in sorted(by_name))
    if old is not None:
        newer = current or half
        differences = compare(where.service, newer, scene(newer)) if newer else []
        if newer and all(one.update for one in differences):
            others = tuple(one for one in (half,) if one and one is not newer)
            yield _finish(where, newer, old, (*extras, *others), tuple(differences), goal)
            return
        extras = (*extras, *((old,) if current else ()))
        current = current or old
    yield from _settle(where, current, tuple(one for one in (half, *extras) if one), scene, goal)


def _finish(  # noqa: PLR0917 -- the parts of it
    where: Place,
    newer: Inspected,
    old: Inspected,
    extras: tuple[Inspected, ...],
    differences: tuple[Difference, ...],
    goal: str,
) -> Operation:
    return where.operation(
        Action.REPLACE,
        "a replace was broken off: go on with it",
        before={"id": old["Id"][:12]},
        after={"id": newer["Id"][:12], **shown(where.service)},
        task="finish_container",
        container=old,
        half=newer,
        extras=extras,
        differences=differences,
        goal=goal,
    )


def _settle(
    where: Place,
    current: Inspected | None,
    extras: tuple[Inspected, ...],
    scene: Callable[[Inspected], Scene],
    goal: str,
) -> Iterator[Operation]:
    if current is None:
        reason = "is not there"
        after = shown(where.service)
        yield where.operation(Action.CREATE, reason, after=after, task="create_container", extras=extras, goal=goal)
        yield _wait(where, None, goal)
        return
    differences = tuple(compare(where.service, current, scene(current)))
    state = condition(current, where.service)
    known: dict[str, Any] = {
        "container": current,
        "differences": differences,
        "condition": state,
        "goal": goal,
        "extras": extras,
    }
    if not all(one.update for one in differences) or state.mend == "replace":
        before, after = _sides(differences, state)
        yield where.operation(
            Action.REPLACE, _reason(differences, state), before=before, after=after, task="replace_container", **known
        )
        return
    renamed = name_of(current) != where.name
    mend = state.mend and state.mend != "wait"
    if differences or renamed or mend or extras:
        before, after = _sides(differences, state)
        if renamed:
            before, after = {**before, "name": name_of(current)}, {**after, "name": where.name}
        reason = _reason(differences, state, *(["name: changed by hand"] if renamed else []))
        reason = reason or "what a replace that was broken off left is in the way"
        yield where.operation(Action.UPDATE, reason, before=before, after=after, task="update_container", **known)
    else:
        words = state.words if state.good else "is as it should be"
        if "files" in not_comparable(current["Config"]["Labels"]):
            words += "; made on another machine: whether what its secrets hold was changed can't be told here"
        yield where.operation(Action.NO_OP, words, **known)
    if mend or state.mend == "wait" or (goal and current["State"]["Status"] == "running"):
        yield _wait(where, current, goal)


def _wait(where: Place, current: Inspected | None, goal: str) -> Operation:
    """Return the operation that waits until a container is what it is for."""
    says = health_says(current) if current else ""
    healthy = has_health(current) if current else "healthcheck" in where.service.settings
    reason = "waits for its end" if goal else "waits until it is healthy" if healthy else "waits whether it stays up"
    state = condition(current, where.service) if current else None
    if state and state.mend == "wait":
        reason = f"{state.words}{f' ({says})' if says else ''}: {reason}"
    after = {"state": "ended with 0" if goal else "healthy" if healthy else "running"}
    before = {"state": state.words} if state else None
    return where.operation(
        Action.RUN, reason, before=before, after=after, kind="health", task="wait", goal=goal, container=current
    )


def _reason(differences: tuple[Difference, ...], state: Condition, *more: str) -> str:
    words = [str(one) for one in differences]
    if state.mend and state.mend != "wait":
        words.append(f"it {state.words}")
    return "; ".join([*words, *more])


def _sides(differences: tuple[Difference, ...], state: Condition) -> tuple[dict[str, Any], dict[str, Any]]:
    before = {one.field: sized(one.field, one.before) for one in differences}
    after = {one.field: sized(one.field, one.after) for one in differences}
    if state.mend and state.mend != "wait":
        before["state"] = state.words
        after["state"] = "running"
    return before, after
