"""Parameters that are secret: their values are in no cell and no metadata of a work log.

papermill writes each parameter into a cell and into the notebook's metadata. A secret one stands there by its name
alone; its value goes to the kernel with the request that runs the cell, and becomes a `Secret` there.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from jupyter_runbook.notebook import INJECTED, tags
from jupyter_runbook.secret import Secret, secret_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["seal", "split"]

IMPORT = "from jupyter_runbook.sources import handed as _handed"


def split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Secret]]:
    """Return parameters as they may be written, a secret as its mask, and those that are secret.

    A text is secret where its parameter's name says so: ``db_password``.
    """
    sealed = {name: secret_by_name(name, value) if isinstance(value, str) else value for name, value in values.items()}
    secrets = {name: value for name, value in sealed.items() if isinstance(value, Secret)}
    return {name: value.mask if isinstance(value, Secret) else value for name, value in sealed.items()}, secrets


def seal(nb: Any, secrets: Mapping[str, Secret]) -> dict[str, Secret]:
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


def _handed(source: str, secrets: Mapping[str, Secret]) -> str:
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
