"""What a step would do: the ordered changes from state to spec. Pure: no I/O here."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from jupyter_runbook.canonical import digest, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Action", "Change", "Plan", "diff", "summed_up"]

# Beyond so many lines a side, a diff is not worth its time (difflib is quadratic) nor its reading.
MAX_DIFF_LINES = 4000


class Action(StrEnum):
    """What a change does to its resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    RUN = "run"
    NO_OP = "no-op"


@dataclass(frozen=True)
class Change:
    """One change of a plan.

    Parameters
    ----------
    resource
        The resource as its users call it, ``container web``; each has one change in a plan.
    kind
        What it is: ``container``, ``server``, ``script``.
    action
        What is done; `Action.NO_OP` for what is as it should be.
    reason
        Why, in a few words: the field that differs, the guard that asks for it.
    before, after
        Its values now and then, None where there is nothing; a `Secret` stays one.
    needs
        The resources whose changes have to be done before.
    judged
        Whether observing again can judge it. None: yes, but for `Action.RUN`, whose proof is what the tool reports.
    writes
        Whether making it changes anything. What only waits or looks says False: done, it is ``ok``, not ``changed``.
    """

    resource: str
    kind: str
    action: Action
    reason: str
    before: Any = None
    after: Any = None
    needs: tuple[str, ...] = ()
    judged: bool | None = None
    writes: bool = True

    @property
    def remains(self) -> bool:
        """Whether this change, planned after applying, shows that the step did not converge."""
        judged = self.action is not Action.RUN if self.judged is None else self.judged
        return judged and self.action is not Action.NO_OP

    @cached_property
    def diff(self) -> str | None:
        """What changes, as a unified diff of the values in YAML; None where nothing does."""
        return None if self.action is Action.NO_OP else diff(self.before, self.after)


@dataclass(frozen=True)
class Plan:
    """The changes in the order that people read them; `needs` says what waits for what.

    Parameters
    ----------
    changes
        The changes, no-ops too.
    target
        What is acted on: a host, an engine's address, a cloud's name.

    Raises
    ------
    ValueError
        A resource with two changes, a need that is not in the plan, or needs that go round in a circle.
    """

    changes: tuple[Change, ...]
    target: str = "localhost"
    graph: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "changes", tuple(self.changes))
        twice = [name for name, count in Counter(change.resource for change in self.changes).items() if count > 1]
        if twice:
            raise ValueError(f"the plan has two changes of {twice[0]}")
        graph = {change.resource: change.needs for change in self.changes}
        for change in self.changes:
            for need in change.needs:
                if need not in graph:
                    raise ValueError(f"{change.resource} needs {need}, which is not in the plan")
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            raise ValueError(f"the plan goes round in a circle: {' → '.join(error.args[1])}") from None
        object.__setattr__(self, "graph", graph)

    @property
    def work(self) -> tuple[Change, ...]:
        """The changes that do something."""
        return tuple(change for change in self.changes if change.action is not Action.NO_OP)

    @property
    def remaining(self) -> tuple[Change, ...]:
        """The changes that must not be in a plan made after applying."""
        return tuple(change for change in self.changes if change.remains)

    @property
    def summary(self) -> str:
        """The counts, as people read them: ``1 to create, 2 unchanged``."""
        counts = Counter(change.action for change in self.changes)
        words = [f"{counts[action]} to {action}" for action in Action if action is not Action.NO_OP and counts[action]]
        if counts[Action.NO_OP]:
            words.append(f"{counts[Action.NO_OP]} unchanged")
        return ", ".join(words) or "nothing to do"

    def digest(self, spec_digest: str) -> str:
        """Return the SHA-256 that names this plan: of what is done to what, for which spec, and not of its wording."""
        rows = [
            [
                change.resource,
                change.kind,
                change.action,
                plain(change.before),
                plain(change.after),
                sorted(change.needs),
            ]
            for change in self.changes
        ]
        return digest({"spec": spec_digest, "target": self.target, "changes": rows})


def summed_up(resources: Sequence[str]) -> str:
    """Return what a step about these resources is called: after the first one; empty where there is none."""
    more = f" and {len(resources) - 1} more" if len(resources) > 1 else ""
    return resources[0] + more if resources else ""


def diff(before: Any, after: Any) -> str | None:
    """Return a unified diff of two values as YAML, without the file header; None where they are equal.

    A text is compared as its own lines, anything else as YAML with sorted keys.
    """
    old, new = _lines(before), _lines(after)
    if old == new:
        return None
    if max(len(old), len(new)) > MAX_DIFF_LINES:
        return f"-({len(old)} lines)\n+({len(new)} lines)"
    lines = list(difflib.unified_diff(old, new, lineterm="", n=3))[2:]
    # One whole side: the line numbers say nothing.
    return "\n".join(line for line in lines if (old and new) or not line.startswith("@@"))


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    value = plain(value)
    if isinstance(value, str):
        return value.splitlines()
    import yaml

    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True, default_flow_style=False, width=110).splitlines()
