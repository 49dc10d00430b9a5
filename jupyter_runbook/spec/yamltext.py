"""YAML → plain values that know their lines.

YAML is read by the core schema of YAML 1.2 (section 10.3), as Compose and Kubernetes users mean it, not by PyYAML's
defaults of 1.1: ``on`` and ``yes`` are strings, and ``22:22`` is a string and no number of base 60. Two things of 1.1
stay, as go-yaml keeps them for Compose and Kubernetes: the merge key ``<<``, and ``0644`` as an octal number.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret.excerpt import excerpt, one_line_of

if TYPE_CHECKING:
    import yaml

__all__ = ["Document", "Path", "broken_yaml", "dotted", "load_yaml"]

Path = tuple[str | int, ...]

# Aliases may repeat a value, but a text of a few lines must not grow to millions of values ("billion laughs").
MAX_VALUES = 100_000

_TAG = "tag:yaml.org,2002:"
_FLOAT = r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
_CORE_SCHEMA = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("merge", r"^<<$", "<"),
)
_QUOTE_HINT = 'a template is quoted: key: "{{ name }}"'


@dataclass(frozen=True)
class Document:
    """Parsed YAML, and where each of its values stands.

    Parameters
    ----------
    data
        Plain dicts (keys are strings), lists and scalars; None for an empty text.
    lines
        The line of each mapping key and list item by path, counted from 1 in the user's text.
    origins
        The file and the line there of what the user's text takes from another file; ``lines`` has where it does so.
    """

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)
    origins: dict[Path, tuple[str, int]] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """Return the line of a path, or of its nearest ancestor that has one."""
        return self.lines.get(self._known(path))

    def origin(self, path: Path) -> tuple[str, int] | None:
        """Return the other file, and the line there, that a path or its nearest ancestor is from."""
        return self.origins.get(self._known(path))

    def error(self, path: Path, message: str, *, hint: str | None = None) -> InvalidSpec:
        """Return an `InvalidSpec` that points at a path's line; the caller raises it."""
        origin = self.origin(path)
        message = f"{origin[0]}, line {origin[1]}: {message}" if origin else message
        return InvalidSpec(message, line=self.line(path), hint=hint)

    def taken_from(self, file: str, line: int | None) -> Document:
        """Return the same as another file's text, which the user's own refers to on a line."""
        origins = {path: self.origins.get(path, (file, number)) for path, number in self.lines.items()}
        return Document(self.data, dict.fromkeys(self.lines, line or 1), origins)

    def _known(self, path: Path) -> Path:
        return next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines), ())


def dotted(path: Path) -> str:
    """Return a path as people write it: ``services.web.ports[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def load_yaml(text: str, *, first_line: int = 1, quote: bool = True) -> Document:
    """Parse one YAML document.

    Parameters
    ----------
    text
        The YAML.
    first_line
        The number of its first line in the user's text (2 below a magic's line).
    quote
        Whether errors quote the text: not that of a file which passwords stand in.

    Raises
    ------
    InvalidSpec
        Broken YAML, a key given twice, more than one document, a tag that is not YAML's own, or an unquoted ``{{``.
    """
    import yaml

    try:
        node = yaml.compose(text, Loader=_loader())
        builder = _Builder(first_line, quote=quote)
        return Document(None if node is None else builder.build(node, ()), builder.lines or {(): first_line})
    except (yaml.YAMLError, UnicodeEncodeError, RecursionError) as error:
        raise broken_yaml(error, text, first_line, quote=quote) from None


def broken_yaml(error: Exception, text: str, first_line: int = 1, *, quote: bool = True) -> InvalidSpec:
    """Return the error for what PyYAML can't read, with the line in the user's text; the caller raises it."""
    import yaml

    if isinstance(error, RecursionError):
        return InvalidSpec("the YAML is nested too deep", line=first_line)
    if not isinstance(error, yaml.MarkedYAMLError):
        return InvalidSpec(f"broken YAML: {excerpt(str(error), 200)}", line=first_line)
    mark = error.problem_mark or error.context_mark
    # Before PyYAML 6.0.4 the end of a text without a last newline is on a line of its own.
    number = min(mark.line, text.count("\n")) if mark else 0
    shown = excerpt((text.splitlines()[number : number + 1] or [""])[0], 100)
    problem = one_line_of(str(error.problem or error.context or "can't be read"))
    if not quote:
        # What stands in quotes there is of the text: the name of an anchor, a tag.
        problem = re.sub(r"'[^']*'|\"[^\"]*\"", "…", problem)
    return InvalidSpec(
        f"broken YAML: {problem}" + (f", at: {shown}" if shown and quote else ""),
        line=number + first_line,
        hint=_QUOTE_HINT if "{{" in shown else "check the indentation and the quotes, here and one line above",
    )


@cache
def _loader() -> type[yaml.SafeLoader]:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    core: Any = type("CoreLoader", (base,), {"yaml_implicit_resolvers": {}})
    for name, pattern, first in _CORE_SCHEMA:
        core.add_implicit_resolver(_TAG + name, re.compile(pattern), list(first))
    core.add_implicit_resolver(_TAG + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    return core  # type: ignore[no-any-return]


def _integer(text: str) -> int:
    if text.startswith("0x"):
        return int(text, 16)
    if text.startswith("0o"):
        return int(text, 8)
    digits = text.lstrip("+-")
    octal = len(digits) > 1 and digits.startswith("0") and not set(digits) & set("89")
    return int(text, 8 if octal else 10)


def readable_integer(value: int) -> int:
    """Return a whole number that can be written in decimals; Python refuses more than 4,300 digits (CVE-2020-10735).

    Raises
    ------
    ValueError
        It has more.
    """
    str(value)
    return value


def _float(text: str) -> float:
    return float(text.replace(".", "") if text.lower().endswith(("inf", "nan")) else text)


class _Builder:
    """Build plain values from YAML's nodes, and note each one's line."""

    def __init__(self, first_line: int, *, quote: bool = True) -> None:
        self.first_line = first_line
        self.quote = quote
        self.lines: dict[Path, int] = {}
        self.open: list[Any] = []  # the nodes above the one at work: an alias to one of them has no end
        self.built = 0

    def line(self, node: Any) -> int:
        return int(node.start_mark.line) + self.first_line

    def build(self, node: Any, path: Path) -> Any:
        self.built += 1
        if self.built > MAX_VALUES:
            raise InvalidSpec(f"the aliases make more than {MAX_VALUES} values of this", line=self.line(node))
        if any(node is above for above in self.open):
            raise InvalidSpec("an alias refers to itself", line=self.line(node))
        self.lines.setdefault(path, self.line(node))
        self.open.append(node)
        kind = node.id
        if kind == "scalar":
            value = self.scalar(node)
        elif kind == "sequence":
            self.check_tag(node, "seq")
            value = [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        else:
            self.check_tag(node, "map")
            value = self.mapping(node, path)
        self.open.pop()
        return value

    def check_tag(self, node: Any, *allowed: str) -> str:
        tag = str(node.tag)
        if tag.removeprefix(_TAG) not in allowed:
            shown = tag.replace(_TAG, "!!") if self.quote or tag.startswith(_TAG) else "!…"
            raise InvalidSpec(f"the tag {shown} is not known here", line=self.line(node), hint="take it away")
        return tag.removeprefix(_TAG)

    def scalar(self, node: Any) -> Any:
        tag = self.check_tag(node, "str", "int", "float", "bool", "null", "binary", "merge")
        text = str(node.value)
        try:
            if tag == "int":
                return readable_integer(_integer(text))
            if tag == "float":
                return _float(text)
            if tag == "binary":
                return base64.b64decode(text)
        except (ValueError, binascii.Error):
            shown = repr(text[:60]) if self.quote else "a value"
            raise InvalidSpec(f"{shown} can't be read as !!{tag}", line=self.line(node)) from None
        if tag == "bool":
            return text.lower() == "true"
        return None if tag == "null" else text

    def mapping(self, node: Any, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                raise InvalidSpec(
                    "a mapping or list stands where a key should be", line=self.line(key_node), hint=_QUOTE_HINT
                )
            if key_node.tag == _TAG + "merge":
                merged += value_node.value if value_node.id == "sequence" else [value_node]
                continue
            key = str(key_node.value)
            if key in result:
                raise InvalidSpec(
                    f"the key {key!r} is there twice", line=self.line(key_node), hint="keep one of the two"
                )
            self.lines[(*path, key)] = self.line(key_node)
            result[key] = self.build(value_node, (*path, key))
        for source in merged:
            self.merge(source, path, result)
        return result

    def merge(self, source: Any, path: Path, result: dict[str, Any]) -> None:
        """Add what a merge key brings; what stands in the mapping itself wins, then what was merged first."""
        if source.id != "mapping":
            raise InvalidSpec("<< needs a mapping, or a list of mappings", line=self.line(source))
        inner = _Builder(self.first_line, quote=self.quote)
        inner.open, inner.built = self.open, self.built
        values = inner.build(source, path)
        self.built = inner.built
        for key in values.keys() - result.keys():
            here = (*path, key)
            self.lines.update({there: line for there, line in inner.lines.items() if there[: len(here)] == here})
        result.update({key: value for key, value in values.items() if key not in result})
