"""The sandboxes that tests share: one of a kind on this machine, for all of pytest-xdist's workers."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import pytest

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.files import lock
from jupyter_runbook.sandbox import NAMES, sandbox
from jupyter_runbook.sandbox.base import Sandbox, cache_folder
from tests.support import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["REQUIRED", "Shared", "begin", "can_start", "leave_out", "take_down", "up_before"]

#: The services that must be there, by name: a missing one fails its tests instead of leaving them out.
REQUIRED = set(os.environ.get("RUNBOOK_REQUIRE", "").split(",")) - {""}

Kind = TypeVar("Kind", bound=Sandbox)
#: Where the sandboxes are noted that are the tests' own, also after a restart of the machine: what a run left that was
#: killed would be taken for somebody's, and half of the tests for what can't be tried here.
LEFT = cache_folder() / "tests"
# Seconds for what is fetched and built once.
BUILD = 1500.0


def leave_out(service: str, why: str) -> None:
    """Skip the test for want of a service, or fail it where that has to be there."""
    if service in REQUIRED:
        pytest.fail(f"{service} is required: {why}")
    pytest.skip(f"{service}: {why}")


def can_start() -> str | None:
    """Return why no sandbox can be started here; None where one can."""
    if os.geteuid() != 0:
        return "a sandbox needs root"
    return None if shutil.which("apt-get") else "a sandbox is made of Debian's packages"


def begin() -> Callable[[], None]:
    """Take away what a run of the tests left that was killed, and return what lets the next run begin.

    Of a run that is still at work nothing is taken away.
    """
    stack = ExitStack()
    with suppress(OSError, RunbookError):
        stack.enter_context(lock(LEFT / "lock"))
        take_down(LEFT)
    return stack.close


def up_before() -> list[str]:
    """Return the sandboxes that are up already: they are left alone."""
    return [name for name in NAMES if sandbox(name).status() is not None]


def note(notes: Path, sandbox: Sandbox) -> None:
    """Note that tests bring a sandbox up."""
    for folder in (notes, LEFT):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / sandbox.name).write_text(str(sandbox.folder))


def take_down(notes: Path) -> None:
    """Take away the sandboxes that tests have brought up; what depends on another one goes first."""
    for name in reversed(NAMES):
        noted = notes / name
        if noted.exists() and noted.read_text() == str(sandbox(name).folder):
            sandbox(name).down()
            for folder in (notes, LEFT):
                (folder / name).unlink(missing_ok=True)


class Shared(Generic[Kind]):
    """A sandbox: up when a test first asks for it, and until the tests end.

    Parameters
    ----------
    sandbox
        The sandbox.
    theirs
        Whether it was up before the tests.
    notes
        A folder for all of pytest-xdist's workers, where the names of sandboxes that are brought up are noted.
    """

    def __init__(self, sandbox: Kind, *, theirs: bool, notes: Path) -> None:
        self.sandbox = sandbox
        self.theirs = theirs
        self._notes = notes

    def start(self) -> Kind:
        """Return it, up; what a test ended of it is up again."""
        name = self.sandbox.name
        if not self.theirs and (why := can_start()):
            leave_out(name, why)
        try:
            with limits.at_most(BUILD), _alone():
                if not self.theirs:
                    note(self._notes, self.sandbox)
                self.sandbox.up()
        except RunbookError as error:
            leave_out(name, " ".join(error.lines()))
        return self.sandbox

    def free(self) -> Kind:
        """Return it, down: for the tests of its coming and going."""
        name = self.sandbox.name
        if self.theirs:
            pytest.skip(f"the {name} sandbox was up before the tests: it is left alone")
        if why := can_start():
            leave_out(name, why)
        with _alone():
            note(self._notes, self.sandbox)  # the test may bring it up itself
            self.sandbox.down()
        return self.sandbox


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for another worker that brings a sandbox up: the same one would refuse, others might take the same range."""
    path = Path(tempfile.gettempdir(), f"jupyter-runbook-tests-{os.getuid()}-up.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
