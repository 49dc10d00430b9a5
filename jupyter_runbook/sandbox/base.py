"""What a sandbox is: a disposable real service of this machine that comes up, tells how to reach it, and goes."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_runbook.errors import Conflict
from jupyter_runbook.files import expanded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Sandbox", "cache_folder", "sandbox_folder"]


def sandbox_folder(name: str) -> Path:
    """Return where a sandbox keeps all that it makes: below ``RUNBOOK_SANDBOX``, or the machine's own place for it.

    It is made by whoever needs it, and gone after ``down``.
    """
    home = "/var/lib/jupyter-runbook" if os.geteuid() == 0 else "~/.local/state/jupyter-runbook"
    return expanded(os.environ.get("RUNBOOK_SANDBOX") or f"{home}/sandbox").resolve() / name


def cache_folder() -> Path:
    """Return where what was fetched or built for sandboxes is kept, for the next time."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return expanded(base).resolve() / "jupyter-runbook"


class Sandbox(ABC):
    """One kind of sandbox: there is one of a kind on a machine.

    Parameters
    ----------
    tell
        Called with a line of progress, for people who wait.
    """

    name: ClassVar[str]
    #: One line for ``--help``.
    summary: ClassVar[str]

    def __init__(self, tell: Callable[[str], object] = lambda _line: None) -> None:
        self.tell = tell
        self.folder = sandbox_folder(self.name)

    @abstractmethod
    def up(self) -> None:
        """Bring it up; what is up already stays. What a killed ``up`` left behind is taken away first.

        Raises
        ------
        RunbookError
            It can't be here, and why; nothing is left behind.
        """

    @abstractmethod
    def down(self) -> None:
        """Take away all that ``up`` made, also what a killed one left; nothing where there is nothing."""

    @abstractmethod
    def status(self) -> Mapping[str, str] | None:
        """Return what there is to know of it, None where it is down."""

    @abstractmethod
    def env(self) -> Mapping[str, str]:
        """Return the environment variables by which a client finds it.

        Raises
        ------
        BadInput
            It is down.
        """

    @property
    def state(self) -> dict[str, Any]:
        """What `up` noted before it touched anything; empty where there is nothing."""
        try:
            return dict(json.loads((self.folder / "state.json").read_text()))
        except (OSError, ValueError):
            return {}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the sandbox against another ``up`` or ``down``.

        Raises
        ------
        Conflict
            Another one is at work.
        """
        from jupyter_runbook.files import lock

        try:
            with lock(self.folder.parent / f".{self.name}.lock"):
                yield
        except BlockingIOError:
            raise Conflict(
                f"another up or down of the {self.name} sandbox is at work", hint="wait until it has ended"
            ) from None
        finally:
            # The folders that held nothing else.
            with suppress(OSError):
                self.folder.parent.rmdir()
                self.folder.parent.parent.rmdir()
