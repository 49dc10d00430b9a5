"""One run at a time on one project of an engine, wherever it runs from.

The lock is kept by the engine itself: a network that is configuration only, which takes no address and no bridge. Its
labels tell who holds it. A run that was killed leaves it; the next one on the same machine sees that, and goes on.
"""

from __future__ import annotations

import getpass
import json
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from jupyter_runbook.alive import is_alive, this_process
from jupyter_runbook.errors import Conflict, RunbookError
from jupyter_runbook.providers.docker.engine import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.providers.docker.engine import Engine

__all__ = ["HOLDER", "hold", "left_behind", "lock_name"]

# How often it is tried to take over from runs that died.
TRIES = 5
#: The label that tells who holds it.
HOLDER = "org.jupyter-runbook.holder"


def lock_name(project: str) -> str:
    """Return what the lock of a project is called."""
    return f"{project}.runbook-lock"


@contextmanager
def hold(engine: Engine, project: str) -> Iterator[bool]:
    """Hold a project against other runs; tell whether it was taken over from one that died.

    Raises
    ------
    Conflict
        Another run holds it: the message says who.
    """
    identifier, took_over = _take(engine, project)
    try:
        yield took_over
    finally:
        # What can't be reached now keeps it; the next run sees that its holder is gone.
        with suppress(RunbookError):
            engine.call("DELETE", f"/networks/{identifier}")


def left_behind(network: dict[str, Any]) -> bool:
    """Tell whether a lock, as listed, was left by a run of this machine that died."""
    return _gone(_holder(network))


def _take(engine: Engine, project: str) -> tuple[str, bool]:
    name = lock_name(project)
    body = {
        "Name": name,
        "CheckDuplicate": True,
        "ConfigOnly": True,
        "Labels": {HOLDER: json.dumps(_me())},
    }
    took_over = False
    for _ in range(TRIES):
        try:
            made = str(engine.create("/networks/create", body)["Id"])
        except Conflict:
            made = ""
        # Two may have been made at the same moment: an engine only does its best against that. The first one counts.
        found = [one for one in engine.get("/networks", filters={"name": [name]}) if one["Name"] == name]
        found.sort(key=lambda one: (one["Created"], one["Id"]))
        if found and found[0]["Id"] == made:
            return made, took_over
        if made:
            engine.call("DELETE", f"/networks/{made}")
        for one in found[:1]:
            holder = _holder(one)
            if not _gone(holder):
                raise Conflict(
                    f"another run is at work on the project {project}: {holder.get('user')}@{holder.get('host')}, "
                    f"process {holder.get('pid')}, since {one['Created'][:19]}Z",
                    hint=f"wait until it has ended; if there is none any more: docker network rm {name}",
                )
            took_over = True
            with suppress(NotFound):
                engine.call("DELETE", f"/networks/{one['Id']}")
    raise Conflict(f"the lock of the project {project} changes hands all the time", hint="run the step again")


def _me() -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return {"user": user, **this_process()}


def _holder(network: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(json.loads(network["Labels"][HOLDER]))
    except (KeyError, TypeError, ValueError):
        return {}


def _gone(holder: dict[str, Any]) -> bool:
    """Tell whether a holder is a process of this machine that has ended."""
    # Whoever has an older version of this tool says it in other words.
    named = {"process_started": holder.get("started"), **holder}
    return isinstance(named.get("pid"), int) and named["process_started"] is not None and is_alive(named) is False
