"""What a cell has shown, built from its kernel's messages as JupyterLab shows them; see `Outputs`.

The messages are those of Jupyter's protocol (jupyter-client's documentation, "Messaging in Jupyter"), the outputs those
of nbformat 4.5. Pure.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode, from_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Displays", "Outputs", "StreamText"]

# Pieces of a stream are put together to blocks of about so many characters: an object for each of a hundred thousand
# lines would take more room than the lines do.
BLOCK = 1 << 16

_CONTROL = re.compile("[\n\r\b]")


class StreamText:
    r"""The text of a stream, in which a terminal's ``\r`` and ``\b`` have their effect.

    ``\r`` goes back to the line's beginning, and what comes then takes the place of what stands there; ``\b`` takes the
    character before away; ``\n`` ends the line, wherever in it the next character would have gone. That is what
    JupyterLab 4 shows (``@jupyterlab/outputarea``, ``processText``).

    Parameters
    ----------
    clean
        Redacts a line which overwriting has put together: it may have a text in it that no message had.
    """

    def __init__(self, clean: Callable[[str], str] = str) -> None:
        self._clean = clean
        self._blocks: list[str] = []
        # What is not in a block yet, and how long that is.
        self._small: list[str] = []
        self._length = 0
        # The last line, and where in it the next character goes; None while it is at the end of what is above.
        self._line: str | None = None
        self._cursor = 0
        self._rewritten = False
        #: Whether its pieces were redacted each on its own: then the whole is, too.
        self.in_parts = False

    def add(self, text: str) -> None:
        """Add what a message says."""
        text = text.replace("\r\n", "\n")
        if self._line is None and "\r" not in text and "\b" not in text:
            self._append(text)
            return
        at = 0
        for found in _CONTROL.finditer(text):
            self._overwrite(text[at : found.start()])
            self._control(found[0])
            at = found.end()
        self._overwrite(text[at:])

    def pieces(self) -> list[str]:
        """Return the text, in pieces."""
        found = [*self._blocks, "".join([*self._small, self._edited()])]
        return [self._clean("".join(found))] if self.in_parts else found

    def _edited(self) -> str:
        """Return the last line where it is not above."""
        line = self._line or ""
        return self._clean(line) if self._rewritten else line

    def _append(self, text: str) -> None:
        self._small.append(text)
        self._length += len(text)
        if self._length >= BLOCK:
            self._blocks.append("".join(self._small))
            self._small, self._length = [], 0

    def _overwrite(self, text: str) -> None:
        if not text:
            return
        if self._line is None:
            self._append(text)
            return
        self._rewritten |= self._cursor < len(self._line)
        self._line = self._line[: self._cursor] + text + self._line[self._cursor + len(text) :]
        self._cursor += len(text)

    def _control(self, character: str) -> None:
        if character == "\n":
            self._append(f"{self._edited()}\n")
            self._line, self._rewritten = None, False
            return
        if self._line is None:
            self._line = self._take_line()
            self._cursor = len(self._line)
        if character == "\r":
            self._cursor = 0
        elif self._cursor:
            self._line = self._line[: self._cursor - 1] + self._line[self._cursor :]
            self._cursor -= 1
            self._rewritten = True

    def _take_line(self) -> str:
        """Take the last line out of what is above, and return it."""
        line: list[str] = []
        for pieces in (self._small, self._blocks):
            while pieces:
                piece = pieces.pop()
                kept, end, rest = piece.rpartition("\n")
                line.append(rest)
                if end:
                    pieces.append(kept + end)
                    self._length = sum(map(len, self._small))
                    return "".join(reversed(line))
        self._length = 0
        return "".join(reversed(line))


class Displays:
    """The displays of a run that have an id: an update changes each of them, whichever cell shows it."""

    def __init__(self) -> None:
        self._shown: dict[str, list[tuple[Outputs, Any]]] = {}

    def add(self, name: str, outputs: Outputs, output: Any) -> None:
        """Take note of one."""
        self._shown.setdefault(name, []).append((outputs, output))

    def forget(self, outputs: Outputs) -> None:
        """Forget those of a cell, which it does not show any more."""
        for name in outputs.named:
            left = [one for one in self._shown.get(name, []) if one[0] is not outputs]
            if left:
                self._shown[name] = left
            else:
                self._shown.pop(name, None)

    def update(self, name: str, content: Mapping[str, Any]) -> None:
        """Show something else in the place of all that have this id."""
        # One for all: nobody changes it in place.
        data, metadata = _bundle(content.get("data")), _mapping(content.get("metadata"))
        owners = {}
        for outputs, output in self._shown.get(name, []):
            # As a dict's: a node's own would copy what is a node already.
            dict.update(output, data=data, metadata=metadata)
            owners[id(outputs)] = outputs
        for outputs in owners.values():
            outputs.changed()


class Outputs:
    """The outputs of one cell.

    Parameters
    ----------
    cell
        The cell, whose outputs and number are kept up to date; a stream's text is a list of pieces until `finish`.
    displays
        Those of the run.
    changed
        Called whenever something is new.
    clean
        Redacts a text which overwriting has put together from several.
    """

    def __init__(
        self,
        cell: Any,
        displays: Displays,
        changed: Callable[[], object] = lambda: None,
        clean: Callable[[str], str] = str,
    ) -> None:
        self.cell = cell
        self.changed = changed
        #: Whether its cell has ended: what comes now is a task's, a thread's or a child's.
        self.ended = False
        #: The ids of its displays.
        self.named: set[str] = set()
        self._displays = displays
        self._clean = clean
        self._stream: StreamText | None = None
        self._streams: list[tuple[Any, StreamText]] = []
        self._clear_next = False
        cell["outputs"] = []

    def take(self, kind: str, content: Mapping[str, Any]) -> Any:
        """Take a message, and return the output that it makes, if it makes one of its own.

        Parameters
        ----------
        kind
            The message's type; those that are no output are passed by.
        content
            Its content.
        """
        if kind == "clear_output":
            self._clear(wait=bool(content.get("wait")))
            return None
        transient = content.get("transient")
        name = str(transient.get("display_id") or "") if isinstance(transient, dict) else ""
        if name and kind in ("display_data", "update_display_data", "execute_result"):
            self._displays.update(name, content)
        if kind == "stream":
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            return self._say(name, str(content.get("text")))
        output = _output(kind, content)
        if output is None:
            return None
        self._room()
        self._stream = None
        self.cell["outputs"].append(output)
        if name:
            self.named.add(name)
            self._displays.add(name, self, output)
        self.changed()
        return output

    def settle(self) -> None:
        """Write the streams' texts, in pieces, into the outputs."""
        for output, stream in self._streams:
            output["text"] = stream.pieces()

    def finish(self) -> None:
        """Write the streams' texts into the outputs as nbformat has them in memory: in one piece."""
        self.settle()
        for output, _ in self._streams:
            output["text"] = "".join(output["text"])

    def _say(self, name: str, text: str) -> Any:
        self._room()
        if self._stream is None or self._streams[-1][0]["name"] != name:
            output = _made(output_type="stream", name=name, text=[])
            self._stream = StreamText(self._clean)
            self._streams.append((output, self._stream))
            self.cell["outputs"].append(output)
        self._stream.add(text)
        self._stream.in_parts |= self.ended
        self.changed()
        return _made(output_type="stream", name=name, text=text)

    def _room(self) -> None:
        if self._clear_next:
            self._clear(wait=False)

    def _clear(self, *, wait: bool) -> None:
        self._clear_next = wait
        if wait:
            return
        self.cell["outputs"] = []
        self._stream, self._streams = None, []
        self._displays.forget(self)
        self.named.clear()
        self.changed()


def _output(kind: str, content: Mapping[str, Any]) -> Any:
    """Return the output that a message makes, valid whatever the message has; None where it makes none."""
    if kind in ("display_data", "execute_result"):
        made = _made(output_type=kind, data=_bundle(content.get("data")), metadata=_mapping(content.get("metadata")))
        if kind == "execute_result":
            count = content.get("execution_count")
            made["execution_count"] = count if isinstance(count, int) else None
        return made
    if kind == "error":
        lines = content.get("traceback")
        return _made(
            output_type=kind,
            ename=str(content.get("ename")),
            evalue=str(content.get("evalue")),
            traceback=[str(line) for line in lines] if isinstance(lines, list) else [],
        )
    return None


def _mapping(value: Any) -> Any:
    """Return a mapping of a message as nbformat has mappings."""
    return from_dict(value if isinstance(value, dict) else {})  # type: ignore[no-untyped-call]


def _bundle(value: Any) -> Any:
    """Return a display's data: by nbformat's schema all but JSON's own types are texts."""
    found = _mapping(value)
    for mime, one in found.items():
        if isinstance(one, str) or mime == "application/json" or mime.endswith("+json"):
            continue
        lines = isinstance(one, list) and all(isinstance(line, str) for line in one)
        found[mime] = "".join(one) if lines else json.dumps(one)
    return found


def _made(**entries: Any) -> Any:
    return NotebookNode(entries)  # type: ignore[no-untyped-call]
