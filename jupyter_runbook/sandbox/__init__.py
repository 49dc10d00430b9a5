"""Disposable real control planes on this machine, to try and test runbooks on: a module each, and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.sandbox.base import Sandbox

__all__ = ["NAMES", "sandbox"]

#: The sandboxes that there are, in the order in which they come up: one may stand on those before it.
NAMES = ("docker", "hosts", "openstack")


def sandbox(name: str, tell: Callable[[str], object] = lambda _line: None, count: int | None = None) -> Sandbox:
    """Return a sandbox by its name.

    Parameters
    ----------
    name
        One of `NAMES`.
    tell
        Called with each line of progress.
    count
        How many hosts there shall be; None for as many as there are.
    """
    if name == "hosts":
        from jupyter_runbook.sandbox.hosts import HostsSandbox

        return HostsSandbox(tell, count)
    if name == "openstack":
        from jupyter_runbook.sandbox.openstack import OpenStackSandbox

        return OpenStackSandbox(tell)
    from jupyter_runbook.sandbox.docker import DockerSandbox

    return DockerSandbox(tell)
