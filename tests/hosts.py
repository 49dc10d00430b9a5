"""The hosts that the tests play on: three of the sandbox's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_runbook.sandbox.hosts import HostsSandbox
from tests.support.sandboxes import Shared

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 3


class Hosts(Shared[HostsSandbox]):
    """The tests' hosts."""

    def up(self) -> Path:
        """Return the path of the inventory; a host that a test stopped is up again."""
        self.sandbox.count = COUNT  # a test may have asked for others
        return self.start().inventory
