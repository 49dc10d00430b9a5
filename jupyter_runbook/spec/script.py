"""``{{ expression }}`` in a shell script: each becomes a reference to a variable of the script.

The value itself never stands in the script's text, so that no shell parses it. How the reference has to be quoted is
read off the script's syntax tree (tree-sitter's grammar of bash): in a word, in either kind of quotes, in a
here-document. A value is let through only where it is known to be data (see `jupyter_runbook.spec.bash`); elsewhere the
script is refused. A whole number is data wherever it can be put.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.bash.carriers import Given
from jupyter_runbook.spec.bash.places import UNKNOWN, refused
from jupyter_runbook.spec.bash.tree import is_arithmetic, parse
from jupyter_runbook.spec.template import render_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jinja2.sandbox import SandboxedEnvironment
    from tree_sitter import Node

__all__ = ["Script", "Variable", "load_script"]

_RAW_HINT = "braces that are not meant for the runbook stand between {% raw %} and {% endraw %}"


@dataclass(frozen=True)
class Variable:
    """A value that the script refers to.

    Parameters
    ----------
    name
        The shell variable.
    expression
        What stood between the braces.
    value
        Its text, without NUL.
    """

    name: str
    expression: str
    value: str | Secret

    @property
    def text(self) -> str:
        """The value itself."""
        return self.value.reveal() if isinstance(self.value, Secret) else self.value


@dataclass(frozen=True)
class Script:
    """A script's text, which has references in place of values, and the variables that they refer to."""

    text: str
    variables: tuple[Variable, ...] = ()


@dataclass(frozen=True)
class _Hole:
    """One ``{{ … }}``: where its placeholder stands in the probe (byte offsets), its line, and its variable."""

    start: int
    end: int
    line: int
    variable: Variable
    number: bool


def load_script(text: str, names: Mapping[str, Any], *, first_line: int = 1) -> Script:
    """Turn a bash script with templates into one with references.

    Parameters
    ----------
    text
        The script.
    names
        The notebook's names and their values.
    first_line
        The number of its first line in the user's text.

    Raises
    ------
    InvalidSpec
        An undefined name, an expression that can't be Jinja2's own, a value that is no text or number, or a place where
        the shell would parse the value: inside ``${ }``, after ``<<'EOF'``, in arithmetic unless it is an integer.
    """
    if "\0" in text:
        raise InvalidSpec(
            "a script can't hold the character NUL", line=first_line + text[: text.index("\0")].count("\n")
        )
    if "{{" not in text and "{%" not in text:
        return Script(text)
    probe, holes = _probe(text, names, first_line)
    tree = parse(probe)
    if tree.root_node.has_error and not all(hole.number for hole in holes):
        raise _unreadable(tree.root_node, holes)
    parts: list[bytes] = []
    at = 0
    for hole in holes:
        node = tree.root_node.descendant_for_byte_range(hole.start, hole.end)
        parts += [probe[at : hole.start], _reference(hole, node, probe).encode()]
        at = hole.end
    _check_places(probe, holes, first_line)
    variables = {hole.variable.name: hole.variable for hole in holes}
    return Script(b"".join([*parts, probe[at:]]).decode("utf-8", "surrogatepass"), tuple(variables.values()))


def _probe(text: str, names: Mapping[str, Any], first_line: int) -> tuple[bytes, list[_Hole]]:
    """Return the script with an identifier in place of each ``{{ … }}``, and where these are."""
    prefix = "runbook_value_"
    while prefix in text:
        prefix += "_"
    probe = bytearray()
    holes: list[_Hole] = []
    known: dict[str, tuple[Variable, bool]] = {}
    for line, expression, data in _pieces(text, first_line):
        if expression is None:
            probe += data.encode("utf-8", "surrogatepass")
            continue
        if expression not in known:
            value = render_text("{{ " + expression + " }}", names, line=line)
            name = f"{prefix}{len(known) + 1}"
            known[expression] = (Variable(name, expression, _text(value, expression, line)), _is_number(value))
        variable, number = known[expression]
        start = len(probe)
        probe += variable.name.encode() + b"_"
        holes.append(_Hole(start, len(probe), line, variable, number))
    return bytes(probe), holes


def _pieces(text: str, first_line: int) -> Iterator[tuple[int, str | None, str]]:
    """Yield (line, None, plain text) and (line, expression, "") in order."""
    from jinja2 import TemplateSyntaxError

    inside: list[str] | None = None
    line = first_line
    try:
        for number, kind, value in _environment().lex(text):
            line = number + first_line - 1
            if kind == "variable_begin":
                inside = []
            elif kind == "variable_end" and inside is not None:
                yield line, " ".join("".join(inside).split("\n")).strip(), ""
                inside = None
            elif inside is not None:
                inside.append(value)
            elif kind == "data":
                yield line, None, value
            elif kind not in ("raw_begin", "raw_end"):
                raise InvalidSpec("a script can't hold {% … %}, only {{ … }}", line=line, hint=_RAW_HINT)
        if inside is not None:
            raise InvalidSpec("the braces {{ are not closed", line=line, hint=_RAW_HINT)
    except TemplateSyntaxError as error:
        raise InvalidSpec(
            f"the braces can't be read: {error.message}", line=error.lineno + first_line - 1, hint=_RAW_HINT
        ) from None


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2.sandbox import SandboxedEnvironment

    # ``{#`` belongs to bash: ${#array[@]}. No script holds NUL, so that this environment has no comments.
    return SandboxedEnvironment(comment_start_string="\0{", comment_end_string="\0}", keep_trailing_newline=True)


def _text(value: Any, expression: str, line: int) -> str | Secret:
    if not isinstance(value, (str, int, float, PurePath, Secret)):
        raise InvalidSpec(
            f"{{{{ {expression} }}}} is {'null' if value is None else 'a ' + type(value).__name__}, and no text",
            line=line,
            hint="make a text of it: {{ items | join(' ') }} or {{ value | tojson }}",
        )
    made = value if isinstance(value, Secret) else str(value)
    plain = made.reveal() if isinstance(made, Secret) else made
    if "\0" in plain:
        raise InvalidSpec(f"{{{{ {expression} }}}} holds the character NUL, which no shell variable can", line=line)
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# What each surrounding node makes of a value's quoting. The nearest one decides.
_NEW_COMMAND = {"command_substitution", "process_substitution", "subshell", "program", "function_definition"}


def _reference(hole: _Hole, node: Node | None, probe: bytes) -> str:
    """Return the text that stands for a value where its placeholder is."""
    plain = f"${{{hole.variable.name}}}"
    forms = {
        "comment": plain,
        "string": plain,
        "heredoc_body": plain,
        "arithmetic": plain,
        "raw_string": f"'\"{plain}\"'",
        "ansi_c_string": f"'\"{plain}\"$'",
    }
    around = list(_around(node))
    form = next((kind for kind, _ in around if kind in forms), "word")
    if form != "comment":
        _check_left(hole, node, probe)
        for kind, above in around:
            if kind == "arithmetic" and hole.number:
                break
            _check_quoting(hole, kind, above)
    return forms.get(form, f'"{plain}"')


def _around(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield what a place is in, from the inside out, up to the command that it belongs to."""
    while node is not None and node.type not in _NEW_COMMAND:
        yield ("arithmetic" if is_arithmetic(node) else node.type), node
        node = node.parent


def _check_quoting(hole: _Hole, kind: str, node: Node) -> None:
    """Refuse a place where a reference can't be put: its quoting can't be told, or nothing is expanded."""
    if kind == "heredoc_body":
        _check_heredoc(hole, node)
    elif kind in ("expansion", "heredoc_start", "ERROR"):
        raise _refuse(hole, UNKNOWN)


def _check_places(probe: bytes, holes: list[_Hole], first_line: int) -> None:
    """Refuse the first place where a value is no data."""
    values = [(hole.start, hole.end) for hole in holes if not hole.number]
    if not values:
        return
    try:
        found = refused(probe, Given(values))
    except RecursionError:
        raise InvalidSpec("the script is nested too deeply for a value", line=first_line) from None
    for one in found:
        hole = next((hole for hole in holes if hole.start == one.at), None)
        if one.variable is None and hole is not None:
            raise _refuse(hole, one.why)
        # An expression may have had lines of its own.
        before = next((hole for hole in reversed(holes) if hole.start <= one.at), None)
        start, line = (before.start, before.line) if before else (0, first_line)
        raise InvalidSpec(
            f"${one.variable} has a value of {{{{ }}}}, and {one.why}",
            line=line + probe.count(b"\n", start, one.at),
            hint=_hint(one.why),
        )


def _refuse(hole: _Hole, why: str) -> InvalidSpec:
    return InvalidSpec(f"{{{{ {hole.variable.expression} }}}} {why}", line=hole.line, hint=_hint(why))


def _hint(why: str) -> str:
    return next((hint for words, hint in _HINTS if words in why), _HINTS[-1][1])


# What to write instead, by words of what is wrong.
_HINTS = (
    ("arithmetic", "make it a whole number, {{ int(…) }}, or compare with [ … -gt … ]"),
    ("computes", "give it to a variable of another name"),
    ("variable", "write the variable's name into the cell"),
    ("split into words", "write its quotes"),
    ("option of", "write the -- or the text that it begins with into the cell"),
    ("longer text", 'make it a word of its own: text="… {{ … }} …" on a line before, and here "$text"'),
    ("format of printf", "printf '%s\\n' {{ … }}"),
    ("name the command", "write the command's name into the cell"),
    ("is printed for", "write it into a file, and let the program read that; or hand it over as a word"),
    ("to ssh,", "--on runs a step on hosts, with its values"),
    ("which is run", "write the value into the cell"),
    ("script of", 'let that script take its values as words, and use them as "$1"'),
    ("which would run it", "hand it over as a word for the code: bash -c 'echo \"$1\"' _ {{ … }}"),
    ("which would parse it", 'give it to a variable on a line of its own, x={{ … }}, and use "$x"'),
    ("", 'give it to a variable on a line of its own, x={{ … }}, and use "$x" as a word'),
)


def _unreadable(root: Node, holes: list[_Hole]) -> InvalidSpec:
    """Return the error for a script whose syntax can't be told: nobody knows then where its values stand."""
    left = [root]
    at = root.end_byte
    while left:
        node = left.pop()
        if node.is_error or node.is_missing:
            at = min(at, node.start_byte)
        elif node.has_error:
            left += node.children
    hole = next((hole for hole in reversed(holes) if hole.start <= at), holes[0])
    return _refuse(hole, "stands in a script whose syntax can't be told from about this line on")


def _check_left(hole: _Hole, node: Node | None, probe: bytes) -> None:
    """Refuse a backslash or a dollar right before the braces: it would bind to the reference."""
    before = probe[: hole.start]
    slashes = len(before) - len(before.rstrip(b"\\"))
    quoted = node is not None and node.type in ("raw_string", "comment")
    if not quoted and (slashes % 2 or before.endswith(b"$")):
        raise InvalidSpec(
            f"a {'backslash' if slashes % 2 else 'dollar'} stands right before {{{{ {hole.variable.expression} }}}}",
            line=hole.line,
            hint="take it away: the value needs no quoting, and {% raw %} … {% endraw %} keeps braces as they are",
        )


def _check_heredoc(hole: _Hole, body: Node) -> None:
    redirect = body.parent
    words = [child.text or b"" for child in redirect.children if child.type == "heredoc_start"] if redirect else []
    if not words or any(mark in words[0] for mark in (b"'", b'"', b"\\")):
        shown = words[0].decode("utf-8", "replace") if words else "?"
        raise InvalidSpec(
            f"{{{{ {hole.variable.expression} }}}} stands in a here-document that expands nothing (<<{shown})",
            line=hole.line,
            hint=r"take the quotes of its word away, and write \$ for each dollar that is to stay",
        )
