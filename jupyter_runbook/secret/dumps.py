"""Dumps of bytes, as xxd, hexdump and od print them: in each line an offset, units, often the text. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["OFFSET", "Where", "dumps", "pending_dump"]

_LINE = re.compile(r"^0[0-9a-fA-F]{6,15}:?[ \t](?P<rest>.*)$", re.MULTILINE)
# Units of one kind, and what may stand at the side; or characters, as od -c prints them.
_UNITS = re.compile(r"[ \t]*((?:[0-9a-fA-F]{2,8}(?:[ \t]+|$))+)")
_CHARS = re.compile(r"(?:[ \t]*(?:[0-7]{3}|\\[0abfnrtv]|[!-~])(?=[ \t]|$)|[ ]{3,4})+")
_ESCAPES = {"\\0": 0, "\\a": 7, "\\b": 8, "\\t": 9, "\\n": 10, "\\v": 11, "\\f": 12, "\\r": 13}
# The least that tools put into one line, in bytes.
LEAST = 4


#: A text with a dump in it has this, or begins with what comes after the line's end.
OFFSET = "\n00"

# Of a piece of the bytes, the place in the text of the lines that it stands in.
Where: TypeAlias = "Callable[[int, int], tuple[int, int]]"


def dumps(text: str) -> Iterator[tuple[str, Where]]:
    """Yield what the bytes of each dump in a text may be, one character each, and where a piece of it stands."""
    lines: list[re.Match[str]] = []
    for line in _lines(text):
        if lines and line.start() != lines[-1].end() + 1:
            yield from _readings(lines)
            lines = []
        lines.append(line)
    if lines:
        yield from _readings(lines)


def _lines(text: str) -> Iterator[re.Match[str]]:
    # An expression with alternatives is tried at each character: to look for where a line may begin is much faster.
    start = 0
    while True:
        if line := _LINE.match(text, start):
            yield line
        if not (start := text.find(OFFSET, start) + 1):
            return


def pending_dump(text: str, most: int) -> int:
    """Return where the last lines begin that may hold the beginning of so many bytes; the text's length without any."""
    last = text.rfind("\n") + 1
    start = len(text)
    if re.fullmatch(r"0[0-9a-fA-F]{0,15}:?(?:[ \t].*)?", text[last : last + 200]):
        start = last
    for _ in range(most // LEAST + 2):
        if last == 0:
            break
        before = text.rfind("\n", 0, last - 1) + 1
        if not _LINE.match(text, before, last - 1):
            break
        start = last = before
    return start


def _readings(lines: list[re.Match[str]]) -> Iterator[tuple[str, Where]]:
    for decode in (_before_side, _bytes, _little, _octal_words, _octal, _chars):
        content, firsts = b"", []
        for line in lines:
            firsts.append(len(content))
            content += bytes(decode(line))
        if content:
            yield content.decode("latin-1"), _where(lines, firsts)


def _where(lines: list[re.Match[str]], firsts: list[int]) -> Where:
    def where(start: int, end: int) -> tuple[int, int]:
        first, last = (lines[bisect_right(firsts, at) - 1] for at in (start, end - 1))
        return first.start(), last.end()

    return where


def _units(line: re.Match[str]) -> list[str]:
    found = _UNITS.match(line["rest"])
    return found[1].split() if found else []


def _before_side(line: re.Match[str]) -> Iterable[int]:
    # In what xxd prints, the text at the side comes after two spaces, and may look like units itself.
    units = line["rest"].strip().partition("  ")[0].split()
    if not all(re.fullmatch("(?:[0-9a-fA-F]{2})+", unit) for unit in units):
        return ()
    return bytes.fromhex("".join(units))


def _bytes(line: re.Match[str]) -> Iterable[int]:
    return (byte for unit in _units(line) if len(unit) % 2 == 0 for byte in bytes.fromhex(unit))


def _little(line: re.Match[str]) -> Iterable[int]:
    return (byte for unit in _units(line) if len(unit) in {4, 8} for byte in reversed(bytes.fromhex(unit)))


def _octal_words(line: re.Match[str]) -> Iterable[int]:
    units = [unit for unit in _units(line) if re.fullmatch("[01][0-7]{5}", unit)]
    return (byte for unit in units for byte in int(unit, 8).to_bytes(2, "little"))


def _octal(line: re.Match[str]) -> Iterable[int]:
    return (int(unit, 8) for unit in _units(line) if re.fullmatch("[0-3][0-7]{2}", unit))


def _chars(line: re.Match[str]) -> Iterable[int]:
    # Each character has four columns.
    rest = line["rest"].expandtabs()
    if not _CHARS.fullmatch(rest):
        return
    for at in range(0, len(rest), 4):
        unit = rest[at : at + 4].strip() or " "
        if len(unit) < 3:  # noqa: PLR2004 -- three digits
            yield _ESCAPES.get(unit, ord(unit[0]))
        elif re.fullmatch("[0-3][0-7]{2}", unit):
            yield int(unit, 8)
