"""Executable runbooks in Jupyter: plan, apply, observe again, and a record that cannot lie."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0.dev0"


def load_ipython_extension(shell: Any) -> None:
    """Register the magics: ``%load_ext jupyter_runbook``. No provider's SDK is imported.

    Parameters
    ----------
    shell
        IPython's shell.
    """
    from jupyter_runbook.magics import register

    register(shell)
