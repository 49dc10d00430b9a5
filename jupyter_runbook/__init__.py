"""Executable runbooks in Jupyter: plan, apply, observe again, and a record that cannot lie."""

from __future__ import annotations

from typing import Any

__all__ = ["__version__", "inventory", "load_ipython_extension"]

__version__ = "0.1.0.dev0"


def inventory(value: Any) -> dict[str, Any]:
    """Return the hosts of what ``--out`` bound, or of any other form, as groups of Ansible's YAML inventories.

    Parameters
    ----------
    value
        A step's result, groups, a mapping or a list of hosts, a text of hosts with commas.

    Raises
    ------
    InvalidSpec
        It names no hosts.
    """
    from jupyter_runbook.inventories import groups_of

    return groups_of(value)


def load_ipython_extension(shell: Any) -> None:
    """Register the magics: ``%load_ext jupyter_runbook``. No provider's SDK is imported.

    Parameters
    ----------
    shell
        IPython's shell.
    """
    from jupyter_runbook.magics import register

    register(shell)
