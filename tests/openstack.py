"""The OpenStack that the tests talk to: a sandbox of our own, or one that is up already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.openstack import OpenStackSandbox
from jupyter_runbook.sandbox.openstack.config import ADMIN, CLOUD
from tests.engine import can_start, leave_out

if TYPE_CHECKING:
    from openstack.connection import Connection


class Cloud:
    """The session's cloud: up when first asked for, and gone at the end where it was not up before."""

    def __init__(self) -> None:
        self.sandbox = OpenStackSandbox()
        self.theirs = self.sandbox.status() is not None

    def up(self) -> OpenStackSandbox:
        """Return it, up; a service that a test ended is up again."""
        if not self.theirs and (why := can_start()):
            leave_out("openstack", why)
        try:
            self.sandbox.up()
        except RunbookError as error:
            leave_out("openstack", " ".join(error.lines()))
        return self.sandbox

    def down(self) -> None:
        """Take it away, where it is ours."""
        if not self.theirs:
            self.sandbox.down()

    def free(self) -> OpenStackSandbox:
        """Return the sandbox, down: for the tests of its coming and going."""
        if self.theirs:
            pytest.skip("the openstack sandbox was up before the tests: it is left alone")
        if why := can_start():
            leave_out("openstack", why)
        self.sandbox.down()
        return self.sandbox


def connect(sandbox: OpenStackSandbox, cloud: str = CLOUD, **more: Any) -> Connection:
    """Return a connection to the sandbox, as its project's member or as its administrator."""
    import openstack
    import yaml

    known = yaml.safe_load(sandbox.clouds.read_text())["clouds"][cloud]
    known["auth"] |= more
    return openstack.connect(**known, load_yaml_config=False, load_envvars=False)


def loops() -> list[str]:
    """Return the files that loop devices of this machine are of."""
    shown = leftovers._run(["losetup", "--list", "--noheadings", "--output", "BACK-FILE"], os.environ)
    return shown.splitlines()


def administer(sandbox: OpenStackSandbox) -> Connection:
    """Return a connection as the administrator."""
    return connect(sandbox, ADMIN)
