"""``jupyter runbook params``: what a runbook can be given. Pure."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_runbook.display.words import one_line
from jupyter_runbook.parameters import HOW
from jupyter_runbook.secret import Secret, secret_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.parameters import Parameter

__all__ = ["params_json", "params_text"]


def params_json(known: Mapping[str, Parameter] | None) -> list[dict[str, Any]]:
    """Return what ``params --json`` prints; a default that is no JSON stands as the cell writes it."""
    return [
        {
            "name": one.name,
            "types": list(one.types),
            "required": one.default is None,
            "default": _json(one),
            "choices": list(one.choices) or None,
            "description": one.description,
        }
        for one in (known or {}).values()
    ]


def params_text(known: Mapping[str, Parameter] | None, file: str) -> str:
    """Return the same for people."""
    if not known:
        why = HOW if known is None else "its cell has none"
        return one_line(f"{file} takes no parameters: {why}")
    rows = []
    for one in known.values():
        default = "has to be given" if one.default is None else f"= {_shown(one)}"
        kind = " or ".join(map(repr, one.choices) if one.choices else one.types) or "any"
        rows.append([one.name, kind, default, one.description or ""])
    widths = [min(max(len(row[column]) for row in rows), 40) for column in range(3)]
    lines = []
    for row in rows:
        cells = [one_line(cell).ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join(["", *cells, one_line(row[3])]).rstrip())
    return "\n".join([file, *lines])


def _shown(one: Parameter) -> str:
    """Return a default as it is shown: one of a secret is not."""
    value = one.default or ""
    with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        text = ast.literal_eval(value)
        sealed = secret_by_name(one.name, text) if isinstance(text, str) else None
        return str(sealed) if isinstance(sealed, Secret) else value
    return value


def _json(one: Parameter) -> Any:
    shown = _shown(one) if one.default is not None else None
    if shown != one.default or one.default is None:
        return shown
    try:
        value = ast.literal_eval(one.default)
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return one.default
    return value
