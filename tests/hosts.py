"""The hosts that the tests play on: a sandbox of our own, or one that is up already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.sandbox.hosts import HostsSandbox
from tests.engine import can_start, leave_out

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 3


class Hosts:
    """The session's hosts: up when first asked for, and gone at the end where they were not up before."""

    def __init__(self) -> None:
        self.sandbox = HostsSandbox(count=COUNT)
        self.theirs = self.sandbox.status() is not None

    def up(self) -> Path:
        """Return the path of the inventory; a host that a test stopped is up again."""
        if not self.theirs and (why := can_start()):
            leave_out("hosts", why)
        self.sandbox.count = COUNT  # a test may have asked for others
        try:
            self.sandbox.up()
        except RunbookError as error:
            leave_out("hosts", " ".join(error.lines()))
        return self.sandbox.inventory

    def down(self) -> None:
        """Take them away, where they are ours."""
        if not self.theirs:
            self.sandbox.down()

    def free(self) -> HostsSandbox:
        """Return the sandbox, down: for the tests of its coming and going."""
        if self.theirs:
            pytest.skip("the hosts sandbox was up before the tests: it is left alone")
        if why := can_start():
            leave_out("hosts", why)
        self.sandbox.down()
        return self.sandbox
