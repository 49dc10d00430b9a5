"""Take secrets out of texts and values, however tools spell them.

A text is not searched for a list of spellings: it is read without colours and with its escapes decoded
(`jupyter_runbook.secret.views`), of each such view the letters and digits alone are searched for those of the secrets
(`jupyter_runbook.secret.needles`), and what was found is masked where it stands in the text that came.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_runbook.secret import known
from jupyter_runbook.secret.dumps import OFFSET, dumps, pending_dump
from jupyter_runbook.secret.needles import GAP, Needle, Reading, Whole, letters, needles, plain, sound
from jupyter_runbook.secret.views import View, incomplete, views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ahocorasick_rs import BytesAhoCorasick

__all__ = ["Redactor", "Stream"]

# From the first letter of a hit to the last, in characters of its view.
SPREAD = 4096
# A hit that goes over the end of a line begins after it where fewer letters stand before: so much is no trace, and the
# ends of most lines need not be held back.
FIRST_LINE = 4
# What a stream keeps of what it has shown, to see what stands before the next hit, and the rest of an escape.
BEHIND = 64
# A stream looks for a hit that has begun in so much of its end.
REACH = 2 * SPREAD
# The last three letters of a text stand in so much of its end.
FEW = 3 * (GAP + 1)
# A search for so many texts at once is ten times as fast as for more (Teddy, of the aho-corasick crate).
AT_ONCE = 60
SEARCHES = 6

_RUN = re.compile(rb"[0-9A-Za-z]+")
_QUOTES = "'\"`\\"
# What stands right before a word and ends with a letter, but is no part of it: an escape, an option with its value.
_NOT_OF_WORD = re.compile(r"\\[abefnrtv0]\Z|(?:\A|[\s'\"=])-[A-Za-z]\Z")


class Span(NamedTuple):
    """Where a secret stands in a text: start, end, and the name in its mask."""

    start: int
    end: int
    name: str


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
        self._index: _Index | None = None

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        spans = _merged(self.spans(text))
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
        """Find every secret, also where two overlap."""
        index = self.index
        return index.spans(text) if index and text else ()

    @property
    def index(self) -> _Index | None:
        """What finds the secrets; None where there are none."""
        secrets = known(names=self._names) if self._secrets is None else dict(self._secrets)
        if secrets != self._made_for:
            self._made_for, self._index = secrets, _Index(secrets)
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


class _Begun(NamedTuple):
    """A secret that the end of a text may have cut off: from where on it is looked for, and not shown."""

    start: int
    hold: int


class _Index:
    """All that is looked for, made ready for a fast search."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._needles = [(needle, name) for value, name in secrets.items() for needle in needles(value)]
        self._gates = _gates(needle for needle, _ in self._needles)
        self._offset = _gate([OFFSET])
        self._searches = {
            reading: _Search(reading, [(one, name) for one, name in self._needles if one.reading is reading])
            for reading in Reading
            if any(one.reading is reading for one, _ in self._needles)
        }
        self._bytes = max((len(value.encode(errors="surrogatepass")) for value in secrets), default=0)

    def spans(self, text: str, *, dumped: bool = True) -> list[Span]:
        """Find every secret."""
        found = []
        for number, view in enumerate(views(sound(text))):
            anchored, offset = self._look(view.text)
            if number == 0 and dumped and offset:
                for content, where in dumps(text):
                    found += [Span(*where(start, end), name) for start, end, name in self.spans(content, dumped=False)]
            if not anchored:
                continue
            found += [
                Span(*view.original(hit.start, hit.end), hit.name)
                for search in self._searches.values()
                for hit in search.hits(view)
            ]
        return found

    def pending(self, text: str) -> tuple[int, int]:
        """Return from where on a text's end may be a secret's beginning, and from where on it is not to be shown."""
        base = max(0, len(text) - REACH)
        keep = hold = len(text)
        for view in views(sound(text[base:]), ends=True):
            begun = [one for search in self._searches.values() for one in search.begun(view.text)]
            if (cut := incomplete(view.text)) < len(view.text):
                begun.append(_Begun(cut, cut))
            for one in begun:
                keep = min(keep, base + _before(view, one.start))
                hold = min(hold, base + _before(view, one.hold))
        dump = pending_dump(text, self._bytes)
        return min(keep, dump), min(hold, dump)

    def _look(self, text: str) -> tuple[bool, bool]:
        """Tell whether a view may have a secret in it, and whether it may have a dump in it."""
        offset = text.startswith(OFFSET[1:])
        if self._gates is None:
            return True, offset or OFFSET in text
        raw = text.encode()
        offset = offset or bool(self._offset.find_matches_as_indexes(raw))
        return any(gate.find_matches_as_indexes(raw) for gate in self._gates), offset


def _before(view: View, at: int) -> int:
    """Return where what stands at a place of a view begins in the text that came; its end is the end's place."""
    if at < len(view.text):
        return view.original(at, at + 1)[0]
    return view.original(at - 1, at)[1] if at else 0


def _gates(found: Iterable[Needle]) -> list[BytesAhoCorasick] | None:
    """Return the searches for anchors; None where some secret has none, so that each text is searched in full."""
    anchors: dict[str, None] = {}
    for needle in found:
        if not needle.anchors:
            return None
        anchors |= dict.fromkeys(needle.anchors)
    step = AT_ONCE if len(anchors) <= AT_ONCE * SEARCHES else len(anchors)
    some = iter(anchors)
    return [_gate(texts) for texts in iter(lambda: list(islice(some, step)), [])]


def _gate(texts: Iterable[str]) -> BytesAhoCorasick:
    from ahocorasick_rs import BytesAhoCorasick, MatchKind  # a compiled module that only runs with secrets need

    # Only searches for the leftmost match take the fast way.
    return BytesAhoCorasick([text.encode() for text in texts], matchkind=MatchKind.LeftmostFirst)


class _Search:
    """The needles of one reading."""

    def __init__(self, reading: Reading, found: list[tuple[Needle, str]]) -> None:
        from ahocorasick_rs import AhoCorasick

        self._reading = reading
        self._needles = found
        self._search = AhoCorasick([needle.text for needle, _ in found])
        # The last three letters of each beginning, and what it is the beginning of.
        self._ends: dict[str, list[tuple[Needle, int]]] = {}
        for needle, _ in found:
            whole = bool(needle.after) or needle.whole is not Whole.NO
            for length in range(1, len(needle.text) + whole):
                self._ends.setdefault(needle.text[max(0, length - 3) : length], []).append((needle, length))
        self._befores = {needle.before for needle, _ in found if needle.before}

    def hits(self, view: View) -> Iterator[Span]:
        """Yield each hit, where it stands in the view."""
        read = _READINGS[self._reading](view)
        for number, first, last in self._search.find_matches_as_indexes(read.text, overlapping=True):
            needle, name = self._needles[number]
            start, end = read.place(first, last)
            if self._reading is Reading.LETTERS:
                if not read.close(first, last):
                    continue
                start = read.first_line(first, last)
            if _whole(view.text, start, end, needle.whole):
                yield Span(_back(view.text, start, needle.before), _on(view.text, end, needle.after), name)

    def begun(self, text: str) -> Iterator[_Begun]:
        """Yield each needle that a view's text may end with the beginning of."""
        for before in self._befores:
            for length in range(len(before), 0, -1):
                if text.endswith(before[:length]):
                    yield _Begun(len(text) - length, len(text) - length)
        tail = text[-SPREAD:]
        yield from self._begun(text, tail)
        if tail[-1:] in ("-", "."):
            # What comes after it decides whether a word ends before it.
            yield from self._begun(text[:-1], tail[:-1], whole=True)

    def _begun(self, text: str, tail: str, *, whole: bool = False) -> Iterator[_Begun]:
        for needle, so_far in self._candidates(tail):
            if whole and so_far < len(needle.text):
                continue
            if (start := _BEGIN[self._reading](tail, so_far)) is None:
                continue
            hold = start
            if self._reading is Reading.LETTERS and (line := tail.find("\n", start)) >= 0:
                few = len(letters(tail[start:line]))
                if few < FIRST_LINE:
                    hold = (_back_letters(tail, so_far - few) or 0) if so_far > few else len(tail)
            base = len(text) - len(tail)
            back = _back(text, base + start, needle.before)
            yield _Begun(back, back if hold == start else base + hold)

    def _candidates(self, tail: str) -> Iterator[tuple[Needle, int]]:
        """Yield the needles that a text ends with the beginning of, and how much of each it has."""
        end = _END[self._reading](tail[-FEW:])
        found = [(length, self._ends.get(end[-length:], ())) for length in (1, 2, 3) if len(end) >= length]
        whole = _END[self._reading](tail) if found and found[-1][0] == 3 and found[-1][1] else ""  # noqa: PLR2004
        for length, ends in found:
            for needle, so_far in ends:
                if so_far == length or (so_far > length == 3 and whole.endswith(needle.text[:so_far])):  # noqa: PLR2004
                    yield needle, so_far


class _Letters:
    """The ASCII letters and digits of a view, and where each stands."""

    def __init__(self, view: View) -> None:
        self._text = view.text
        self._runs: list[tuple[int, int]] | None = None
        self._firsts: list[int] = []
        self.text = letters(view.text).decode()

    def place(self, first: int, last: int) -> tuple[int, int]:
        """Return where a piece stands in the view."""
        return self._at(first), self._at(last - 1) + 1

    def close(self, first: int, last: int) -> bool:
        """Tell whether no more stands between two letters than a wrapped line's end and beginning."""
        start, end = self.place(first, last)
        runs, begin, until = self._list(), self._run(first), self._run(last - 1)
        gaps = [runs[number + 1][0] - runs[number][1] for number in range(begin, until)]
        return max(gaps, default=0) <= GAP and end - start <= SPREAD

    def first_line(self, first: int, last: int) -> int:
        """Return where a piece begins: after its first line where that has next to nothing of it."""
        start, end = self.place(first, last)
        ends = self._text.find("\n", start, end)
        before = len(letters(self._text[start:ends])) if ends >= 0 else FIRST_LINE
        return start if before >= FIRST_LINE else self._at(first + before)

    def _at(self, index: int) -> int:
        number = self._run(index)
        return self._list()[number][0] + index - self._firsts[number]

    def _run(self, index: int) -> int:
        self._list()
        return bisect_right(self._firsts, index) - 1

    def _list(self) -> list[tuple[int, int]]:
        if self._runs is None:
            self._runs = [found.span() for found in _RUN.finditer(self._text.encode("ascii", "replace"))]
            self._firsts = [0, *accumulate(end - start for start, end in self._runs)]
        return self._runs


class _Plain:
    """A view without what quoting puts between, and where each character stands."""

    def __init__(self, view: View, reading: Reading) -> None:
        self._view = view
        self._plain = plain(view, reading)
        self.text = self._plain.text

    def place(self, first: int, last: int) -> tuple[int, int]:
        """Return where a piece stands in the view."""
        return (first, last) if self._plain is self._view else self._plain.step(first, last)

    def last(self, number: int) -> int:
        """Return where the last characters begin."""
        return self.place(len(self.text) - number, len(self.text))[0]


class _Exact:
    """A view as it is."""

    def __init__(self, view: View) -> None:
        self.text = view.text

    def place(self, first: int, last: int) -> tuple[int, int]:
        """Return where a piece stands in the view."""
        return first, last


_READINGS: dict[Reading, Callable[[View], Any]] = {
    Reading.LETTERS: _Letters,
    Reading.PLAIN: lambda view: _Plain(view, Reading.PLAIN),
    Reading.PACKED: lambda view: _Plain(view, Reading.PACKED),
    Reading.EXACT: _Exact,
}
# The end of a text in each reading, at much less than the price of the whole.
_END: dict[Reading, Callable[[str], str]] = {
    Reading.LETTERS: lambda tail: letters(tail).decode(),
    Reading.PLAIN: lambda tail: plain(View(tail), Reading.PLAIN).text,
    Reading.PACKED: lambda tail: plain(View(tail), Reading.PACKED).text,
    Reading.EXACT: lambda tail: tail,
}


def _back_letters(tail: str, number: int) -> int | None:
    """Return where the last letters of a text begin; None where too much stands between them."""
    at = last = len(tail)
    while number:
        at -= 1
        if at < 0 or last - at > GAP + 1:
            return None
        if tail[at].isascii() and tail[at].isalnum():
            last, number = at, number - 1
    return last


# Where so many of the last characters of a reading begin.
_BEGIN: dict[Reading, Callable[[str, int], int | None]] = {
    Reading.LETTERS: _back_letters,
    Reading.PLAIN: lambda tail, number: _Plain(View(tail), Reading.PLAIN).last(number),
    Reading.PACKED: lambda tail, number: _Plain(View(tail), Reading.PACKED).last(number),
    Reading.EXACT: lambda tail, number: len(tail) - number,
}


def _whole(text: str, start: int, end: int, whole: Whole) -> bool:
    """Tell whether a hit is not a part of something else."""
    if whole is Whole.NO:
        return True
    before, after = text[max(0, start - 3) : start], text[end : end + 2]
    if whole is Whole.NUMBER:
        beside = (before[-1:], after[:1])
        points = (before[-2:-1] if before[-1:] == "." else "", after[1:2] if after[:1] == "." else "")
        return not any(one.isdigit() for one in (*beside, *points))
    if after[:1].isalnum() or after[:1] == "_" or (after[:1] in "-." and after[1:2].isalnum()):
        return False
    if before[-1:] in "-." and before[-2:-1].isalnum():
        return False
    return not (before[-1:].isalnum() or before[-1:] == "_") or _NOT_OF_WORD.search(before) is not None


def _back(text: str, start: int, before: str) -> int:
    """Return where a hit begins with what of the secret stands before it."""
    at = start
    for one in reversed(before):
        while at and text[at - 1] != one and text[at - 1] in _QUOTES:
            at -= 1
        if not at or text[at - 1] != one:
            break
        at = start = at - 1
    return start


def _on(text: str, end: int, after: str) -> int:
    """Return where a hit ends with what of the secret stands after it."""
    at = end
    for one in after:
        while text[at : at + 1] != one and text[at : at + 1] and text[at] in _QUOTES:
            at += 1
        if text[at : at + 1] != one:
            break
        at = end = at + 1
    return end


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
