r"""The ways to read a text: as it is, without colours, and with its escapes decoded, layer by layer. Pure.

A secret comes out of tools in many spellings: ``\u0026``, ``%26``, ``&amp;``, with colours inside. A view undoes them,
and knows where each of its characters stands in the text that came.
"""

from __future__ import annotations

import html
import re
import sys
from bisect import bisect_right
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["LAYERS", "View", "decode", "incomplete", "nothing", "uncoloured", "views"]

# JSON in JSON in a shell's quotes in a URL: deeper than that, nobody writes.
LAYERS = 4
# The character ESC.
ESCAPE = 0x1B

# Colours, cursor moves, titles and links (ECMA-48, and xterm's OSC); one that never ends is not one.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-B]|\x1b[ -'*-Z\\^-~]"
)
# One character at a time, so that each is known to stand where it stood; the bytes of one in UTF-8, and the two halves
# of one in UTF-16, together.
_H = "[0-9a-fA-F]"
_HEX = rf"x[0-7]{_H}|x[c-fC-F]{_H}(?:\\+x[89abAB]{_H}){{1,3}}|x[89a-fA-F]{_H}"
_OCTAL = r"0?[01][0-7]{2}|0?3[0-7]{2}(?:\\+0?2[0-7]{2}){1,3}|0?[23][0-7]{2}"
_UTF16 = rf"u[dD][89abAB]{_H}{{2}}\\+u[dD][c-fC-F]{_H}{{2}}|u{_H}{{4}}|u\{{{_H}{{1,6}}\}}|U{_H}{{8}}"
_PERCENT = rf"[0-7]{_H}|[c-fC-F]{_H}(?:%[89abAB]{_H}){{1,3}}|[89a-fA-F]{_H}"
_ENTITY = rf"#[0-9]{{1,7}};|#[xX]{_H}{{1,6}};|[a-zA-Z][a-zA-Z0-9]{{1,31}};"
# Each alternative begins with a character of its own, so that a text without them is passed over fast. There may be as
# many backslashes as there are layers of quoting.
_ESCAPE = re.compile(rf"\\\\*(?:{_UTF16}|{_HEX}|{_OCTAL}|[eE](?=\[))|%(?:{_PERCENT})|&(?:{_ENTITY})")
_LONE = re.compile("[\udc80-\udcff]")
_UNIT = re.compile("u(.{4})")
_BYTE = re.compile("x..|[0-7]+|[eE]")

# The first bytes of a character, or the first half of a pair: with what comes next it becomes something else.
_HALF = (
    rf"\\+x[c-fC-F]{_H}(?:\\+x[89abAB]{_H}){{0,2}}|\\+0?3[0-7]{{2}}(?:\\+0?2[0-7]{{2}}){{0,2}}"
    rf"|%[c-fC-F]{_H}(?:%[89abAB]{_H}){{0,2}}|\\+u[dD][89abAB]{_H}{{2}}"
)
_BEGUN = (
    r"\x1b\][^\x07\x1b]{0,400}\x1b?|(?:\x1b\[|\x9b)[0-?]{0,40}[ -/]{0,4}|\x1b[()]?"
    rf"|\\+(?:u{_H}{{0,3}}|u\{{{_H}{{0,6}}|U{_H}{{0,7}}|x{_H}?|[0-3]?[0-7]{{0,2}}|[eE])"
    rf"|%{_H}?|&#?[0-9a-zA-Z]{{0,32}}"
)
_INTRODUCERS = "\\%&\x1b\x9b"
_INCOMPLETE = re.compile(rf"(?:(?:{_HALF})(?:{_BEGUN})?|{_BEGUN})\Z")
# The longest of these, a title or a link of a terminal.
LONGEST = 500


class _Edit(NamedTuple):
    """What became of a piece: ``view[start:end]`` stands for ``base[was:until]``."""

    start: int
    end: int
    was: int
    until: int


class View:
    """A text with some pieces replaced, and where each character of it comes from.

    Parameters
    ----------
    text
        As it reads.
    base
        The view that it was made from; none for the text as it came.
    pattern, become
        What was replaced in the base, and by what.
    """

    def __init__(
        self,
        text: str,
        base: View | None = None,
        pattern: re.Pattern[str] | None = None,
        become: Callable[[re.Match[str]], str] | None = None,
    ) -> None:
        self.text = text
        self._base = base
        self._pattern = pattern
        self._become = become
        self._edits: list[_Edit] | None = None

    def replaced(self, pattern: re.Pattern[str], become: Callable[[re.Match[str]], str]) -> View:
        """Return the view with each match replaced; the same one where there is none."""
        text = pattern.sub(become, self.text)
        return self if text == self.text else View(text, self, pattern, become)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return where a piece that is not empty stands in the text as it came."""
        return (start, end) if self._base is None else self._base.original(*self.step(start, end))

    def step(self, start: int, end: int) -> tuple[int, int]:
        """Return where a piece that is not empty stands in the view that this one was made from."""
        edits = self._list()
        first = bisect_right(edits, start, key=itemgetter(0)) - 1
        last = bisect_right(edits, end - 1, key=itemgetter(0)) - 1
        return self._was(first, start, begin=True), self._was(last, end - 1, begin=False) + 1

    def _was(self, index: int, at: int, *, begin: bool) -> int:
        if index < 0:
            return at
        edit = self._list()[index]
        if at < edit.end:
            return edit.was if begin else edit.until - 1
        return edit.until + at - edit.end

    def _list(self) -> list[_Edit]:
        # Made once something was found: most texts have nothing to be found in them.
        if self._edits is None:
            assert self._base and self._pattern  # noqa: S101, PT018 -- only the first view has none
            assert self._become  # noqa: S101
            self._edits, shift = [], 0
            for found in self._pattern.finditer(self._base.text):
                start, new = found.start() + shift, self._become(found)
                self._edits.append(_Edit(start, start + len(new), found.start(), found.end()))
                shift += len(new) - len(found[0])
        return self._edits


def views(text: str, *, ends: bool = False) -> Iterator[View]:
    """Yield the text as it is, then each other way to read it.

    Parameters
    ----------
    text
        The text.
    ends
        Whether to read it without the escape that it ends within, too: whatever comes next makes another of it.
    """
    layer = [View(text)]
    for _ in range(LAYERS + 1):
        layer += [plain for view in layer if (plain := uncoloured(view)) is not view]
        if ends:
            layer += [whole for view in layer if (whole := _without_end(view)) is not view]
        yield from layer
        layer = [decoded for view in layer if (decoded := decode(view)) is not view]
        if not layer:
            return


def uncoloured(view: View) -> View:
    """Return the view without the control sequences of terminals; the same one where there is none."""
    return view.replaced(_CONTROL, nothing) if "\x1b" in view.text or "\x9b" in view.text else view


def decode(view: View) -> View:
    """Return the view with one layer of escapes decoded; the same one where there is none."""
    if "\\" in view.text or "%" in view.text or "&" in view.text:
        return view.replaced(_ESCAPE, lambda found: _decoded(found[0]))
    return view


def incomplete(text: str) -> int:
    """Return where the escape begins that a text ends within: its rest may come later; else the text's length."""
    tail = text[-LONGEST:]
    if any(one in tail for one in _INTRODUCERS) and (found := _INCOMPLETE.search(tail)):
        return len(text) - len(tail) + found.start()
    return len(text)


def _without_end(view: View) -> View:
    cut = incomplete(view.text)
    return view if cut == len(view.text) else View(view.text[:cut], view, _INCOMPLETE, nothing)


def nothing(_found: re.Match[str]) -> str:
    """Replace what was found by nothing."""
    return ""


@lru_cache(maxsize=1024)
def _decoded(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] == "%":
        return _text(bytes.fromhex(escape.replace("%", "")))
    code = escape.lstrip("\\")
    if code[0] == "U" or code[:2] == "u{":
        number = int(code[1:].strip("{}"), 16)
        return chr(number) if number <= sys.maxunicode else "\ufffd"
    if code[0] == "u":
        raw = b"".join(int(unit, 16).to_bytes(2, "little") for unit in _UNIT.findall(escape))
        return raw.decode("utf-16-le", "replace")
    units = _BYTE.findall(escape)
    return _text(bytes(int(one[1:], 16) if one[0] == "x" else ESCAPE if one in "eE" else int(one, 8) for one in units))


def _text(raw: bytes) -> str:
    """Return bytes as the text that was meant: UTF-8, or else the characters of these numbers, as YAML writes them."""
    text = raw.decode("utf-8", "surrogateescape")
    return text if text.isascii() else _LONE.sub(lambda found: chr(ord(found[0]) - 0xDC00), text)
