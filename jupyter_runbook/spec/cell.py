"""One cell, split: its options, its body, and the notebook's names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.spec.options import StepOptions
from jupyter_runbook.spec.template import render
from jupyter_runbook.spec.yamltext import load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_runbook.spec.template import Literal
    from jupyter_runbook.spec.yamltext import Document, Path

__all__ = ["Cell"]


@dataclass(frozen=True)
class Cell:
    """What a provider parses.

    Parameters
    ----------
    magic
        The magic as it is typed: ``%%shell``.
    body
        The cell's text below the magic's line.
    options
        The line's options, parsed.
    names
        The notebook's names and their values.
    """

    magic: str
    body: str
    options: StepOptions = field(default_factory=StepOptions)
    names: Mapping[str, Any] = field(default_factory=dict)

    #: The line of the body's first line; the magic's own is 1.
    first_line = 2

    def document(self, raw: Callable[[Path], bool] = lambda _path: False, literal: Literal | None = None) -> Document:
        """Return the body as YAML with its templates filled: see `load_yaml` and `render`, also for what they raise."""
        return render(load_yaml(self.body, first_line=self.first_line), self.names, raw, literal)

    def own(self, name: str) -> Any:
        """Return the value of one of the provider's own options; None, False or [] where it was not given."""
        return self.options.own.get(name)

    def refuse(self, option: str, why: str) -> InvalidSpec:
        """Return the error that a shared option makes no sense here; the caller raises it."""
        return InvalidSpec(f"{self.magic} can't take {option}: {why}", line=1)
