"""Search the views of a text for what is looked for of each secret."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from jupyter_runbook.secret.dumps import OFFSET, dumps, pending_dump
from jupyter_runbook.secret.needles import GAP, Needle, Reading, Whole, letters, needles, sound
from jupyter_runbook.secret.readings import BEGIN, END, FIRST_LINE, READINGS, SPREAD, back_letters
from jupyter_runbook.secret.span import Span
from jupyter_runbook.secret.views import View, incomplete, views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ahocorasick_rs import BytesAhoCorasick

__all__ = ["Index"]

# A stream looks for a hit that has begun in so much of its end.
REACH = 2 * SPREAD
# The last three letters of a text stand in so much of its end.
FEW = 3 * (GAP + 1)
# A search for so many texts at once is ten times as fast as for more (Teddy, of the aho-corasick crate).
AT_ONCE = 60
SEARCHES = 6

_QUOTES = "'\"`\\"
# What stands right before a word and ends with a letter, but is no part of it: an escape, an option with its value.
_NOT_OF_WORD = re.compile(r"\\[abefnrtv0]\Z|(?:\A|[\s'\"=])-[A-Za-z]\Z")


class _Begun(NamedTuple):
    """A secret that the end of a text may have cut off: from where on it is looked for, and not shown."""

    start: int
    hold: int


class Index:
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
        read = READINGS[self._reading](view)
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
            if (start := BEGIN[self._reading](tail, so_far)) is None:
                continue
            hold = start
            if self._reading is Reading.LETTERS and (line := tail.find("\n", start)) >= 0:
                few = len(letters(tail[start:line]))
                if few < FIRST_LINE:
                    hold = (back_letters(tail, so_far - few) or 0) if so_far > few else len(tail)
            base = len(text) - len(tail)
            back = _back(text, base + start, needle.before)
            yield _Begun(back, back if hold == start else base + hold)

    def _candidates(self, tail: str) -> Iterator[tuple[Needle, int]]:
        """Yield the needles that a text ends with the beginning of, and how much of each it has."""
        end = END[self._reading](tail[-FEW:])
        found = [(length, self._ends.get(end[-length:], ())) for length in (1, 2, 3) if len(end) >= length]
        whole = END[self._reading](tail) if found and found[-1][0] == 3 and found[-1][1] else ""  # noqa: PLR2004
        for length, ends in found:
            for needle, so_far in ends:
                if so_far == length or (so_far > length == 3 and whole.endswith(needle.text[:so_far])):  # noqa: PLR2004
                    yield needle, so_far


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
