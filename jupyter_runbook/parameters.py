"""A runbook's parameters: what its parameters cell declares, and whether a value fits. Pure.

The parameters cell is the code cell tagged ``parameters``, as papermill has it. A declaration is an assignment of a
literal at its top level; an annotation says the type where the default does not, a comment at its end what it is for,
and an annotation alone that there is no default::

    site = "berlin"          # the site's name
    replicas: int = 3
    image: str | None = None
    owner: str               # who is called when it fails; has to be given
    size: Literal["s", "m", "l"] = "m"
    tier = "web"             # where it runs; one of: web, store
"""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import InvalidSpec, Where
from jupyter_runbook.notebook import PARAMETERS, cell_source, tags
from jupyter_runbook.secret import Secret, sealed_all

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HOW", "Parameter", "declared", "declared_in", "oddities"]

#: How a runbook gets parameters.
HOW = f"tag the cell that declares them with {PARAMETERS}, as papermill does"

_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict, "None": type(None)}
_SPELLED = {"list": "a list (as JSON)", "dict": "a mapping (as JSON)", "bool": "true or false"}
_KINDS = {"list": "a list", "dict": "a mapping", "str": "a text"}
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)?\.?[0-9]+([eE][-+]?[0-9]+)?|[-+]?(inf|nan)")
_CHOICES = re.compile(r"\bone of: *(.+?)[.;]?$", re.IGNORECASE)
_MAGIC = re.compile(r"^\s*[%!?]|^\s*[\w.]+\?+\s*$")
_ASSIGNED = re.compile(r"^\s*[\w., ]+=\s*[%!]")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a runbook.

    Parameters
    ----------
    name
        Its name.
    types
        The names of the types that it may have, of ``str int float bool list dict None``; none where nothing tells.
    default
        Its default as the cell writes it; None where it has to be given.
    description
        The comment at the end of its line.
    choices
        The values that it may have, as ``Literal`` in its annotation or ``one of: a, b`` at the end of its comment has
        them; none where it may have any.
    """

    name: str
    types: tuple[str, ...]
    default: str | None
    description: str | None = None
    choices: tuple[Any, ...] = ()

    def value(self, text: str) -> Any:
        """Return the value that a text on the command line means; a text stays one where the type says so.

        Raises
        ------
        ValueError
            It is of another type; the message says which are good.
        """
        return self.check(self.read(text))

    def read(self, text: str) -> Any:
        """Return the value that a text means, whether or not it is of a good type."""
        if "str" in self.types and not (set(self.types) & {"int", "float", "bool"}):
            return None if text in ("null", "None") and "None" in self.types else text
        return _guess(text)

    def check(self, value: Any, shown: str | None = None) -> Any:
        """Return a value that has one of the types and is one of the choices; a whole number may stand for a float.

        Parameters
        ----------
        value
            The value.
        shown
            What stands for it in the error; left out, its repr.

        Raises
        ------
        ValueError
            It is of another type, or none of the choices.
        """
        value = self._typed(value, shown)
        if self.choices and value not in self.choices and not (value is None and "None" in self.types):
            raise ValueError(f"takes one of {', '.join(map(str, self.choices))}, not {shown or repr(value)}")
        return value

    def secret(self, value: Secret) -> Any:
        """Return a secret that was handed over as a text, for a parameter of any type that it can be.

        A list or a mapping, as JSON, is one of secrets; a number stays the secret text of a number.

        Raises
        ------
        ValueError
            It is of another type; or of truth values, which no secret can be.
        """
        read = _guess(value.reveal())
        if isinstance(read, (list, dict)) and "str" not in self.types and _kind(read) in self.types:
            return sealed_all(self.name, read)
        if isinstance(read, bool) and self.types and "str" not in self.types:
            raise ValueError("takes true or false, which no secret can be")
        return self.check(value)

    def _typed(self, value: Any, shown: str | None) -> Any:
        secret = isinstance(value, Secret)
        # A number that is secret stays one: it is the text of a number.
        kind = _kind(_guess(value.reveal())) if secret else _kind(value)
        if not self.types or kind in self.types or (secret and "str" in self.types):
            return value
        if kind == "int" and "float" in self.types:
            return value if secret else float(value)
        takes = " or ".join(_SPELLED.get(kind, kind) for kind in self.types)
        # A broken mapping may have a password in it, which nobody has found there.
        hidden = isinstance(value, str) and ("dict" in self.types or value.lstrip()[:1] in ("[", "{"))
        told = shown or (_KINDS.get(kind, kind) if hidden or isinstance(value, (list, dict)) else repr(value))
        raise ValueError(f"takes {takes}, not {told}")


def declared(notebook: Mapping[str, Any], file: str) -> dict[str, Parameter] | None:
    """Return the parameters that a runbook declares, by name; None where it has no parameters cell.

    Raises
    ------
    InvalidSpec
        The cell is no Python, with its line.
    """
    for number, cell in _tagged(notebook):
        return declared_in(cell_source(cell), Where(file, str(number)))
    return None


def oddities(notebook: Mapping[str, Any], file: str) -> list[str]:
    """Return what is odd about a runbook's parameters, and does no harm: a line each."""
    found = []
    for which, (number, cell) in enumerate(_tagged(notebook)):
        if which:
            found.append(f"{Where(file, str(number))}: a second cell is tagged {PARAMETERS}; the first one is taken")
            continue
        places = [Where(file, str(number), line) for line in _python(cell_source(cell))[1]]
        found += [f"{place}: this is IPython's own; no parameter is read from it" for place in places]
    return found


def _tagged(notebook: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the cells that declare parameters, each with its number from 1."""
    cells = enumerate(notebook["cells"], 1)
    return [(number, cell) for number, cell in cells if cell["cell_type"] == "code" and PARAMETERS in tags(cell)]


def _python(source: str) -> tuple[list[str], list[int]]:
    """Return a cell's lines with a comment for each that is IPython's own, and the numbers of those that name a value.

    The comment keeps the lines' numbers. ``name = %magic`` and ``name = !command`` are told from Python by trying.
    """
    lines = ["#" if _MAGIC.match(line) else line for line in source.splitlines()]
    left_out: list[int] = []
    while len(left_out) < len(lines):
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            at = (error.lineno or 0) - 1
            if 0 <= at < len(lines) and _ASSIGNED.match(lines[at]):
                lines[at] = "#"
                left_out.append(at + 1)
                continue
        except (ValueError, RecursionError, MemoryError):
            pass
        break
    return lines, sorted(left_out)


def declared_in(source: str, where: Where) -> dict[str, Parameter]:
    """Return the parameters that a parameters cell declares, by name.

    Parameters
    ----------
    source
        The cell's source.
    where
        The cell, for errors.

    Raises
    ------
    InvalidSpec
        It is no Python, with its line.
    """
    lines, _ = _python(source)
    try:
        found = [_parameter(node, lines) for node in ast.parse("\n".join(lines)).body]
    except (SyntaxError, ValueError) as error:
        place = Where(where.file, where.cell, getattr(error, "lineno", None))
        raise InvalidSpec(f"the parameters cell is no Python: {error.args[0]}", where=place) from None
    except (RecursionError, MemoryError):
        raise InvalidSpec("the parameters cell is nested too deeply", where=where) from None
    return {one.name: one for one in found if one}


def _parameter(node: ast.stmt, lines: list[str]) -> Parameter | None:
    annotation = None
    value: ast.expr | None
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        target, value, annotation = node.target, node.value, node.annotation
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        target, value = node.targets[0], node.value
    else:
        return None
    rest = lines[(node.end_lineno or node.lineno) - 1].encode()[node.end_col_offset or 0 :].decode()
    comment = _comment(rest) or _above(lines, node.lineno - 1)
    types = _annotated(annotation) if annotation is not None else _of(value) if value is not None else ()
    choices = _literals(annotation) or _listed(comment, types)
    return Parameter(target.id, types, None if value is None else ast.unparse(value), comment or None, choices)


def _literals(annotation: ast.expr | None) -> tuple[Any, ...]:
    """Return the choices that an annotation names: ``Literal["s", "m"]``."""
    match annotation:
        case ast.Constant(value=str(text)):
            with suppress(SyntaxError):
                return _literals(ast.parse(text, mode="eval").body)
        case ast.Subscript(value=ast.Name(id="Literal") | ast.Attribute(attr="Literal"), slice=inner):
            with suppress(ValueError, TypeError):
                found = ast.literal_eval(inner)
                return found if isinstance(found, tuple) else (found,)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return (*_literals(left), *_literals(right))
    return ()


def _listed(comment: str, types: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the choices that a comment names: ``one of: web, store``."""
    found = _CHOICES.search(comment)
    words = [word.strip() for word in found[1].replace(" or ", ", ").split(",")] if found else []
    reads = Parameter("", types, None).value
    with suppress(ValueError):
        read = tuple(reads(word) for word in words if word)
        return () if any(isinstance(one, (list, dict)) for one in read) else read
    return ()


def _comment(text: str) -> str:
    return text.strip().lstrip("#").strip() if text.strip().startswith("#") else ""


def _above(lines: list[str], at: int) -> str:
    """Return the comment in the lines above one: those that follow each other down to it."""
    found: list[str] = []
    for line in reversed(lines[:at]):
        if not (line.startswith("#") and (text := _comment(line))):
            break
        found.insert(0, text)
    # The cell's own heading, as papermill writes it, describes none of them.
    return "" if found and found[0].lower() == PARAMETERS else " ".join(found)


def _guess(text: str) -> Any:
    """Return what a text means where its type is open: as papermill, and JSON or a Python literal in brackets."""
    if text in _WORDS:
        return _WORDS[text]
    # What begins with a needless zero is a text to people: a postcode, a version, a file's mode.
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not re.match(r"[-+]?0[0-9]", text):
        return float(text)
    if text[:1] in ("[", "{"):
        for reads in (json.loads, ast.literal_eval):
            try:
                return reads(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return text


def _annotated(node: ast.expr) -> tuple[str, ...]:
    """Return the types that an annotation names; none where one of them is not known."""
    found: tuple[str, ...] = ()
    match node:
        case ast.Constant(value=None):
            found = ("None",)
        case ast.Constant(value=str(text)):
            with suppress(SyntaxError):
                found = _annotated(ast.parse(text, mode="eval").body)
        case ast.Name(id=name) if name in _TYPES:
            found = (name,)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            inside = _annotated(inner)
            found = (*inside, "None") if inside else ()
        case ast.Subscript(value=ast.Name(id="Literal") | ast.Attribute(attr="Literal")):
            found = tuple(dict.fromkeys(_kind(one) for one in _literals(node)))
        case ast.Subscript(value=outer):
            found = _annotated(outer)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            sides = _annotated(left), _annotated(right)
            found = (*sides[0], *sides[1]) if all(sides) else ()
    return found


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _of(node: ast.expr) -> tuple[str, ...]:
    """Return the type of a default; ``None`` tells nothing of what may come in its place."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ()
    kind = type(value).__name__
    return (kind,) if kind in _TYPES else ()
