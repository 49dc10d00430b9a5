"""A runbook's parameters and their values, as text and as a table. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_runbook.display.words import LEFT, one_line, safe
from jupyter_runbook.form import MISSING, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jupyter_runbook.form import Field

__all__ = ["expected", "params_html", "params_text"]

# So many characters of a value are shown.
VALUE = 200


def params_text(fields: Sequence[Field], clean: Callable[[str], str] = str) -> str:
    """Return a line for each parameter: name, value, what is wrong, what it is for.

    Parameters
    ----------
    fields
        The parameters.
    clean
        Takes secrets out of a text.
    """
    wide = max((len(field.parameter.name) for field in fields), default=0)
    lines = ["parameters"]
    for field in fields:
        said = [f"{field.parameter.name.ljust(wide)} = {_value(field, clean)}"]
        said += [f"✗ {clean(field.error)}"] if field.error else []
        said += [f"# {field.parameter.description}"] if field.parameter.description else []
        lines.append("  " + one_line("  ".join(said)))
    return "\n".join(lines)


def params_html(fields: Sequence[Field], clean: Callable[[str], str] = str) -> str:
    """Return the same as a table; for the arguments see `params_text`."""
    head = "".join(f"<th{LEFT}>{name}</th>" for name in ("Parameter", "Value", "Type", "What for"))
    body = ""
    for field in fields:
        value = safe(_value(field, clean))
        value += f"<br>✗ {safe(clean(field.error))}" if field.error else ""
        value += " (default)" if field.is_default and not field.error else ""
        cells = (safe(field.parameter.name), value, safe(expected(field)), safe(field.parameter.description or ""))
        body += "<tr>" + "".join(f"<td{LEFT}>{cell}</td>" for cell in cells) + "</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def expected(field: Field) -> str:
    """Return what a parameter takes: its types, or its choices."""
    one = field.parameter
    if field.kind == "secret":
        return "secret"
    return " or ".join(map(text_of, one.choices) if one.choices else one.types) or "any"


def _value(field: Field, clean: Callable[[str], str]) -> str:
    if field.value is MISSING:
        return "—"
    if field.kind == "secret":
        return f"[secret {field.parameter.name}]"
    text = clean(text_of(field.value))
    return text if len(text) <= VALUE else text[: VALUE - 1] + "…"
