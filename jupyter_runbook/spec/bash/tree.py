"""What `jupyter_runbook.spec.bash.places` asks of a bash script's syntax tree (tree-sitter's grammar of bash). Pure."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Parser, Tree

__all__ = [
    "QUOTES",
    "all_of",
    "beside",
    "flags",
    "identifiers",
    "in_brackets",
    "is_arithmetic",
    "literal",
    "operands",
    "parse",
    "text_of",
    "unquoted",
    "words_of",
]

#: What is only around a text, whatever it is quoted with.
QUOTES = frozenset(
    (
        "ansi_c_string",
        "brace_expression",
        "concatenation",
        "extglob_pattern",
        "heredoc_content",
        "number",
        "raw_string",
        "regex",
        "simple_expansion",
        "string",
        "string_content",
        "translated_string",
        "word",
    )
)
_EXPANDS = {"arithmetic_expansion", "command_substitution", "expansion", "process_substitution", "simple_expansion"}
_WORDS = QUOTES | _EXPANDS | {"variable_name", "test_operator", "==", "=~", "="}
_ARITHMETIC = {"arithmetic_expansion", "c_style_for_statement", "postfix_expression", "subscript", "ternary_expression"}
_COMPARISONS = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge"}
# Where the grammar loses its way: ${x:$from:$length}, and 3<>file.
_LOST = re.compile(rb"\$\{[\w@*]+(?:\[[^]\n]{0,200}\])?:(?![-=?+])[^}\n]{0,200}\}")
_BOTH_WAYS = re.compile(rb"(?<=[\s\d])<>(?=[\s\w./&\"'$])")


def parse(script: bytes) -> Tree:
    """Return the syntax tree of a script; each node has the offsets that it has in the script."""
    legible = _LOST.sub(lambda match: match[0][:2] + match[0][2:].replace(b"$", b"_"), script)
    return _parser().parse(_BOTH_WAYS.sub(b"> ", legible))


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def all_of(node: Node) -> Iterator[Node]:
    """Go through a node and all that is in it, in order."""
    left = [node]
    while left:
        one = left.pop()
        yield one
        left += reversed(one.children)


def text_of(node: Node | None) -> str:
    """Return a node's text; empty where there is no node."""
    return ((node.text if node is not None else None) or b"").decode("utf-8", "replace")


def identifiers(text: str) -> set[str]:
    """Return what could be the name of a variable in a text."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


def is_arithmetic(node: Node) -> bool:
    """Tell whether the shell computes what is in a node."""
    if node.type in _ARITHMETIC:
        return True
    if node.type == "compound_statement":
        return bool(node.children) and node.children[0].type == "(("
    # In a here-document the grammar takes $(( )) for a command.
    if node.type == "command_substitution":
        inner = node.named_children[0] if node.named_children else None
        return inner is not None and inner.type == "subshell" and inner.start_byte == node.start_byte + 2
    if node.type == "binary_expression":
        operators = {text_of(one) for one in node.children if one.type == "test_operator"}
        return bool(operators & _COMPARISONS) and in_brackets(node)
    return False


def in_brackets(node: Node) -> bool:
    """Tell whether a node is in ``[[ ]]``."""
    above: Node | None = node
    while above is not None and above.type != "test_command":
        above = above.parent
    return above is not None and above.children[0].type == "[["


def words_of(command: Node) -> list[Node]:
    """Return a command's words, its name first; assignments before it and redirections are none."""
    found = []
    for one in command.children:
        if one.type == "command_name":
            found.append(one.named_children[0] if one.named_children else one)
        elif one.type in _WORDS:
            found.append(one)
    return found


def operands(test: Node) -> list[Node]:
    """Return the words between the brackets of ``[``, in order."""
    found: list[Node] = []
    left = list(reversed(test.children))
    while left:
        one = left.pop()
        if one.type in ("unary_expression", "binary_expression", "parenthesized_expression"):
            left += reversed(one.children)
        elif one.type not in ("[", "]", "[[", "]]"):
            found.append(one)
    return found


def flags(node: Node) -> set[str]:
    """Return the letters of the short options among the words of ``declare`` and its like."""
    texts = [text_of(one).strip("'\"") for one in node.children]
    return {letter for text in texts if re.fullmatch(r"-[a-zA-Z]+", text) for letter in text[1:]}


def literal(node: Node) -> str | None:
    """Return a word as bash has it once its quotes are away; None where something is expanded in it."""
    if any(one.type in _EXPANDS for one in all_of(node)):
        return None
    text = re.sub(r"\$'((?:[^'\\]|\\.)*)'", _ansi, text_of(node)).replace('$"', '"')
    try:
        return "".join(shlex.split(text)) if text.strip() else text
    except ValueError:
        return None


def _ansi(match: re.Match[str]) -> str:
    import codecs

    try:
        plain = codecs.decode(match[1].encode("latin-1", "backslashreplace"), "unicode_escape")
    except UnicodeDecodeError:
        plain = match[1]
    return shlex.quote(plain)


def unquoted(node: Node) -> str:
    """Return the script that a word is once its quotes are away; what is expanded in it stands as a name."""
    plain = literal(node)
    if plain is not None:
        return plain
    parts = []
    for one in node.children if node.type == "concatenation" else [node]:
        if one.type == "string":
            text, start = one.text or b"", one.start_byte
            for inner in reversed([part for part in one.named_children if part.type != "string_content"]):
                text = text[: inner.start_byte - start] + b"_" + text[inner.end_byte - start :]
            parts.append(re.sub(r'\\([$`"\\])', r"\1", text.decode("utf-8", "replace")[1:-1]))
        elif one.type in ("raw_string", "ansi_c_string"):
            parts.append(text_of(one).strip("$")[1:-1])
        else:
            parts.append(text_of(one) if one.type == "word" else "_")
    return "".join(parts)


def beside(text: bytes) -> str:
    """Return what stands beside a value in its word, without quotes and expansions."""
    plain = re.sub(r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+|\$(?=['\"])", "", text.decode("utf-8", "replace"))
    return re.sub(r"['\"\\]", "", plain)
