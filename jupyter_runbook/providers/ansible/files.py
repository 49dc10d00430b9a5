"""The files beside a play that Ansible will read: which of the notebook's variables they use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.files import expanded, is_file, is_folder, read_bytes, read_text
from jupyter_runbook.providers.ansible.words import MOST_VALUES, TooMuchError, Words, words_of_template

if TYPE_CHECKING:
    from jupyter_runbook.providers.ansible.spec import AnsibleSpec

__all__ = ["digest_of", "words_of"]

# The folders beside a playbook whose files it may take in, as Ansible lays them out.
FOLDERS = ("roles", "tasks", "handlers", "templates", "vars", "group_vars", "host_vars", "playbooks", "defaults")
# Those beside an inventory; their files need no suffix.
VARIABLES = ("group_vars", "host_vars")
MOST_FILES, MOST_BYTES = 2000, 1 << 20


def words_of(spec: AnsibleSpec, folder: Path, playbook: Path | None, galaxy: Path | None) -> Words:
    """Return what a cell, its inventories, its playbook and what lies beside them refer to.

    Parameters
    ----------
    spec
        The cell.
    folder
        The notebook's folder.
    playbook
        The playbook, where the cell names one.
    galaxy
        The folder of roles and collections that were installed for it.

    Raises
    ------
    InvalidSpec
        One of the files would keep Ansible reading for ever.
    """
    words = Words()
    if playbook is None:
        words.add_values(spec.body.values)
    files = [playbook] if playbook is not None else []
    for source in spec.inventory:
        # What a variable holds is data: it refers to nothing.
        if source.path and "," not in source.path:
            files += _of_inventory(folder / expanded(source.path))
    beside = playbook.parent if playbook else folder
    files += _below(beside, FOLDERS)
    if galaxy is not None:
        files += _below(galaxy, FOLDERS)
    _read(words, files, beside)
    return words


def _read(words: Words, left: list[Path], folder: Path) -> None:
    """Read files, and those that they name."""
    seen: set[Path] = set()
    while left or words.files:
        left += [path for name in words.files for path in _named(name, folder) if is_file(path)]
        words.files.clear()
        for path in left:
            if path not in seen and len(seen) < MOST_FILES:
                seen.add(path)
                _add(words, path)
        left = []


def _of_inventory(path: Path) -> list[Path]:
    """Return the files of an inventory: itself, or those in its folder, and the variables beside it."""
    place = path if is_folder(path) else path.parent
    own = [one for one in sorted(path.iterdir()) if is_file(one)] if is_folder(path) else [path]
    return [*own, *_below(place, VARIABLES)]


def _named(name: str, folder: Path) -> list[Path]:
    """Return where Ansible looks for a file that a task names."""
    return [folder / name, *(folder / one / name for one in ("templates", "tasks", "vars"))]


def _add(words: Words, path: Path) -> None:
    text = _text(path)
    if path.suffix in (".yml", ".yaml") or (path.suffix == "" and path.parent.name in VARIABLES):
        try:
            words.add_yaml(text)
        except TooMuchError:
            raise InvalidSpec(
                f"the file {_shown(path)} has aliases that stand for more than {MOST_VALUES:,} values: Ansible would"
                " read it for ever",
                hint="write out what they stand for, or take the file away",
            ) from None
    elif "{{" in text or "{%" in text:
        words.used |= words_of_template(text)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _below(folder: Path, names: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    for name in names:
        if is_folder(folder / name):
            for path in sorted((folder / name).rglob("*")):
                known = path.suffix in (".yml", ".yaml", ".j2") or path.parent.name in ("templates", *VARIABLES)
                if known and is_file(path):
                    found.append(path)
                if len(found) >= MOST_FILES:
                    return found
    return found


def _text(path: Path) -> str:
    try:
        return read_text(path, largest=MOST_BYTES)
    except (OSError, UnicodeDecodeError):
        return ""
