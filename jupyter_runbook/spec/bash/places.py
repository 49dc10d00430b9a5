"""Where in a bash script a value is data, and where the shell or a program would run it. Pure.

The script's syntax tree is followed from each value outward: what the word is for that it stands in, which command has
the word, what reads that command's output. A variable that was given a value is followed in the same way. Data are:
words, quotes, the right side of an assignment, ``case`` and ``[[ == ]]``, files, and what is printed for a program that
reads data. A place that is not known for data is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_runbook.spec.bash.carriers import Carriers, Given
from jupyter_runbook.spec.bash.commands import Word, reads_data, script_at, special_variable, why_run
from jupyter_runbook.spec.bash.programs import ENVIRONMENTS, SHELLS
from jupyter_runbook.spec.bash.tree import (
    QUOTES,
    all_of,
    beside,
    flags,
    identifiers,
    is_arithmetic,
    literal,
    operands,
    parse,
    text_of,
    unquoted,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

__all__ = ["UNKNOWN", "Refused", "refused"]

COMPUTED = "stands in arithmetic, where the shell would compute with its text"
UNKNOWN = "stands where its quoting can't be told"
_INSIDE_ARITHMETIC = QUOTES | {"binary_expression", "parenthesized_expression", "unary_expression"}
_SUBSTRING = re.compile(rb"\$\{[\w@*]+(?:\[[^]\n]{0,200}\])?:(?![-=?+])([^}\n]{0,200})")
# a[y]=1, and as a word: unset 'a[y]', read 'a[y]', test -v 'a[y]'; in an array: ([y]=1)
_BRACKETS = re.compile(rb"(?:([A-Za-z_]\w*)|[(\s])\[([^]\n\s]{1,200})\](?=[+]?=|['\"\s}]|$)")


@dataclass(frozen=True)
class Refused:
    """A place where a value is no data.

    Parameters
    ----------
    at
        Its byte offset.
    why
        What would become of the value, as the rest of a sentence.
    variable
        The variable that has the value; None where the value itself stands there.
    """

    at: int
    why: str
    variable: str | None = None


def refused(script: bytes, given: Given) -> list[Refused]:
    """Return the places where values are no data, in order.

    Parameters
    ----------
    script
        The script, with an identifier in the place of each value.
    given
        What of it came from outside.
    """
    return _Places(script, given).refused()


@dataclass(frozen=True)
class _Source:
    """A node with a value: the value's placeholder, or a variable that has one."""

    node: Node
    start: int
    end: int
    variable: str | None = None

    def within(self, node: Node) -> bool:
        return node.start_byte <= self.start and self.end <= node.end_byte


class _Places:
    """One script, and what becomes of its values."""

    def __init__(self, script: bytes, given: Given) -> None:
        self._script = script
        root = parse(script).root_node
        self._values = [_Source(root.descendant_for_byte_range(*span) or root, *span) for span in given.spans]
        self._known = Carriers(root, given)
        self._names = frozenset(self._known.functions)
        self._followed: set[int] = set()
        self._everywhere = _written(root)

    def refused(self) -> list[Refused]:
        """See `refused`."""
        found = [*self._computed_by_text(), *self._special(), *self._printed(), *self._inner_scripts()]
        for source in [*self._values, *self._expanded()]:
            self._followed.clear()
            why = self._in_braces(source) or self._up(source.node, source)
            if why:
                found.append(Refused(source.start, why, source.variable))
        return sorted(found, key=lambda one: one.at)

    def _expanded(self) -> Iterator[_Source]:
        """Go through the places where a variable with a value stands."""
        known = self._known
        for node in known.nodes:
            name = known.named(node)
            if name is not None:
                yield _Source(node, node.start_byte, node.end_byte, name)
            elif node.type in ("variable_name", "word", "simple_expansion", "string_content", "raw_string"):
                # Arithmetic computes the text of a variable, and the names in that.
                computed = identifiers(text_of(node)) & (known.variables | known.naming)
                if computed and _computed(node):
                    yield _Source(node, node.start_byte, node.end_byte, min(computed))

    def _computed_by_text(self) -> Iterator[Refused]:
        """Go through the names in what is no arithmetic of the grammar's: ``${x:y:1}``, ``a[y]=``, ``let``."""
        known = self._known
        texts = [(match.start(), match[1]) for match in _SUBSTRING.finditer(self._script)]
        for match in _BRACKETS.finditer(self._script):
            # The brackets of an associative array hold a text.
            array = (match[1] or b"").decode()
            letters = [known.attributes.get(array, set())] if array else known.attributes.values()
            texts += [] if any("A" in one for one in letters) else [(match.start(), match[2])]
        for node in known.nodes:
            computes = node.type == "command" and any(one is None or one == "let" for one in known.literals(node)[:3])
            if computes and "let" in identifiers(text_of(node)) | self._values_of(node):
                texts.append((node.start_byte, node.text or b""))
            if node.type == "command_substitution" and is_arithmetic(node):
                texts.append((node.start_byte, node.text or b""))
            name = text_of(node.child_by_field_name("name")) if node.type == "variable_assignment" else ""
            if name and "i" in known.attributes.get(name, ()):
                texts.append((node.start_byte, (node.text or b"").partition(b"=")[2]))
        for at, text in texts:
            for name in identifiers(text.decode("utf-8", "replace")) & (known.variables | known.naming):
                yield Refused(at, COMPUTED, name)

    def _values_of(self, command: Node) -> set[str]:
        """Return the words that the variables of a command's name may hold, as far as the script tells."""
        names = identifiers(text_of(words_of(command)[0])) if words_of(command) else set()
        return {word for name in names for word in self._known.texts.get(name, ())}

    def _special(self) -> Iterator[Refused]:
        """Go through the variables that were given a value in another way than by ``=``, and are no place for one."""
        for name, (at, kind) in self._known.given.items():
            letters = self._known.attributes.get(name, set())
            why = COMPUTED if "i" in letters else "would name a variable" if "n" in letters else special_variable(name)
            if why and kind != "variable_assignment":
                yield Refused(at, why, name)

    def _printed(self) -> Iterator[Refused]:
        """Go through the commands that print what variables hold."""
        for node in self._known.nodes:
            if node.type == "command" and self._known.variables and self._known.name_of(node) in ENVIRONMENTS:
                self._followed.clear()
                source = _Source(node, node.start_byte, node.start_byte, min(self._known.variables))
                if why := self._out(node, source):
                    yield Refused(node.start_byte, why, source.variable)

    def _in_braces(self, source: _Source) -> str | None:
        """See what ``${ }`` makes of a variable's own value."""
        text = text_of(source.node)
        if source.variable is None or source.node.type != "expansion":
            return None
        inner = re.fullmatch(r"\$\{!(\w+).*\}", text, re.DOTALL)
        listed = re.fullmatch(r"\$\{!\w+(\[[@*]\]|[@*])\}", text)
        known = self._known
        if inner and not listed and (inner[1] in known.variables or (inner[1].isdigit() and known.positional)):
            return "names a variable for ${! }, whose brackets the shell would compute"
        return "is expanded by @P or @A, which run commands" if re.search(r"@[PA]\}$", text) else None

    # From a word outward.

    def _up(self, node: Node, source: _Source) -> str | None:  # noqa: PLR0911 -- a table of the grammar's nodes
        """Follow a word outward from a node; return why it is no data."""
        above = node.parent
        if above is None or above.type in ("comment", "program") or node.type == "comment":
            return None
        if "ERROR" in (above.type, node.type):
            return UNKNOWN
        if is_arithmetic(above):
            length = source.variable and text_of(source.node).startswith("${#")
            return None if length else self._in_arithmetic(above, node, source)
        if above.type in QUOTES:
            return self._up(above, source)
        match above.type:
            case "for_statement" | "case_statement" | "case_item":
                return "would name a variable" if node.type == "variable_name" else None
            case "variable_name":
                return "would name a variable"
            case "binary_expression" | "parenthesized_expression" | "negation_expression":
                return self._up(above, source)
            case "declaration_command" | "unset_command":
                return f"is handed to {text_of(above).split()[0]}, which would parse it"
            case "command_name" | "command" | "herestring_redirect" | "heredoc_body" | "file_redirect":
                return self._in_command(above, node, source)
        judge = {
            "expansion": self._in_expansion,
            "test_command": self._in_test,
            "unary_expression": self._in_unary,
            "variable_assignment": self._in_assignment,
            "array": self._in_array,
            "heredoc_redirect": self._in_heredoc,
        }.get(above.type)
        return judge(above, node, source) if judge else UNKNOWN

    def _in_arithmetic(self, above: Node, node: Node, source: _Source) -> str | None:
        if above.type == "subscript" and source.variable:
            name = above.child_by_field_name("name")
            # The brackets of an associative array hold a text.
            if name == node or "A" in self._known.attributes.get(text_of(name), ()):
                return self._up(above, source)
        return COMPUTED

    def _in_command(self, above: Node, node: Node, source: _Source) -> str | None:
        owner = above.parent
        if above.type == "command":
            return self._run(above, node, source)
        if owner is None:
            return UNKNOWN
        match above.type:
            case "command_name":
                return self._run(owner, above, source)
            case "heredoc_body":
                return self._heredoc(owner, source)
            case "herestring_redirect":
                return self._read(owner, source)
        # The name of a file; or a file that a command prints into.
        return self._read(owner, source) if node.type == "process_substitution" else None

    def _in_expansion(self, above: Node, node: Node, source: _Source) -> str | None:
        del node
        return self._up(above, source) if source.variable else UNKNOWN

    def _in_test(self, above: Node, node: Node, source: _Source) -> str | None:
        del node
        if above.children[0].type == "[[":
            return None
        inner = operands(above)
        words = [Word("["), *(self._word(one, source) for one in inner), Word("]")]
        at = [number for number, one in enumerate(inner, 1) if source.within(one)]
        if not at:
            return UNKNOWN
        return why_run(words, at[0], self._names)

    def _in_unary(self, above: Node, node: Node, source: _Source) -> str | None:
        del node
        if any(text_of(one) in ("-v", "-R") for one in above.children):
            return "would name a variable, whose brackets the shell would compute"
        return self._up(above, source)

    def _in_assignment(self, above: Node, node: Node, source: _Source) -> str | None:
        del source
        name = above.child_by_field_name("name")
        if name is None or name == node:
            return "would name a variable"
        plain = text_of(name).partition("[")[0]
        around = above.parent
        here = flags(around) if around is not None and around.type == "declaration_command" else set()
        known = here | self._known.attributes.get(plain, set())
        if "i" in known:
            return COMPUTED
        if "n" in known:
            return "would name a variable"
        if here & {"a", "A"} and node.type != "array":
            return "is given to an array by declare, which would parse it"
        return special_variable(plain)

    def _in_array(self, above: Node, node: Node, source: _Source) -> str | None:
        before = self._script[node.start_byte : source.start]
        return COMPUTED if before.startswith(b"[") and b"]=" not in before else self._up(above, source)

    def _in_heredoc(self, above: Node, node: Node, source: _Source) -> str | None:
        # cat <<EOF >{{ path }}, as the grammar has it
        return None if node.type == "file_redirect" else self._heredoc(above, source)

    def _heredoc(self, redirect: Node, source: _Source) -> str | None:
        word = next((text_of(one) for one in redirect.children if one.type == "heredoc_start"), None)
        if word is None or any(mark in word for mark in "'\"\\"):
            # Nothing is expanded there.
            return None if source.variable else UNKNOWN
        stages = [stage for one in redirect.children if one.type == "pipeline" for stage in one.named_children]
        why = next((why for stage in stages if (why := self._reads(stage, source))), None)
        return why or (self._read(redirect.parent, source) if redirect.parent is not None else UNKNOWN)

    def _run(self, command: Node, node: Node, source: _Source) -> str | None:
        """See what a command makes of the word that a node is."""
        nodes = words_of(command)
        words = [self._word(one, source) for one in nodes]
        at = [number for number, one in enumerate(nodes) if one.start_byte <= node.start_byte < one.end_byte]
        if not at:
            return UNKNOWN
        if nodes[at[0]].type == "process_substitution":
            if not reads_data(words, self._names):
                return f"is printed for {words[0].literal or 'a command'}, which may run what it reads"
        elif why := why_run(words, at[0], self._names):
            return why
        return self._out(command, source)

    # What reads what a command prints.

    def _read(self, owner: Node, source: _Source) -> str | None:
        """See what has a value on its standard input."""
        body = owner.child_by_field_name("body") if owner.type == "redirected_statement" else owner
        if body is None:
            return UNKNOWN
        if body.type == "pipeline":
            body = body.named_children[-1]
        return self._reads(body, source) or self._out(owner, source)

    def _reads(self, node: Node, source: _Source) -> str | None:
        """Return why a statement does not take its standard input for data."""
        body = node.child_by_field_name("body") if node.type == "redirected_statement" else node
        if body is None:
            return UNKNOWN
        if body.type == "command":
            return self._command_reads(body, source)
        for one in all_of(body):
            if one.type == "command":
                words = [self._word(word, source) for word in words_of(one)]
                # Others are those that the statement is made for: while read; test; echo.
                if words and words[0].name in _READERS and not reads_data(words, self._names):
                    return f"is printed for {words[0].name}, which may run what it reads"
        return None

    def _command_reads(self, command: Node, source: _Source) -> str | None:
        words = [self._word(one, source) for one in words_of(command)]
        if not reads_data(words, self._names):
            named = words[0].literal if words else None
            return f"is printed for {named or 'a command'}, which may run what it reads"
        function = self._known.functions.get(words[0].literal or "")
        if function is None or function.id in self._followed:
            return None
        self._followed.add(function.id)
        return self._reads(function, source)

    def _out(self, node: Node, source: _Source) -> str | None:
        """Follow what a statement prints."""
        above = node.parent
        while above is not None and above.type != "program":
            if above.type in ("pipeline", "redirected_statement"):
                stages = [one for one in above.named_children if one.start_byte >= node.end_byte]
                stages = [inner for one in stages for inner in (_written(one) if "redirect" in one.type else [one])]
                if why := next((why for stage in stages if (why := self._reads(stage, source))), None):
                    return why
            elif above.type == "command_substitution":
                if is_arithmetic(above):
                    return COMPUTED
                return None if self._known.counted(above) else self._up(above, source)
            elif above.type == "process_substitution" and text_of(above).startswith("<"):
                return self._up(above, source)
            elif above.type == "function_definition":
                return self._called(above, source)
            node, above = above, above.parent
        # All output may go to a program: exec > >(sh), tee >(sh)
        return next((why for stage in self._everywhere if (why := self._reads(stage, source))), None)

    def _called(self, function: Node, source: _Source) -> str | None:
        """Follow what a function prints to where it is called."""
        if function.id in self._followed:
            return None
        self._followed.add(function.id)
        calls = self._known.calls.get(text_of(function.child_by_field_name("name")), [])
        return next((why for call in calls if (why := self._out(call, source))), None)

    # Scripts in the script.

    def _inner_scripts(self) -> Iterator[Refused]:
        """Look into the scripts that a shell is handed in quotes or on its standard input."""
        if not self._known.any:
            return
        for node in self._known.nodes:
            if node.type == "command":
                yield from self._inner_script(node)

    def _inner_script(self, node: Node) -> Iterator[Refused]:
        known, nodes = self._known, words_of(node)
        words = [self._word(one, None) for one in nodes]
        at = script_at(words)
        evaluates = bool(words) and words[0].name == "eval"
        texts = [] if at is None else nodes[at:] if evaluates else nodes[at : at + 1]
        script = self._script_read(node, words) if at is None else " ".join(map(unquoted, texts))
        if script is None:
            return
        name = next((one.name for one in words if one.name in SHELLS or one.name in ("eval", "trap", "su")), "a shell")
        named = [text_of(one) for one in texts if any(inner.type in _EXPANSIONS for inner in all_of(one))]
        if told := known.naming & {word for one in named for word in identifiers(one)}:
            yield Refused(node.start_byte, f"is named in the script that {name} is given", min(told))
        matches = [_ASSIGNED.match(text_of(one)) for one in nodes[: at or 1] if known.has(one)]
        variables = known.variables | {match[1] for match in matches if match}
        after = nodes[1:] if at is None else [] if evaluates else nodes[at + 1 :]
        given = any(map(known.has, after)) or (known.positional and words[0].name in ("eval", "trap"))
        handed = Given((), frozenset(variables), positional=given, fed=known.reads(node))
        for one in refused(script.encode("utf-8", "replace"), handed)[:1]:
            yield Refused(node.start_byte, f"{one.why}, in the script of {name}", one.variable)

    def _script_read(self, node: Node, words: Sequence[Word]) -> str | None:
        """Return the script that a shell reads in a here-document or a here-string; None where it reads none."""
        runs = any(one.name in SHELLS for one in words) or words[0].name in ("source", ".")
        around = node.parent if node.parent is not None and node.parent.type == "redirected_statement" else node
        if not runs:
            return None
        for one in around.children:
            if one.type == "herestring_redirect":
                return " ".join(map(unquoted, one.named_children))
            if one.type == "heredoc_redirect":
                body = next((inner for inner in one.children if inner.type == "heredoc_body"), None)
                return re.sub(r"\\([$`\\])", r"\1", text_of(body))
        return None

    def _word(self, node: Node, source: _Source | None) -> Word:
        """Return a word; with what is beside the value, where it has that of a source."""
        holds = self._known.has(node)
        split = holds and _splits(node, source)
        if source is not None and source.within(node):
            before, after = self._script[node.start_byte : source.start], self._script[source.end : node.end_byte]
            return Word(None, beside(before), beside(after), holds=True, split=split)
        known = self._known.has_placeholder(node)
        return Word(None if known else literal(node), holds=holds, split=split)


_EXPANSIONS = ("simple_expansion", "expansion")
_ASSIGNED = re.compile(r"[\"']?([A-Za-z_]\w*)=")


def _splits(word: Node, source: _Source | None) -> bool:
    """Tell whether the shell makes several words of one: what is expanded in it is in no quotes, or is a whole list."""
    if source is not None and source.variable is None and word.type != "command_substitution":
        inner = [one for one in all_of(word) if one.type == "command_substitution" and source.within(one)]
        if not inner:
            return False  # a value itself is put in quotes
    lists = [text_of(one) for one in all_of(word) if one.type in _EXPANSIONS]
    if any(re.fullmatch(r"\$\{\w+\[@\]\}|\$@|\$\{@\}", one) for one in lists):
        return True
    parts = word.children if word.type == "concatenation" else [word]
    held = [one for one in parts if source is None or source.within(one)]
    return any(one.type in ("simple_expansion", "expansion", "command_substitution") for one in held)


# What runs its standard input, also where it stands in a loop that reads it.
_READERS = SHELLS | {"eval", "source", ".", "at", "batch", "parallel"}


def _computed(node: Node) -> bool:
    """Tell whether a name stands in arithmetic, where it is a variable's."""
    while (above := node.parent) is not None:
        if is_arithmetic(above) and not (above.type == "subscript" and above.child_by_field_name("name") == node):
            return True
        if above.type != "subscript" and above.type not in _INSIDE_ARITHMETIC:
            return False
        node = above
    return False


def _written(node: Node) -> list[Node]:
    """Return the programs that a node prints into: those in its ``>(…)``."""
    found = [one for one in all_of(node) if one.type == "process_substitution" and text_of(one).startswith(">")]
    return [stage for one in found for stage in one.named_children]
