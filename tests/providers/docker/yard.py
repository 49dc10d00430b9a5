"""A place for containers: cells of `%%docker` on a real engine, a project of its own, and all of it gone afterwards."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, Self

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.record import ChangeRecord, Status, StepRecord
from jupyter_runbook.registry import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jupyter_runbook.providers.docker.engine import Engine
    from tests.bench import Bench

DOCKER = EntryPoint("docker", "jupyter_runbook.providers.docker:Docker", GROUP)

#: A service that ends at once when it is asked to: the shell that it runs as would not heed SIGTERM.
IDLE = "{image: busybox, command: sleep 1000, stop_signal: KILL}"


@dataclass
class Yard:
    """A project on an engine."""

    bench: Bench
    engine: Engine
    project: str
    host: str

    def run(self, body: str, line: str = "", **names: Any) -> StepRecord:
        """Run a cell of the project."""
        return self.bench.run(body, f"--project {self.project} --host {self.host} {line}", **names).record

    def up(self, body: str, line: str = "", **names: Any) -> StepRecord:
        """Run a cell, which must do something, and hold: a second run changes nothing."""
        record = self.run(body, line, **names)
        assert record.status is Status.CHANGED, record.error or told(record)
        again = self.run(body, line, **names)
        assert again.status is Status.OK, again.error or told(again)
        return record

    def name(self, service: str, number: int = 1) -> str:
        return f"{self.project}-{service}-{number}"

    def inspect(self, service: str, number: int = 1) -> dict[str, Any]:
        return dict(self.engine.get(f"/containers/{self.name(service, number)}/json"))

    def containers(self) -> list[str]:
        """Return the names of the project's containers."""
        found = self.engine.get("/containers/json", all=1, filters={"name": [f"^/{self.project}"]})
        return sorted(one["Names"][0].removeprefix("/") for one in found)

    def do(self, method: str, path: str, body: Any = None, **query: Any) -> bytes:
        """Do something by hand, past the runbook."""
        return self.engine.call(method, path, body, **query)

    def make(self, **body: Any) -> str:
        """Make and start a container by hand, and return its ID."""
        name = body.pop("name", f"{self.project}-hand")
        made = self.engine.create("/containers/create", {"Image": "busybox", "StopSignal": "KILL", **body}, name=name)
        self.do("POST", f"/containers/{made['Id']}/start")
        return str(made["Id"])

    def execute(self, service: str, *words: str) -> str:
        """Run something in a container, and return what it says."""
        body = {"Cmd": list(words), "AttachStdout": True, "AttachStderr": True, "Tty": True}
        made = self.engine.create(f"/containers/{self.name(service)}/exec", body)
        return self.do("POST", f"/exec/{made['Id']}/start", {"Tty": True}).decode()

    def clear(self) -> None:
        """Take away all that bears the project's name."""
        for one in self.containers():
            with suppress(RunbookError):
                self.do("DELETE", f"/containers/{one}", force=True, v=True)
        for one in self.engine.get("/networks"):
            if one["Name"].startswith(self.project):
                with suppress(RunbookError):
                    self.do("DELETE", f"/networks/{one['Id']}")
        for one in self.engine.get("/volumes")["Volumes"] or ():
            if one["Name"].startswith(self.project):
                with suppress(RunbookError):
                    self.do("DELETE", f"/volumes/{one['Name']}")
        for one in self.engine.get("/images/json"):
            for tag in one["RepoTags"] or ():
                if self.project in tag:
                    with suppress(RunbookError):
                        self.do("DELETE", f"/images/{tag}", force=True)
        self.engine.close()


def told(record: StepRecord) -> dict[str, tuple[str, str]]:
    """Return each row's action and reason."""
    return {row.resource: (str(row.action), row.reason or "") for row in record.changes}


def row(record: StepRecord, service: str, kind: str = "container") -> ChangeRecord:
    """Return the row of a service's first container."""
    [found] = [one for one in record.changes if one.kind == kind and f"-{service}-1" in one.resource]
    return found


@dataclass
class Tap:
    """A socket between a client and the engine, which keeps the requests and may act on each.

    Parameters
    ----------
    path
        Where it listens.
    engine
        Where the engine does.
    on_request
        Called with each request's line before it goes on; one for which it returns False is lost.
    """

    path: Path
    engine: str
    on_request: Callable[[str], bool] = lambda _line: True
    requests: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"unix://{self.path}"

    @property
    def writes(self) -> list[str]:
        return [one for one in self.requests if not one.startswith(("GET ", "HEAD "))]

    def __enter__(self) -> Self:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen(32)
        self._open: list[socket.socket] = [self._server]
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        # Those that a client keeps for its next request are open still.
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        for one in self._open:
            one.close()

    def _begin(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                engine = socket.socket(socket.AF_UNIX)
                self._open += [client, engine]
                engine.connect(self.engine.removeprefix("unix://"))
                self._begin(self._pass, client, engine, self._heard)
                self._begin(self._pass, engine, client, _unheard)

    def _heard(self, data: bytes) -> bool:
        lines = [found.decode() for found in _REQUEST.findall(data)]
        self.requests += lines
        return all(self.on_request(line) for line in lines)

    def _pass(self, source: socket.socket, target: socket.socket, heard: Callable[[bytes], bool]) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if not heard(data):
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _unheard(_data: bytes) -> bool:
    """Let an answer pass."""
    return True


_REQUEST = re.compile(rb"((?:GET|HEAD|POST|PUT|DELETE) /\S+) HTTP/1\.1\r\n")
