"""``command``: how a command of this machine ends, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from jupyter_runbook.bash import NO_COMMAND, check_syntax, ended, run_script
from jupyter_runbook.errors import StepTimeout, ToolFailed
from jupyter_runbook.providers.probe.check import Check, Seen, bounded_output, found, lacking
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.script import Script, load_script
from jupyter_runbook.spec.template import render_text
from jupyter_runbook.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.spec.fields import Fields

__all__ = ["Command"]

LABEL_LIMIT = 100


@dataclass(frozen=True)
class Command(Check):
    """A bash command that only looks; a value in it is never parsed by the shell."""

    script: Script
    line: int
    exit_status: tuple[int, ...]
    contains: tuple[str | Secret, ...]

    kind: ClassVar[str] = "command"
    takes: ClassVar[tuple[str, ...]] = ("exit_status", "contains")

    @classmethod
    def label(cls, fields: Fields, names: Mapping[str, Any]) -> str:
        """Return the command with its values filled in: only to be read. With a secret it stays as it is written."""
        written = str(fields.text(cls.kind))
        filled = render_text(written, names, line=fields.document.line((*fields.path, cls.kind)))
        text = " ".join(str(written if isinstance(filled, Secret) else filled).split())
        return text if len(text) <= LABEL_LIMIT else text[: LABEL_LIMIT - 1] + "…"

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:
        """Read ``command: TEXT``, whose templates become variables of the script: see `load_script`."""
        text = str(fields.text("command"))  # `true` and `false` are commands, too
        if not text.strip():
            raise fields.error("command", "command: a text is needed", hint="- command: systemctl is-active nginx")
        # A block (`command: |`) begins on the line below its name.
        line = (fields.document.line((*fields.path, "command")) or 1) + ("\n" in text)
        return cls(
            **shared,
            script=load_script(text, names, first_line=line),
            line=line,
            exit_status=fields.integers("exit_status", [0]),
            contains=fields.texts("contains"),
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """How it has to end, and what it has to say."""
        status = self.exit_status[0] if len(self.exit_status) == 1 else list(self.exit_status)
        return {"exit_status": status, **({"contains": list(self.contains)} if self.contains else {})}

    def ready(self, stop: Stop) -> None:
        """Have bash read it."""
        check_syntax(self.script, stop, self.line)

    def look(self, stop: Stop) -> Seen:
        """Run it."""
        output, said = bounded_output()
        try:
            with Stop(self.timing.timeout) as mine, stop.calling(lambda: mine.set(stop.error)):
                status, _ = run_script(self.script, "probe", mine, output)
        except StepTimeout:
            stop.check()
            error = ToolFailed(f"it did not end within {self.timing.timeout:g} s", hint="give it more with timeout")
            return Seen({}, error, said())
        values: dict[str, Any] = {"exit_status": status}
        if status in NO_COMMAND and status not in self.exit_status:
            return Seen(values, ToolFailed(ended(status), hint="there is no such command"), said())
        wrong = [] if status in self.exit_status else [ended(status)]
        if self.contains:
            values["contains"] = found(self.contains, said())
            wrong += lacking("its output", self.contains, said())
        return self.seen(values, wrong, said())
