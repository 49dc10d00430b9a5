"""``build`` of a service (the Compose Build Specification)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.files import expanded, is_folder
from jupyter_runbook.providers.docker.model import Build
from jupyter_runbook.providers.docker.settings import SETTINGS
from jupyter_runbook.secret import secret_by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.providers.docker.compose.surroundings import Surroundings
    from jupyter_runbook.spec.node import Node

__all__ = ["read_build"]


def read_build(node: Node, around: Surroundings) -> Build:
    """Read how an image is built: a folder, or a mapping."""
    if not isinstance(node.value, dict):
        return Build(_context(node, around), apart=around.archives, written=node.text())
    known: dict[str, Callable[[Node], Any]] = {
        "context": lambda one: _context(one, around),
        "dockerfile": lambda one: one.text(),
        "dockerfile_inline": lambda one: one.text(),
        "args": lambda one: {
            key: secret_by_name(key, value)
            for key, given in one.pairs(nulls=True).items()
            if (value := around.variables.get(key) if given is None else given) is not None
        },
        "labels": lambda one: {key: str(value) for key, value in one.pairs().items()},
        "target": lambda one: one.text(),
        "network": lambda one: one.text(),
        "shm_size": lambda one: one.size(),
        "extra_hosts": lambda one: tuple(SETTINGS["extra_hosts"].read(one) or ()),
        "cache_from": lambda one: one.texts(),
        "tags": lambda one: one.texts(),
        "pull": lambda one: one.flag(),
        "no_cache": lambda one: one.flag(),
        "platforms": lambda one: one.texts(),
    }
    values: dict[str, Any] = {key: known[key](one) for key, one in node.mapping(known, "a build").items()}
    platforms = values.pop("platforms", ())
    if len(platforms) > 1:
        raise node.child("platforms").error("an engine builds for one platform at a time", hint="name one")
    if "dockerfile" in values and "dockerfile_inline" in values:
        raise node.child("dockerfile_inline").error("there is a dockerfile too", hint="keep one of the two")
    values["inline"] = values.pop("dockerfile_inline", None)
    written = node.child("context").text() if "context" in values else "."
    values.setdefault("context", str(around.folder))
    return Build(platform=platforms[0] if platforms else None, apart=around.archives, written=written, **values)


def _context(node: Node, around: Surroundings) -> str:
    text = node.text()
    if "://" in text or text.startswith("git@"):
        return text
    path = (around.folder / expanded(text)).resolve()
    if not is_folder(path):
        raise node.error(f"the folder {text} is not there", hint=f"relative paths start from {around.folder.name}/")
    return str(path)
