"""How the tests are shared out over pytest-xdist's workers: what shares something of this machine stays together.

A group is one worker's, test after test. Those in `ORDER` come first; then the slow tests that share nothing, each by
itself; then the quick ones, by module.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest

__all__ = ["MACHINE", "Machine", "group", "order", "service", "with_sandboxes"]

#: What uses a sandbox, by fixture: a test that has several of them belongs to the first.
SANDBOXES = {"tenant": "servers", "sandbox_cloud": "openstack", "sandbox_hosts": "hosts", "docker_engine": "docker"}
#: Tests with the mark ``machine``: sandboxes come and go, and what they leave on this machine is looked at.
MACHINE = "machine"
#: What plays on this machine by one warm process of Ansible's, and no sandbox.
PLAYS, PLAYBOOKS = "plays", "tests/providers/ansible/"
#: What is handed out first, in this order; but what has sandboxes comes after `MACHINE` has ended.
ORDER = (MACHINE, "browser", PLAYS, "openstack", "servers", "docker", "hosts")


def service(item: pytest.Item) -> str | None:
    """Return which real service of `ORDER` a test needs, None for none of them."""
    if item.get_closest_marker("machine"):
        return MACHINE
    fixtures = getattr(item, "fixturenames", ())
    return next((name for fixture, name in SANDBOXES.items() if fixture in fixtures), None) or (
        "browser" if "browser" in fixtures else None
    )


def group(item: pytest.Item) -> str | None:
    """Return a test's group; None where it is handed out by itself."""
    needed, slow = service(item), item.get_closest_marker("slow")
    module = item.nodeid.partition("::")[0]
    if needed == "docker":  # its tests have projects and ports of their own
        return f"docker {module}"
    if slow and not needed:
        return PLAYS if module.startswith(PLAYBOOKS) else module if _shares_fixtures(item) else None
    return needed or module


def with_sandboxes(group: str) -> bool:
    """Tell whether a group waits until `MACHINE` has ended."""
    return group.partition(" ")[0] in SANDBOXES.values()


def order(items: list[pytest.Item]) -> None:
    """Put the tests into the order in which they are handed out."""

    def place(item: pytest.Item) -> int:
        first = (group(item) or "").partition(" ")[0]
        return ORDER.index(first) if first in ORDER else len(ORDER) + (item.get_closest_marker("slow") is None)

    items.sort(key=place)


class Machine:
    """What is this machine's: `MACHINE` has it alone, the groups with sandboxes have it together.

    A group holds it from its first test to its last, for its fixtures may live as long.
    """

    def __init__(self) -> None:
        self._path = Path(tempfile.gettempdir(), f"jupyter-runbook-tests-{os.getuid()}.lock")
        self._descriptor: int | None = None

    def enter(self, item: pytest.Item) -> None:
        """Wait until a test's group may begin."""
        needed = service(item)
        if self._descriptor is None and needed and needed != "browser":
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX if needed == MACHINE else fcntl.LOCK_SH)

    def leave(self, item: pytest.Item, following: pytest.Item | None) -> None:
        """Let others have it, where the group has ended."""
        if self._descriptor is not None and (following is None or group(following) != group(item)):
            # A child that was forked may still have it open: closing alone would not let go.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None


def _shares_fixtures(item: pytest.Item) -> bool:
    """Tell whether a test uses a fixture of its module's or package's own, that lives longer than the test."""
    known: dict[str, Iterable[pytest.FixtureDef[object]]] = getattr(
        getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}
    )
    return any(one.scope in ("module", "package", "class") for one in _last(known))


def _last(known: dict[str, Iterable[pytest.FixtureDef[object]]]) -> Iterator[pytest.FixtureDef[object]]:
    """Go through the fixtures that a test's names stand for."""
    for definitions in known.values():
        yield list(definitions)[-1]
