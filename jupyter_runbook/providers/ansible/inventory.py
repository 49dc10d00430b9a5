"""``-i``: an inventory of any form → what ``ansible-playbook -i`` takes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.canonical import plain
from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.files import expanded, is_folder, is_there
from jupyter_runbook.provider import Result
from jupyter_runbook.providers.ansible.guard import no_program
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.template import is_template, render_text
from jupyter_runbook.spec.yamltext import broken_yaml
from jupyter_runbook.ssh import accepts_new

if TYPE_CHECKING:
    from jupyter_runbook.spec.cell import Cell

__all__ = ["Source", "read_inventories"]

HINT = "give a file, a folder, a list of hosts (web1,web2,), or the name of a variable that holds an inventory"
#: The inventory of a cell that names none: this machine, without SSH, with the notebook's own Python.
HERE = {
    "all": {
        "hosts": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}},
    }
}


@dataclass(frozen=True)
class Source:
    """One inventory.

    Parameters
    ----------
    label
        What people call it: the path, or the variable's name.
    path
        A file's or folder's path, or hosts with commas.
    values
        What is to be written as YAML instead, secrets still in it.
    text
        The same as text in a form of Ansible's own.
    """

    label: str
    path: str | None = None
    values: Any = None
    text: str | None = None

    @property
    def accepts(self) -> bool:
        """Whether it says, of a host, that a key which is not known yet is accepted."""
        return accepts_new([json.dumps(plain(self.values))] if self.values is not None else [self.text or ""])

    def there(self, folder: Path) -> None:
        """See whether its file is there.

        Raises
        ------
        InvalidSpec
            It is not.
        """
        if self.path is None or "," in self.path:
            return
        if not is_there(folder / expanded(self.path)):
            near = _near(self.path, folder)
            hint = f"did you mean {near}?" if near else HINT
            raise InvalidSpec(f"the inventory {self.path} is not there", line=1, hint=hint)

    def handed_over(self, folder: Path, number: int) -> tuple[str, str | None]:
        """Return what follows ``-i``, and the text that Ansible shall find there; None where it has a file of its own.

        Parameters
        ----------
        folder
            A private folder, where the text is found.
        number
            Which of the inventories this is.
        """
        if self.path is not None:
            return str(expanded(self.path)), None
        text = self.text if self.text is not None else _yaml(revealed(self.values))
        # Not .yml: there Ansible runs the plugin that a text of YAML names, and a variable's value runs nothing.
        suffix = "" if self.text is not None and not _is_yaml(self.text) else ".json"
        return str(folder.absolute() / f"inventory-{number}{suffix}"), text


def read_inventories(cell: Cell) -> tuple[Source, ...]:
    """Return the inventories that a cell names; none for this machine.

    Raises
    ------
    InvalidSpec
        What a variable holds is no inventory.
    """
    return tuple(_source(text, cell) for text in cell.own("inventory") or ())


def revealed(value: Any) -> Any:
    """Return a value as Ansible takes it: plain values, and secrets as they are."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {str(key): revealed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [revealed(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _source(text: str, cell: Cell) -> Source:
    value = render_text(text, cell.names, line=1)
    label = text.strip().removeprefix("{{").removesuffix("}}").strip()
    written = not is_template(text)
    if isinstance(value, str) and written and text.isidentifier() and text in cell.names:
        value, written = cell.names[text], False
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, Result):
        if not value.inventory:
            raise InvalidSpec(f"-i {label}: this result names no hosts", line=1, hint=HINT)
        value = value.inventory
    if isinstance(value, str):
        return _of_text(value, label, written=written)
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(one, str) for one in value):
        return Source(label, values={"all": {"hosts": {one: {} for one in value}}})
    if isinstance(value, Mapping):
        return Source(label, values=_as_groups(value, label))
    raise InvalidSpec(f"-i {label}: a {type(value).__name__} is no inventory", line=1, hint=HINT)


def _of_text(text: str, label: str, *, written: bool) -> Source:
    """Return the inventory that a text is, or names; ``written`` is one that the cell itself says."""
    # One line may be an inventory, too: web1 ansible_host=10.0.0.5
    if "\n" in text.strip() or " ansible_" in text:
        return Source(label, text=_checked(text, label))
    if not text.strip():
        raise InvalidSpec(f"-i {label} is empty", line=1, hint=HINT)
    if not written:
        try:
            no_program(text)
        except ValueError as error:
            raise InvalidSpec(f"-i {label} {error}", line=1) from None
    return Source(text.strip(), path=text.strip())


def _as_groups(value: Mapping[Any, Any], label: str) -> dict[str, Any]:
    """Return a mapping as groups: it is groups, or hosts and their variables."""
    keys = {"hosts", "children", "vars"}
    for name, group in value.items():
        if group is not None and not isinstance(group, Mapping):
            hint = "{'web': {'hosts': {'web1': {'ansible_host': '10.0.0.5'}}}}"
            raise InvalidSpec(f"-i {label}: {name} is no group of hosts", line=1, hint=hint)
    if all(set(group or {}) <= keys for group in value.values()):
        groups = {str(name): dict(group or {}) for name, group in value.items()}
        for group in groups.values():
            if isinstance(group.get("hosts"), (list, tuple)):
                group["hosts"] = {str(one): {} for one in group["hosts"]}
        return groups
    return {"all": {"hosts": {str(name): dict(known or {}) for name, known in value.items()}}}


def _checked(text: str, label: str) -> str:
    """Return the text of an inventory.

    Raises
    ------
    InvalidSpec
        It is broken YAML.
    """
    import yaml

    if _is_yaml(text):
        try:
            yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 -- a safe one
        except yaml.YAMLError as error:
            broken = broken_yaml(error, text)
            where = f" (its line {broken.where.line})" if broken.where else ""
            raise InvalidSpec(f"-i {label}: {broken.message}{where}", line=1, hint=broken.hint) from None
    return text


def _is_yaml(text: str) -> bool:
    import yaml

    try:
        return isinstance(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), dict)  # noqa: S506
    except yaml.YAMLError:
        # An inventory of INI's form may read as broken YAML; broken YAML has keys that end a line.
        return any(line.rstrip().endswith(":") and not line.startswith("[") for line in text.splitlines())


def _yaml(value: Any) -> str:
    """Return a value as YAML: in JSON, Ansible reads some keys as marks of its own (``__ansible_vault``)."""
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(value, Dumper=dumper, sort_keys=False, width=1 << 30))


def _near(path: str, folder: Path) -> str | None:
    import difflib

    parent = (folder / expanded(path)).parent
    names = [one.name for one in parent.iterdir()] if is_folder(parent) else []
    found = difflib.get_close_matches(Path(path).name, names, n=1)
    return str(Path(path).with_name(found[0])) if found else None
