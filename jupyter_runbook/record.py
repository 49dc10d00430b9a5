"""The step record: the versioned value that tells all of one step. Pure, so that audits read it without the pipeline.

Its wire form is ``schema/step.v1.json``. `jupyter_runbook.seal.seal` alone makes one.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, fields
from enum import StrEnum
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from jupyter_runbook.canonical import EXACT, JSON, digest_of_plain, plain
from jupyter_runbook.plan import Action
from jupyter_runbook.secret.excerpt import one_line_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.errors import ErrorKind, RunbookError

__all__ = [
    "MIME_TYPE",
    "SCHEMA",
    "Actor",
    "Approval",
    "Attempt",
    "ChangeRecord",
    "ChangeStatus",
    "ErrorRecord",
    "Log",
    "Status",
    "StepRecord",
    "schema",
    "utc",
]

T = TypeVar("T")

SCHEMA = "step.v1"
MIME_TYPE = "application/vnd.jupyter-runbook.step.v1+json"


class Status(StrEnum):
    """What became of a step."""

    OK = "ok"
    CHANGED = "changed"
    PLANNED = "planned"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not-run"


class ChangeStatus(StrEnum):
    """What became of one change."""

    OK = "ok"
    CHANGED = "changed"
    PLANNED = "planned"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not-run"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ErrorRecord:
    """Why a step or an attempt failed."""

    kind: ErrorKind
    message: str
    resource: str | None = None
    hint: str | None = None

    @classmethod
    def of(cls, error: RunbookError) -> Self:
        """Tell of an error, with its place in the user's text."""
        place = str(error.where)
        message = one_line_of(error.message) or type(error).__name__
        return cls(error.kind, f"{place}: {message}" if place else message, error.resource or None, error.hint or None)


@dataclass(frozen=True)
class ChangeRecord:
    """One row: a change of the plan, or what a run found out as it went (one task on one host)."""

    resource: str
    kind: str
    action: Action
    status: ChangeStatus
    reason: str | None = None
    before: Any = None
    after: Any = None
    diff: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Actor:
    """Who ran the step: the user, on which host, in which kernel process."""

    user: str
    host: str
    session: str | None = None


@dataclass(frozen=True)
class Approval:
    """Who was asked, what was shown, and what they said; ``nobody`` where nobody could be asked."""

    by: str
    at: str
    shown: str
    answer: Literal["yes", "no", "nobody"]
    reason: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One try."""

    started: str
    ended: str
    error: ErrorRecord | None = None


@dataclass(frozen=True)
class Log:
    """What the step printed: where all of it is, and its first and last lines."""

    path: str | None
    sha256: str
    bytes: int
    lines: int
    head: str
    tail: str | None = None


@dataclass(frozen=True)
class StepRecord:
    """All of one step; see ``schema/step.v1.json`` for each field."""

    id: str
    run: str
    cell_id: str | None
    name: str
    provider: str
    target: str | None
    mode: Literal["apply", "check"]
    status: Status
    changes: tuple[ChangeRecord, ...]
    summary: str
    spec_digest: str | None
    plan_digest: str | None
    source_digest: str | None
    started: str
    ended: str
    seconds: float
    actor: Actor
    versions: dict[str, str]
    approval: Approval | None = None
    attempts: tuple[Attempt, ...] = ()
    error: ErrorRecord | None = None
    log: Log | None = None
    prev: str | None = None
    digest: str | None = None

    def wire(self) -> dict[str, JSON]:
        """Return the JSON object that displays and journals hold."""
        value: Any = {"schema": SCHEMA, **plain_fields(self)}
        value["tool"] = {"versions": value.pop("versions")}
        return value  # type: ignore[no-any-return]

    @classmethod
    def from_wire(cls, value: dict[str, Any]) -> Self:
        """Read what `wire` wrote.

        Raises
        ------
        ValueError
            It is no record of this version.
        """
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise ValueError(f"this is no record of the form {SCHEMA}")
        try:
            return _build(
                cls,
                value,
                status=Status(value["status"]),
                changes=tuple(_change(row) for row in value["changes"]),
                actor=_build(Actor, value["actor"]),
                versions=value["tool"]["versions"],
                approval=_build_or_none(Approval, value["approval"]),
                attempts=tuple(
                    _build(Attempt, one, error=_build_or_none(ErrorRecord, one["error"])) for one in value["attempts"]
                ),
                error=_build_or_none(ErrorRecord, value["error"]),
                log=_build_or_none(Log, value["log"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"a record of the form {SCHEMA} lacks {error}") from None

    def compute_digest(self) -> str:
        """Return what `digest` has to be."""
        value = self.wire()
        del value["digest"]
        return digest_of_plain(value)


def schema() -> dict[str, Any]:
    """Return the JSON schema of the wire form."""
    text = resources.files("jupyter_runbook").joinpath("schema", "step.v1.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def utc(moment: dt.datetime | None = None) -> str:
    """Return a moment, or now, as the record spells it: UTC with milliseconds."""
    moment = (moment or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def plain_fields(record: StepRecord) -> dict[str, JSON]:
    """Return a record's fields as JSON values."""
    return {field.name: plain(getattr(record, field.name)) for field in fields(record)}


def _build(cls: type[T], value: dict[str, Any], **made: Any) -> T:
    """Make a dataclass of its JSON object, whose values have to be of the types that its fields name."""
    if not isinstance(value, dict):
        raise ValueError(f"in a record, {cls.__name__} is an object, not {value!r}")  # noqa: TRY004 -- of JSON, not ours
    given = {field.name: made.get(field.name, value.get(field.name)) for field in fields(cls)}  # type: ignore[arg-type]
    for field in fields(cls):  # type: ignore[arg-type]
        if field.name not in made and field.name not in value:
            raise KeyError(field.name)
        fits = _FITS.get(str(field.type))
        if fits and not fits(given[field.name]):
            raise ValueError(f"in a record, {field.name} is {field.type}, not {given[field.name]!r}")
    return cls(**given)


def _build_or_none(cls: type[T], value: dict[str, Any] | None) -> T | None:
    return None if value is None else _build(cls, value)


def _change(row: dict[str, Any]) -> ChangeRecord:
    return _build(ChangeRecord, row, action=Action(row["action"]), status=ChangeStatus(row["status"]))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= EXACT


# By a field's annotation: what its value has to be. What is not here is made, or may be anything.
_FITS: dict[str, Callable[[Any], bool]] = {
    "str": _is_text,
    "ErrorKind": _is_text,
    "str | None": lambda value: value is None or _is_text(value),
    "float": _is_number,
    "float | None": lambda value: value is None or _is_number(value),
    "int": lambda value: isinstance(value, int) and _is_number(value),
    "dict[str, str]": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    'Literal["apply", "check"]': lambda value: value in ("apply", "check"),
    'Literal["yes", "no", "nobody"]': lambda value: value in ("yes", "no", "nobody"),
}
