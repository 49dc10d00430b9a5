"""The Python for tasks on this machine: the notebook's own, where nobody named another.

Ansible's discovery may take a shim that is broken.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from ansible.plugins.vars import BaseVarsPlugin

DOCUMENTATION = """
    name: runbook
    short_description: the notebook's Python for tasks on this machine
    description: Sets ansible_python_interpreter for hosts with a local connection that have none.
"""

LOCAL = ("local", "ansible.builtin.local")


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]  # Ansible has no types
    """See the module."""

    def get_vars(
        self,
        loader: Any,  # noqa: ARG002 -- Ansible's own signature
        path: str,  # noqa: ARG002
        entities: Any,
        cache: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> dict[str, Any]:
        """Return the variable for a host of this machine; nothing for groups and other hosts."""
        found: dict[str, Any] = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            if not hasattr(entity, "get_groups"):
                continue  # a group
            known = {}
            for group in entity.get_groups():
                known.update(group.get_vars())
            known.update(entity.get_vars())
            # All hosts are this machine where the cell's plays or the notebook's ansible_connection say so.
            here = os.environ.get("RUNBOOK_LOCAL") or known.get("ansible_connection") in LOCAL
            if here and "ansible_python_interpreter" not in known:
                found["ansible_python_interpreter"] = sys.executable
        return found
