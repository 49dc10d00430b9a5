"""Disposable real control planes on this machine, to try and test runbooks on: a module each, and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.sandbox.base import Sandbox

__all__ = ["NAMES", "sandbox"]

#: The sandboxes that there are.
NAMES = ("docker",)


def sandbox(name: str, tell: Callable[[str], object] = lambda _line: None) -> Sandbox:
    """Return a sandbox by its name, one of `NAMES`; ``tell`` is called with each line of progress."""
    from jupyter_runbook.sandbox.docker import DockerSandbox

    return {"docker": DockerSandbox}[name](tell)
