"""What Ansible says when it refuses to begin → an error of ours, with the line in the cell. Pure but for the names of
modules, which are looked up where one is misspelt.
"""  # noqa: D205 -- one sentence

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from jupyter_runbook.errors import InvalidSpec, RunbookError, ToolFailed
from jupyter_runbook.secret.excerpt import last_line, one_line_of, redacted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["no_hosts", "refusal", "said"]

_ERROR = re.compile(r"^(?:\[ERROR\]|ERROR!|\[WARNING\]: Unable to parse|fatal:)[: ]*(.*)$", re.MULTILINE)
_ORIGIN = re.compile(r"(?:Origin|origin): (?P<file>[^\n]*?):(?P<line>\d+)(?::\d+)?\s*$", re.MULTILINE)
_OLD_ORIGIN = re.compile(r"The error appears to be in '(?P<file>[^']+)': line (?P<line>\d+)")
# So many names are shown where none is like the one asked for.
SHOWN = 12
_ROLE = re.compile(r"the role '[^']*' was not found")
_MODULE = re.compile(r"(?:couldn't|could not) resolve module/action '(?P<name>[^']+)'")


def said(text: str) -> str:
    """Return the last error in Ansible's output, in one line; empty where there is none."""
    found = _ERROR.findall(text)
    return one_line_of(found[-1]) if found else ""


def refusal(text: str, cell: Path | None, modules: Iterable[str] = ()) -> RunbookError:
    """Return why Ansible did not begin.

    Parameters
    ----------
    text
        What it printed.
    cell
        The file that the cell was written to, whose lines are the cell's.
    modules
        The names of the modules that there are.
    """
    text = redacted(text)
    message = said(text) or last_line(text, "ansible-playbook said nothing")
    if cell is not None:
        message = message.replace(str(cell), "the cell").replace(cell.name, "the cell")
    match = _ORIGIN.search(text) or _OLD_ORIGIN.search(text)
    line: int | None = None
    if match:
        if cell is not None and match["file"].endswith(cell.name):
            line = int(match["line"])
        else:
            message = f"{match['file']}, line {match['line']}: {message}"
    module = _MODULE.search(text)
    if module:
        near = nearest(module["name"], modules)
        hint = f"did you mean {' or '.join(near)}?" if near else "see whether its collection is installed: --galaxy"
        return InvalidSpec(_without_hint(message), line=line, hint=hint)
    role = _ROLE.search(message)
    if role:
        hint = "roles lie in roles/ beside the notebook, or come with --galaxy"
        return InvalidSpec(message[: role.end()], line=line, hint=hint)
    if "failed to parse inventory" in message:
        return InvalidSpec(
            message, line=line, hint="nothing ran; the output has what each form of inventories says of it"
        )
    if match or "yaml" in message.lower():
        return InvalidSpec(message, line=line, hint="nothing ran: mend it, and run the cell again")
    return ToolFailed(f"ansible-playbook did not begin: {message}", hint="nothing ran; the output tells more")


def no_hosts(message: str, pattern: str, known: Iterable[str]) -> InvalidSpec:
    """Return the error for a pattern that means no host of an inventory; it names those that it may have meant."""
    names = sorted(set(known) - {"ungrouped"})
    near: list[str] = []
    for word in re.split(r"[:,&!\s]+", pattern):
        near += difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    if near:
        hint = f"did you mean {' or '.join(dict.fromkeys(near))}?"
    else:
        more = ", …" if len(names) > SHOWN else ""
        hint = f"the inventory has {', '.join(names[:SHOWN])}{more}" if names else "the inventory has no host"
    return InvalidSpec(f"{message}: nothing ran", line=1, hint=hint)


def nearest(name: str, modules: Iterable[str]) -> list[str]:
    """Return the names that a misspelt one may have meant: in the form that it was written in."""
    known = sorted(modules)
    short = {one.rpartition(".")[2]: one for one in reversed(known)}
    names, least = (known, 0.75) if "." in name else (list(short), 0.7)
    found = difflib.get_close_matches(name, names, n=3, cutoff=least)
    # Next to a much better one, the others are noise.
    best = max((_likeness(name, one) for one in found), default=0.0)
    return [one for one in found if _likeness(name, one) > best - 0.1]


def _likeness(one: str, other: str) -> float:
    # What most names begin with makes all of them alike.
    one, other = one.removeprefix("ansible.builtin."), other.removeprefix("ansible.builtin.")
    return difflib.SequenceMatcher(None, other, one).ratio()


def _without_hint(message: str) -> str:
    return message.partition(". This often")[0]
