"""``%%tree``: folders, files and links of this machine, kept as the cell says."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.plan import Action, Change, Plan
from jupyter_runbook.provider import Context, Provider, Result
from jupyter_runbook.spec.fields import Fields
from jupyter_runbook.spec.options import Option

if TYPE_CHECKING:
    from jupyter_runbook.spec.cell import Cell
    from jupyter_runbook.spec.yamltext import Document

__all__ = ["Entry", "Tree", "TreeSpec"]


@dataclass(frozen=True)
class Entry:
    """One path: a folder, a file with this text, a copy of this file, or a link to this target."""

    path: str
    kind: str
    value: str = ""

    @property
    def resource(self) -> str:
        """What the plan calls it."""
        return f"{self.kind} {self.path}"


@dataclass(frozen=True)
class TreeSpec:
    """The folder that the paths start from, and the entries in the cell's order."""

    root: str
    entries: tuple[Entry, ...]
    absent: bool


class Tree(Provider[TreeSpec, "dict[str, dict[str, Any]]"]):
    """Make what is not there, and mend what differs."""

    summary = "Folders, files and links."
    example = "%%tree --root /srv/www\nsite:\nsite/index.html: hello\ncurrent:\n  link: site"
    options: ClassVar[tuple[Option, ...]] = (Option(("--root",), "the folder that all paths start from", "DIR"),)

    def parse(self, cell: Cell) -> TreeSpec:
        """Read a mapping of paths."""
        document = cell.document()
        if not isinstance(document.data, dict):
            raise document.error((), "a mapping of paths is needed", hint="site/index.html: hello")
        entries = tuple(_entry(document, path) for path in document.data)
        return TreeSpec(cell.own("root") or ".", entries, cell.options.absent)

    def observe(self, spec: TreeSpec, ctx: Context) -> dict[str, dict[str, Any]]:
        """Look at each path."""
        found = {}
        for entry in spec.entries:
            ctx.stop.check()
            if (seen := _look(Path(spec.root, entry.path))) is not None:
                found[entry.path] = seen
        return found

    def plan(self, spec: TreeSpec, state: dict[str, dict[str, Any]]) -> Plan:
        """Compare; a copy is compared by its digest once it is there."""
        changes = [_change(spec, entry, state.get(entry.path)) for entry in spec.entries]
        return Plan(tuple(changes), target=spec.root)

    def apply(self, change: Change, spec: TreeSpec, ctx: Context) -> Any:
        """Make, mend or remove one entry."""
        entry = next(one for one in spec.entries if one.resource == change.resource)
        path = Path(spec.root, entry.path)
        try:
            if change.action is Action.DELETE:
                path.rmdir() if entry.kind == "folder" else path.unlink()
                return None
            _make(entry, path)
        except OSError as error:
            raise ToolFailed(f"{error.strerror}: {error.filename}", hint="mend that, and run the step again") from None
        ctx.output("done\n")
        return _look(path)

    def result(self, spec: TreeSpec, state: dict[str, dict[str, Any]]) -> Result:
        """Return what is there."""
        return Result([{"path": entry.path, **state.get(entry.path, {})} for entry in spec.entries])


def _entry(document: Document, path: str) -> Entry:
    value = document.data[path]
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise document.error((path,), f"the path {path} leads out of the root", hint="leave / and .. away")
    if value is None:
        return Entry(path, "folder")
    if not isinstance(value, dict):
        return Entry(path, "file", str(value))
    fields = Fields(document, (path,), "an entry")
    fields.only("copy", "link")
    if len(fields.values) != 1:
        raise fields.error(None, f"{path} is either a copy or a link")
    [kind] = fields.values
    return Entry(path, kind, str(fields.text(kind)))


def _look(path: Path) -> dict[str, Any] | None:
    if path.is_symlink():
        return {"link": str(path.readlink())}
    if path.is_dir():
        return {"folder": True}
    if path.is_file():
        return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return None


def _wanted(entry: Entry) -> dict[str, Any]:
    if entry.kind == "file":
        return {"sha256": hashlib.sha256(entry.value.encode()).hexdigest()}
    return {entry.kind: entry.value or True}


def _change(spec: TreeSpec, entry: Entry, now: dict[str, Any] | None) -> Change:
    if spec.absent:
        action = Action.NO_OP if now is None else Action.DELETE
        needs = tuple(
            one.resource for one in spec.entries if PurePosixPath(entry.path) in PurePosixPath(one.path).parents
        )
        return Change(entry.resource, entry.kind, action, "is there" if now else "is not there", now, None, needs)
    wanted = _wanted(entry)
    same = now is not None and ("sha256" in now if entry.kind == "copy" else now == wanted)
    action = Action.NO_OP if same else Action.CREATE if now is None else Action.UPDATE
    reason = "is not there" if now is None else "as it should be" if same else "differs"
    return Change(entry.resource, entry.kind, action, reason, now, now if same else wanted, _needs(spec, entry))


def _needs(spec: TreeSpec, entry: Entry) -> tuple[str, ...]:
    """Return what has to be there first: the folder that it is in, and what a link points at."""
    path = PurePosixPath(entry.path)
    wanted = {str(path.parent)}
    if entry.kind == "link":
        wanted.add(os.path.normpath(path.parent / entry.value))
    return tuple(one.resource for one in spec.entries if one.path in wanted)


def _make(entry: Entry, path: Path) -> None:
    if entry.kind == "folder":
        path.mkdir(exist_ok=True)
        return
    fresh = path.with_name(f".{path.name}.new")
    if entry.kind == "link":
        fresh.symlink_to(entry.value)
    elif entry.kind == "copy":
        with Path(entry.value).open("rb") as source, fresh.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    else:
        fresh.write_text(entry.value)
    fresh.replace(path)
