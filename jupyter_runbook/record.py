"""The step record: the versioned value that tells all of one step. Pure, so that audits read it without the pipeline.

Its wire form is ``schema/step.v1.json``. A record is made by `seal` alone, which redacts, cuts to size and digests it.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, Self

from jupyter_runbook.canonical import JSON, canonical, digest, plain
from jupyter_runbook.plan import Action

if TYPE_CHECKING:
    from jupyter_runbook.errors import ErrorKind, RunbookError
    from jupyter_runbook.redact import Redactor

__all__ = [
    "MIME_TYPE",
    "SCHEMA",
    "SIZE_LIMIT",
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
    "seal",
    "utc",
]

SCHEMA = "step.v1"
MIME_TYPE = "application/vnd.jupyter-runbook.step.v1+json"
SIZE_LIMIT = 256 * 1024  # bytes of canonical JSON

# How much of a single text a record keeps, in characters.
TEXT_LIMIT = 2000
# What is set aside for what `_fit` itself writes, in bytes.
RESERVE = 1024
# A row with nothing but its names takes about so much; with less for each, rows are left off.
ROW_LEAST = 400


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


# Which rows people need most, when not all have room.
_WEIGHT = [
    ChangeStatus.FAILED,
    ChangeStatus.INTERRUPTED,
    ChangeStatus.UNKNOWN,
    ChangeStatus.NOT_RUN,
    ChangeStatus.CHANGED,
    ChangeStatus.PLANNED,
    ChangeStatus.SKIPPED,
    ChangeStatus.OK,
]


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
        message = " ".join(error.message.split()) or type(error).__name__
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
            given = {field.name: value[field.name] for field in fields(cls) if field.name != "versions"}
            given |= {
                "status": Status(value["status"]),
                "changes": tuple(_change(row) for row in value["changes"]),
                "actor": Actor(**value["actor"]),
                "versions": dict(value["tool"]["versions"]),
                "approval": value["approval"] and Approval(**value["approval"]),
                "attempts": tuple(
                    Attempt(row["started"], row["ended"], row["error"] and ErrorRecord(**row["error"]))
                    for row in value["attempts"]
                ),
                "error": value["error"] and ErrorRecord(**value["error"]),
                "log": value["log"] and Log(**value["log"]),
            }
        except (KeyError, TypeError) as error:
            raise ValueError(f"a record of the form {SCHEMA} lacks {error}") from None
        return cls(**given)

    def compute_digest(self) -> str:
        """Return what `digest` has to be."""
        value = self.wire()
        del value["digest"]
        return digest(value)


def seal(draft: StepRecord, redactor: Redactor) -> StepRecord:
    """Make a draft a record: redacted, at most `SIZE_LIMIT` bytes, with its digest.

    Status, times, digests and identifiers stay as they are; each text that people or services wrote is redacted.
    """
    record = replace(
        draft,
        name=_short(redactor.text(draft.name)),
        target=redactor.value(draft.target),
        summary=_short(redactor.text(draft.summary)),
        changes=tuple(_redact_change(row, redactor) for row in draft.changes),
        approval=draft.approval and replace(draft.approval, reason=redactor.value(draft.approval.reason)),
        attempts=tuple(replace(one, error=_redact_error(one.error, redactor)) for one in draft.attempts),
        error=_redact_error(draft.error, redactor),
        log=draft.log and replace(draft.log, head=redactor.text(draft.log.head), tail=redactor.value(draft.log.tail)),
        digest=None,
    )
    record = _fit(record)
    return replace(record, digest=record.compute_digest())


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


def _change(row: dict[str, Any]) -> ChangeRecord:
    return ChangeRecord(**{**row, "action": Action(row["action"]), "status": ChangeStatus(row["status"])})


def _short(text: str, limit: int = TEXT_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _redact_change(row: ChangeRecord, redactor: Redactor) -> ChangeRecord:
    return replace(
        row,
        resource=_short(redactor.text(row.resource)),
        kind=redactor.text(row.kind),
        reason=_short(redactor.text(row.reason)) if row.reason else None,
        before=redactor.value(plain(row.before)),
        after=redactor.value(plain(row.after)),
        diff=redactor.text(row.diff) if row.diff else None,
    )


def _redact_error(error: ErrorRecord | None, redactor: Redactor) -> ErrorRecord | None:
    if error is None:
        return None

    def clean(text: str | None) -> str | None:
        return _short(redactor.text(text)) if text else None

    message = clean(error.message) or error.kind
    return replace(error, message=message, resource=clean(error.resource), hint=clean(error.hint))


def _size(value: Any) -> int:
    return len(canonical(value))


def _fit(record: StepRecord) -> StepRecord:
    """Cut a record to size: long values first, then the rows that people need least."""
    if _size(record.wire()) + RESERVE <= SIZE_LIMIT:
        return record
    room = SIZE_LIMIT - RESERVE - _size(replace(record, changes=()).wire())
    kept = list(enumerate(record.changes))
    most = max(1, room // ROW_LEAST)
    if len(kept) > most:
        kept = sorted(sorted(kept, key=lambda item: _WEIGHT.index(item[1].status))[:most])
        left = len(record.changes) - most
        record = replace(record, summary=_short(record.summary, 1500) + f" ({left} rows are in the log alone)")
    # What small rows leave is shared among the large ones.
    sizes = sorted(_size(row) + 1 for _, row in kept)
    share = room
    for at, size in enumerate(sizes):
        share = room // (len(sizes) - at)
        if size > share:
            break
        room -= size
    return replace(record, changes=tuple(_cut(row, share - 1) for _, row in kept))


def _cut(row: ChangeRecord, limit: int) -> ChangeRecord:
    """Cut one row to so many bytes."""
    if _size(row) <= limit:
        return row
    row = replace(row, before=_stand_in(row.before), after=_stand_in(row.after))
    if row.diff and _size(row) > limit:
        room = max(0, limit - _size(replace(row, diff=None)) - 64)
        row = replace(row, diff=_cut_text(row.diff, room))
    if _size(row) <= limit:
        return row
    return replace(row, resource=_short(row.resource, 60), reason=None, before=None, after=None, diff=None)


def _stand_in(value: Any) -> JSON:
    """Return what stands for a value too long for a record: its digest and size."""
    size = _size(value)
    return plain(value) if size <= 160 else {"sha256": digest(value), "bytes": size}  # noqa: PLR2004


def _cut_text(text: str, limit: int) -> str | None:
    """Return the whole lines from a text's beginning that take so many bytes of JSON, and say how many are left."""
    lines = text.splitlines()
    kept: list[str] = []
    for line in lines:
        limit -= _size(line)
        if limit < 0:
            break
        kept.append(line)
    if not kept:
        return None
    return "\n".join([*kept, f"… {len(lines) - len(kept)} lines more"])
