"""Run a cell of %%os again and again, each time in a process that dies by SIGKILL once its first write is answered.

    python -m tests.providers.openstack.dying FOLDER CELL [OPTIONS]

What a service was asked for by then stays; what the process had in mind is lost. It ends with the first run that has
nothing more to write, and says how many died and how that one ended.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import openstack
from requests import Session as Requests

from jupyter_runbook.session import Session
from tests.bench import Bench
from tests.providers.openstack.lab import OS

LOGIN = "/auth/tokens"
# More runs than there are writes in any cell of the tests.
MOST = 40


def main() -> None:
    """Fork until one lives: what is imported is imported once."""
    # Each service's classes are imported where they are first named.
    for service in ("compute", "image", "network", "block_storage", "identity"):
        getattr(openstack.connection.Connection, service)
    for died in range(MOST):
        child = os.fork()
        if child == 0:
            os._exit(_run())
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.stdout.write(f"{died} {os.waitstatus_to_exitcode(status)}\n")
            return


def _run() -> int:
    send = Requests.send

    def dying(session: Requests, request: Any, **more: Any) -> Any:
        answer = send(session, request, **more)
        if request.method != "GET" and LOGIN not in request.url:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Requests.send = dying  # type: ignore[method-assign, assignment]
    folder = Path(sys.argv[1])
    os.chdir(folder)
    record = Bench(folder, Session(folder), point=OS).run(*sys.argv[2:]).record
    if record.error:
        sys.stderr.write(f"{record.error}\n")
    return 0 if record.status in {"ok", "changed"} else 1


if __name__ == "__main__":
    main()
