"""``process``: whether a program runs on this machine, and how often."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from jupyter_runbook.errors import NotConverged, StepTimeout
from jupyter_runbook.providers.probe.check import Check, Seen, plain_text
from jupyter_runbook.providers.probe.comparison import Comparison, comparison

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["Process"]

# The kernel keeps so much of a program's name (proc(5), TASK_COMM_LEN).
COMM = 15


@dataclass(frozen=True)
class Process(Check):
    """The processes of a program. What was not asked for is None."""

    program: str | Secret
    count: Comparison
    user: str | None
    arguments: str | Secret | None

    kind: ClassVar[str] = "process"
    takes: ClassVar[tuple[str, ...]] = ("running", "count", "user", "arguments")

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:  # noqa: ARG003 -- nothing of it is code
        """Read ``process: NAME``: a program's name, or its path."""
        program = fields.text("process")
        if not plain_text(program).strip():
            raise fields.error("process", "process: a program's name is needed", hint="- process: nginx")
        return cls(
            **shared,
            program=program,
            count=_count(fields),
            user=str(fields.text("user")) or None,
            arguments=fields.text("arguments") or None,
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """How many there have to be."""
        return {"count": self.count.value}

    def look(self, stop: Stop) -> Seen:
        """Count them."""
        try:
            count = self.ask(self._count, stop)
        except StepTimeout:
            raise
        except OSError as error:
            return Seen({}, NotConverged(f"the processes can't be read: {error.strerror or error}"))
        if self.count.holds(count):
            return Seen({"count": count}, None)
        told = "it does not run" if not count else f"it runs {_times(count)}"
        more = f", not {self.count.value}" if count and self.count.wanted else ""
        return Seen({"count": count}, NotConverged(told + more))

    def _count(self) -> int:
        import psutil

        program, given = plain_text(self.program), None if self.arguments is None else plain_text(self.arguments)
        found = 0
        for process in psutil.process_iter(["name", "exe", "cmdline", "username", "status"]):
            known = process.info
            if known["status"] == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            named = _is_path(known, program) if "/" in program else _is_named(known, program)
            if not named or (self.user and known["username"] != self.user):
                continue
            if given is None or given in " ".join((known["cmdline"] or [])[1:]):
                found += 1
        return found


def _count(fields: Fields) -> Comparison:
    if "running" in fields.values:
        if "count" in fields.values:
            raise fields.error("count", "running and count say the same of different things", hint="keep one of them")
        return comparison(">= 1" if fields.flag("running", default=True) else 0)
    value = fields.values.get("count", ">= 1")
    try:
        found = comparison(value)
    except ValueError as error:
        raise fields.error("count", f"count: {error}") from None
    if isinstance(found.wanted, bool) or not isinstance(found.wanted, int):
        raise fields.error("count", f"count: a whole number is needed, not {value!r}", hint='count: ">= 2"')
    return found


def _is_named(known: Mapping[str, Any], name: str) -> bool:
    own = known["name"] or ""
    if own == name:
        return True
    words = known["cmdline"] or [""]
    # A script is a process of its interpreter, and a long name is cut.
    return os.path.basename(words[0]) == name or (len(name) > COMM and own == name[:COMM])  # noqa: PTH119 -- any text


def _is_path(known: Mapping[str, Any], path: str) -> bool:
    return path in (known["exe"], *(known["cmdline"] or [])[:2])


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
