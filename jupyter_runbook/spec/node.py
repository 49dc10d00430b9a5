"""A place in a document: read by type, and named with its line in every error.

`Fields` reads one flat mapping; this is for documents whose values have many forms.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.fields import duration, named
from jupyter_runbook.spec.yamltext import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_runbook.errors import InvalidSpec
    from jupyter_runbook.spec.yamltext import Document, Path

__all__ = ["Node"]

# No service counts further (64 bits).
LARGE = 2**63
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([bkmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Node:
    """One value of a document, and where it stands.

    Each method that reads raises an `InvalidSpec` that names the path and what is needed, where the value is of another
    type. A value that an environment variable or a template filled is text: numbers and truth values are read from it.

    Parameters
    ----------
    document
        The document, its templates filled.
    path
        Where the value stands in it.
    """

    def __init__(self, document: Document, path: Path = ()) -> None:
        self.document = document
        self.path = path
        self.value: Any = document.data
        for part in path:
            self.value = self.value[part]

    @property
    def name(self) -> str:
        """The path as people write it."""
        return dotted(self.path)

    @property
    def line(self) -> int | None:
        """The line in the user's text."""
        return self.document.line(self.path)

    def error(self, message: str, *, hint: str | None = None) -> InvalidSpec:
        """Return an error at this place; the caller raises it."""
        return self.document.error(self.path, f"{self.name}: {message}" if self.path else message, hint=hint)

    def wrong(self, needed: str) -> InvalidSpec:
        """Return the error that another type of value is needed here; the caller raises it."""
        return self.error(f"{needed} is needed, not {named(self.value)}")

    def child(self, key: str | int) -> Node:
        """Return the value under a key, or at an index."""
        return Node(self.document, (*self.path, key))

    def items(self) -> list[Node]:
        """Return the values of a list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return [self.child(index) for index in range(len(self.value))]

    def mapping(self, known: Iterable[str] | None = None, what: str = "it") -> dict[str, Node]:
        """Return the values of a mapping by key.

        Parameters
        ----------
        known
            The keys that it may have, beside those that begin with ``x-``, which are left out; None for any.
        what
            What it is, for the error of a key that it may not have: ``a service``.
        """
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping")
        if known is None:
            return {key: self.child(key) for key in self.value}
        known = list(known)
        for key in self.value:
            if key not in known and not key.startswith("x-"):
                near = difflib.get_close_matches(key, known, 3, 0.7)
                hint = f"did you mean {' or '.join(near)}?" if near else f"it takes {', '.join(known)}"
                raise self.child(key).error(f"{what} has no {key}", hint=hint)
        return {key: self.child(key) for key in self.value if key in known}

    def text(self) -> str:
        """Return a text; a number or a truth value stands as it is written in YAML."""
        value = self.secret_text()
        if isinstance(value, Secret):
            raise self.error(f"the secret {value.name} can't stand here: it would be seen", hint="use a plain value")
        return value

    def secret_text(self) -> str | Secret:
        """Return a text, which may be a secret."""
        value = self.value
        plain = value.reveal() if isinstance(value, Secret) else value
        if isinstance(plain, str) and "\0" in plain:
            # No program's argument, no path and no variable can have it.
            raise self.error("the character NUL can't stand here")
        if isinstance(value, (str, Secret)):
            return value
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, (int, float)):
            return str(value)
        raise self.wrong("a text")

    def texts(self) -> tuple[str, ...]:
        """Return the texts of a list, or one alone."""
        return tuple(one.text() for one in self.items()) if isinstance(self.value, list) else (self.text(),)

    def choice(self, *allowed: str) -> str:
        """Return one of some texts."""
        text = self.text()
        if text not in allowed:
            raise self.wrong(f"one of {', '.join(allowed)}")
        return text

    def flag(self) -> bool:
        """Return a truth value."""
        value = {"true": True, "false": False}.get(self.value) if isinstance(self.value, str) else self.value
        if not isinstance(value, bool):
            raise self.wrong("true or false")
        return value

    def integer(self, least: int | None = None) -> int:
        """Return a whole number."""
        value = self.value
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value.strip()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not (least or -LARGE) <= value < LARGE:
            raise self.wrong("a whole number" if least is None else f"a whole number of {least} or more")
        return value

    def number(self) -> float:
        """Return a number."""
        value = self.value
        if isinstance(value, str) and re.fullmatch(r"[0-9]*\.?[0-9]+", value.strip()):
            value = float(value)
        # What is not a number, and what is not finite, is less than nothing.
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < LARGE:
            raise self.wrong("a number")
        return float(value)

    def size(self) -> int:
        """Return a size in bytes (the Compose Specification, "Specifying byte values"): 64m, 1.5gb, 1048576."""
        if isinstance(self.value, int) and not isinstance(self.value, bool) and abs(self.value) < LARGE:
            return self.value
        text = self.value.strip() if isinstance(self.value, str) else ""
        if text == "-1":
            return -1
        found = _SIZE.fullmatch(text)
        size = float(found[1]) * _UNITS[found[2].lower()] if found else LARGE
        if size >= LARGE:
            raise self.wrong("a size, such as 64m or 1gb,")
        return int(size)

    def seconds(self) -> float:
        """Return a duration in seconds: 30, 500ms, 1m30s."""
        try:
            return duration(self.value)
        except ValueError as error:
            raise self.error(str(error)) from None

    def pairs(self, *, nulls: bool = False) -> dict[str, str | Secret | None]:
        """Return a mapping of texts, written as one or as a list of ``KEY=VALUE``.

        Parameters
        ----------
        nulls
            Whether a key without a value gives None; it gives an empty text otherwise.
        """
        empty = None if nulls else ""
        if isinstance(self.value, dict):
            return {key: empty if node.value is None else node.secret_text() for key, node in self.mapping().items()}
        found: dict[str, str | Secret | None] = {}
        for item in self.items():
            text = item.secret_text()
            plain = text.reveal() if isinstance(text, Secret) else text
            key, equals, value = plain.partition("=")
            if not equals:
                found[item.text()] = empty
            else:
                found[key] = Secret(value, name=text.name) if isinstance(text, Secret) and value else value
        return found
