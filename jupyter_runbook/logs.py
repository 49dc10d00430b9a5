"""What a step prints: first and last lines for the record, all of it, redacted, in a file beside the notebook."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from typing import TYPE_CHECKING

from jupyter_runbook.private import open_file
from jupyter_runbook.record import Log

if TYPE_CHECKING:
    from io import BufferedWriter
    from pathlib import Path

__all__ = ["StepLog"]

# What a record keeps of a step's output, in characters; a text that fits into both is kept whole, as its head.
HEAD_CHARS = 4000
TAIL_CHARS = 8000


class StepLog:
    """Take redacted output as it comes.

    The file is there from the first output on, so that a killed kernel leaves it; it goes when the record holds all.

    Parameters
    ----------
    path
        The file; its folder is made when it is needed.
    root
        The folder that the record's path starts from: the notebook's.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.root = root
        #: Why the file can't be kept (a full disk); the step goes on, and its record says so.
        self.broken: OSError | None = None
        self._file: BufferedWriter | None = None
        self._hash = hashlib.sha256()
        self._bytes = 0
        self._chars = 0
        self._lines = 0
        self._head = ""
        self._tail: deque[str] = deque()
        self._tail_chars = 0
        self._last = "\n"

    @property
    def tail(self) -> str:
        """The last characters so far."""
        return "".join(self._tail)[-TAIL_CHARS:]

    def write(self, text: str) -> None:
        """Add redacted text."""
        if not text:
            return
        raw = text.encode("utf-8", "backslashreplace")
        self._hash.update(raw)
        self._bytes += len(raw)
        self._chars += len(text)
        self._lines += text.count("\n")
        self._last = text[-1]
        self._head += text[: HEAD_CHARS - len(self._head)]
        self._tail.append(text)
        self._tail_chars += len(text)
        while self._tail_chars - len(self._tail[0]) >= TAIL_CHARS:
            self._tail_chars -= len(self._tail.popleft())
        self._keep(raw)

    def close(self) -> Log | None:
        """End the log, and return what the record says of it; None when nothing was printed."""
        if self._file:
            try:
                self._file.close()
            except OSError as error:
                self.broken = self.broken or error
        if not self._bytes:
            return None
        between = self._chars - len(self._head)
        whole = between <= TAIL_CHARS
        if (whole or self.broken) and self._file:
            self.path.unlink(missing_ok=True)
        kept = not whole and not self.broken
        return Log(
            path=self.path.relative_to(self.root).as_posix() if kept else None,
            sha256=self._hash.hexdigest(),
            bytes=self._bytes,
            lines=self._lines + (self._last != "\n"),
            head=self._head + self.tail[len(self.tail) - between :] if whole else _whole_lines(self._head, first=True),
            tail=None if whole else _whole_lines(self.tail, first=False),
        )

    def _keep(self, raw: bytes) -> None:
        if self.broken:
            return
        try:
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                self._file = os.fdopen(open_file(self.root, *self.path.relative_to(self.root).parts, flags=flags), "wb")
            self._file.write(raw)
            self._file.flush()
        except OSError as error:
            self.broken = error


def _whole_lines(text: str, *, first: bool) -> str:
    """Leave the line off that was cut: the last of the first lines, the first of the last."""
    if first:
        return text[: text.rfind("\n") + 1] or text
    return text[text.find("\n") + 1 :] or text
