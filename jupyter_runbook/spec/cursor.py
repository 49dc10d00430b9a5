"""Where in a body of YAML the cursor is, for tab completion: of text that is not whole yet. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Place", "place_of"]

# The word that is being typed; the start of a line, its dashes with it; a line that opens a mapping or a list.
TYPED = re.compile(r"(?:\w[\w.-]*)?$")
START = re.compile(r"\s*(?:-(?: +|$))*")
OPENS = re.compile(r"([\w.-]+):\s*(?:#.*)?$")
# What a line is made of, so far as it matters here.
TOKENS = re.compile(r"""(?P<key>[\w.-]+)\s*:(?=\s|$)|(?P<mark>[{}\[\],])|"[^"]*"|'[^']*'""")


@dataclass(frozen=True)
class Place:
    """A place in a body.

    Parameters
    ----------
    path
        The keys that lead there, outermost first; a list's items have no key of their own.
    typed
        What is there already of the word.
    inline
        Whether the last key's value is begun on this line: ``key: `` or ``key: [``.
    """

    path: tuple[str, ...]
    typed: str
    inline: bool = False


def place_of(before: str) -> Place:
    """Return the place that a text leads to.

    Parameters
    ----------
    before
        The body up to the cursor.
    """
    *lines, last = before.split("\n")
    typed = TYPED.search(last)[0]  # type: ignore[index]  # it always matches
    start = START.match(last)[0]  # type: ignore[index]  # it always matches
    line = last[len(start) : len(last) - len(typed)]
    keys, inline = _keys(line)
    return Place((*_above(lines, len(start)), *keys), typed, inline)


def _above(lines: list[str], depth: int) -> tuple[str, ...]:
    """Return the keys that lines further up have opened, and that are further left."""
    found: list[str] = []
    for line in reversed(lines):
        start = len(START.match(line)[0])  # type: ignore[index]  # it always matches
        if start < depth and (opened := OPENS.match(line[start:])):
            found.insert(0, opened[1])
            depth = start
    return tuple(found)


def _keys(line: str) -> tuple[list[str], bool]:
    """Return the keys that a line leads through, and whether the last one's value is begun."""
    opened: list[tuple[str | None, str]] = []
    key: str | None = None
    for token in TOKENS.finditer(line):
        mark = token["mark"] or ""
        if token["key"]:
            key = token["key"]
        elif mark in {"{", "["}:
            opened.append((key, mark))
            key = None
        elif mark and opened:
            # A text goes on until one of these.
            if mark != ",":
                opened.pop()
            key = None
    found = [one for one, _ in opened if one]
    listed = bool(opened) and opened[-1][1] == "["
    return [*found, *([key] if key else [])], key is not None or (listed and bool(found))
