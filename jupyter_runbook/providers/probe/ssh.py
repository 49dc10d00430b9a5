"""``ssh``: whether one gets in at a host, and how a command ends there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from jupyter_runbook.bash import NO_COMMAND, ended
from jupyter_runbook.errors import StepError, StepTimeout, ToolFailed, Unreachable
from jupyter_runbook.providers.probe.check import Check, Seen, bounded_output, found, lacking, plain_text
from jupyter_runbook.remote import run_remote
from jupyter_runbook.spec.script import Script, load_script
from jupyter_runbook.ssh import target
from jupyter_runbook.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.ssh import Target

__all__ = ["Ssh"]


@dataclass(frozen=True)
class Ssh(Check):
    """A login, without a password or a question; and a bash command there that only looks."""

    target: Target
    script: Script
    asked: bool
    exit_status: tuple[int, ...]
    contains: tuple[str | Secret, ...]

    kind: ClassVar[str] = "ssh"
    takes: ClassVar[tuple[str, ...]] = ("command", "exit_status", "contains", "identity", "known_hosts")

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:
        """Read ``ssh: [USER@]HOST[:PORT]``; a command is a script as in a ``command`` check."""
        known = str(fields.text("known_hosts"))
        where = target(
            plain_text(fields.text("ssh")),
            identity=str(fields.text("identity")) or None,
            options=["-o", f"UserKnownHostsFile={known}"] if known else [],
        )
        if where is None:
            shown = str(fields.text("ssh"))
            hint = "- ssh: admin@db.example.net:22"
            raise fields.error("ssh", f"ssh: [USER@]HOST[:PORT] is needed, not {shown!r}", hint=hint)
        for name in ("exit_status", "contains"):
            if name in fields.values and "command" not in fields.values:
                raise fields.error(name, f"{name} is of a command, and there is none", hint="command: uptime")
        text = str(fields.text("command", "true"))
        line = (fields.document.line((*fields.path, "command")) or 1) + ("\n" in text)
        return cls(
            **shared,
            target=where,
            script=load_script(text, names, first_line=line),
            asked="command" in fields.values,
            exit_status=fields.integers("exit_status", [0]),
            contains=fields.texts("contains"),
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """That one gets in; how a command has to end, and what it has to say."""
        if not self.asked:
            return {"login": True}
        status = self.exit_status[0] if len(self.exit_status) == 1 else list(self.exit_status)
        more = {"contains": list(self.contains)} if self.contains else {}
        return {"login": True, "exit_status": status, **more}

    def look(self, stop: Stop) -> Seen:
        """Log in, and run it."""
        output, said = bounded_output()
        try:
            with Stop(self.timing.timeout) as mine, stop.calling(lambda: mine.set(stop.error)):
                status, _ = run_remote(self.target, self.script, "probe", mine, output, connect=self.timing.timeout)
        except StepTimeout:
            stop.check()
            return Seen({}, Unreachable(f"no answer within {self.timing.timeout:g} s"), said())
        except StepError as error:
            return Seen({"login": False}, error, said())
        if not self.asked:
            return Seen({"login": True})
        values: dict[str, Any] = {"login": True, "exit_status": status}
        if status in NO_COMMAND and status not in self.exit_status:
            return Seen(values, ToolFailed(ended(status), hint="there is no such command there"), said())
        wrong = [] if status in self.exit_status else [ended(status)]
        if self.contains:
            values["contains"] = found(self.contains, said())
            wrong += lacking("its output", self.contains, said())
        return self.seen(values, wrong, said())
