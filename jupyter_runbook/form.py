"""The parameters of a runbook as a form: what each is now, and what becomes of what is typed. Pure."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jupyter_runbook.secret import Secret, is_secret_name, secret_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.parameters import Parameter

__all__ = ["MISSING", "Field", "form_of", "text_of"]

#: The value of a parameter that has none yet.
MISSING = object()


@dataclass
class Field:
    """One parameter, and what it is now.

    Parameters
    ----------
    parameter
        What the parameters cell says of it.
    value
        Its value; `MISSING` where it has none.
    error
        What is wrong with what was typed last; None where nothing is. The value is then still the one before.
    """

    parameter: Parameter
    value: Any = MISSING
    error: str | None = None

    @property
    def kind(self) -> Literal["secret", "choice", "switch", "text"]:
        """How it is asked for."""
        one = self.parameter
        is_text = not one.types or "str" in one.types
        if isinstance(self.value, Secret) or (is_secret_name(one.name) and is_text):
            return "secret"
        if one.choices:
            return "choice"
        return "switch" if one.types == ("bool",) else "text"

    @property
    def is_default(self) -> bool:
        """Whether its value is the one that the cell declares."""
        return self.value is not MISSING and _default(self.parameter) == self.value

    def enter(self, text: str) -> None:
        """Take what was typed; why it does not fit is in `error`."""
        try:
            value = Secret(text, name=self.parameter.name) if self.kind == "secret" else self.parameter.value(text)
        except ValueError as error:
            self.error = str(error)
        else:
            self.choose(value)

    def choose(self, value: Any) -> None:
        """Take a value, as `enter` takes a text."""
        try:
            self.value = self.parameter.check(value)
        except ValueError as error:
            self.error = str(error)
        else:
            self.error = None


def form_of(
    known: Mapping[str, Parameter], names: Mapping[str, Any], typed: Mapping[Parameter, Any] | None = None
) -> list[Field]:
    """Return a field for each parameter.

    Parameters
    ----------
    known
        The parameters, by name.
    names
        The notebook's names: a parameter that is one of them has its value there, another one its default.
    typed
        What was typed into an earlier form. It stands where the parameter has its default again, as it has when all
        cells are run once more; it does not where the cell declares the parameter in another way now.
    """
    fields = []
    for one in known.values():
        field = Field(one, names[one.name] if one.name in names else _default(one))
        if isinstance(field.value, str):
            field.value = secret_by_name(one.name, field.value)
        if typed and one in typed and (field.value is MISSING or field.is_default):
            field.value = typed[one]
        if field.value is MISSING:
            field.error = "has to be given" if one.default is None else "the parameters cell has not run yet"
        else:
            field.choose(field.value)
        fields.append(field)
    return fields


def text_of(value: Any) -> str:
    """Return the text that means a value, as it would be typed; that of a secret is empty."""
    if value is MISSING or isinstance(value, Secret):
        return ""
    if isinstance(value, str):
        return value
    with suppress(TypeError, ValueError):
        return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)
    return repr(value)


def _default(one: Parameter) -> Any:
    """Return a default that is a literal; of another expression only the cell that is run knows the value."""
    if one.default is None:
        return MISSING
    with suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ast.literal_eval(one.default)
    return MISSING
