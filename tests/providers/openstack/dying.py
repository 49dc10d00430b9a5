"""Run a cell of %%os again and again, each time in a process that dies by SIGKILL once its first write is answered.

    python -m tests.providers.openstack.dying FOLDER CELL [OPTIONS]

What a service was asked for by then stays; what the process had in mind is lost. A service that was asked side by side
with the one that has answered is still at work when the process dies, and makes its resource a little later: the next
run begins once it has. The runs end with the first that has nothing more to write; how many died, and how that one
ended, is printed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import openstack
import psutil
from requests import Session as Requests

from jupyter_runbook.session import Session
from tests.bench import Bench
from tests.providers.openstack.lab import OS

LOGIN = "/auth/tokens"
# More runs than there are writes in any cell of the tests.
MOST = 40
# Seconds that a service may be at work on what a dead process has asked it for.
AT_WORK = 60.0


def main() -> None:
    """Fork until one lives: what is imported is imported once."""
    # Each service's classes are imported where they are first named.
    for service in ("compute", "image", "network", "block_storage", "identity"):
        getattr(openstack.connection.Connection, service)
    for died in range(MOST):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(_run(write))
        os.close(write)
        with os.fdopen(read) as last:
            asked = last.read()
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.stdout.write(f"{died} {os.waitstatus_to_exitcode(status)}\n")
            return
        _answered(set(json.loads(asked)))


def _answered(ports: set[int]) -> None:
    """Wait until no service holds a connection any more that a dead process had from one of these ports."""
    end = time.monotonic() + AT_WORK
    while any(
        one.raddr and one.raddr.port in ports and one.status == psutil.CONN_CLOSE_WAIT
        for one in psutil.net_connections("tcp4")
    ):
        if time.monotonic() > end:
            raise TimeoutError(f"a service is still at work, {AT_WORK:.0f} s after who asked it has died")
        time.sleep(0.01)


def _run(last: int) -> int:
    send = Requests.send

    def dying(session: Requests, request: Any, **more: Any) -> Any:
        answer = send(session, request, **more)
        if request.method != "GET" and LOGIN not in request.url:
            asked = [one.laddr.port for one in psutil.Process().net_connections("tcp4")]
            os.write(last, json.dumps(asked).encode())
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
