"""What a cell asks for, and what is known before it is played."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_runbook.canonical import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jupyter_runbook.providers.ansible.body import Body
    from jupyter_runbook.providers.ansible.inventory import Source
    from jupyter_runbook.record import ChangeRecord

__all__ = ["AnsibleSpec", "AnsibleState"]


@dataclass(frozen=True)
class AnsibleSpec:
    """A cell, read.

    Parameters
    ----------
    body
        What is played.
    inventory
        The inventories; none for this machine.
    hosts
        The hosts of tasks.
    arguments
        The options that are handed to ``ansible-playbook`` as they are.
    limit
        The hosts that these are cut down to.
    tags
        The options that choose tasks by their tags, as they were typed.
    galaxy
        A file of roles and collections to install.
    vault
        The file of the vault's password, or the password.
    text
        The cell below the magic's line.
    names
        The notebook's names and their values.
    predict
        Whether a dry run comes first: what is asked for with ``--check``, and shown before somebody approves.
    check
        Whether there is a dry run alone.
    whole
        Whether results and facts are wanted, for ``--out``.
    """

    body: Body
    inventory: tuple[Source, ...]
    hosts: str
    arguments: tuple[str, ...]
    limit: str | None = None
    tags: str | None = None
    galaxy: str | None = None
    vault: Any = None
    text: str = field(default="", metadata=LOCAL)
    names: Mapping[str, Any] = field(default_factory=dict, metadata=LOCAL)
    predict: bool = field(default=False, metadata=LOCAL)
    check: bool = field(default=False, metadata=LOCAL)
    whole: bool = field(default=False, metadata=LOCAL)

    @property
    def target(self) -> str:
        """What is acted on, as people call it."""
        return ", ".join(source.label for source in self.inventory) or "localhost"


@dataclass(frozen=True)
class AnsibleState:
    """What is known before a play.

    Parameters
    ----------
    folder
        The folder that it runs in.
    extra
        The notebook's variables that it uses; a `Secret` stays one.
    playbook
        The SHA-256 of the playbook that the cell names.
    galaxy
        The folder of the roles and collections that were installed for it.
    predicted
        The rows of a dry run; None where there was none.
    played
        After a run: its rows.
    """

    folder: Path
    extra: Mapping[str, Any]
    playbook: str | None = None
    galaxy: Path | None = None
    predicted: tuple[ChangeRecord, ...] | None = None
    played: tuple[ChangeRecord, ...] = ()
