"""What a value has to be: the value itself, or a comparison with a number: ``">= 0.99"``. Pure."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Comparison", "comparison"]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"\s*(==|!=|>=|<=|>|<)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class Comparison:
    """An operator and what is on its right.

    Parameters
    ----------
    sign
        One of ``== != >= <= > <``.
    wanted
        The value.
    """

    sign: str
    wanted: Any

    def holds(self, found: Any) -> bool:
        """Tell whether it holds for a value; what can't be compared does not hold, and so is not equal."""
        wanted = self.wanted.reveal() if isinstance(self.wanted, Secret) else self.wanted
        # To Python true is 1, and in JSON it is not.
        if isinstance(found, bool) is not isinstance(wanted, bool):
            return self.sign == "!="
        try:
            return _OPERATORS[self.sign](found, wanted)
        except TypeError:
            return False

    @property
    def value(self) -> Any:
        """How the author wrote it: for the record."""
        return self.wanted if self.sign == "==" else f"{self.sign} {self.wanted}"


def comparison(value: Any) -> Comparison:
    """Read what an author wrote.

    Raises
    ------
    ValueError
        There is an operator with no number behind it; ``==`` and ``!=`` take any text.
    """
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return Comparison("==", value)
    sign, text = match.groups()
    try:
        number: Any = int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else float(text)
    except ValueError:
        if sign in ("==", "!=") and text:
            return Comparison(sign, text)
        raise ValueError(f'a comparison with a number is needed, such as "{sign} 3", not {value!r}') from None
    return Comparison(sign, number)
