"""What a service is read in: its project, its folder, its variables; and what comes out of the folder's files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jupyter_runbook.files import expanded, is_file, read_text
from jupyter_runbook.providers.docker.compose.interpolate import read_env_file
from jupyter_runbook.secret import Secret, secret_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jupyter_runbook.providers.docker.compose.declared import Content
    from jupyter_runbook.spec.node import Node

__all__ = ["Surroundings", "given", "read_environment", "read_labels"]


@dataclass(frozen=True)
class Surroundings:
    """What a service is read in.

    Parameters
    ----------
    project
        The project's name.
    folder
        What relative paths start from.
    variables
        The environment of the cell.
    networks, volumes
        The keys that the cell declares.
    files
        The contents of the configs and secrets that the cell declares, by ``configs`` or ``secrets`` and key.
    archives
        The archives that images are saved in and loaded from: no build has to do with them.
    """

    project: str
    folder: Path
    variables: Mapping[str, str]
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    files: Mapping[tuple[str, str], Content] = field(default_factory=dict)
    archives: frozenset[str] = frozenset()


def given(parts: Mapping[str, Node], key: str) -> bool:
    """Tell whether a key has a value; that of a command may be nothing, which takes the image's away."""
    return key in parts and (parts[key].value is not None or key in {"command", "entrypoint"})


def read_environment(parts: Mapping[str, Node], around: Surroundings) -> dict[str, str | Secret] | None:
    """Read ``env_file`` and over it ``environment``; a name without a value takes it from the cell's environment."""
    if not (given(parts, "env_file") or given(parts, "environment")):
        return None
    found: dict[str, str | Secret | None] = {}
    if given(parts, "env_file"):
        found.update(_env_files(parts["env_file"], around))
    if given(parts, "environment"):
        found.update(parts["environment"].pairs(nulls=True))
    values = {name: around.variables.get(name) if value is None else value for name, value in found.items()}
    return {name: secret_by_name(name, value) for name, value in sorted(values.items()) if value is not None}


def _env_files(node: Node, around: Surroundings) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for one in node.items() if isinstance(node.value, list) else [node]:
        required, plain = True, False
        place = one
        if isinstance(one.value, dict):
            parts = one.mapping(("path", "required", "format"), "an env_file")
            if "path" not in parts:
                raise one.error("path is needed")
            place = parts["path"]
            required = parts["required"].flag() if "required" in parts else True
            plain = "format" in parts and parts["format"].choice("raw") == "raw"
        path = around.folder / expanded(place.text())
        if not is_file(path) and not required:
            continue
        try:
            text = read_text(path)
            found.update(_raw_env(text) if plain else read_env_file(text, around.variables))
        except OSError as error:
            raise place.error(f"{error.strerror}: {place.text()}", hint="make it, or write required: false") from None
        except ValueError as error:
            raise place.error(f"{place.text()}: {error}") from None
    return found


def _raw_env(text: str) -> dict[str, str | None]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def read_labels(parts: Mapping[str, Node], around: Surroundings) -> dict[str, str] | None:
    """Read ``label_file`` and over it ``labels``."""
    found: dict[str, str] = {}
    for one in parts["label_file"].texts() if "label_file" in parts else ():
        try:
            text = read_text(around.folder / expanded(one))
            found.update({name: value or "" for name, value in read_env_file(text).items()})
        except OSError as error:
            raise parts["label_file"].error(f"{error.strerror}: {one}", hint="make it in a step above") from None
        except ValueError as error:
            raise parts["label_file"].error(f"{one}: {error}", hint="mend that file") from None
    if given(parts, "labels"):
        for name, value in parts["labels"].pairs().items():
            if isinstance(value, Secret):
                raise parts["labels"].error(f"the secret {value.name} can't be a label: everybody sees it")
            found[name] = value or ""
    return dict(sorted(found.items())) if "labels" in parts or "label_file" in parts else None
