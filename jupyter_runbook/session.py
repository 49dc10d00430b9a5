"""What outlives one step: the run, its journal, who runs it, and who can be asked."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import platform
import secrets
import socket
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from jupyter_runbook import __version__
from jupyter_runbook.journal import Journal
from jupyter_runbook.notebook import FOLDER
from jupyter_runbook.record import Actor, Approval, utc
from jupyter_runbook.secret.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jupyter_runbook.journal import Begin
    from jupyter_runbook.matrix import Matrix
    from jupyter_runbook.record import StepRecord

__all__ = ["Live", "Progress", "Session", "new_run", "nobody", "versions"]

# So many lines of the journal that can't be read are named.
SHOWN = 5


@dataclass(frozen=True)
class Progress:
    """What a running step shows.

    Parameters
    ----------
    name, provider
        The step.
    seconds
        How long it has been running.
    running
        The resources at work now, with their seconds.
    done, total
        How many changes of the plan have ended, and how many it has; 0 of 0 while it observes.
    tail
        The last of what it printed, redacted.
    matrix
        What became so far of each task on each host, redacted; None where the step has no tasks.
    """

    name: str
    provider: str
    seconds: float
    running: Sequence[tuple[str, float]] = ()
    done: int = 0
    total: int = 0
    tail: str = ""
    matrix: Matrix | None = None


class Live:
    """Where a running step shows itself; this one shows nothing."""

    def notice(self, text: str) -> None:
        """Show a line that must not be missed."""

    def progress(self, progress: Progress) -> None:
        """Show how far the step is; called at most five times a second."""

    def done(self, record: StepRecord) -> None:
        """Show the record in place of the progress."""

    def tables(self, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Show rows that the step has read, redacted, below its record."""


class Approver(Protocol):
    """Shows a plan and asks."""

    def __call__(self, planned: StepRecord) -> Approval:
        """Return who was asked and the answer.

        Parameters
        ----------
        planned
            The step's record as it would be for a dry run, redacted: what is to be done, and the plan's digest.
        """


def versions() -> dict[str, str]:
    """Return the versions of what runs every step."""
    return {"jupyter-runbook": __version__, "python": platform.python_version()}


def new_run() -> str:
    """Return an id for a run that sorts by time: ``20261124T224255Z-5f3a91``."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def user() -> str:
    """Return who runs this; the number where it has no name, as in many containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def nobody(planned: StepRecord) -> Approval:
    """Answer for an unattended run, where nobody can be asked."""
    return Approval(
        by=user(), at=utc(), shown=planned.plan_digest or "", answer="nobody", reason="nobody can be asked here"
    )


@dataclass
class Session:
    """One run: a kernel's life by hand, or one replay.

    Parameters
    ----------
    root
        The notebook's folder; the journal and the logs are in its ``.runbook``.
    run
        The run's id.
    approver
        Who is asked where a step wants approval.
    prev
        The digest of the run's last record.
    redactor, names
        What redacts texts, and the names of resources, hosts and steps.
    """

    root: Path
    run: str = field(default_factory=new_run)
    approver: Approver = nobody
    prev: str | None = None
    redactor: Redactor = field(default_factory=Redactor)
    names: Redactor = field(default_factory=lambda: Redactor(names=True))
    _looked: bool = False

    @cached_property
    def actor(self) -> Actor:
        """Who runs the steps."""
        return Actor(user=user(), host=socket.gethostname(), session=str(os.getpid()))

    @cached_property
    def journal(self) -> Journal:
        """The journal beside the notebook."""
        return Journal(self.root / FOLDER / "journal.jsonl")

    def left_open(self) -> list[str]:
        """Return, once in a session, one line for each step that an earlier run began and never ended.

        Those whose process is gone are noted as interrupted, so that the next session does not tell them again.
        """
        if self._looked:
            return []
        lines = []
        for begin in self.journal.open():
            lines.append(_tell(begin))
            if begin.alive is False:
                self.journal.interrupted(begin)
        self._looked = True
        if numbers := sorted(self.journal.left_out):
            shown = ", ".join(map(str, numbers[:SHOWN])) + (", …" if len(numbers) > SHOWN else "")
            lines.append(f"left out of the journal, for it can't be read: line {shown}")
        return lines


def _tell(begin: Begin) -> str:
    what = f"the step {begin.name} (%%{begin.provider}), begun {begin.at} by {begin.user} on {begin.host},"
    ids = (
        "; it had made " + ", ".join(f"{name} ({given})" for name, given in begin.found.items()) if begin.found else ""
    )
    if begin.alive:
        return f"at work elsewhere: {what} has not ended yet{ids}"
    if begin.alive is None:
        return f"interrupted, or at work on {begin.host}: {what} has no end in the journal{ids}"
    return f"interrupted: {what} never ended{ids}. Run it again: it looks at what is there first"
