"""Draft → record: redacted before it exists as a record, cut to size, and with its digest. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_runbook.canonical import JSON, canonical, digest, plain
from jupyter_runbook.record import ChangeStatus
from jupyter_runbook.secret.redact import Redactor
from jupyter_runbook.secret.weak import LEAST, revealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.record import ChangeRecord, ErrorRecord, StepRecord
    from jupyter_runbook.secret.span import Span

__all__ = ["SIZE_LIMIT", "seal"]

SIZE_LIMIT = 256 * 1024  # bytes of canonical JSON

# How much of a single text a record keeps, in characters.
TEXT_LIMIT = 2000
# What is set aside for what `_fit` itself writes, in bytes.
RESERVE = 1024
# A row with nothing but its names takes about so much; with less for each, rows are left off.
ROW_LEAST = 400

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


def seal(draft: StepRecord, redactor: Redactor, names: Redactor | None = None, source: str = "") -> StepRecord:
    """Make a draft a record: redacted, at most `SIZE_LIMIT` bytes, with its digest.

    Status, times, digests and identifiers stay as they are; each text that people or services wrote is redacted.

    Parameters
    ----------
    draft
        The record as it is known.
    redactor
        What redacts texts.
    names
        What redacts the names of resources and the hints that say them, for people must find what they name; left out,
        as texts.
    source
        The cell's. What a diff has of it is shown there anyway, and redacted as names are: a mask in place of an
        ordinary word of the cell would tell that this word is the secret.
    """
    names = names or redactor
    texts = _Sparing(redactor, names, source) if source and names is not redactor else redactor
    record = replace(
        draft,
        name=_short(names.text(draft.name)),
        target=names.value(draft.target),
        summary=_short(texts.text(draft.summary)),
        changes=tuple(_redact_change(row, texts, names) for row in draft.changes),
        approval=draft.approval and replace(draft.approval, reason=texts.value(draft.approval.reason)),
        attempts=tuple(replace(one, error=_redact_error(one.error, texts, names)) for one in draft.attempts),
        error=_redact_error(draft.error, texts, names),
        log=draft.log and replace(draft.log, head=texts.text(draft.log.head), tail=texts.value(draft.log.tail)),
        digest=None,
    )
    record = _fit(record)
    return replace(record, digest=record.compute_digest())


class _Sparing(Redactor):
    """Redacts what stands in the cell's own source as names are, and all else as texts."""

    def __init__(self, texts: Redactor, names: Redactor, source: str) -> None:
        super().__init__()
        self._texts = texts
        self._as_names = names
        self._source = source

    def text(self, text: str, spare: Callable[[Span], bool] | None = None) -> str:
        """See `Redactor.text`."""
        clean = self._as_names.text(text, spare)
        return clean if revealed() is None else self._texts.text(clean, lambda span: self._is_own(clean, span))

    def value(self, value: Any) -> Any:
        """See `Redactor.value`."""
        if not isinstance(value, dict):
            return super().value(value)
        return {self.text(key): self._item(key, item) for key, item in value.items()}

    def _item(self, key: str, item: Any) -> Any:
        own = isinstance(item, str) and any(f"{key}{sep}{item}" in self._source for sep in (": ", "="))
        return self._as_names.text(item) if own else self.value(item)

    def _is_own(self, text: str, span: Span) -> bool:
        """Tell whether the cell has a hit with what stands around it: it is an ordinary word there."""
        start = max(map(text[: span.start].rfind, _SPACES)) + 1
        end = min(at if (at := text.find(one, span.end)) >= 0 else len(text) for one in _SPACES)
        word = text[start:end].strip(_AROUND)
        if span.end - span.start < LEAST:
            # What tools said is not here; a few characters within a text of ours are our own.
            return word != text.strip(_AROUND)
        if len(word) > span.end - span.start and word in self._source:
            return True
        before = [f"{one.lstrip('+-')} {word}" for one in text[:start].rsplit(maxsplit=1)[-1:]]
        after = [f"{word} {one.strip(_AROUND)}" for one in text[end:].split(maxsplit=1)[:1]]
        return any(one.strip() != word and one in self._source for one in (*before, *after))


# What a word stands between; and what is no part of it at its ends.
_SPACES = (" ", "\n", "\t")
_AROUND = "'\"`,;:()[]{}<>+"


def _short(text: str, limit: int = TEXT_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _redact_change(row: ChangeRecord, redactor: Redactor, names: Redactor) -> ChangeRecord:
    return replace(
        row,
        resource=_short(names.text(row.resource)),
        kind=names.text(row.kind),
        reason=_short(redactor.text(row.reason)) if row.reason else None,
        before=redactor.value(plain(row.before)),
        after=redactor.value(plain(row.after)),
        diff=redactor.text(row.diff) if row.diff else None,
    )


def _redact_error(error: ErrorRecord | None, redactor: Redactor, names: Redactor) -> ErrorRecord | None:
    if error is None:
        return None

    def clean(text: str | None) -> str | None:
        return _short(names.text(text)) if text else None

    message = _short(redactor.text(error.message)) or error.kind
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
