"""How a work log is written while its run goes on: often enough to be of use, and seldom enough to cost nothing.

What has happened is in the journal already (`jupyter_runbook.journal`), and the two together tell the truth after any
crash. So the file need not be written with every change: see `Saver`.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode
from nbformat.v4.nbjson import BytesEncoder
from nbformat.v4.rwbase import split_lines, strip_transient

from jupyter_runbook.files import replacing

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Saver", "encoded", "to_file"]

# Writing takes one part in so many of the time, and two writes are so many seconds apart at least.
PART, APART = 20, 0.05
# A cell's text is kept for the next time where it is shorter, in bytes.
KEPT = 1 << 18
# So many lines are written in one go.
BATCH = 4096
# What stands in a cell's text for those of a stream's lines that are written one by one.
_LATER = uuid.uuid4().hex


class Saver:
    """Keeps one work log written.

    Parameters
    ----------
    notebook
        The notebook, as nbformat has it in memory; a stream's text may be a list of pieces.
    write
        Writes the whole of it, given in pieces, and raises an OSError where it can't.
    settle
        Called before a cell is written that has changed.
    """

    def __init__(
        self, notebook: Any, write: Callable[[Iterator[bytes]], object], settle: Callable[[Any], object]
    ) -> None:
        self._notebook = notebook
        self._write = write
        self._settle = settle
        self._kept: dict[int, bytes] = {}
        self._changed: dict[int, Any] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        #: Why the file could not be written the last time that its turn had come, if it could not.
        self.error: OSError | None = None

    def touched(self, cell: Any) -> None:
        """Take note that a cell has changed."""
        self._changed[id(cell)] = cell

    def changed(self, cell: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Have a cell written in its turn, which comes by itself."""
        self.touched(cell)
        if self._timer is None:
            self._timer = loop.call_later(max(0.0, self._next - time.monotonic()), self._turn)

    @property
    def due(self) -> bool:
        """Whether it is its turn, or it was and the file could not be written."""
        return self.error is not None or time.monotonic() >= self._next

    def save(self) -> None:
        """Write the file now.

        Raises
        ------
        OSError
            It could not be written; the last one is whole.
        """
        self.stop()
        begun = time.monotonic()
        for cell in self._changed.values():
            self._settle(cell)
            self._kept.pop(id(cell), None)
        self._changed.clear()
        try:
            self._write(encoded(self._notebook, self._kept))
            self.error = None
        finally:
            ended = time.monotonic()
            self._next = ended + max(APART, (ended - begun) * (PART - 1))

    def stop(self) -> None:
        """Have no turn come any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        self._timer = None
        try:
            self.save()
        except OSError as error:
            # Told when the cell at work has ended: it is not the cell's fault.
            self.error = error


def to_file(path: Path) -> Callable[[Iterator[bytes]], None]:
    """Return what writes a file of this machine: it is replaced whole or not at all."""

    def write(pieces: Iterator[bytes]) -> None:
        with replacing(path) as file:
            for piece in pieces:
                file.write(piece)

    return write


def encoded(notebook: Any, kept: dict[int, bytes] | None = None) -> Iterator[bytes]:
    """Yield a notebook's file, as ``nbformat.write`` writes it, in pieces that are no longer than need be.

    Parameters
    ----------
    notebook
        As nbformat has it in memory; a stream's text may be a list of pieces.
    kept
        The text of cells that have not changed, by their object's id; others are put there.
    """
    kept = {} if kept is None else kept
    rest: Any = _node({**notebook, "metadata": _node(notebook["metadata"]), "cells": []})
    strip_transient(rest)  # type: ignore[no-untyped-call]
    before, empty, after = _dumped(rest).partition('"cells": []')
    yield before.encode()
    if not notebook["cells"]:
        yield empty.encode()
    for number, cell in enumerate(notebook["cells"]):
        yield b",\n  " if number else b'"cells": [\n  '
        if (text := kept.get(id(cell))) is not None:
            yield text
            continue
        pieces: list[bytes] | None = []
        for piece in _cell(cell):
            yield piece
            if pieces is not None:
                pieces.append(piece)
                pieces = pieces if sum(map(len, pieces)) < KEPT else None
        if pieces is not None:
            kept[id(cell)] = b"".join(pieces)
    yield (("\n ]" if notebook["cells"] else "") + after + "\n").encode()


def _cell(cell: Any) -> Iterator[bytes]:
    """Yield one cell's text; a stream that comes in pieces is written a batch of lines after the other."""
    copy = _node(cell)
    copy["metadata"] = _node({name: one for name, one in cell["metadata"].items() if name != "trusted"})
    later: list[list[str]] = []
    if "attachments" in cell:
        copy["attachments"] = _node({name: _node(one) for name, one in cell["attachments"].items()})
    if cell["cell_type"] == "code":
        copy["outputs"] = [_output(output, later) for output in cell["outputs"]]
    split_lines(_node({"cells": [copy]}))  # type: ignore[no-untyped-call]
    parts = _dumped(copy).replace("\n", "\n  ").split(json.dumps(_LATER))
    yield parts[0].encode()
    for part, pieces in zip(parts[1:], later, strict=True):
        yield from _lines(pieces)
        yield part.encode()


def _output(output: Any, later: list[list[str]]) -> Any:
    copy = _node(output)
    if "data" in output:
        copy["data"] = _node(output["data"])
    elif isinstance(output.get("text"), list):
        if any(output["text"]):
            later.append(output["text"])
            copy["text"] = [_LATER]
        else:
            copy["text"] = []
    return copy


def _lines(pieces: list[str]) -> Iterator[bytes]:
    """Yield the items of a list of lines in JSON, without its brackets."""
    first = True
    rest = ""
    for piece in [*pieces, ""]:
        lines = (rest + piece).splitlines(keepends=True)
        # The next piece may go on with the last line, or with its end's second half.
        rest = lines.pop() if piece and lines else ""
        for at in range(0, len(lines), BATCH):
            text = ",\n      ".join(json.dumps(line, ensure_ascii=False) for line in lines[at : at + BATCH])
            yield (text if first else f",\n      {text}").encode()
            first = False


def _node(entries: Any) -> Any:
    """Return a copy of a mapping, of the first level alone."""
    return NotebookNode(entries)  # type: ignore[no-untyped-call]


def _dumped(value: Any) -> str:
    return json.dumps(
        value, cls=BytesEncoder, ensure_ascii=False, indent=1, sort_keys=True, separators=(",", ": "), allow_nan=False
    )
