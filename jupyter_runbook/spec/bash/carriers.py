"""Which variables of a bash script have a value that came from outside: a fixed point over its assignments. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jupyter_runbook.spec.bash.programs import COUNT_WORDS, ENVIRONMENTS, NUMBERS, SHELLS, SILENT
from jupyter_runbook.spec.bash.tree import all_of, flags, identifiers, literal, text_of, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tree_sitter import Node

__all__ = ["Carriers", "Given"]

_NAME = re.compile(r"[\"']?([A-Za-z_]\w*)")
_TARGET = re.compile(r"(?:-\w*a)?([A-Za-z_]\w*)(?:\[.*\])?")
_DECLARE = ("declare", "typeset", "local", "export", "readonly")
_REDIRECTS = ("herestring_redirect", "heredoc_redirect", "file_redirect")
_SCOPES = ("function_definition", "subshell", "command_substitution", "process_substitution", "pipeline")
_POSITIONAL = re.compile(r"[0-9]+|[@*]")
_ASSIGNING = (
    "variable_assignment",
    "for_statement",
    "expansion",
    "declaration_command",
    "command",
    "binary_expression",
    "function_definition",
)


@dataclass(frozen=True)
class Given:
    """What of a script came from outside.

    Parameters
    ----------
    spans
        Where values stand: byte offsets.
    variables
        The variables that have values when it begins.
    positional
        Whether its arguments are values.
    fed
        Whether its standard input is one.
    """

    spans: Sequence[tuple[int, int]] = ()
    variables: frozenset[str] = frozenset()
    positional: bool = False
    fed: bool = False


class Carriers:
    """What a script does with values.

    Parameters
    ----------
    root
        The script's syntax tree.
    given
        What of it came from outside.
    """

    def __init__(self, root: Node, given: Given) -> None:
        self.nodes = list(all_of(root))
        self._starts = sorted(start for start, _ in given.spans)
        self.positional = given.positional
        self.variables = set(given.variables)
        #: Where each variable was given a value, and how: the node's type.
        self.given: dict[str, tuple[int, str]] = {}
        #: The variables whose text names one that has a value: arithmetic computes that one.
        self.naming: set[str] = set()
        self._fed_functions: set[str] = {""} if given.fed else set()
        self._printing_functions: set[str] = set()
        self._literals: dict[int, list[str | None]] = {}
        expansions = [node for node in self.nodes if node.type in ("simple_expansion", "expansion")]
        self._expansions = sorted((node.start_byte, name) for node in expansions for name in _named(node)[:1])
        self._commands = sorted((node.start_byte, self.name_of(node)) for node in self.nodes if node.type == "command")
        self._settle()

    def _settle(self) -> None:
        """Follow the assignments, forward and back, until nothing is new."""
        assigning = [node for node in self.nodes if node.type in _ASSIGNING]
        before = None
        while before != (now := self._known()):
            before = now
            for node in assigning:
                self._follow(node)
            for node in reversed(assigning):
                self._follow(node)

    def _known(self) -> tuple[int, ...]:
        found = (self.variables, self.naming, self._fed_functions, self._printing_functions)
        return (*map(len, found), self.positional)

    @property
    def any(self) -> bool:
        """Whether there is any value in the script."""
        return bool(self._starts or self.variables or self.positional or self._fed_functions)

    @cached_property
    def functions(self) -> Mapping[str, Node]:
        """The script's own functions, by their names."""
        found = [node for node in self.nodes if node.type == "function_definition"]
        return {text_of(node.child_by_field_name("name")): node for node in found}

    @cached_property
    def calls(self) -> Mapping[str, list[Node]]:
        """The commands that call a function, by its name."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            if node.type == "command":
                for word in self.literals(node)[:3]:
                    if word in self.functions:
                        found.setdefault(str(word), []).append(node)
        return found

    @cached_property
    def texts(self) -> Mapping[str, set[str]]:
        """The names in what each variable is assigned, as far as the script tells."""
        found: dict[str, set[str]] = {}
        for node in self.nodes:
            if node.type == "variable_assignment":
                value = identifiers(text_of(node.child_by_field_name("value")))
                found.setdefault(text_of(node.child_by_field_name("name")), set()).update(value)
        return found

    @cached_property
    def attributes(self) -> Mapping[str, set[str]]:
        """The letters that each variable is declared with, anywhere: ``-i`` computes whatever it is given.

        ``A`` is one only where the whole script sees it.
        """
        found: dict[str, set[str]] = {}
        for node in self.nodes:
            declares = node.type == "command" and any(one in _DECLARE for one in self.literals(node)[:3])
            if declares or node.type == "declaration_command":
                letters = flags(node)
                if not _everywhere(node) and "g" not in letters:
                    letters -= {"A"}
                for one in node.children:
                    match = _NAME.match(text_of(one))
                    if match and one.type != "command_name":
                        found.setdefault(match[1], set()).update(letters)
        return found

    def literals(self, command: Node) -> list[str | None]:
        """Return a command's words as bash has them once their quotes are away; None where something is expanded."""
        if command.id not in self._literals:
            self._literals[command.id] = [literal(one) for one in words_of(command)]
        return self._literals[command.id]

    def name_of(self, command: Node) -> str:
        """Return what a command is called, behind ``command`` and its like; empty where that is not told."""
        words = self.literals(command)
        name = next((one for one in words if one not in ("command", "builtin", "time", "coproc")), None)
        return (name or "").rpartition("/")[2]

    def has(self, node: Node, *, counted: bool = False) -> bool:
        """Tell whether a value is in a node.

        Parameters
        ----------
        node
            The node.
        counted
            Whether a value counts also where a command tells nothing but numbers of it.
        """
        if not counted and self.counted(node):
            return False
        if self.has_placeholder(node):
            return True
        start, end = ((at,) for at in (node.start_byte, node.end_byte))
        within = self._expansions[bisect_left(self._expansions, start) : bisect_left(self._expansions, end)]
        if any(self._is_value(name) for _, name in within):
            return True
        called = self._commands[bisect_left(self._commands, start) : bisect_left(self._commands, end)]
        telling = ENVIRONMENTS if self.variables else frozenset()
        return any(name in self._printing_functions or name in telling for _, name in called)

    def has_placeholder(self, node: Node) -> bool:
        """Tell whether a value itself is in a node, and not a variable that has one."""
        at = bisect_left(self._starts, node.start_byte)
        return at < len(self._starts) and self._starts[at] < node.end_byte

    def named(self, node: Node) -> str | None:
        """Return the variable with a value that an expansion names; None where it names none."""
        return next((name for name in _named(node)[:1] if self._is_value(name)), None)

    def _is_value(self, name: str) -> bool:
        if name in ("!", "_"):  # another variable's value; the last word of the command before
            return self.any
        return self.positional if _POSITIONAL.fullmatch(name) else name in self.variables

    def counted(self, node: Node) -> bool:
        """Tell whether a node is a command substitution, alone or in quotes, that prints nothing but numbers."""
        if node.type == "string":
            inner = [one for one in node.named_children if one.type != "string_content"]
            return len(inner) == 1 and self.counted(inner[0])
        if node.type != "command_substitution":
            return False
        printing = [one for one in _printing(node) if self.name_of(one) not in SILENT - set(self.functions)]
        return bool(printing) and all(map(self._counts, printing))

    def _counts(self, command: Node) -> bool:
        name, words = self.name_of(command), self.literals(command)
        greps = name == "grep" and any(re.fullmatch(r"-\w*c\w*|--count", one or "") for one in words)
        if name in self.functions or not (greps or name in NUMBERS):
            return False
        return name in COUNT_WORDS or not any(map(self.has, words_of(command)[1:]))

    def reads(self, node: Node) -> bool:
        """Tell whether a value is in what a command reads: its own redirections, those around it, and pipes."""
        at: Node | None = node
        while at is not None and at.type != "program":
            sources = [one for one in at.children if one.type in _REDIRECTS]
            above = at.parent
            if above is not None and above.type == "pipeline":
                sources += [one for one in above.children if one.start_byte < at.start_byte]
            if above is not None and above.type == "heredoc_redirect":
                sources.append(above)
            if any(self.has(one, counted=True) for one in sources):
                return True
            if at.type == "function_definition" and text_of(at.child_by_field_name("name")) in self._fed_functions:
                return True
            at = above
        return "" in self._fed_functions

    def _give(self, name: str, node: Node) -> None:
        self.variables.add(name)
        self.given.setdefault(name, (node.start_byte, node.type))

    def _follow(self, node: Node) -> None:
        """Add the variables that a node gives a value to."""
        follow = {
            "variable_assignment": self._follow_assignment,
            "for_statement": self._follow_loop,
            "command": self._follow_command,
            "declaration_command": self._follow_declaration,
            "function_definition": self._follow_function,
        }.get(node.type)
        if follow:
            follow(node)
        elif node.type == "expansion" and re.match(rb"\$\{\w+:?=", node.text or b"") and self.has(node):
            self._give(re.findall(r"\w+", text_of(node))[0], node)
        elif node.type == "binary_expression" and any(one.type == "=~" for one in node.children) and self.has(node):
            self._give("BASH_REMATCH", node)

    def _follow_declaration(self, node: Node) -> None:
        matches = [_NAME.match(text_of(one)) for one in node.children if self.has(one)]
        for name in [match[1] for match in matches if match]:
            self._give(name, node)

    def _follow_function(self, node: Node) -> None:
        name = text_of(node.child_by_field_name("name"))
        if name in self._fed_functions or self.has(node, counted=True):
            self._printing_functions.add(name)

    def _follow_loop(self, node: Node) -> None:
        fields = [node.field_name_for_child(number) for number in range(len(node.children))]
        values = [one for one, field in zip(node.children, fields, strict=True) if field == "value"]
        name = text_of(node.child_by_field_name("variable"))
        if any(map(self.has, values)) or (not values and self.positional):
            self._give(name, node)
        elif any(identifiers(text_of(one)) & (self.variables | self.naming) for one in values):
            self.naming.add(name)

    def _follow_assignment(self, node: Node) -> None:
        name, value = text_of(node.child_by_field_name("name")).partition("[")[0], node.child_by_field_name("value")
        if value is None:
            return
        captured = [one for one in all_of(value) if one.type == "command_substitution"]
        if self.has(value) or any(self.reads(one) and not self.counted(one) for one in captured):
            self._give(name, node)
        elif identifiers(text_of(value)) & (self.variables | self.naming):
            self.naming.add(name)
        if "n" in self.attributes.get(name, ()) and self.any:
            self.variables.add(name)  # whatever it stands for

    def _follow_command(self, node: Node) -> None:
        words = list(self.literals(node))
        while words and words[0] in ("command", "builtin", "time", "coproc"):
            del words[0]
        name = words[0] if words else None
        given = any(self.has(one) for one in words_of(node)[1:])
        reads = self.reads(node)
        if name in ("read", "mapfile", "readarray") and reads:
            targets = [_TARGET.fullmatch(one or "") for one in words[1:]]
            for target in [*(match[1] for match in targets if match), "REPLY", "MAPFILE"]:
                self._give(target, node)
        elif name == "printf" and given and len(words) > 2 and (words[1] or "").startswith("-v"):  # noqa: PLR2004
            match = _TARGET.fullmatch((words[1] or "")[2:] or words[2] or "")
            if match:
                self._give(match[1], node)
        elif name == "getopts" and self.positional:
            self._give("OPTARG", node)
        if reads and name in self.functions:
            self._fed_functions.add(str(name))
        if self.functions:
            self._follow_call(node, name, given=given)
        elif given and name == "set":
            self.positional = True

    def _follow_call(self, node: Node, name: str | None, *, given: bool) -> None:
        """See whether a function is handed a value; nobody tells which one a trap, a callback or a variable names."""
        named = name in (*SHELLS, "trap", "eval", "sudo", "env", "timeout", "nohup")
        calls = given and (name in self.functions or name in (None, "set", "trap", "eval", "mapfile", "readarray"))
        if calls or (named and self.any and identifiers(text_of(node)) & set(self.functions)):
            self.positional = True
            self.variables.add("BASH_ARGV")


def _everywhere(node: Node) -> bool:
    """Tell whether the whole script sees what a node declares: it is in no function and no subshell."""
    above = node.parent
    while above is not None:
        if above.type in _SCOPES:
            return False
        above = above.parent
    return True


def _named(node: Node) -> list[str]:
    """Return the names of what an expansion expands, its own first; ``!`` for ``${!name}``; none for other nodes."""
    if node.type not in ("simple_expansion", "expansion"):
        return []
    if (node.text or b"").startswith(b"${!"):
        return ["!"]
    kinds = ("variable_name", "subscript", "special_variable_name")
    return [text_of(one).partition("[")[0] for one in node.children if one.type in kinds]


def _printing(node: Node) -> list[Node]:
    """Return the commands in a node whose output is its own: of a pipe, the last one's."""
    found: list[Node] = []
    left = [node]
    while left:
        one = left.pop()
        if one.type == "command":
            found.append(one)
        elif one.type == "pipeline":
            left.append(one.named_children[-1])
        elif one.type not in _REDIRECTS:
            left += one.named_children
    return found
