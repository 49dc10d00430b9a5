"""``{{ expression }}`` in parsed values: Jinja2, sandboxed and strict.

A template is applied to parsed scalars, never to the text of a cell, so that a value can't change the structure.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret import MASK, Secret, is_secret_name, no_masks
from jupyter_runbook.secret.excerpt import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment

    from jupyter_runbook.spec.yamltext import Document, Path

__all__ = ["fill_literals", "is_template", "render", "render_text"]

# Where Jinja2 begins to read.
_MARKS = ("{{", "{%", "{#")
# An error shows so many characters of a template.
SHOWN = 80

# The secrets that the text being rendered has taken in.
_taken: ContextVar[list[Secret]] = ContextVar("taken")


Literal = Callable[[str], "str | Secret"]


def render(
    document: Document,
    names: Mapping[str, Any],
    raw: Callable[[Path], bool] = lambda _path: False,
    literal: Literal | None = None,
) -> Document:
    """Fill the templates in every scalar of a parsed document, keys too.

    Parameters
    ----------
    document
        What `load_yaml` read.
    names
        The notebook's names and their values.
    raw
        Tells of which paths the scalar stays as it is written, for a caller that fills it in a way of its own.
    literal
        Fills what is no template in a scalar that is no key, in a way of the caller's own: what an expression brings is
        not given to it. Its ValueError's text tells what is wrong.

    Raises
    ------
    InvalidSpec
        With the line of the scalar: see `render_text`; or two keys that come out the same.
    """
    return replace(document, data=_walk(document, document.data, (), names, raw, literal))


def fill_literals(document: Document, literal: Literal) -> Document:
    """Fill every scalar that is no key in a way of the caller's own; there are no templates.

    Raises
    ------
    InvalidSpec
        With the line of the scalar: what the ValueError of ``literal`` says.
    """

    def walk(value: Any, path: Path) -> Any:
        if isinstance(value, list):
            return [walk(item, (*path, at)) for at, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: walk(item, (*path, key)) for key, item in value.items()}
        try:
            return literal(value) if isinstance(value, str) else value
        except ValueError as error:
            raise document.error(path, str(error)) from None

    return replace(document, data=walk(document.data, ()))


def render_text(text: str, names: Mapping[str, Any], *, line: int | None = None, literal: Literal | None = None) -> Any:
    """Fill one scalar's ``{{ … }}``.

    Parameters
    ----------
    text
        The scalar. One whole expression keeps its value's type; otherwise the result is text.
    names
        The notebook's names and their values.
    line
        The scalar's line, for errors.
    literal
        See `render`.

    Returns
    -------
    Any
        The text or value. A `Secret` inside a text gives a `Secret` that holds the whole text.

    Raises
    ------
    InvalidSpec
        An undefined name, an expression that can't be Jinja2's own, an operation that the sandbox forbids, or a secret
        that an expression would make plain text of.
    """
    if not is_template(text):
        try:
            return literal(text) if literal else text
        except ValueError as error:
            raise InvalidSpec(str(error), line=line) from None
    from jinja2 import TemplateSyntaxError, UndefinedError
    from jinja2.exceptions import SecurityError

    place: dict[str, Any] = {"line": line}
    taken: list[Secret] = []
    token = _taken.set(taken)
    try:
        with no_masks():
            value = _fill(text, names, literal)
            _check_defined(value)
    except UndefinedError as error:
        raise InvalidSpec(
            f"{error.message or 'an undefined name'} in the template {_short(text)}",
            hint=_how_to_define(error.message or ""),
            **place,
        ) from None
    except TemplateSyntaxError as error:
        raise InvalidSpec(
            f"the template {_short(text)} can't be read: {error.message}",
            hint="braces that are not meant for the runbook stand between {% raw %} and {% endraw %}",
            **place,
        ) from None
    except SecurityError as error:
        raise InvalidSpec(
            f"the template {_short(text)} may not do this: {error.message}",
            hint="compute the value in a plain cell above, and use its name here",
            **place,
        ) from None
    except _LiteralError as error:
        raise InvalidSpec(str(error), **place) from None
    except Exception as error:  # noqa: BLE001 -- an expression can raise whatever the values' own methods raise
        raise InvalidSpec(f"the template {_short(text)} raised {told(error)}", **place) from None
    finally:
        _taken.reset(token)
    if isinstance(value, str) and (masked := MASK.search(value)):
        raise InvalidSpec(
            f"the template {_short(text)} brings the mask of the secret {masked.group(1)} in place of its value",
            hint="put the secret itself between the braces, not the text of an f-string or str()",
            **place,
        )
    return Secret(value, name=taken[0].name) if taken else value


def _how_to_define(message: str) -> str:
    name = message.partition("'")[2].partition("'")[0]
    if name.isidentifier() and is_secret_name(name):
        return f"bind it in a cell above, %runbook secret {name}, or take it for a parameter: -s {name}=SOURCE"
    return "define it in a cell above, or in the parameters cell"


def is_template(text: str) -> bool:
    """Tell whether there is a template in a text: also whether Ansible would read one."""
    return any(mark in text for mark in _MARKS)


class _LiteralError(Exception):
    """What a caller's own way to fill a literal part says."""


def _walk(  # noqa: PLR0917 -- what the walk carries
    document: Document,
    value: Any,
    path: Path,
    names: Mapping[str, Any],
    raw: Callable[[Path], bool],
    literal: Literal | None,
) -> Any:
    if isinstance(value, str):
        return value if raw(path) else render_text(value, names, line=document.line(path), literal=literal)
    if isinstance(value, list):
        return [_walk(document, item, (*path, i), names, raw, literal) for i, item in enumerate(value)]
    if isinstance(value, dict):
        result: dict[str, Any] = {}
        for key, item in value.items():
            here = (*path, key)
            name = render_text(key, names, line=document.line(here))
            if isinstance(name, Secret):
                raise document.error(here, f"the secret {name.name} can't be a key", hint="a key is shown everywhere")
            if str(name) in result:
                raise document.error(here, f"the key {str(name)!r} is there twice", hint="keep one of the two")
            result[str(name)] = _walk(document, item, here, names, raw, literal)
        return result
    return value


def _fill(text: str, names: Mapping[str, Any], literal: Literal | None) -> Any:
    from jinja2 import nodes
    from jinja2.environment import TemplateExpression

    environment = _environment()
    tree = environment.parse(text)
    if literal:
        _fill_literals(tree, literal)
    whole = _whole_expression(tree)
    if whole is None:
        return environment.from_string(tree).render(dict(names))
    assign = nodes.Assign(nodes.Name("result", "store", lineno=1), whole, lineno=1)
    template = environment.from_string(nodes.Template([assign], lineno=1))
    return TemplateExpression(template, undefined_to_none=False)(dict(names))


def _fill_literals(tree: nodes.Template, literal: Literal) -> None:
    from jinja2 import nodes

    for part in tree.find_all(nodes.TemplateData):
        try:
            filled = literal(part.data)
        except ValueError as error:
            raise _LiteralError(str(error)) from None
        part.data = str(_finalize(filled))


def _whole_expression(tree: nodes.Template) -> nodes.Expr | None:
    """Return the expression of a text that is one ``{{ … }}`` and nothing else but white space."""
    from jinja2 import nodes

    if not all(isinstance(node, nodes.Output) for node in tree.body):
        return None
    parts = [part for node in tree.body if isinstance(node, nodes.Output) for part in node.nodes]
    expressions = [part for part in parts if not isinstance(part, nodes.TemplateData)]
    blank = all(part.data.isspace() for part in parts if isinstance(part, nodes.TemplateData))
    return expressions[0] if len(expressions) == 1 and blank else None


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range

    class Environment(ImmutableSandboxedEnvironment):
        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            """Keep a template from ``str.format``: it is not that of a text, which Jinja2's sandbox looks at itself."""
            return not (isinstance(obj, type) and issubclass(obj, str)) and super().is_safe_attribute(obj, attr, value)

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, finalize=_finalize)
    # What a runbook's author may say in an expression beside the notebook's own names; these win over ours.
    environment.globals.clear()
    environment.globals.update({"range": safe_range, "len": len, "str": _str, "int": _int, "dict": _dict})
    return environment


# Functions, not the classes: those have more than an author asks for.


def _str(value: Any = "") -> str:
    return str(value)


def _int(value: Any = 0, base: int = 10) -> int:
    return int(value, base) if isinstance(value, str) else int(value)


def _dict(*args: Any, **items: Any) -> dict[str, Any]:
    return dict(*args, **items)


def _finalize(value: Any) -> Any:
    if not isinstance(value, Secret):
        return value
    _taken.get().append(value)
    return value.reveal()


def _check_defined(value: Any) -> None:
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        str(value)  # raises UndefinedError, with the name
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_defined(item)
    elif isinstance(value, dict):
        for item in value.values():
            _check_defined(item)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")
