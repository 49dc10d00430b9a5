"""Tab completion in a notebook's cells, by IPython's matcher API, version 2: options, subcommands, fields of a body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.linemagic import COMMANDS
from jupyter_runbook.registry import load
from jupyter_runbook.spec.options import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint

__all__ = ["matcher"]


def matcher(point: Callable[[str], EntryPoint | None]) -> Callable[[Any], dict[str, Any]]:
    """Return what completes the cells of our magics.

    Parameters
    ----------
    point
        Finds the provider whose magic a line begins with; None where it is no magic of ours.
    """
    from IPython.core.completer import context_matcher

    @context_matcher()  # type: ignore[untyped-decorator]  # IPython's own
    def cells(context: Any) -> dict[str, Any]:
        before, space, typed = context.text_until_cursor.rpartition(" ")
        if before.strip() == "%runbook" and space:
            return _offered(COMMANDS, typed, "magic")
        known = point(context.full_text)
        if known is None:
            return _offered((), "", "")
        if context.cursor_line:
            return _fields(load(known), context)
        if not space or not typed.startswith("-") or before.endswith("\\"):
            return _offered((), "", "")
        flags = [flag for option in (*SHARED, *load(known).options) for flag in option.flags]
        return _offered((*flags, "--help"), typed, "option")

    return cells  # type: ignore[no-any-return]  # as the decorator, which has no types


def _fields(provider: Any, context: Any) -> dict[str, Any]:
    from jupyter_runbook.spec.cursor import place_of

    _, *lines = context.full_text.split("\n")
    above = lines[: context.cursor_line - 1]
    place = place_of("\n".join([*above, context.text_until_cursor]))
    return _offered(dict.fromkeys(provider.complete(place, "\n".join(lines))), place.typed, "field")


def _offered(words: Iterable[str], typed: str, kind: str) -> dict[str, Any]:
    from IPython.core.completer import SimpleCompletion

    found = [SimpleCompletion(text=word, type=kind) for word in words if word.startswith(typed)]
    # Where there is something of ours, nothing of Python's is meant.
    return {"completions": found, "matched_fragment": typed, "suppress": bool(found)}
