"""The line of a cell magic → its options: those that all share, and the provider's own.

An option is declared once, as an `Option`; parser, ``--help`` and tab completion come from there.
"""

from __future__ import annotations

import argparse
import difflib
import keyword
import re
import shlex
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Never

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.template import is_template, render_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["SHARED", "Option", "StepOptions", "help_text", "parse_options", "split"]


@dataclass(frozen=True)
class Option:
    """One option of a cell magic.

    Parameters
    ----------
    flags
        How it is typed, the long form last: ``("-i", "--inventory")``.
    help
        One line for ``--help``.
    metavar
        What its value is called; None for a switch.
    many
        Whether it may be given more than once; its value is a list then.
    convert
        Text → value; a ValueError's text tells what is wrong.
    template
        Whether ``{{ … }}`` in its value is filled; a provider that fills it in a way of its own says False.
    guard
        Called with a text that a template brought a value into, and not with what the cell itself says: a ValueError's
        text tells what a value may not bring.
    """

    flags: tuple[str, ...]
    help: str
    metavar: str | None = None
    many: bool = False
    convert: Callable[[str], Any] | None = None
    template: bool = True
    guard: Callable[[str], object] | None = None

    @property
    def name(self) -> str:
        """The key of its value: ``inventory``."""
        return self.flags[-1].lstrip("-").replace("-", "_")


def _seconds(text: str) -> float:
    value = float(text) if re.fullmatch(r"[0-9]*\.?[0-9]+", text) else -1.0
    if value <= 0:
        raise ValueError(f"is a number of seconds above 0, not {text!r}")
    return value


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise ValueError(f"is a whole number of tries, not {text!r}")
    return int(text)


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{8,64}", text):
        raise ValueError(f"is a plan's digest, or 8 or more of its first hex digits, not {text!r}")
    return text


def _variable(text: str) -> str:
    if not text.isidentifier() or keyword.iskeyword(text):
        raise ValueError(f"is the name of a Python variable, not {text!r}")
    return text


def _expected(text: str) -> str:
    if text != "failed":
        raise ValueError(f"takes the word failed alone, not {text!r}")
    return text


SHARED = (
    Option(("--name",), "the step's name; left out, one made from its resources", "TEXT"),
    Option(("--check",), "dry run: the plan and its diff, and nothing is changed"),
    Option(
        ("--plan",), "apply only if the plan made now has this digest (8 or more digits)", "DIGEST", convert=_digest
    ),
    Option(("--confirm",), "show the plan and ask before applying it"),
    Option(("--absent",), "remove what the cell names"),
    Option(("--out",), "bind the result to a Python variable", "VAR", convert=_variable),
    Option(("--when",), "a Python expression: the step is skipped where it is false", "EXPR", template=False),
    Option(("--timeout",), "the step's time limit in seconds", "S", convert=_seconds),
    Option(("--retries",), "how often to try again after a failure", "N", convert=_count),
    Option(("--delay",), "seconds between two tries; left out, 5", "S", convert=_seconds),
    Option(
        ("--expect",), "with the word failed: the step must fail, a success is the failure", "failed", convert=_expected
    ),
)

DELAY = 5.0


@dataclass(frozen=True)
class StepOptions:
    """The options of one cell; ``own`` has those of its provider by name."""

    name: str | None = None
    check: bool = False
    plan: str | None = None
    confirm: bool = False
    absent: bool = False
    out: str | None = None
    when: str | None = None
    timeout: float | None = None
    retries: int = 0
    delay: float = DELAY
    expect: Literal["failed"] | None = None
    own: Mapping[str, Any] = field(default_factory=dict)


def parse_options(line: str, own: Sequence[Option], names: Mapping[str, Any], *, magic: str) -> StepOptions:
    """Parse the line of a cell magic, without the magic's name.

    Parameters
    ----------
    line
        The line.
    own
        The provider's own options.
    names
        The notebook's names, for templates.
    magic
        The magic's name, for errors: ``%%shell``.

    Raises
    ------
    InvalidSpec
        An unknown option (with the nearest known one), a value that is missing or wrong, an undefined name.
    """
    options = [*SHARED, *own]
    parser = _Parser(prog=magic, add_help=False, allow_abbrev=False)
    for option in options:
        kind: dict[str, Any] = {"action": "store_true"} if option.metavar is None else {"default": None}
        if option.metavar is not None:
            kind["action"] = "append"
        parser.add_argument(*option.flags, dest=option.name, **kind)
    found, rest = parser.parse_known_args(split(line, magic=magic))
    if rest:
        _refuse(rest[0], options, magic)
    values: dict[str, Any] = {}
    for option in options:
        given = getattr(found, option.name)
        values[option.name] = given if option.metavar is None else _value(option, given, names)
    shared = {option.name for option in SHARED}
    chosen = {name: value for name, value in values.items() if name in shared and value is not None}
    return StepOptions(**chosen, own={name: value for name, value in values.items() if name not in shared})


def split(line: str, *, magic: str = "") -> list[str]:
    """Split a line into words as a shell would; ``{{ … }}`` is one word, spaces and quotes in it too."""
    holes: list[str] = []

    def hide(match: re.Match[str]) -> str:
        holes.append(match[0])
        return f"\0{len(holes) - 1}\0"

    try:
        words = shlex.split(re.sub(r"\{\{.*?\}\}", hide, line.replace("\0", "")))
    except ValueError:
        raise InvalidSpec(f"a quote is not closed in the line of {magic}", line=1, hint="close it") from None
    return [re.sub(r"\0(\d+)\0", lambda match: holes[int(match[1])], word) for word in words]


def help_text(magic: str, about: Sequence[str], own: Sequence[Option], example: str) -> str:
    """Return what ``%%magic --help`` prints; ``about`` is what it is in a line, then what its body may say."""
    rows = [("its own:", own), ("shared by all steps:", SHARED)]
    lines = [f"%%{magic} [OPTION]…"]
    for text in about:
        lines += ["", text] if text else []
    for title, options in rows:
        if options:
            lines += ["", title]
        for option in options:
            flags = ", ".join(option.flags) + (f" {option.metavar}" if option.metavar else "")
            lines.append(f"  {flags:<23} {option.help}")
    return "\n".join([*lines, "", "example:", textwrap.indent(example.strip("\n"), "  ")])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Never:
        if match := re.fullmatch(r"argument (\S+): expected one argument", message):
            raise InvalidSpec(f"{self.prog}: {match[1].split('/')[-1]} needs a value", line=1)
        raise InvalidSpec(f"{self.prog}: {message}", line=1, hint=f"{self.prog} --help lists the options")


def _refuse(word: str, options: Sequence[Option], magic: str) -> Never:
    flags = [flag for option in options for flag in option.flags]
    near = difflib.get_close_matches(word.split("=", maxsplit=1)[0], flags, n=1)
    hint = f"did you mean {near[0]}?" if near else f"{magic} --help lists the options"
    what = "there is no option" if word.startswith("-") else "the line can't take the word"
    raise InvalidSpec(f"{magic}: {what} {word}", line=1, hint=hint)


def _value(option: Option, given: list[str] | None, names: Mapping[str, Any]) -> Any:
    if given is None:
        return [] if option.many else None
    if len(given) > 1 and not option.many:
        raise InvalidSpec(f"{option.flags[-1]} is there twice", line=1, hint="keep one of the two")
    values = [_convert(option, text, names) for text in given]
    return values if option.many else values[0]


def _convert(option: Option, written: str, names: Mapping[str, Any]) -> Any:
    value = render_text(written, names, line=1) if option.template else written
    if isinstance(value, Secret):
        raise InvalidSpec(
            f"{option.flags[-1]} can't hold the secret {value.name}", line=1, hint="options are shown everywhere"
        )
    text = str(value)
    if not text.strip():
        raise InvalidSpec(f"{option.flags[-1]} is empty", line=1, hint="give it a value, or leave it out")
    try:
        if option.guard is not None and is_template(written):
            option.guard(text)
        return option.convert(text) if option.convert is not None else text
    except ValueError as error:
        raise InvalidSpec(f"{option.flags[-1]} {error}", line=1) from None
