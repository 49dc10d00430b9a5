"""``${VARIABLE}`` in a Compose file (the Compose Specification, "Interpolation"), and env files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["InterpolationError", "interpolate", "read_env_file"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")


class InterpolationError(ValueError):
    """A ``$`` that can't be read, or a variable that has to be set and is not; the text says what to do.

    Parameters
    ----------
    text
        The message.
    unquoted
        The same without the text that it is about, which may be a password.
    """

    def __init__(self, text: str, unquoted: str | None = None) -> None:
        super().__init__(text)
        self.unquoted = unquoted or text


def interpolate(text: str, lookup: Callable[[str], str | None]) -> str:
    """Fill ``$NAME``, ``${NAME}``, ``${NAME:-default}``, ``${NAME:?error}``, ``${NAME:+other}``; ``$$`` is a dollar.

    Without the colon, a variable that is set and empty counts as set. A default may have variables in it.

    Parameters
    ----------
    text
        The text of one scalar.
    lookup
        Returns a variable's value, None where it is not set.

    Raises
    ------
    InterpolationError
        See there.
    """
    filled, end = _fill(text, 0, lookup, nested=False)
    assert end == len(text)  # noqa: S101 -- only a nested text ends before
    return filled


# Without a lookup, what is read is not used: its end is looked for, and nothing in it has to be set.
def _fill(text: str, at: int, lookup: Callable[[str], str | None] | None, *, nested: bool) -> tuple[str, int]:
    parts: list[str] = []
    while at < len(text):
        here = text[at]
        if nested and here == "}":
            return "".join(parts), at
        if here != "$":
            parts.append(here)
            at += 1
        elif text.startswith("$$", at):
            parts.append("$")
            at += 2
        elif text.startswith("${", at):
            value, at = _braced(text, at + 2, lookup)
            parts.append(value)
        elif found := _NAME.match(text, at + 1):
            parts.append((lookup(found[0]) if lookup else None) or "")
            at = found.end()
        else:
            raise InterpolationError(
                f"the $ in {text[at : at + 20]!r} begins no variable; a dollar itself is $$",
                "a $ begins no variable; a dollar itself is $$",
            )
    if nested:
        raise InterpolationError(f"a }} is missing in {text[:60]!r}", "a } is missing")
    return "".join(parts), at


def _braced(text: str, at: int, lookup: Callable[[str], str | None] | None) -> tuple[str, int]:
    name = _NAME.match(text, at)
    if not name:
        raise InterpolationError(
            f"a variable's name is needed after ${{ in {text[:60]!r}; a dollar itself is $$",
            "a variable's name is needed after ${; a dollar itself is $$",
        )
    value = lookup(name[0]) if lookup else None
    at = name.end()
    operator = _OPERATOR.match(text, at)
    if not operator:
        if not text.startswith("}", at):
            raise InterpolationError(
                f"${{{name[0]} is not closed with }} in {text[:60]!r}", "a ${ is not closed with }"
            )
        return value or "", at + 1
    word = operator[0]
    given = bool(value) if word.startswith(":") else value is not None
    used = given if word.endswith("+") else not given
    other, at = _fill(text, operator.end(), lookup if used else None, nested=True)
    if word.endswith("?"):
        if not given and lookup:
            raise InterpolationError(f"the variable {name[0]} has to be set" + (f": {other}" if other else ""))
        return value or "", at + 1
    if word.endswith("+"):
        return other if given else "", at + 1
    return (value or "") if given else other, at + 1


def read_env_file(text: str, known: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Read an env file (the Compose Specification, "Env_file format").

    Parameters
    ----------
    text
        Lines of ``NAME=VALUE``, ``NAME: VALUE`` or ``NAME``; ``#`` begins a comment. A value in single quotes is as it
        stands, one in double quotes or without may have escapes and variables in it, of the lines above and of
        ``known``.
    known
        Variables from outside.

    Returns
    -------
    dict
        None for a name without a value: it is what it is outside, if anything.

    Raises
    ------
    ValueError
        A line can't be read; the text begins with its number.
    """
    found: dict[str, str | None] = {}
    outside = dict(known or {})

    def lookup(name: str) -> str | None:
        return found[name] if found.get(name) is not None else outside.get(name)

    lines = text.lstrip("\ufeff").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("#"):
            continue
        first = number
        line = line.removeprefix("export ").strip()
        match = re.match(r"([^\s=:]+)\s*(?:[=:]\s*(.*))?$", line)
        if not match:
            # Not the line itself: what stands in such a file are passwords.
            raise ValueError(f"line {first}: NAME=VALUE is needed")
        name, value = match[1], match[2]
        if value is None:
            found[name] = None
            continue
        if value[:1] in {"'", '"'}:
            while not _closed(value) and number < len(lines):
                value += "\n" + lines[number]
                number += 1
            if not _closed(value):
                raise ValueError(f"line {first}: the quote of {name} is not closed")
        try:
            found[name] = _value(value, lookup)
        except InterpolationError as error:
            raise ValueError(f"line {first}: {name}: {error.unquoted}") from None
    return found


def _closed(value: str) -> bool:
    return _quoted(value) is not None


def _quoted(value: str) -> str | None:
    """Return what stands between a value's quotes; None where they are not closed."""
    quote = value[0]
    at = 1
    while at < len(value):
        if value[at] == "\\" and quote == '"':
            at += 2
        elif value[at] == quote:
            return value[1:at]
        else:
            at += 1
    return None


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "'": "'"}


def _value(value: str, lookup: Callable[[str], str | None]) -> str:
    if value[:1] == "'":
        return _quoted(value) or ""
    if value[:1] == '"':
        inner = _quoted(value) or ""
        # An escaped dollar is a dollar, whatever follows.
        inner = re.sub(r"\\(.)", lambda found: "$$" if found[1] == "$" else _ESCAPES.get(found[1], found[0]), inner)
        return interpolate(inner, lookup)
    return interpolate(re.sub(r"\s+#.*$", "", value).strip(), lookup)
