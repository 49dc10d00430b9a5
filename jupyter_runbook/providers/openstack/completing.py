"""What tab completion offers in a cell of ``%%os``: kinds, their fields, and the names that the cell has. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jupyter_runbook.providers.openstack.body import NAMED
from jupyter_runbook.providers.openstack.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.providers.openstack.kinds import Field
    from jupyter_runbook.spec.cursor import Place

__all__ = ["words_at"]

SECTION = re.compile(r"^(\w+):(.*(?:\n(?!\w+:).*)*)", re.MULTILINE)
NAME = re.compile(r"\bname:\s*([\w.-]+)")


def words_at(place: Place, body: str) -> Iterator[str]:
    """Yield the words that may stand at a place.

    Parameters
    ----------
    place
        Where the cursor is.
    body
        The cell's whole body, for the names that it has.
    """
    if not place.path:
        yield from (f"{kind}:" for kind in NAMED)
        return
    kind, *keys = place.path
    if kind not in NAMED or (not keys and place.inline):
        return
    fields: dict[str, Field | None] = {KINDS[kind].identity: None, **KINDS[kind].fields}
    field: Field | None = None
    for key in keys:
        field = fields.get(key)
        if field is None:
            return
        fields = dict(field.fields)
    if field is None or not place.inline:
        yield from (f"{name}:" for name in fields)
    if field is not None:
        # A text alone is the first of what a mapping there may have.
        yield from _values(next(iter(field.fields.values()), field), body)


def _values(field: Field, body: str) -> Iterator[str]:
    if field.form in {"flag", "switch"}:
        yield from ("true", "false")
    if field.refers:
        for kind, section in SECTION.findall(body):
            if kind == field.refers:
                yield from NAME.findall(section)
