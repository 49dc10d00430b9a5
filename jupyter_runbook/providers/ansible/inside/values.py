"""What comes from the notebook, as Ansible's data: what is written in it is no template, and runs nothing.

Ansible would fill the braces of every variable that it is given by ``-e`` and by an inventory's file. Values of a
notebook come from wherever they come: a parameter, what a host printed, a cloud's metadata. Of a play, only what its
author wrote in the cell or in a file is a template.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

__all__ = ["give"]

# Where Jinja2 begins to read.
TEMPLATE = ("{{", "{%", "{#")
# What ssh takes as its argument's word.
ADDRESSES = ("ansible_host", "ansible_ssh_host")


def give(extra: dict[str, Any], inventories: dict[str, str]) -> None:
    """Give this process what the notebook holds, before Ansible begins.

    Parameters
    ----------
    extra
        The extra vars.
    inventories
        The texts of inventories by the paths that Ansible is told to read. They are there only while it reads.
    """
    from ansible.inventory.data import InventoryData
    from ansible.inventory.manager import InventoryManager
    from ansible.utils.unsafe_proxy import wrap_var
    from ansible.utils.vars import load_extra_vars

    _refuse([why for name, value in extra.items() if (why := _wrong(name, value))])
    # Ansible keeps there what it has read of `-e`. Should it not one day, the variables are not defined: no template.
    load_extra_vars.extra_vars = wrap_var(extra)

    reading: list[str] = []
    wrong: list[str] = []
    parse, assign = InventoryManager.parse_source, InventoryData.set_variable
    add_host, add_group = InventoryData.add_host, InventoryData.add_group

    def parse_source(self: Any, source: str, *args: Any, **options: Any) -> Any:
        text = inventories.get(os.path.abspath(source))
        if text is None:
            return parse(self, source, *args, **options)
        reading.append(source)
        try:
            with open(os.open(source, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            parsed = parse(self, source, *args, **options)
        finally:
            reading.pop()
            with suppress(OSError):
                os.unlink(source)
        # Only now: where one form of inventories does not fit, Ansible tries the next.
        _refuse(wrong)
        return parsed

    def set_variable(self: Any, entity: str, varname: str, value: Any) -> None:
        if reading:
            wrong.extend(filter(None, [_wrong(varname, value)]))
            value = wrap_var(value)
        assign(self, entity, varname, value)

    def named(add: Any) -> Any:
        def added(self: Any, name: Any, *args: Any, **options: Any) -> Any:
            if reading:
                wrong.extend(filter(None, [_wrong_name(name)]))
            return add(self, name, *args, **options)

        return added

    InventoryManager.parse_source = parse_source
    InventoryData.set_variable = set_variable
    InventoryData.add_host, InventoryData.add_group = named(add_host), named(add_group)


def _wrong(name: str, value: Any) -> str | None:
    """Return why Ansible shall not have a variable."""
    if name in ADDRESSES and str(value).startswith("-"):
        return f"{name} begins with a hyphen: ssh would take it for an option"
    return None


def _wrong_name(name: Any) -> str | None:
    """Return why a host or group can't be called so: Ansible takes a name for text of its own."""
    if any(mark in str(name) for mark in TEMPLATE):
        return "a name in the inventory has the braces of a template"
    if str(name).startswith("-"):
        return "a name in the inventory begins with a hyphen: ssh would take it for an option"
    return None


def _refuse(reasons: list[str]) -> None:
    from ansible.errors import AnsibleOptionsError

    if reasons:
        raise AnsibleOptionsError(reasons[0])
