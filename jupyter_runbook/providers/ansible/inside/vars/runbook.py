"""The Python for tasks on this machine: the notebook's own, where nobody named another (ansible's discovery may take
a shim that is broken).
"""  # noqa: D205 -- one sentence

from __future__ import annotations

import sys
from typing import Any

from ansible.plugins.vars import BaseVarsPlugin

DOCUMENTATION = """
    name: runbook
    short_description: the notebook's Python for tasks on this machine
    description: Sets ansible_python_interpreter for hosts with a local connection that have none.
"""


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]  # Ansible has no types
    """See the module."""

    def get_vars(self, loader: Any, path: str, entities: Any, cache: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002 -- Ansible's own signature
        """Return the variable for a host of this machine; nothing for groups and other hosts."""
        found: dict[str, Any] = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            if not hasattr(entity, "get_groups"):
                continue  # a group
            known = {}
            for group in entity.get_groups():
                known.update(group.get_vars())
            known.update(entity.get_vars())
            if (
                known.get("ansible_connection") in ("local", "ansible.builtin.local")
                and "ansible_python_interpreter" not in known
            ):
                found["ansible_python_interpreter"] = sys.executable
        return found
