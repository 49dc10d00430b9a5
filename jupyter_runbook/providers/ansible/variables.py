"""The notebook's variables that a play uses, as extra vars."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_runbook.provider import Result
from jupyter_runbook.secret import Secret, can_be_secret, is_secret_name

if TYPE_CHECKING:
    from jupyter_runbook.providers.ansible.words import Words

__all__ = ["extra_variables"]

# What IPython puts into a notebook's names.
_IPYTHON = {"In", "Out", "exit", "quit", "get_ipython", "open"}
_NO = object()


def extra_variables(words: Words, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notebook's variables that a play refers to, and those that are called ``ansible_…``.

    What is no data (a function, a module) is left out: Ansible then says that the name is not defined. The texts of
    those that a task with ``no_log`` refers to, or that are called like ``db_password``, are secrets from now on.
    """
    wanted = {name for name in names if name in words.wanted or name.startswith("ansible_")}
    found: dict[str, Any] = {}
    for name in sorted(wanted - _IPYTHON):
        value = _NO if name.startswith("_") else _data(names[name])
        if value is not _NO:
            found[name] = _sealed(value, name) if name in words.hidden or is_secret_name(name) else value
    return found


def _sealed(value: Any, name: str) -> Any:
    """Return a value whose texts are secrets."""
    if isinstance(value, str) and can_be_secret(value):
        return Secret(value, name=name)
    if isinstance(value, dict):
        return {key: _sealed(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_sealed(item, name) for item in value]
    return value


def _data(value: Any) -> Any:
    """Return a value as Ansible's variables have it, a secret as it is; `_NO` for what is none."""
    if value is None or isinstance(value, (bool, int, float, str, Secret)):
        return value
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Result):
        value = {"resources": value.resources, "facts": value.facts}
    found: Any = _NO
    if isinstance(value, Mapping):
        found = {str(key): _data(item) for key, item in value.items()}
    elif isinstance(value, (list, tuple, set, frozenset)):
        found = [_data(item) for item in value]
    parts = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return _NO if any(item is _NO for item in parts) else found
