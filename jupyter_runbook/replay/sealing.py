"""Parameters that are secret: their values are in no cell and no metadata of a work log.

papermill writes each parameter into a cell and into the notebook's metadata. A secret one stands there by its name
alone; its value goes to the kernel with the request that runs the cell, and becomes a `Secret` there.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from jupyter_runbook.notebook import INJECTED, tags
from jupyter_runbook.secret import Secret, sealed, secrets_in

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["opened", "seal", "split"]

IMPORT = "from jupyter_runbook.sources import handed as _handed"


def split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters as they may be written, a secret as its mask, and those that are or hold secrets."""
    closed = {name: sealed(name, value) for name, value in values.items()}
    return _masked(closed), {name: value for name, value in closed.items() if secrets_in(value)}


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one) for one in value]
    return value.mask if isinstance(value, Secret) else value


def opened(value: Any) -> Any:
    """Return a value with its secrets as JSON that tells which they are: for the kernel, which is handed it."""
    if isinstance(value, Secret):
        return {"secret": value.reveal(), "name": value.name}
    if isinstance(value, dict):
        return {"items": {key: opened(one) for key, one in value.items()}}
    return [opened(one) for one in value] if isinstance(value, list) else value


def seal(nb: Any, secrets: Mapping[str, Any]) -> dict[str, Any]:
    """Take secret parameters out of a notebook that papermill has put them in, and return them by name.

    Parameters
    ----------
    nb
        The notebook, with papermill's metadata; it is changed in place.
    secrets
        Those that are known, and stand there as masks.
    """
    written, found = split(nb.metadata.papermill.get("parameters") or {})
    found |= secrets
    if not found:
        return {}
    nb.metadata.papermill["parameters"] = written
    for cell in nb.cells:
        if INJECTED in tags(cell):
            cell.source = _handed(cell.source, found)
    return found


def _handed(source: str, secrets: Mapping[str, Any]) -> str:
    """Return the source of a cell that assigns parameters with the secret ones handed over."""
    lines = source.split("\n")
    first = None
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in secrets:
            name, first = node.targets[0].id, node.lineno - 1
            lines[first : node.end_lineno] = [f'{name} = _handed("{name}")']
    if first is not None:
        lines.insert(first, IMPORT)
    return "\n".join(lines)
