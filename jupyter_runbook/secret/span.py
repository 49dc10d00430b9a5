"""A place in a text. Pure."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Span"]


class Span(NamedTuple):
    """Where a secret stands in a text: start, end, and the name in its mask."""

    start: int
    end: int
    name: str
