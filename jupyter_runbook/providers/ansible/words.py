"""Which of the notebook's variables a play uses: read off its templates and conditions, as Ansible would."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

__all__ = ["TooMuchError", "Words", "words_of_template", "words_of_yaml"]

# The keys whose values are expressions without braces.
CONDITIONS = {"when", "changed_when", "failed_when", "until", "that", "break_when"}
# What Ansible and Jinja2 give themselves: a variable of the notebook that is called so must not hide it.
_THEIRS = """
ansible_check_mode ansible_play_batch ansible_play_hosts ansible_play_hosts_all ansible_version cycler dict
environment group_names groups hostvars inventory_dir inventory_file inventory_hostname inventory_hostname_short
item joiner lipsum lookup namespace now omit play_hosts playbook_dir q query range role_name role_names role_path
undef vars
"""
THEIRS = frozenset(_THEIRS.split())
# What ``no_log`` may say where it hides nothing.
_SHOWN = (None, False, "false", "no", "False", "No", 0)
_TEMPLATE = re.compile(r"\{\{|\{%")
_FILE = re.compile(r"[^{}]+\.(?:ya?ml|j2|jinja2?)$")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_BRACED = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}", re.DOTALL)


# Keys of one mapping with those that it merges, and values of one document with what its aliases stand for: what has
# more was made to be too much.
MOST_KEYS, MOST_VALUES = 100_000, 1_000_000


class TooMuchError(Exception):
    """A text of YAML that Ansible would not come to the end of: aliases of aliases, or merge keys of merge keys."""


class Words:
    """What texts of Ansible's refer to, and what they set themselves.

    Parameters
    ----------
    used
        The names that templates and conditions refer to.
    made
        The names that the play gives values to as it runs: ``register``, ``set_fact``, a loop's variable. A variable of
        the notebook that is called so would hide them, so it is not handed over.
    hidden
        The names that tasks with ``no_log`` refer to: their values are not for the record either.
    asked
        The names that plays would ask a person for, with no default.
    files
        What looks like the path of a file that Ansible will read: a template, tasks, variables.
    """

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.made: set[str] = set()
        self.hidden: set[str] = set()
        self.asked: set[str] = set()
        self.files: set[str] = set()
        # What was read: an alias stands for the same once more, and a few of aliases for more than anybody can read.
        self._read: dict[int, Any] = {}

    @property
    def wanted(self) -> set[str]:
        """The names to look for in the notebook."""
        return self.used - self.made - THEIRS

    def add_yaml(self, text: str) -> None:
        """Read a text of YAML; one that is broken says nothing here.

        Raises
        ------
        TooMuchError
            A few aliases of it stand for more values than anybody can read.
        """
        import yaml

        try:
            for document in yaml.load_all(text, Loader=_loader()):
                if "*" in text and _size(document, {}) > MOST_VALUES:
                    raise TooMuchError
                self.add_values(document)
        except (yaml.YAMLError, RecursionError, ValueError):
            return

    def add_values(self, value: Any) -> None:
        """Read parsed YAML."""
        if isinstance(value, (dict, list, tuple)):
            if id(value) in self._read:
                return
            self._read[id(value)] = value
        if isinstance(value, str):
            if _TEMPLATE.search(value):
                self.used |= words_of_template(value)
            # In the short form, template: src=page.j2 dest=page
            self.files |= {word.rpartition("=")[2] for word in value.split() if _FILE.search(word)}
        elif isinstance(value, dict):
            if value.get("no_log") not in _SHOWN:
                inner = Words()
                inner.add_values({key: item for key, item in value.items() if key != "no_log"})
                self.hidden |= inner.used
            for key, item in value.items():
                self._add_pair(str(key), item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.add_values(item)

    def _add_pair(self, key: str, item: Any) -> None:
        short = key.rpartition(".")[2]
        if key in CONDITIONS:
            for text in item if isinstance(item, list) else [item]:
                if isinstance(text, str):
                    whole = text if _TEMPLATE.search(text) else "{{ " + text + " }}"
                    self.used |= words_of_template(whole)
            return
        if key in ("register", "loop_var", "index_var") and isinstance(item, str):
            self.made.add(item)
        if short == "set_fact" and isinstance(item, dict):
            self.made |= {str(name) for name in item}
        if short == "debug":
            named = item.get("var") if isinstance(item, dict) else str(item).partition("var=")[2]
            self.used |= words_of_template("{{ " + str(named or "''") + " }}")
        if short == "vars_prompt" and isinstance(item, list):
            # Ansible does not ask for what it is given.
            asked = [one for one in item if isinstance(one, dict) and "name" in one]
            self.used |= {str(one["name"]) for one in asked}
            self.asked |= {str(one["name"]) for one in asked if one.get("default") is None}
        self.add_values(item)


def words_of_yaml(text: str) -> set[str]:
    """Return the names that a text of YAML wants; see `Words`."""
    words = Words()
    words.add_yaml(text)
    return words.wanted


def words_of_template(text: str) -> set[str]:
    """Return the names that a Jinja2 template takes from outside."""
    import jinja2
    from jinja2 import meta

    try:
        return set(meta.find_undeclared_variables(_jinja().parse(text)))
    except jinja2.TemplateError:
        # Ansible says what is wrong; until then, whatever looks like a name.
        found = [name for pair in _BRACED.findall(text) for part in pair for name in _NAME.findall(part)]
        return set(found)


def _size(value: Any, known: dict[int, int]) -> int:
    """Return how many values there are, each as often as aliases stand for it; of one that has itself in it, once."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = 0
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = min(MOST_VALUES, sum(_size(one, known) for one in inner)) + 1
    return known[id(value)]


@cache
def _jinja() -> jinja2.Environment:
    from jinja2 import Environment

    return Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])  # noqa: S701 -- it renders nothing


@cache
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("AnsibleWords", (base,), {})

    def any_tag(self: Any, suffix: str, node: Any) -> Any:
        del suffix
        if node.id == "scalar":
            # What is marked !unsafe is no template, and what is vaulted no text.
            return None
        construct = self.construct_sequence if node.id == "sequence" else self.construct_mapping
        return construct(node, deep=True)

    def flatten(self: Any, node: Any) -> None:
        before = len(node.value)
        base.flatten_mapping(self, node)
        if len(node.value) > max(MOST_KEYS, before):
            raise TooMuchError

    loader.add_multi_constructor("!", any_tag)
    # Merge keys of merge keys multiply.
    loader.flatten_mapping = flatten
    return loader
