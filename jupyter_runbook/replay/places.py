"""Where a runbook comes from and where its work log goes, where that is no file of this machine.

A place is what fsspec calls a URL (fsspec's documentation, "Features"), or ``-`` for standard input and output, as
papermill has it. fsspec and what it needs for each kind of place come with an extra of ours.
"""

from __future__ import annotations

import errno
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import BadInput, NotANotebook, Where
from jupyter_runbook.notebook import MOST_BYTES, parse_notebook, read_notebook
from jupyter_runbook.secret.excerpt import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["STREAM", "check_worklog", "is_place", "named", "read_runbook", "writer"]

#: Standard input, or output.
STREAM = "-"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# Who is let in, and what else lets in.
_USER = re.compile(r"(?<=://)[^/?#]*@")
_SIGNED = re.compile(r"[?#].*", re.DOTALL)
# The extra of ours that brings a kind of place.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "http": "http", "https": "http"}
# Those that can be read alone.
_READ_ONLY = ("http", "https")


def is_place(text: str) -> bool:
    """Tell whether a text names a place, and not a file's path."""
    return text == STREAM or _SCHEME.match(text) is not None


def named(where: Path | str | None) -> str:
    """Return what a place is called in messages and records: without a password, or a query that may sign it."""
    if isinstance(where, str) and where != STREAM:
        return _SIGNED.sub("", _USER.sub("", where))
    return str(where)


def read_runbook(where: Path | str) -> dict[str, Any]:
    """Read a runbook from a path or a place; see `jupyter_runbook.notebook.read_notebook`.

    Raises
    ------
    NotANotebook
        It can't be read, or is no notebook.
    BadInput
        What reads such a place is not installed.
    """
    if isinstance(where, Path):
        return read_notebook(where)
    name = named(where)
    if where == STREAM:
        return parse_notebook(sys.stdin.buffer.read(MOST_BYTES + 1), "standard input")
    system, path = _opened(where)
    try:
        with system.open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except Exception as error:  # noqa: BLE001 -- each kind of place has errors of its own
        raise NotANotebook(f"it can't be read: {_why(error, where)}", where=Where(name)) from None
    return parse_notebook(data, name)


def check_worklog(where: str, *, fresh: bool) -> None:
    """Refuse a place where no work log can go.

    Parameters
    ----------
    where
        The place.
    fresh
        Whether nothing may be there yet.

    Raises
    ------
    BadInput
        It can't, or what writes there is not installed.
    """
    if where == STREAM:
        return
    kind, name = _kind(where), named(where)
    if kind in _READ_ONLY:
        raise BadInput(f"nothing can be written to {kind}://", where=Where(name), hint="name a file, or s3:// or gs://")
    system, path = _opened(where)
    try:
        there = system.exists(path)
    except Exception as error:  # noqa: BLE001 -- each kind of place has errors of its own
        raise BadInput(f"it can't be reached: {_why(error, where)}", where=Where(name)) from None
    if fresh and there:
        raise BadInput(
            "this work log is there already, and is evidence",
            where=Where(name),
            hint="name another one, or say --overwrite",
        )


def writer(where: str) -> Callable[[Iterator[bytes]], None]:
    """Return what writes a work log to a place, each time the whole; it raises an OSError where it can't."""

    def write(pieces: Iterator[bytes]) -> None:
        if where == STREAM:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        system, path = _opened(where)
        try:
            # What fsspec writes is there, whole, when the file is closed.
            with system.open(path, "wb") as file:
                for piece in pieces:
                    file.write(piece)
        except Exception as error:  # noqa: BLE001 -- each kind of place has errors of its own
            raise OSError(errno.EIO, _why(error, where), named(where)) from None

    return write


def _kind(where: str) -> str:
    found = _SCHEME.match(where)
    return found[1].lower() if found else ""


def _opened(where: str) -> tuple[Any, str]:
    """Return fsspec's file system of a place, and the path there."""
    kind, name = _kind(where), named(where)
    if "::" in where or not kind:
        raise BadInput("this is neither a path nor a place", where=Where(name), hint="s3://bucket/site.ipynb is one")
    extra = _EXTRAS.get(kind)
    hint = f"pip install 'jupyter-runbook[{extra}]'" if extra else "pip install fsspec, and what it needs for this"
    try:
        import fsspec
    except ImportError:
        raise BadInput(f"{kind}:// needs fsspec, which is not installed", where=Where(name), hint=hint) from None
    try:
        system, path = fsspec.url_to_fs(where)
    except ImportError as error:
        # fsspec says which package it is.
        raise BadInput(f"{kind}:// is not installed: {error}", where=Where(name), hint=hint) from None
    except ValueError as error:
        if "rotocol" not in str(error):
            raise BadInput(f"it can't be opened: {_why(error, where)}", where=Where(name)) from None
        text = f"there is no kind of place called {kind}://"
        raise BadInput(text, where=Where(name), hint="there are s3://, gs://, https:// and fsspec's others") from None
    except Exception as error:  # noqa: BLE001 -- each kind of place has errors of its own
        raise BadInput(f"it can't be opened: {_why(error, where)}", where=Where(name)) from None
    return system, path


def _why(error: Exception, where: str) -> str:
    """Return why a place failed, as a clause; what signs a URL is not for a message."""
    _, _, path = named(where).partition("://")
    if isinstance(error, FileNotFoundError) and path.partition("/")[2] in str(error):
        # fsspec says no more than the name.
        return "there is no such file, or nobody answers"
    reason = getattr(error, "strerror", None)
    text = reason if isinstance(reason, str) and reason else told(error)
    for secret in (*_USER.findall(where), *_SIGNED.findall(where)):
        text = text.replace(secret.strip("@?#"), "…")
    return text
