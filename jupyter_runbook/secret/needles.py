"""What to look for of each secret, in which reading of a text, and what a hit must look like. Pure."""

from __future__ import annotations

import base64
import json
import re
import shlex
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from jupyter_runbook.secret.views import LAYERS, View, decode, nothing, uncoloured
from jupyter_runbook.secret.weak import is_number, is_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["GAP", "Needle", "Reading", "Whole", "letters", "needles", "plain", "sound"]

# From so many letters and digits on, a needle is found whatever stands between them; a shorter one must stand together.
LONG = 8
# A piece of base64 shorter than this, cut from the middle of other text, is too common to be a trace of a secret.
MIN_PIECE = 4
# A line of a secret of several lines that is shorter than this ("{", "--") is no secret by itself.
MIN_LINE = 4
# A needle longer than this is cut in pieces of half of it and more: what is printed of a key in part is masked in part.
LONGEST = 128
# Between two characters of a needle stand at most so many others: a wrapped line's end, its indentation, its prefix.
GAP = 200
# Lines are seldom wrapped more narrowly: of two pieces of that much, one stands in one line.
WRAPPED = 60
# An anchor that is shorter stands in every text.
LEAST_ANCHOR = 3
# The bytes of a text as short as this, as numbers, may be any numbers.
FEW_BYTES = 6

_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalnum())
_SURROGATE = re.compile("[\ud800-\udfff]")
_RUN = re.compile(r"[0-9A-Za-z]+")
_ANY_RUN = re.compile(r"[0-9A-Za-z]+|[^\x00-\x7f]+")
_QUOTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f'\"`\\]+")
_QUOTING_AND_SPACE = re.compile(r"[\x00-\x20\x7f'\"`\\]+")
# Which letters stand for control characters, in JSON, Python and a shell; the others are written by their numbers.
_LETTERS = {"\n": "n", "\t": "t", "\r": "r"}
_MORE_LETTERS = {"\b": "b", "\f": "f"}
_SHELL_LETTERS = {"\a": "a", "\v": "v"}
_TABLES = [
    str.maketrans(letters)
    for letters in (
        {},
        _LETTERS,
        _LETTERS | _MORE_LETTERS,
        _LETTERS | _MORE_LETTERS | _SHELL_LETTERS,
        _LETTERS | _MORE_LETTERS | _SHELL_LETTERS | {"\x1b": "e"},
        _LETTERS | _MORE_LETTERS | _SHELL_LETTERS | {"\x1b": "E"},
    )
]
# What tools put between the letters, the bytes in hex, or the numbers of a text that they take apart.
_BETWEEN_LETTERS = (" ", "\n", "   ", "', '", '","', '", "')
_BETWEEN_HEX = ("", " ", ":", "-", "%", "\n")
_BETWEEN_PREFIXED = (" ", ", ", ",", ",\n")
_BETWEEN_NUMBERS = (" ", ", ", ",", ",\n", "\n")


class Reading(Enum):
    """How a view is read while a needle is looked for in it."""

    LETTERS = "ASCII letters and digits alone"
    PLAIN = "without quotes, backslashes and control characters"
    PACKED = "without these and white space"
    EXACT = "each character"


class Whole(Enum):
    """What must not stand right beside a hit: it would be a part of something else."""

    NO = "anything may"
    WORD = "a letter, or a hyphen, dot or underscore before one"
    NUMBER = "a digit"


@dataclass(frozen=True)
class Needle:
    """A text to look for.

    Parameters
    ----------
    text
        As it stands in its reading.
    reading
        The reading to look in.
    anchors
        Texts one of which stands in any view that this can be found in; none where no text is sure to. To look for
        them is ten times as fast as to take out of a text all that may stand between.
    whole
        What must not stand beside it.
    before, after
        What of the secret stands before and after it, and is masked with it where it is there.
    """

    text: str
    reading: Reading
    anchors: tuple[str, ...]
    whole: Whole = Whole.NO
    before: str = ""
    after: str = ""


def sound(text: str) -> str:
    """Return a text that is Unicode, each character where it was: half of a pair alone is none."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def letters(text: str) -> bytes:
    """Return the ASCII letters and digits of a text."""
    return text.encode("ascii", "replace").translate(None, _NO_LETTERS)


def plain(view: View, reading: Reading) -> View:
    """Return a view without quotes, backslashes and control characters, and white space where the reading wants it."""
    return view.replaced(_QUOTING if reading is Reading.PLAIN else _QUOTING_AND_SPACE, nothing)


@lru_cache(maxsize=1024)
def needles(value: str) -> tuple[Needle, ...]:
    """Return what to look for of a secret's text."""
    found: dict[tuple[str, Reading], Needle] = {}
    for needle in _all(sound(value)):
        found.setdefault((needle.text, needle.reading), needle)
    return tuple(found.values())


def _all(value: str) -> Iterator[Needle]:
    lines = [line for line in (line.strip() for line in value.splitlines()) if len(line) >= MIN_LINE]
    for text in _each(value, value.strip(), *lines):
        yield from _spelled(text)
    # A document that a secret stands in is often what is encoded.
    for text in _each(value, value.strip(), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield from _base64(text.encode(errors="surrogatepass"))
    for text in _each(value, value.strip()):
        yield from _bytes(text.encode(errors="surrogatepass"))


def _each(*texts: str) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]


def _spelled(text: str) -> Iterator[Needle]:
    """Yield the text itself, with its control characters as escapes, and as it reads where it looks like an escape."""
    forms = [text]
    view = View(text)
    while (again := decode(view)) is not view and len(forms) <= LAYERS:
        view = View(again.text)
        forms.append(view.text)
    for form in _each(*forms, *(uncoloured(View(form)).text for form in forms)):
        for one in _each(*(form.translate(table) for table in _TABLES)):
            yield from _raw(one)


def _raw(text: str) -> Iterator[Needle]:
    whole = _whole(text)
    core = letters(text).decode()
    if len(core) >= LONG and whole is Whole.NO:
        stands = [found.span() for found in _RUN.finditer(text)]
        yield from _cut(text, text[: stands[0][0]], text[stands[-1][1] :])
        return
    # A space is a plus sign in forms; and bytes that are taken for characters are two or three for one.
    garbled = text.encode(errors="surrogatepass").decode("latin-1")
    forms = _each(text, shlex.quote(text), text.replace(" ", "+"), garbled)
    if not _QUOTING.sub("", text):
        # Nothing but quotes: there is nothing to be found between others.
        forms = _each(*forms, once := json.dumps(text)[1:-1], json.dumps(once)[1:-1])
    for spelled in forms:
        runs = _ANY_RUN.findall(spelled)
        longest = max(runs, key=_size, default="")
        if len(packed := _QUOTING_AND_SPACE.sub("", spelled)) >= LONG and whole is Whole.NO:
            yield Needle(packed, Reading.PACKED, _pieces(runs))
        elif read := _QUOTING.sub("", spelled):
            yield Needle(read, Reading.PLAIN, (longest,) if _size(longest) >= LEAST_ANCHOR else (), whole)
        else:
            yield Needle(spelled, Reading.EXACT, ())
    if len(text) >= MIN_PIECE and whole is Whole.NO:
        run = max(_ANY_RUN.findall(text), key=len, default=text)
        for sep in _BETWEEN_LETTERS:
            yield Needle(_QUOTING.sub("", sep.join(text)), Reading.PLAIN, (sep.join(run if len(run) > 1 else text),))


def _whole(text: str) -> Whole:
    return Whole.NUMBER if is_number(text) else Whole.WORD if is_word(text) else Whole.NO


def _base64(raw: bytes) -> Iterator[Needle]:
    """Yield base64 whole and as it stands inside a longer text at each of the three alignments."""
    alone = base64.b64encode(raw).decode().rstrip("=")
    for shift in range(3):
        # The characters that hold bits of nothing but the secret: those before share theirs with the text around.
        whole = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        piece = whole[(0, 2, 3)[shift] : (shift + len(raw)) * 8 // 6]
        for text in _each(piece, "" if shift else alone):
            if len(letters(text)) >= LONG:
                yield from _cut(text)
            elif len(text) >= MIN_PIECE:
                for spelled in _each(text, text.translate(str.maketrans("+/", "-_"))):
                    yield _together(spelled)


def _bytes(raw: bytes) -> Iterator[Needle]:
    """Yield hex, and the numbers of the bytes."""
    numbers = [str(number) for number in raw]
    for hexed in _each(raw.hex(), raw.hex().upper()):
        pairs = re.findall("..", hexed)
        if len(raw) >= FEW_BYTES:
            yield from _apart(pairs, _BETWEEN_HEX)
            yield from _apart(["0x" + pair for pair in pairs], _BETWEEN_PREFIXED)
        elif len(raw) >= MIN_PIECE and not raw.isdigit():
            yield from (_together(sep.join(pairs)) for sep in _BETWEEN_HEX)
            yield from (_together("0x" + f"{sep}0x".join(pairs)) for sep in _BETWEEN_PREFIXED)
        elif len(hexed) >= MIN_PIECE:
            yield _together(hexed)
    if len(raw) >= FEW_BYTES:
        yield from _apart(numbers, _BETWEEN_NUMBERS)
    elif len(raw) >= MIN_PIECE and not raw.isdigit():
        yield from (_together(sep.join(numbers)) for sep in _BETWEEN_NUMBERS)


def _together(text: str) -> Needle:
    return Needle(_QUOTING.sub("", text), Reading.PLAIN, (text,))


def _apart(units: Sequence[str], between: Sequence[str]) -> Iterator[Needle]:
    """Yield the pieces of a text that is written unit by unit."""
    step = LONGEST // len(units[0])
    for start in range(0, len(units), step):
        piece = units[start : start + step] if start else units[:step]
        if start and len(piece) < FEW_BYTES:
            piece = units[-FEW_BYTES:]
        first = piece[: LEAST_ANCHOR + 1]
        later = piece[LEAST_ANCHOR + 1 :][: LEAST_ANCHOR + 1] or first
        sure = [sep.join(some) for sep in between for some in (first[:LEAST_ANCHOR],)]
        if "" in between:
            # Without anything between, lines are wrapped anywhere; and some write two bytes together.
            sure += ["".join(later), f"{first[0]}{first[1]} {first[2]}", f"{first[0]} {first[1]}{first[2]}"]
        yield Needle("".join(piece), Reading.LETTERS, tuple(dict.fromkeys(sure)))


def _cut(source: str, before: str = "", after: str = "") -> Iterator[Needle]:
    """Yield a text that is found whatever stands between its letters, a long one in pieces."""
    stands = [found.start() for found in re.finditer("[0-9A-Za-z]", source)]
    step = LONGEST // 2
    starts = range(0, len(stands) - step + 1, step) if len(stands) > LONGEST else [0]
    for start in starts:
        end = len(stands) if start == starts[-1] else start + step
        piece = source[stands[start] : stands[end - 1] + 1]
        yield Needle(
            letters(piece).decode(),
            Reading.LETTERS,
            _anchors(source[stands[start] : stands[min(start + WRAPPED, end) - 1] + 1]),
            before=before if start == 0 else "",
            after=after if end == len(stands) else "",
        )


def _anchors(source: str) -> tuple[str, ...]:
    runs = _RUN.findall(source)
    longest = max(runs, key=len)
    apart = (sep.join(longest[:LEAST_ANCHOR]) for sep in _BETWEEN_LETTERS)
    return (*pieces, *apart) if (pieces := _pieces(runs)) else ()


def _pieces(runs: Sequence[str]) -> tuple[str, ...]:
    """Return two pieces of a text, of which one is in one line however it is wrapped; none if they are short."""
    *_, second, longest = ["", "", *sorted(runs, key=_size)]
    half = len(longest) // 2
    pieces = max((second, longest), (longest[:half], longest[half:]), key=lambda pair: min(map(_size, pair)))
    return pieces if min(map(_size, pieces)) >= LEAST_ANCHOR else ()


def _size(text: str) -> int:
    return len(text.encode())
