"""Secrets that can't be masked safely: those of a few characters, and ordinary words that the runbook itself has.

A mask for ``web`` would stand in place of each service of that name, and nobody could act on what the record says. So
the text of such a word is not searched for, and what a cell prints that had it is not kept.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from jupyter_runbook.secret.names import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = [
    "KNOWN",
    "LEAST",
    "WORD",
    "begin",
    "hidden",
    "in_step",
    "is_number",
    "is_weak",
    "is_word",
    "note",
    "read",
    "read_later",
    "revealed",
    "reveals",
    "told",
    "why",
]

#: A secret of fewer characters is found in every text.
LEAST = 4
#: A word of so many letters at most may mean something else elsewhere.
WORD = 12
# Digits alone, as few as these, may be a part of any number.
PIN = 5

# What stands before a secret's own place in a runbook, where it is no ordinary word: db_password = "x", Secret("x",
# - POSTGRES_PASSWORD=x, --password x.
_OWN_PLACE = re.compile(r"""(?P<name>\w+)["'\])]*\s*(?::[^=\n]*)?[=:(]\s*["']?\Z|--?(?P<option>[\w-]+)\s+["']?\Z""")
# Words of our own in each record: to mask one would make it unreadable.
_OURS = frozenset(
    {
        *("changed", "create", "delete", "exit", "failed", "interrupted", "ok", "planned", "replace", "run", "skipped"),
        *("command", "file", "handler", "host", "image", "line", "localhost", "network", "output", "play", "port"),
        *("true", "false", "none", "null", "yes", "no", "on", "off"),
        *("root", "script", "server", "service", "status", "step", "task", "tasks", "update", "volume"),
    }
)

#: Every secret that this process has held, by value: its text is scrubbed from outputs for as long as the process
#: lives, also after the variable that held it is gone.
KNOWN: dict[str, str] = {}

_texts: dict[str, None] = {}
_later: list[Callable[[], Iterable[str]]] = []
# What is known of each ordinary word that is a secret: whether the runbook has it.
_stands: dict[str, bool] = {}
# The secrets whose text was asked for since the cell at work began, and since the step at work in it did: texts and
# their names.
_revealed: list[dict[str, str]] = []


def is_word(text: str) -> bool:
    """Tell whether a text may be an ordinary word: a few letters and no capitals within, or anything very short."""
    if len(text) < LEAST:
        return text.isalnum()
    return text.isalpha() and len(text) <= WORD and (text[1:].islower() or text.isupper() or len(text) == 1)


def is_number(text: str) -> bool:
    """Tell whether a text may be a part of any number."""
    return text.isdecimal() and len(text) <= PIN


def read(*sources: str) -> None:
    """Take cells' sources of the runbook that is run."""
    fresh = [one for one in sources if one not in _texts]
    _texts.update(dict.fromkeys(fresh))
    for word, before in list(_stands.items()):
        _stands[word] = before or any(_has(one, word) for one in fresh)


def read_later(sources: Callable[[], Iterable[str]]) -> None:
    """Take the sources that a function returns, once there is a secret that may be an ordinary word."""
    _later.append(sources)
    if _stands:
        _read_now()


def stands(text: str) -> bool:
    """Tell whether a secret's text is an ordinary word that the runbook has, other than as the secret's own value."""
    if not _is_ordinary(text):
        return False
    if text not in _stands:
        _stands[text] = False
        _read_now()
        _stands[text] = text in _OURS or any(_has(one, text) for one in list(_texts))
    return _stands[text]


def is_weak(text: str) -> bool:
    """Tell whether a secret can't be masked safely."""
    return len(text) < LEAST or stands(text)


def hidden(known: Mapping[str, str], *, names: bool = False) -> dict[str, str]:
    """Return those of some secrets that are searched for now.

    Parameters
    ----------
    known
        Texts and their names.
    names
        Whether it is for the names of resources: an ordinary word that the runbook has is not masked there, whatever
        the cell at work has revealed.
    """
    had = () if names else set().union(*_revealed)
    return {text: name for text, name in list(known.items()) if text in had or not stands(text)}


@contextmanager
def reveals(source: str = "") -> Iterator[None]:
    """Note which secrets a step reveals, and forget them afterwards: what it leaves is redacted by then.

    Parameters
    ----------
    source
        The cell's: one that names an environment's variable has what that holds.
    """
    mine = _named_in(source)
    _revealed.append(mine)
    try:
        yield
    finally:
        _revealed[:] = [one for one in _revealed if one is not mine]


def begin(source: str = "") -> None:
    """Begin a cell: nothing is revealed yet, but what it names itself; see `reveals`."""
    _revealed[:] = [_named_in(source)]


def _named_in(source: str) -> dict[str, str]:
    """Return the weak secrets that the environment holds under names which a source has."""
    names = [name for name, text in os.environ.items() if text in KNOWN and name in source and is_weak(text)]
    words = set(re.findall(r"\w+", source)) if names else ()
    return {os.environ[name]: KNOWN[os.environ[name]] for name in names if name in words}


def in_step() -> bool:
    """Tell whether a step is at work in the cell."""
    return len(_revealed) > 1


def note(text: str, name: str) -> None:
    """Note that a secret's text was asked for."""
    if _revealed and is_weak(text):
        _revealed[-1].setdefault(text, name)


def revealed() -> str | None:
    """Return why what the cell at work prints is not kept: it has a weak secret's text; None where it has none."""
    first = next((one for had in _revealed[:] for one in list(had.items())), None)
    return why(*first) if first else None


def why(text: str, name: str) -> str:
    """Return why a weak secret can't be masked, as a clause."""
    if len(text) < LEAST:
        return f"the secret {name} has fewer than {LEAST} characters, and can't be masked"
    where = "each record has" if text in _OURS else "this runbook has elsewhere"
    return f"the secret {name} is a word that {where}, and can't be masked"


def told(text: str, name: str) -> str | None:
    """Return what to tell of a secret once; None where it can be masked."""
    if not is_weak(text):
        return None
    return f"{why(text, name)}: what a cell that uses it prints is not kept; take a longer one"


@lru_cache(maxsize=1024)
def _is_ordinary(text: str) -> bool:
    return len(text) < LEAST or is_word(text) or is_number(text)


def _read_now() -> None:
    while _later:
        read(*_later.pop()())


def _has(source: str, word: str) -> bool:
    for found in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", source):
        line = source[source.rfind("\n", 0, found.start()) + 1 : found.start()]
        before = _OWN_PLACE.search(line)
        name = (before["name"] or before["option"].replace("-", "_")) if before else ""
        if name != "Secret" and not is_secret_name(name):
            return True
    return False
