"""The text of a cell → what is to be played: tasks, plays or a playbook's path. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.spec.yamltext import broken_yaml, readable_integer

if TYPE_CHECKING:
    from jupyter_runbook.spec.cell import Cell

__all__ = ["LOCAL", "Body", "read_body"]

Kind = Literal["tasks", "plays", "playbook"]

TITLE_LIMIT = 60
#: The connection to this machine itself, by its short and its full name.
LOCAL = ("local", "ansible.builtin.local")
HINT = "write a list of tasks, a list of plays, or one line with a playbook's path: site.yml"
# A task that says one of these may need facts that it does not name itself.
HIDDEN = {"include_role", "import_role", "include_tasks", "import_tasks", "template", "roles"}
# What begins with ansible_ and needs no facts.
FACTLESS = re.compile(
    r"ansible_(?:check_mode|diff_mode|play_\w+|version|host|port|user|connection|become\w*|password|run_tags|skip_tags"
    r"|loop\w*|index_var|failed_\w+|playbook_python|python_interpreter|limit|forks|inventory_sources|search_path|config_file"
    r"|ssh_\w+|verbosity|role_\w+|collection_name|parent_role_\w+|dependent_role_names)$"
)


@dataclass(frozen=True)
class Body:
    """What a cell says.

    Parameters
    ----------
    kind
        The form that it is written in.
    values
        The parsed YAML; a playbook's path as text.
    title
        What people call it.
    """

    kind: Kind
    values: Any
    title: str

    @property
    def facts(self) -> bool:
        """Whether tasks need the facts of their hosts: they name one, or take in what may name one."""
        return any(_needs_facts(text) for text in _texts(self.values))

    @property
    def local(self) -> bool:
        """Whether all plays say that they run on this machine, whatever host they are for."""
        return self.kind == "plays" and all(play.get("connection") in LOCAL for play in self.values)

    def playbook(self, text: str, pattern: str) -> str:
        """Return the cell as a playbook in which each line has the number that it has in the cell.

        Parameters
        ----------
        text
            The cell below the magic's line.
        pattern
            The hosts of tasks.
        """
        lines = ["" if line.startswith(("---", "%YAML")) else line for line in text.split("\n")]
        if self.kind == "plays":
            return "\n".join(["", *lines]) + "\n"
        # The play's own keys come after its tasks, so that the first line of tasks is line 2.
        body = [f"    {line}" if line.strip() else line for line in lines]
        gather = "true" if self.facts else "false"
        return "\n".join(["- tasks:", *body, f"  hosts: {_quoted(pattern)}", f"  gather_facts: {gather}", ""])


def read_body(cell: Cell) -> Body:
    """Read a cell.

    Raises
    ------
    InvalidSpec
        It is broken YAML, or none of the three forms; with the line.
    """
    text = cell.body
    words = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not words:
        raise InvalidSpec("the cell is empty", line=cell.first_line, hint=HINT)
    if len(words) == 1 and re.fullmatch(r"[^:{}\[\]]+\.ya?ml", words[0].strip("'\"")):
        path = words[0].strip("'\"")
        return Body("playbook", path, path)
    node, values = _load(text, cell.first_line)
    if not isinstance(values, list) or not values:
        raise InvalidSpec("this is no list", line=_line(node, cell), hint=HINT)
    kinds = [_kind(one, _line(node.value[at], cell)) for at, one in enumerate(values)]
    for at, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise InvalidSpec(
                f"a {_ONE[kind]} stands in a list of {kinds[0]}",
                line=_line(node.value[at], cell),
                hint="a play has hosts; tasks stand alone, or below a play's tasks:",
            )
    return Body(kinds[0], values, _title(values, kinds[0]))


_ONE = {"plays": "play", "tasks": "task", "playbook": "playbook"}


def _load(text: str, first_line: int) -> tuple[Any, Any]:
    """Return YAML's node and values, read by YAML 1.1 as Ansible reads it."""
    import yaml

    try:
        loader = _loader()(text)
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, UnicodeEncodeError, RecursionError, ValueError, OverflowError) as error:
        raise broken_yaml(error, text, first_line) from None


@cache
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("AnsibleBody", (base,), {})

    def any_tag(self: Any, suffix: str, node: Any) -> Any:
        # !vault and !unsafe: Ansible's own reading gives them their meaning.
        if node.id == "scalar":
            return {"!" + suffix: self.construct_scalar(node)}
        construct = self.construct_sequence if node.id == "sequence" else self.construct_mapping
        return construct(node, deep=True)

    def integer(self: Any, node: Any) -> int:
        return readable_integer(base.construct_yaml_int(self, node))

    loader.add_multi_constructor("!", any_tag)
    loader.add_constructor("tag:yaml.org,2002:int", integer)
    return loader


def _line(node: Any, cell: Cell) -> int:
    return cell.first_line + (int(node.start_mark.line) if node is not None else 0)


def _kind(value: Any, line: int) -> Kind:
    if not isinstance(value, dict):
        raise InvalidSpec(
            f"{str(value)[:60]!r} is no task", line=line, hint="a task is a mapping: - ansible.builtin.ping:"
        )
    keys = {str(key).removeprefix("ansible.builtin.") for key in value}
    return "plays" if keys & {"hosts", "import_playbook"} else "tasks"


def _title(values: list[Any], kind: Kind) -> str:
    first = values[0]
    name = first.get("name") or (first.get("hosts") if kind == "plays" else None)
    text = " ".join(str(name or next((str(key) for key in first if key not in _COMMON), kind)).split())
    more = f" and {len(values) - 1} more" if len(values) > 1 else ""
    return (text if len(text) <= TITLE_LIMIT else text[: TITLE_LIMIT - 1] + "…") + more


# Keys of a task that are not its module.
_COMMON = {"when", "loop", "register", "become", "tags", "vars", "notify", "ignore_errors", "no_log", "block"}


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)


def _texts(values: Any) -> list[str]:
    found: list[str] = []
    left = [values]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple)):
            left += one
        elif isinstance(one, str):
            found.append(one)
    return found


def _needs_facts(text: str) -> bool:
    if text.removeprefix("ansible.builtin.") in HIDDEN:
        return True
    return any(not FACTLESS.match(name) for name in re.findall(r"\bansible_\w+", text))
