"""Hosts in the forms that people have them in: Ansible's groups, a mapping, a list, a text with commas. Pure."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.provider import Result
from jupyter_runbook.spec.template import is_template
from jupyter_runbook.ssh import Target, target

__all__ = ["as_yaml", "groups_of", "hosts_of", "target_of"]

FORMS = "{'all': {'hosts': {'web1': {'ansible_host': '10.0.0.5'}}}}"
# The connections to this machine itself.
LOCAL = ("local", "ansible.builtin.local")


@dataclass
class _Host:
    """A host's variables: those of the groups that it is in, and over them its own; each from several places."""

    groups: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)


def groups_of(value: Any) -> dict[str, Any]:
    """Return the same hosts in the one form that they can be written to a file in: Ansible's groups.

    Raises
    ------
    InvalidSpec
        It names no hosts.
    """
    if isinstance(value, Result):
        if not value.inventory:
            raise InvalidSpec("this result has no hosts", hint="bind a step that makes some: %%os --out web")
        value = value.inventory
    if isinstance(value, Mapping) and _has_groups(value):
        return copy.deepcopy(dict(value))
    return {"all": {"hosts": hosts_of(value, "inventory")}}


def as_yaml(groups: Any) -> str:
    """Return groups as the text of a YAML inventory; a value with braces is marked: Ansible shall not fill them."""
    import yaml

    def text(dumper: Any, value: str) -> Any:
        # A template may begin with other braces of its own: #jinja2: variable_start_string: "[["
        marked = is_template(value) or value.startswith("#jinja2")
        # Between other quotes PyYAML writes these as ends of lines, and reads them as spaces.
        style = '"' if any(mark in value for mark in "\x85\u2028\u2029") else None
        return dumper.represent_scalar("!unsafe" if marked else "tag:yaml.org,2002:str", value, style)

    dumper: Any = type("Inventory", (yaml.SafeDumper,), {})
    dumper.add_representer(str, text)
    return str(yaml.dump(groups, Dumper=dumper, sort_keys=False, allow_unicode=True))


def hosts_of(value: Any, option: str) -> dict[str, dict[str, Any]]:
    """Return the variables of hosts by their names, in the order that they come.

    Parameters
    ----------
    value
        Groups as Ansible's YAML inventories have them, hosts and their variables, a list of hosts, a text of them with
        commas, or the result of a step that knows its hosts.
    option
        The option that names them, for errors.

    Raises
    ------
    InvalidSpec
        It is none of these.
    """
    if isinstance(value, Result):
        value = value.inventory
    if isinstance(value, str):
        value = [one.strip() for one in value.split(",") if one.strip()]
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return {one: {} for one in value}
    if not isinstance(value, Mapping):
        raise InvalidSpec(f"{option}: a {type(value).__name__} names no hosts", line=1, hint=FORMS)
    groups = value if _has_groups(value) else {"all": {"hosts": value}}
    found: dict[str, _Host] = {}
    for group in groups.values():
        _collect(group, {}, found, option)
    return {name: {**one.groups, **one.own} for name, one in found.items()}


def target_of(name: str, variables: Mapping[str, Any], option: str) -> Target | None:
    """Return how ``ssh`` reaches a host of an inventory; None for this machine itself.

    Raises
    ------
    InvalidSpec
        Its name is no host's, or it is reached in another way: with a password, or not by SSH.
    """
    connection = str(variables.get("ansible_connection", "ssh"))
    if connection in LOCAL:
        return None
    password = variables.keys() & {"ansible_password", "ansible_ssh_pass"}
    if password or connection.rpartition(".")[2] not in ("ssh", "smart"):
        how = "with a password" if password else f"by the connection {connection}"
        raise InvalidSpec(f"{option}: {name} is reached {how}", line=1, hint="a key is needed, for ssh by itself")
    known = {key: str(variables[key]) for key in variables if key.startswith("ansible_")}
    where = target(known.get("ansible_host", name))
    port = known.get("ansible_port") or known.get("ansible_ssh_port")
    if where is None and ":" in known.get("ansible_host", ""):
        where = target(f"[{known['ansible_host']}]")
    if where is None or (port and not port.isdecimal()):
        raise InvalidSpec(f"{option}: {name!r} is no host", line=1, hint="admin@web1.example.net, or an inventory")
    arguments = " ".join(known.get(key, "") for key in ("ansible_ssh_common_args", "ansible_ssh_extra_args"))
    return Target(
        where.host,
        known.get("ansible_user") or known.get("ansible_ssh_user") or where.user,
        int(port) if port else where.port,
        known.get("ansible_ssh_private_key_file") or known.get("ansible_private_key_file"),
        tuple(shlex.split(arguments)),
        known.get("ansible_ssh_executable", "ssh"),
    )


def _has_groups(value: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping is one of groups: what they have, and nothing else."""
    keys = [set(one) for one in value.values() if isinstance(one, Mapping)]
    parts = {"hosts", "children", "vars"}
    return any(one & parts for one in keys) and all(one <= parts for one in keys)


def _collect(group: Any, above: Mapping[str, Any], hosts: dict[str, _Host], option: str) -> None:
    """Add what a group and its children say of hosts; a host may be in many, and said more of in one than in others."""
    parts = {key: _known(group, option).get(key) for key in ("hosts", "children", "vars")}
    known = {**above, **_known(parts["vars"], option)}
    for name, own in _known(parts["hosts"], option).items():
        host = hosts.setdefault(str(name), _Host())
        host.groups.update(known)
        host.own.update(_known(own, option))
    for child in _known(parts["children"], option).values():
        _collect(child, known, hosts, option)


def _known(value: Any, option: str) -> Mapping[str, Any]:
    """Return a part of an inventory, which may be left empty."""
    if value is not None and not isinstance(value, Mapping):
        raise InvalidSpec(f"{option}: this is no inventory", line=1, hint=FORMS)
    return value or {}
