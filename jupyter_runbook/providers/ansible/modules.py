"""The names of the modules that are installed, for those who misspell one."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from jupyter_runbook.files import expanded

__all__ = ["module_names"]


def module_names(folders: list[Path]) -> set[str]:
    """Return the full names of modules, ``ansible.builtin.copy``.

    Parameters
    ----------
    folders
        Where collections lie beyond Ansible's own places: each has ``ansible_collections`` in it.
    """
    found: set[str] = set()
    spec = find_spec("ansible")
    for root in (spec.submodule_search_locations or []) if spec else []:
        for part in ("modules", "plugins/action"):
            found |= {f"ansible.builtin.{name}" for name in _names(Path(root, part))}
    places = [*folders, Path("~/.ansible/collections"), Path("/usr/share/ansible/collections")]
    places += [Path(one) for one in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":") if one]
    for place in [*places, *map(Path, sys.path)]:
        for plugins in expanded(place).glob("ansible_collections/*/*/plugins"):
            prefix = f"{plugins.parent.parent.name}.{plugins.parent.name}"
            for part in ("modules", "action"):
                found |= {f"{prefix}.{name}" for name in _names(plugins / part)}
    return found


def _names(folder: Path) -> set[str]:
    return {one.stem for one in folder.glob("*.py") if not one.name.startswith("_")}
