"""``extends`` of a service (the Compose Specification, "extends"): what one takes from another, here or elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_runbook.files import expanded
from jupyter_runbook.providers.docker.compose.lookup import read_file
from jupyter_runbook.providers.docker.compose.merging import merge
from jupyter_runbook.spec.placed import Placed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jupyter_runbook.providers.docker.compose.lookup import Lookup
    from jupyter_runbook.spec.yamltext import Document

__all__ = ["extended"]


@dataclass(frozen=True)
class _File:
    """A file with services: what its relative paths start from, and what it is in words."""

    path: Path | None
    folder: Path
    services: dict[str, Placed]
    what: str


def extended(document: Document, folder: Path, lookup: Lookup) -> Document:
    """Return a document whose services have what they extend, and no ``extends`` any more.

    Parameters
    ----------
    document, folder
        The file, and what its relative paths start from: those of another file start from its own folder.
    lookup
        The variables, also for other files.

    Raises
    ------
    InvalidSpec
        A service or a file that is not there, or a service that extends itself in the end.
    """
    services = document.data.get("services") if isinstance(document.data, dict) else None
    if not isinstance(services, dict):
        return document
    if not any(isinstance(one, dict) and "extends" in one for one in services.values()):
        return document
    whole = Placed.of(document)
    own = _File(None, folder, whole.value["services"].value, "this cell")
    reader = _Reader(lookup)
    made = {name: reader.resolve(own, name, ()) for name in own.services}
    return whole.having({**whole.value, "services": whole.value["services"].having(made)}).document()


class _Reader:
    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.files: dict[Path, _File] = {}
        self.done: dict[tuple[Path | None, str], Placed] = {}

    def resolve(self, file: _File, name: str, above: tuple[tuple[Path | None, str], ...]) -> Placed:
        """Return a service with what it extends."""
        here = (file.path, name)
        if here in self.done:
            return self.done[here]
        service = file.services[name]
        if isinstance(service.value, dict) and "extends" in service.value:
            given = service.value["extends"]
            base_file, base = self.base(file, name, given)
            if (base_file.path, base) in (*above, here):
                chain = " → ".join([one for _, one in above] + [name, base])
                raise given.error(f"they extend each other: {chain}")
            taken = self.resolve(base_file, base, (*above, here))
            if base_file.folder != file.folder:
                taken = _rebased(taken, base_file.folder)
            own = service.having({key: value for key, value in service.value.items() if key != "extends"})
            service = merge(taken, own) if isinstance(taken.value, dict) else own
        self.done[here] = service
        return service

    def base(self, file: _File, name: str, given: Placed) -> tuple[_File, str]:
        """Return what a service extends: the file, and the service's name there."""
        parts = given.value if isinstance(given.value, dict) else {"service": given}
        if unknown := parts.keys() - {"service", "file"}:
            raise parts[min(unknown)].error(f"extends has no {min(unknown)}", hint="it takes service and file")
        if "file" in parts:
            file = self.read(file, parts["file"])
        base = parts["service"].plain() if "service" in parts else None
        if not isinstance(base, str) or base not in file.services:
            raise parts.get("service", given).error(f"{name} extends {base!r}, which is no service of {file.what}")
        return file, base

    def read(self, file: _File, place: Placed) -> _File:
        """Return another file, which is read once."""
        shown = place.value
        if not isinstance(shown, str):
            raise place.error("the path of a file is needed")
        path = (file.folder / expanded(shown)).resolve()
        if path not in self.files:
            whole = Placed.of(read_file(path, place, self.lookup, shown))
            services = whole.value.get("services")
            if services is None or not isinstance(services.value, dict):
                raise place.error(f"{shown} has no services")
            self.files[path] = _File(path, path.parent, services.value, shown)
        return self.files[path]


def _rebased(service: Placed, folder: Path) -> Placed:
    """Return a service whose relative paths start from a folder, whichever file it gets into."""
    if not isinstance(service.value, dict):
        return service
    made = dict(service.value)
    for key, change in _PATHS.items():
        if key in made:
            made[key] = change(made[key], folder)
    return service.having(made)


def _path(placed: Placed, folder: Path) -> Placed:
    if not isinstance(placed.value, str) or placed.value.startswith("~"):
        return placed
    return placed.having(str(folder / placed.value))


def _paths(placed: Placed, folder: Path) -> Placed:
    """Change one path, a list of them, or mappings with one each."""
    if isinstance(placed.value, list):
        return placed.having([_paths(one, folder) for one in placed.value])
    if isinstance(placed.value, dict):
        return placed.having({key: _path(one, folder) if key == "path" else one for key, one in placed.value.items()})
    return _path(placed, folder)


def _build(placed: Placed, folder: Path) -> Placed:
    if isinstance(placed.value, dict):
        context = placed.value.get("context", placed.having("."))
        return placed.having({**placed.value, "context": _build(context, folder)})
    if isinstance(placed.value, str) and ("://" in placed.value or placed.value.startswith("git@")):
        return placed
    return _path(placed, folder)


def _volumes(placed: Placed, folder: Path) -> Placed:
    if isinstance(placed.value, list):
        return placed.having([_volume(one, folder) for one in placed.value])
    return placed


def _volume(placed: Placed, folder: Path) -> Placed:
    if isinstance(placed.value, dict):
        kind, source = placed.value.get("type"), placed.value.get("source")
        if kind is None or kind.value != "bind" or source is None:
            return placed
        return placed.having({**placed.value, "source": _path(source, folder)})
    if not isinstance(placed.value, str) or not placed.value.startswith("."):
        return placed
    source, colon, target = placed.value.partition(":")
    return placed.having(f"{folder / source}{colon}{target}") if colon else placed


_PATHS: dict[str, Callable[[Placed, Path], Placed]] = {
    "build": _build,
    "env_file": _paths,
    "label_file": _paths,
    "volumes": _volumes,
}
