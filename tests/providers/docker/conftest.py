"""What the tests of ``%%docker`` stand on."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.providers.docker.engine import Engine
from jupyter_runbook.session import Session
from tests.bench import Bench
from tests.engine import beside
from tests.providers.docker.yard import DOCKER, Tap, Yard
from tests.support.sandboxes import can_start, leave_out

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a bench in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, Session(tmp_path), point=DOCKER)


@pytest.fixture
def yard(docker_host: str, bench: Bench) -> Iterator[Yard]:
    """Return a project on a real engine; nothing of it is left afterwards."""
    made = Yard(bench, Engine(docker_host), f"t{secrets.token_hex(4)}", docker_host)
    yield made
    made.clear()


@pytest.fixture
def tap(docker_host: str, tmp_path: Path) -> Iterator[Tap]:
    """Return a socket that passes everything to the engine, and keeps the requests."""
    with Tap(tmp_path / "tap.sock", docker_host) as made:
        yield made


@pytest.fixture
def second_engine(docker_host: str) -> Iterator[str]:
    """Return the address of another engine, which has the image too."""
    if why := can_start():
        leave_out("docker", why)
    with tempfile.TemporaryDirectory(prefix="rb-") as folder, beside(Path(folder)) as address:
        first, second = Engine(docker_host), Engine(address)
        second.call("POST", "/images/load", first.call("GET", "/images/busybox:latest/get"))
        first.close()
        second.close()
        yield address
