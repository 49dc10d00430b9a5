"""Anybody's text, as it may stand in a terminal: it moves no cursor, sets no colour, and forges no line. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["json_text", "one_line", "readable"]

# Control sequences of terminals: colours, cursor moves, window titles (ECMA-48, and xterm's OSC).
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_]|[()][0-9A-B])")
# What is left of control characters, and those that turn the direction of reading, so that a line reads as another.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = {
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\f": "\\f",
    "\x85": "\\x85",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_BREAK = re.compile("([" + "".join(_BREAKS) + "])")


def readable(text: str) -> str:
    """Return a program's output as a terminal leaves it: no control sequences, and of a rewritten line its end."""
    text = _CONTROL.sub("", text).replace("\r\n", "\n")
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return _UNPRINTABLE.sub("�", "\n".join(lines))


def one_line(text: str) -> str:
    r"""Return a name, or whatever is one line: an end of a line in it is shown as ``\n``."""
    # Piece by piece: what an end of a line is shown as must not become a part of a control sequence.
    pieces = _BREAK.split(_CONTROL.sub("", text))
    return "".join(_BREAKS.get(piece) or _UNPRINTABLE.sub("�", piece) for piece in pieces)


def json_text(value: Any) -> str:
    """Return a value as JSON for people and programs: what a terminal would act on is escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # Of these, JSON itself escapes those below a space, and an end of a line stands only between two values.
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
