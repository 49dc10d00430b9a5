"""Take secrets out of texts and values: as they are, and as other tools spell them.

A secret is found raw, in base64 (any alignment, plain or URL-safe), in hex, URL-encoded, JSON-escaped, shell-quoted,
HTML-escaped and as Python writes it; a text of several lines is found line by line too, as a diff shows it.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, quote_plus

from jupyter_runbook.secret import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Redactor", "Stream"]

# A piece of base64 shorter than this, cut from the middle of other text, is too common to be a trace of a secret.
MIN_PIECE = 4
# A line of a secret of several lines that is shorter than this ("{", "--") is no secret by itself.
MIN_LINE = 4


class Span(NamedTuple):
    """Where a secret stands in a text: start, end, and the name in its mask."""

    start: int
    end: int
    name: str


class Redactor:
    """Replace each spelling of the secrets by ``[secret NAME]``.

    Parameters
    ----------
    secrets
        Texts and their names; left out: all that the process holds, as they are when each text comes.
    """

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self._secrets = secrets
        self._made_for: dict[str, str] = {}
        self._spellings: dict[str, str] = {}

    @property
    def spellings(self) -> dict[str, str]:
        """Every text to look for, and the name of its secret."""
        secrets = known() if self._secrets is None else dict(self._secrets)
        if secrets != self._made_for:
            made: dict[str, str] = {}
            for value, name in secrets.items():
                for spelling in spell(value):
                    made.setdefault(spelling, name)
            self._made_for, self._spellings = secrets, made
        return self._spellings

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        return "".join(_masked(text, _merged(self.spans(text))))

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

    def spans(self, text: str) -> Iterator[Span]:
        """Find every spelling, also where two overlap."""
        for spelling, name in self.spellings.items():
            start = text.find(spelling)
            while start >= 0:
                yield Span(start, start + len(spelling), name)
                start = text.find(spelling, start + 1)

    def pending(self, text: str) -> int:
        """Return where the first secret begins that the end of a text may have cut off; else the text's length."""
        first = len(text)
        for spelling in self.spellings:
            start = text.find(spelling[0], max(0, len(text) - len(spelling) + 1))
            while 0 <= start < first:
                if spelling.startswith(text[start:]):
                    first = start
                start = text.find(spelling[0], start + 1)
        return first


class Stream:
    """Redact a text that comes in pieces: what may be the beginning of a secret is held back until it is clear."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""
        self._done = 0  # so many characters of what is held are behind a mask already

    def feed(self, piece: str) -> str:
        """Take the next piece, and return what is ready to be shown."""
        text = self._held + piece
        spans = _merged([Span(0, self._done, "")] if self._done else [], self._redactor.spans(text))
        cut = self._redactor.pending(text)
        shown = "".join(_masked(text[:cut], [span for span in spans if span.start < cut]))
        over = max((span.end for span in spans if span.start < cut), default=self._done)
        self._held, self._done = text[cut:], max(0, over - cut)
        return shown

    def close(self) -> str:
        """Return the rest: no more pieces come."""
        text, self._held = self._held, ""
        spans = _merged([Span(0, self._done, "")] if self._done else [], self._redactor.spans(text))
        self._done = 0
        return "".join(_masked(text, spans))


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


def _masked(text: str, spans: Iterable[Span]) -> Iterator[str]:
    at = 0
    for start, end, name in spans:
        yield text[at:start]
        if name:
            yield f"[secret {name}]"
        at = end
    yield text[at:]


def spell(value: str) -> set[str]:
    """Return the ways that a secret's text may be spelled in outputs."""
    spellings = set()
    lines = [line.strip() for line in value.splitlines()]
    for text in {value, value.strip(), *(line for line in lines if len(line) >= MIN_LINE)} - {""}:
        spellings |= _escaped(text) | _encoded(text.encode(errors="surrogatepass"))
    return spellings - {""}


def _escaped(text: str) -> set[str]:
    percent = [
        function(text, safe=safe, errors="surrogatepass")
        for function in (quote, quote_plus)
        for safe in ("", "/", ":/@")
    ]
    marked = html.escape(text)
    return {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        json.dumps(text)[1:-1].replace("/", "\\/"),
        repr(text)[1:-1],
        *percent,
        *(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), one) for one in percent),
        marked,
        marked.replace("&#x27;", "&#39;"),
        html.escape(text, quote=False),
        *_shell(text),
    }


def _shell(text: str) -> set[str]:
    """Return the quoted forms of shlex, of bash's ``set -x`` and ``printf %q``, without the quotes around them."""
    inside = text.replace("'", "'\\''")
    backslashed = re.sub(r"([^\w@%+=:,./-])", r"\\\1", text)
    double = re.sub(r'([$`"\\!])', r"\\\1", text)
    ansi = repr("'" + text)[2:-1] if text.isprintable() else text.encode("unicode_escape").decode().replace("'", "\\'")
    return {shlex.quote(text).removeprefix("'").removesuffix("'"), inside, backslashed, double, ansi}


def _encoded(raw: bytes) -> set[str]:
    """Return hex, and base64 whole and as it stands inside a longer text at each of the three alignments."""
    found = {raw.hex(), raw.hex().upper()} if len(raw) * 2 >= MIN_PIECE else set()
    for shift in range(3):
        # The characters that hold bits of nothing but the secret: those before share theirs with the text around.
        whole = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        skip = (0, 2, 3)[shift]
        bits = (shift + len(raw)) * 8
        piece = whole[skip : bits // 6]
        if len(piece) >= MIN_PIECE:
            found.add(piece)
    alone = base64.b64encode(raw).decode()
    found |= {alone, alone.rstrip("=")} if len(alone.rstrip("=")) >= MIN_PIECE else {alone}
    return found | {piece.translate(str.maketrans("+/", "-_")) for piece in found}
