"""A view as each reading has it, and where what was found there stands in the view. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret.needles import GAP, Reading, letters, plain
from jupyter_runbook.secret.views import View

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BEGIN", "END", "FIRST_LINE", "READINGS", "SPREAD", "back_letters"]

# From the first letter of a hit to the last, in characters of its view.
SPREAD = 4096
# A hit that goes over the end of a line begins after it where fewer letters stand before: so much is no trace, and the
# ends of most lines need not be held back.
FIRST_LINE = 4

_RUN = re.compile(rb"[0-9A-Za-z]+")


class Letters:
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


class Plain:
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


class Exact:
    """A view as it is."""

    def __init__(self, view: View) -> None:
        self.text = view.text

    def place(self, first: int, last: int) -> tuple[int, int]:
        """Return where a piece stands in the view."""
        return first, last


READINGS: dict[Reading, Callable[[View], Any]] = {
    Reading.LETTERS: Letters,
    Reading.PLAIN: lambda view: Plain(view, Reading.PLAIN),
    Reading.PACKED: lambda view: Plain(view, Reading.PACKED),
    Reading.EXACT: Exact,
}
# The end of a text in each reading, at much less than the price of the whole.
END: dict[Reading, Callable[[str], str]] = {
    Reading.LETTERS: lambda tail: letters(tail).decode(),
    Reading.PLAIN: lambda tail: plain(View(tail), Reading.PLAIN).text,
    Reading.PACKED: lambda tail: plain(View(tail), Reading.PACKED).text,
    Reading.EXACT: lambda tail: tail,
}


def back_letters(tail: str, number: int) -> int | None:
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
BEGIN: dict[Reading, Callable[[str, int], int | None]] = {
    Reading.LETTERS: back_letters,
    Reading.PLAIN: lambda tail, number: Plain(View(tail), Reading.PLAIN).last(number),
    Reading.PACKED: lambda tail, number: Plain(View(tail), Reading.PACKED).last(number),
    Reading.EXACT: lambda tail, number: len(tail) - number,
}
