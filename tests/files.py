"""A provider for the tests of the pipeline: real files in a folder. ``%%files`` takes YAML, a name and its text each.

A value may also be a mapping: ``text``, ``needs`` (names), ``fail`` (an error's class), ``wait`` (until stopped).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_runbook import errors
from jupyter_runbook.plan import Action, Change, Plan
from jupyter_runbook.provider import Context, Provider, Result
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.options import Option

if TYPE_CHECKING:
    from jupyter_runbook.spec.cell import Cell


@dataclass(frozen=True)
class Spec:
    folder: str
    absent: bool
    files: dict[str, dict[str, Any]]


class Files(Provider[Spec, dict[str, str]]):
    summary = "Keep files in a folder."
    example = "%%files --folder out\nhello.txt: hello"
    options: ClassVar[tuple[Option, ...]] = (Option(("--folder",), "the folder", "DIR"),)
    calls: ClassVar[list[str]] = []

    def parse(self, cell: Cell) -> Spec:
        document = cell.document()
        if not isinstance(document.data, dict):
            raise document.error((), "a mapping of files is needed", hint="name: text")
        files = {name: one if isinstance(one, dict) else {"text": one} for name, one in document.data.items()}
        return Spec(cell.own("folder") or ".", cell.options.absent, files)

    def observe(self, spec: Spec, ctx: Context) -> dict[str, str]:
        self.calls.append("observe")
        ctx.version("files", "1.0")
        if "boom" in spec.files:
            raise ValueError("boom")
        folder = Path(spec.folder)
        return {name: (folder / name).read_text() for name in spec.files if (folder / name).exists()}

    def plan(self, spec: Spec, state: dict[str, str]) -> Plan:
        changes = []
        for name, wanted in spec.files.items():
            now, text = state.get(name), None if spec.absent else wanted.get("text", "")
            plain = text.reveal() if isinstance(text, Secret) else text
            action, reason = Action.NO_OP, "as it should be"
            if now != plain:
                action = Action.DELETE if text is None else Action.CREATE if now is None else Action.UPDATE
                reason = "is there" if text is None else "is not there" if now is None else "the text differs"
            before = text if now == plain else now
            needs = tuple(f"file {need}" for need in wanted.get("needs", ()))
            changes.append(Change(f"file {name}", "file", action, reason, before, text, needs))
        return Plan(tuple(changes), target=spec.folder)

    def apply(self, change: Change, spec: Spec, ctx: Context) -> Any:
        name = change.resource.removeprefix("file ")
        self.calls.append(f"apply {name}")
        wanted = spec.files[name]
        path = Path(spec.folder) / name
        if wanted.get("fail"):
            raise getattr(errors, wanted["fail"])(f"no {name}", hint="try again")
        if wanted.get("once") and not path.with_suffix(".tried").exists():
            path.with_suffix(".tried").touch()
            raise errors.Unreachable("not yet")
        if wanted.get("wait"):
            ctx.output("waiting\n")
            ctx.stop.wait(30)
        if wanted.get("lose"):
            return None
        if change.action is Action.DELETE:
            path.unlink()
            return None
        text = wanted["text"]
        ctx.output(f"writing {text.reveal() if isinstance(text, Secret) else text} to {name}\n")
        ctx.found(change.resource, f"inode of {name}")
        ctx.fact(name, "written")
        path.write_text(text.reveal() if isinstance(text, Secret) else text)
        return text

    def result(self, spec: Spec, state: dict[str, str]) -> Result:
        return Result([{"name": name} for name in spec.files], {"there": sorted(state)})
