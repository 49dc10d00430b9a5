"""The fields of one mapping in a cell: each read by its type, with the line in every error; none is ignored."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jupyter_runbook.errors import InvalidSpec
    from jupyter_runbook.spec.yamltext import Document, Path

__all__ = ["Fields", "duration", "named"]

# The Compose Specification, section "Specifying durations": 2.5s, 10s, 1m30s, 2h32m, 5h34m56s.
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(us|ms|s|m|h)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

# Ten years in seconds: the system's own waits end with an error somewhere beyond.
LONGEST = 315_360_000.0


def duration(value: Any) -> float:
    """Return a duration in seconds: a number of them, or a text such as ``500ms``, ``30s``, ``1m30s``.

    Raises
    ------
    ValueError
        It is none.
    """
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(rf"(?:{_PART.pattern})+|[0-9]+(?:\.[0-9]+)?", text):
        raise ValueError(f"a duration is needed, such as 30, 500ms or 1m30s, not {value!r}")
    parts = _PART.findall(text)
    seconds = float(sum(float(number) * _UNITS[unit] for number, unit in parts)) if parts else float(text)
    if not math.isfinite(seconds):
        raise ValueError("a duration is needed, such as 30, 500ms or 1m30s, not one without an end")
    return seconds


class Fields:
    """One mapping of a document.

    Each method takes the field's name, returns its value or the default where it is not given, and raises an
    `InvalidSpec` that says what is needed where it is of another type.

    Parameters
    ----------
    document
        The document, its templates filled.
    path
        Where the mapping stands in it.
    what
        What it is, for errors: ``an http check``.
    """

    def __init__(self, document: Document, path: Path, what: str) -> None:
        value: Any = document.data
        for part in path:
            value = value[part]
        self.document = document
        self.path = path
        self.what = what
        if not isinstance(value, dict):
            raise self.error(None, f"{what} is a mapping, not {named(value)}")
        self.values: Mapping[str, Any] = value

    def only(self, *known: str) -> None:
        """Refuse a field that is none of these."""
        for name in self.values:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
                raise self.error(name, f"{self.what} takes no {name}", hint=hint)

    def error(self, name: str | None, message: str, *, hint: str | None = None) -> InvalidSpec:
        """Return the error at a field's line, or at the mapping's; the caller raises it."""
        return self.document.error(self.path if name is None else (*self.path, name), message, hint=hint)

    def text(self, name: str, default: str | Secret = "") -> str | Secret:
        """Read a text; a number or a truth value stands as it is written in YAML."""
        return self._item(name, self.values.get(name, default))

    def texts(self, name: str) -> tuple[str | Secret, ...]:
        """Read a text or a list of them."""
        value = self.values.get(name, [])
        return tuple(self._item(name, one) for one in (value if isinstance(value, list) else [value]))

    def mapping(self, name: str) -> dict[str, str | Secret]:
        """Read a mapping of texts."""
        value = self.values.get(name, {})
        if not isinstance(value, dict):
            raise self._wrong(name, "a mapping", value)
        return {key: self._item(name, one) for key, one in value.items()}

    def flag(self, name: str, *, default: bool) -> bool:
        """Read ``true`` or ``false``."""
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def integers(self, name: str, default: Iterable[int]) -> tuple[int, ...]:
        """Read a whole number or a list of them."""
        value = self.values.get(name, list(default))
        items = value if isinstance(value, list) else [value]
        if not items or not all(isinstance(one, int) and not isinstance(one, bool) for one in items):
            raise self._wrong(name, "a whole number, or a list of them", value)
        return tuple(items)

    def seconds(self, name: str, default: float, *, least: float = 0.0) -> float:
        """Read a duration, see `duration`; one shorter than ``least`` is refused."""
        value = self.values.get(name, default)
        try:
            found = duration(value)
        except ValueError as error:
            raise self.error(name, f"{name}: {error}") from None
        if found < least:
            raise self.error(name, f"{name}: {value} is too short: {least:g} s or more is needed")
        if found > LONGEST:
            raise self.error(name, f"{name}: {value} is too long: it can be {LONGEST:.0f} s at most")
        return found

    def _item(self, name: str, value: Any) -> str | Secret:
        if isinstance(value, (str, Secret)):
            return value
        if isinstance(value, (int, float)):
            return str(value).lower() if isinstance(value, bool) else str(value)
        raise self._wrong(name, "a text", value)

    def _wrong(self, name: str, needed: str, value: Any) -> InvalidSpec:
        return self.error(name, f"{name}: {needed} is needed, not {named(value)}")


def named(value: Any) -> str:
    """Return what a value is, for an error that something else is needed."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    return "a secret" if isinstance(value, Secret) else repr(value)
