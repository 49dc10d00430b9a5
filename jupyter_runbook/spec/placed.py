"""A document as a tree whose every value knows where it is from: for documents that are made of others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jupyter_runbook.spec.yamltext import Document

if TYPE_CHECKING:
    from jupyter_runbook.errors import InvalidSpec
    from jupyter_runbook.spec.yamltext import Path

__all__ = ["Placed"]


@dataclass(frozen=True)
class Placed:
    """A value, and where it stands.

    Parameters
    ----------
    value
        A scalar, a list of `Placed`, or a dict of them.
    line, origin
        As `Document` has them.
    """

    value: Any
    line: int | None = None
    origin: tuple[str, int] | None = None

    @classmethod
    def of(cls, document: Document) -> Placed:
        """Return a document's value as a tree."""
        return cls._of(document, document.data, ())

    @classmethod
    def _of(cls, document: Document, value: Any, path: Path) -> Placed:
        made = value
        if isinstance(value, dict):
            made = {key: cls._of(document, one, (*path, key)) for key, one in value.items()}
        elif isinstance(value, list):
            made = [cls._of(document, one, (*path, at)) for at, one in enumerate(value)]
        return cls(made, document.line(path), document.origin(path))

    def having(self, value: Any) -> Placed:
        """Return another value at the same place."""
        return replace(self, value=value)

    def error(self, message: str, *, hint: str | None = None) -> InvalidSpec:
        """Return an error at this place; the caller raises it."""
        here = Document(None, {} if self.line is None else {(): self.line}, {(): self.origin} if self.origin else {})
        return here.error((), message, hint=hint)

    def plain(self) -> Any:
        """Return the value without the places."""
        if isinstance(self.value, dict):
            return {key: one.plain() for key, one in self.value.items()}
        if isinstance(self.value, list):
            return [one.plain() for one in self.value]
        return self.value

    def document(self) -> Document:
        """Return the tree as a document."""
        lines: dict[Path, int] = {}
        origins: dict[Path, tuple[str, int]] = {}
        _note(self, (), lines, origins)
        return Document(self.plain(), lines, origins)


def _note(placed: Placed, path: Path, lines: dict[Path, int], origins: dict[Path, tuple[str, int]]) -> None:
    if placed.line is not None:
        lines[path] = placed.line
    if placed.origin is not None:
        origins[path] = placed.origin
    if isinstance(placed.value, dict):
        for key, one in placed.value.items():
            _note(one, (*path, key), lines, origins)
    elif isinstance(placed.value, list):
        for at, one in enumerate(placed.value):
            _note(one, (*path, at), lines, origins)
