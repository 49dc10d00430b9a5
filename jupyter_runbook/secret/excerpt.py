"""What a tool or a service said, made short: redacted first, as a whole, for no secret is known by a piece of it."""

from __future__ import annotations

import re
from typing import Any

from jupyter_runbook.secret.names import MASK
from jupyter_runbook.secret.redact import Redactor
from jupyter_runbook.secret.weak import revealed

__all__ = [
    "Excerpt",
    "excerpt",
    "last_line",
    "one_line_of",
    "own",
    "redacted",
    "redacted_hint",
    "redacted_value",
    "told",
]

# As long as an error's text is; what is longer stands in the log.
LIMIT = 300

# A password in a URL's user information (RFC 3986, section 3.2.1); one that is a mask by now has a space in it.
_URL = re.compile(r"(?<=://)(?P<user>[^\s/@:?#]*:)(?P<password>[^\s/@]+)(?=@)")

_redactor = Redactor()
_names = Redactor(names=True)


def redacted(text: str) -> str:
    """Return a text without the secrets that this process holds, and without the passwords in its URLs."""
    return _URL.sub(r"\g<user>[secret password]", _redactor.text(text))


def own(text: str) -> str:
    """Return a text of our own, or of the cell's, without secrets: an ordinary word of the runbook is one in it."""
    return _URL.sub(r"\g<user>[secret password]", _names.text(text))


def told(error: BaseException) -> str:
    """Return an error of somebody's code as ``KeyError: 'x'``; its kind alone where the step has a weak secret."""
    kind = type(error).__name__
    return f"{kind} (what it says is not kept, because {why})" if (why := revealed()) else f"{kind}: {error}"


def redacted_hint(text: str, place: str = "") -> str:
    """Return a hint without secrets.

    Who acts on it must find what it names: an ordinary word is not masked in it, and where the name of something is
    a secret itself, the hint says where the name stands.

    Parameters
    ----------
    text
        The hint.
    place
        Where in the user's own text what it is about stands; left out, it is in the cell.
    """
    shown = own(text)
    masks = [one for one in dict.fromkeys(MASK.findall(shown)) if f"[secret {one}]" not in text and one != "password"]
    return shown + "".join(f" (the name behind [secret {one}] stands in {place or 'the cell'})" for one in masks)


def redacted_value(value: Any) -> Any:
    """Return a JSON value without the secrets that can be masked anywhere; the record is redacted once more."""
    return _names.value(value)


def one_line_of(text: str) -> str:
    """Return a text of our own, redacted, in one line."""
    return " ".join(own(text).split())


def excerpt(text: str, limit: int = LIMIT, *, end: bool = False) -> str:
    """Return a text, redacted, in one line of so many characters at most; see `last_line`.

    Parameters
    ----------
    text
        The whole of it.
    limit
        How many characters to keep.
    end
        Whether to keep the last ones, not the first.
    """
    if why := revealed():
        return f"not kept, because {why}"
    line = " ".join(redacted(text).split())
    return line[-limit:] if end else line[:limit]


def last_line(text: str, nothing: str = "it said nothing", limit: int = LIMIT) -> str:
    """Return the last line of a text that is not empty, redacted, of so many characters at most.

    Where the step at work has a secret that can't be masked, what comes is the reason why the line is not kept.
    """
    if why := revealed():
        return f"not kept, because {why}"
    lines = [line for line in redacted(text).splitlines() if line.strip()]
    return " ".join(lines[-1].split())[:limit] if lines else nothing


class Excerpt:
    """The beginning or the end of an output that comes in pieces, redacted.

    Parameters
    ----------
    limit
        How many characters to keep.
    end
        Whether to keep the last ones, not the first.
    """

    def __init__(self, limit: int, *, end: bool = False) -> None:
        self._limit = limit
        self._end = end
        self._kept = ""
        self._stream = _redactor.stream()

    def add(self, piece: str) -> None:
        """Take the next piece."""
        if self._end or len(self._kept) < self._limit:
            self._keep(self._stream.feed(piece))

    def close(self) -> str:
        """Return what was kept: no more pieces come."""
        self._keep(self._stream.close())
        return self._kept

    def _keep(self, text: str) -> None:
        whole = self._kept + text
        self._kept = whole[-self._limit :] if self._end else whole[: self._limit]
