"""Take secrets out of texts and values, however tools spell them.

A text is not searched for a list of spellings: it is read without colours and with its escapes decoded
(`jupyter_runbook.secret.views`), of each such view the letters and digits alone are searched for those of the secrets
(`jupyter_runbook.secret.needles`, `jupyter_runbook.secret.search`), and what was found is masked where it stands in the
text that came.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import known, names_in_masks
from jupyter_runbook.secret.names import MASK
from jupyter_runbook.secret.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from jupyter_runbook.secret.search import Index

__all__ = ["Redactor", "Stream"]

# What a stream keeps of what it has shown, to see what stands before the next hit, and the rest of an escape.
BEHIND = 64


class Redactor:
    """Replace each secret, however it is spelled, by ``[secret NAME]``.

    Parameters
    ----------
    secrets
        Texts and their names; left out: all that the process holds, as they are when each text comes.
    names
        Whether it is for the names of resources: see `jupyter_runbook.secret.weak.hidden`.
    """

    def __init__(self, secrets: Mapping[str, str] | None = None, *, names: bool = False) -> None:
        self._secrets = secrets
        self._names = names
        self._made_for: dict[str, str] = {}
        self._index: Index | None = None

    def text(self, text: str, spare: Callable[[Span], bool] | None = None) -> str:
        """Return a text without the secrets.

        Parameters
        ----------
        text
            The text.
        spare
            Tells of a secret that was found whether it stays: it is none where it stands.
        """
        found = self.spans(text)
        spans = _merged(found if spare is None else [one for one in found if not spare(one)])
        return "".join(_masked(text, spans)) if spans else text

    def value(self, value: Any) -> Any:
        """Return a JSON value without the secrets, in its keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            masked = self.text(shown := json.dumps(value))
            return value if masked == shown else masked
        return value

    def stream(self) -> Stream:
        """Return a redactor for a text that comes in pieces."""
        return Stream(self)

    def spans(self, text: str) -> Iterable[Span]:
        """Find every secret, also where two overlap; the name in a mask is none."""
        index = self.index
        found = index.spans(text) if index and text else ()
        if not found or "[secret " not in text:
            return found
        names = set(self._made_for.values()) | names_in_masks()
        masks = [one.span() for one in MASK.finditer(text) if one[1] in names]
        return [one for one in found if not any(start <= one.start and one.end <= end for start, end in masks)]

    @property
    def index(self) -> Index | None:
        """What finds the secrets; None where there are none."""
        secrets = known(names=self._names) if self._secrets is None else dict(self._secrets)
        if secrets != self._made_for:
            self._made_for, self._index = secrets, _index(secrets)
        return self._index


class Stream:
    """Redact a text that comes in pieces: what may be the beginning of a secret is held back until it is clear."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._text = ""
        self._shown = 0  # so many characters of the text are shown, or behind a mask
        self._mask = 0  # where the last mask ends, if what is shown ends with it; else 0

    @property
    def held(self) -> str:
        """What came and is not shown yet."""
        return self._text[self._shown :]

    def feed(self, piece: str) -> str:
        """Take the next piece, and return what is ready to be shown."""
        text = self._text = self._text + piece
        index = self._redactor.index
        if index is None:
            shown, self._text, self._shown, self._mask = text[self._shown :], "", 0, 0
            return shown
        keep, cut = index.pending(text)
        shown = self._show(cut)
        keep = max(0, min(keep, self._shown) - BEHIND)
        self._text, self._shown, self._mask = text[keep:], self._shown - keep, max(0, self._mask - keep)
        return shown

    def close(self) -> str:
        """Return the rest: no more pieces come."""
        shown = self._show(len(self._text))
        self._text, self._shown, self._mask = "", 0, 0
        return shown

    def _show(self, cut: int) -> str:
        text, begin = self._text, self._shown
        if cut <= begin and not self._mask:
            return ""
        before = [Span(0, self._mask, "")] if self._mask else []
        # What begins after the cut is not clear yet, and joins what is before it once it is.
        found = [span for span in self._redactor.spans(text) if span.start < cut]
        spans = [span for span in _merged(before, found) if span.end > begin]
        clear = [Span(max(start, begin), end, name) for start, end, name in spans]
        over = max((span.end for span in spans), default=self._mask)
        self._shown = max(begin, cut, over)
        self._mask = self._shown if over == self._shown else 0
        return "".join(_masked(text[: self._shown], clear, begin))


def _index(secrets: Mapping[str, str]) -> Index | None:
    if not secrets:
        return None
    # Most runbooks have no secret, and need none of it.
    from jupyter_runbook.secret.search import Index

    return Index(secrets)


def _merged(*found: Iterable[Span]) -> list[Span]:
    """Return the spans in order, each that overlaps the one before joined to it; the first one gives the name."""
    merged: list[Span] = []
    # Of two that begin together, the longer names it; what is behind a mask already (no name) comes before both.
    for span in sorted(
        (span for spans in found for span in spans), key=lambda one: (one.start, one.name > "", -one.end)
    ):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(last.start, max(last.end, span.end), last.name)
        else:
            merged.append(span)
    return merged


def _masked(text: str, spans: Iterable[Span], at: int = 0) -> Iterator[str]:
    for start, end, name in spans:
        yield text[at:start]
        if name:
            yield f"[secret {name}]"
        at = end
    yield text[at:]
