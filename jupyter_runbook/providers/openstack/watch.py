"""Wait for resources: all that wait for one kind share each listing of it."""

from __future__ import annotations

import time
from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING

from jupyter_runbook.errors import StepTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.providers.openstack.cloud import Cloud
    from jupyter_runbook.providers.openstack.state import Listed
    from jupyter_runbook.stop import Stop

__all__ = ["Watch"]

# Seconds between two looks: the first, by how much the next is longer, and the longest.
FIRST, FACTOR, LONGEST = 0.15, 1.4, 3.0
# Seconds until a wait is given up.
PATIENCE = 900.0


class Watch:
    """Looks at a cloud for all who wait.

    Parameters
    ----------
    cloud
        The cloud.
    stop
        What ends the waiting.
    """

    def __init__(self, cloud: Cloud, stop: Stop) -> None:
        self.cloud = cloud
        self.stop = stop
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._seen: dict[str, tuple[float, tuple[Listed, ...]]] = {}

    def until(self, kind: str, identifier: str, true: Callable[[Listed | None], bool], what: str) -> Listed | None:
        """Wait until something is true of a resource, which is None where it is not listed, and return it.

        Raises
        ------
        StepTimeout
            It does not become so.
        Interrupted
            Somebody pressed stop.
        """
        ends, pause = time.monotonic() + PATIENCE, FIRST
        while True:
            asked = time.monotonic()
            self.stop.wait(pause)
            self.stop.check()
            found = next((one for one in self.listed(kind, asked) if one.get("id") == identifier), None)
            if true(found):
                return found
            if time.monotonic() > ends:
                raise StepTimeout(f"{what}: waited for {PATIENCE:.0f} s", hint="look at it in the cloud")
            pause = min(pause * FACTOR, LONGEST)

    def find(self, kind: str, true: Callable[[Listed], bool]) -> list[Listed]:
        """Return the resources of which something is true: of what was listed in this step, else as it is now."""
        for asked in (0.0, time.monotonic()):
            if found := [one for one in self.listed(kind, asked) if true(one)]:
                return found
        return []

    def listed(self, kind: str, asked: float) -> tuple[Listed, ...]:
        """Return a listing that was begun after somebody asked for it: his own, or that of another who waits."""
        with self._locks[kind]:
            begun, seen = self._seen.get(kind, (0.0, ()))
            if begun < asked:
                begun = time.monotonic()
                seen = self.cloud.list(kind)
                self._seen[kind] = (begun, seen)
            return seen
