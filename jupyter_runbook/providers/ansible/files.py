"""The files beside a play that Ansible will read: which of the notebook's variables they use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from jupyter_runbook.providers.ansible.words import Words, words_of_template

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["digest_of", "read_words"]

# The folders beside a playbook whose files it may take in, as Ansible lays them out.
FOLDERS = ("roles", "tasks", "handlers", "templates", "vars", "group_vars", "host_vars", "playbooks", "defaults")
MOST_FILES, MOST_BYTES = 2000, 1 << 20


def read_words(words: Words, folder: Path, playbook: Path | None) -> None:
    """Add what a playbook, and what lies beside it, refers to.

    Parameters
    ----------
    words
        What the cell itself refers to.
    folder
        The folder that the play lies in.
    playbook
        The playbook, where the cell names one.
    """
    left = [playbook] if playbook is not None else []
    left += _beside(folder)
    seen: set[Path] = set()
    while left or words.files:
        left += [path for name in words.files for path in _named(name, folder) if path.is_file()]
        words.files.clear()
        for path in left:
            if path not in seen and len(seen) < MOST_FILES:
                seen.add(path)
                _add(words, path)
        left = []


def _named(name: str, folder: Path) -> list[Path]:
    """Return where Ansible looks for a file that a task names."""
    return [folder / name, *(folder / one / name for one in ("templates", "tasks", "vars"))]


def _add(words: Words, path: Path) -> None:
    text = _text(path)
    if path.suffix in (".yml", ".yaml"):
        words.add_yaml(text)
    elif "{{" in text or "{%" in text:
        words.used |= words_of_template(text)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _beside(folder: Path) -> list[Path]:
    found: list[Path] = []
    for name in FOLDERS:
        if (folder / name).is_dir():
            for path in sorted((folder / name).rglob("*")):
                if path.suffix in (".yml", ".yaml", ".j2") or path.parent.name == "templates":
                    found.append(path)
                if len(found) >= MOST_FILES:
                    return found
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.stat().st_size <= MOST_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return ""
