"""``file``: what is at a path of this machine."""

from __future__ import annotations

import grp
import pwd
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from jupyter_runbook.errors import StepTimeout, ToolFailed, Unreachable
from jupyter_runbook.files import expanded
from jupyter_runbook.providers.probe.check import Check, Seen, found, lacking, plain_text

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["File"]

TYPES = ("file", "directory", "link")
# So much of a file is searched, in bytes.
READ_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True)
class File(Check):
    """A path: whether it is there, and what it is. What was not asked for is None or empty."""

    path: str | Secret
    exists: bool
    type: str | None
    mode: str | None
    owner: str | None
    group: str | None
    contains: tuple[str | Secret, ...]

    kind: ClassVar[str] = "file"
    takes: ClassVar[tuple[str, ...]] = ("exists", "type", "mode", "owner", "group", "contains")

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:  # noqa: ARG003 -- nothing of it is code
        """Read ``file: PATH``; a relative one starts from the folder of the notebook."""
        exists = fields.flag("exists", default=True)
        more = [name for name in cls.takes if name != "exists" and name in fields.values]
        if more and not exists:
            raise fields.error(more[0], f"{more[0]} can't be looked at where exists is false", hint="keep one of them")
        kind = str(fields.text("type")) or None
        if kind not in (None, *TYPES):
            raise fields.error("type", f"type: one of {', '.join(TYPES)} is needed, not {kind!r}")
        return cls(
            **shared,
            path=fields.text("file"),
            exists=exists,
            type=kind,
            mode=_mode(fields),
            owner=str(fields.text("owner")) or None,
            group=str(fields.text("group")) or None,
            contains=fields.texts("contains"),
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """What was asked for."""
        asked = {"type": self.type, "mode": self.mode, "owner": self.owner, "group": self.group}
        texts = {"contains": list(self.contains)} if self.contains else {}
        return {"exists": self.exists, **{name: value for name, value in asked.items() if value}, **texts}

    def look(self, stop: Stop) -> Seen:
        """Look at the path, and read it where a text is asked for."""
        try:
            return self.ask(self._look, stop)
        except StepTimeout:
            raise
        except Unreachable as error:
            # A file system that does not answer, of a server that is gone.
            return Seen({}, error)
        except OSError as error:
            return Seen({}, ToolFailed(f"it can't be looked at: {error.strerror}"))

    def _look(self) -> Seen:
        path = expanded(plain_text(self.path))
        try:
            there = path.lstat() if self.type == "link" else path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return self.seen({"exists": False}, ["it is not there"] if self.exists else [])
        wanted = self.wanted
        values: dict[str, Any] = {name: value for name, value in _facts(there).items() if name in wanted}
        wrong = [
            f"{name} is {value}, not {wanted[name]}" if name != "exists" else "it is there"
            for name, value in values.items()
            if value != wanted[name]
        ]
        if self.contains:
            if not stat.S_ISREG(there.st_mode):
                return self.seen(values, [*wrong, "it is no regular file, and was not read"])
            with path.open("rb") as file:
                text = file.read(READ_LIMIT).decode("utf-8", "replace")
            values["contains"] = found(self.contains, text)
            cut = f" in its first {READ_LIMIT} bytes" if there.st_size > READ_LIMIT else ""
            wrong += [one + cut for one in lacking("it", self.contains, text)]
        return self.seen(values, wrong)


def _mode(fields: Fields) -> str | None:
    value = fields.values.get("mode")
    if value is None:
        return None
    # Without quotes YAML makes numbers of 0644 and of 644, and nobody can tell any more which of the two it was.
    if not isinstance(value, str) or not re.fullmatch(r"[0-7]{3,4}", value):
        raise fields.error("mode", f"mode: an octal number in quotes is needed, not {value!r}", hint='mode: "0644"')
    return f"{int(value, 8):04o}"


def _facts(there: os.stat_result) -> dict[str, Any]:
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    return {
        "exists": True,
        "type": kinds.get(stat.S_IFMT(there.st_mode), "special"),
        "mode": f"{stat.S_IMODE(there.st_mode):04o}",
        "owner": _name(pwd.getpwuid, there.st_uid),
        "group": _name(grp.getgrgid, there.st_gid),
    }


def _name(look_up: Any, number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)
