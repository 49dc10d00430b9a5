"""The OpenStack that the tests talk to, as its project's member and as its administrator."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.openstack import OpenStackSandbox
from jupyter_runbook.sandbox.openstack.config import ADMIN, CLOUD
from tests.support.sandboxes import Shared

if TYPE_CHECKING:
    from openstack.connection import Connection


class Cloud(Shared[OpenStackSandbox]):
    """The tests' cloud."""

    def up(self, *, machines: bool = True) -> OpenStackSandbox:
        """Return it, up; a service that a test ended is up again.

        Parameters
        ----------
        machines
            Whether new servers are containers, where the engine is up; else Nova keeps its books alone: that is all
            that a test of the control plane sees, and takes a fraction of the time.
        """
        sandbox = self.start()
        # It is gone with the sandbox, as the image is.
        books_alone = sandbox.folder / "tests-books-alone"
        if machines == books_alone.exists() and not self.theirs:
            with administer(sandbox) as admin:
                image = admin.image.find_image("debian", ignore_missing=False)
                change = {"op": "add", "path": "/sandbox_fake", "value": str(not machines).lower()}
                kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
                answer = admin.image.patch(f"/images/{image.id}", data=json.dumps([change]), headers=kind)
                answer.raise_for_status()
            if machines:
                books_alone.unlink()
            else:
                books_alone.touch()
        return sandbox


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
