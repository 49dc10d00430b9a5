"""The only place that knows notebooks' metadata keys and where a kernel finds its notebook."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEY", "CellInfo", "cell_info", "notebook_folder"]

#: Our key in a cell's and a notebook's metadata.
KEY = "runbook"


@dataclass(frozen=True)
class CellInfo:
    """What a request tells of the cell that it runs.

    Parameters
    ----------
    cell_id
        The cell's id (nbformat 4.5); JupyterLab and our engine send it.
    source
        The cell's whole source.
    metadata
        The cell's metadata.
    handed
        What our engine hands over: ``notebook`` (the work log's path) and ``run``.
    """

    cell_id: str | None = None
    source: str | None = None
    metadata: Mapping[str, Any] | None = None
    handed: Mapping[str, Any] | None = None


def cell_info(shell: Any) -> CellInfo:
    """Return what the request at work tells; nothing in a shell without a kernel.

    Parameters
    ----------
    shell
        IPython's shell: ``get_ipython()``.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return CellInfo()
    parent = kernel.get_parent("shell") or {}
    metadata = parent.get("metadata") or {}
    content = parent.get("content") or {}
    handed = metadata.get(KEY)
    return CellInfo(
        cell_id=metadata.get("cellId"),
        source=content.get("code"),
        metadata=metadata,
        handed=handed if isinstance(handed, dict) else None,
    )


def notebook_folder(shell: Any, info: CellInfo) -> Path:
    """Return the folder of the notebook that a kernel runs, or where the kernel works if it can't be known.

    Our engine hands the path over; a Jupyter server sets ``JPY_SESSION_NAME``, VS Code ``__vsc_ipynb_file__``.
    """
    names = shell.user_ns
    said = [
        (info.handed or {}).get("notebook"),
        names.get("__vsc_ipynb_file__"),
        names.get("__session__"),
        os.environ.get("JPY_SESSION_NAME"),
    ]
    for path in said:
        if isinstance(path, str) and path.endswith(".ipynb") and (folder := Path(path).absolute().parent).is_dir():
            return folder
    return Path.cwd()
