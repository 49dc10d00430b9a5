"""A bench whose cells are played by ansible-core itself."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.providers import ansible
from jupyter_runbook.providers.ansible import launch
from jupyter_runbook.registry import GROUP
from jupyter_runbook.session import Session
from tests.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSIBLE = EntryPoint("ansible", "jupyter_runbook.providers.ansible:Ansible", GROUP)


@pytest.fixture(scope="session")
def launcher() -> Iterator[launch.Launcher]:
    """Return Ansible's process of these tests: it takes a second to start, and forks for each play."""
    shared = launch.Launcher()
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(autouse=True)
def private(runtime: Path, launcher: launch.Launcher, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for what is handed over in private; nobody else's is there."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(ansible, "Launcher", lambda: launcher)
    environment = launch._environment
    # pytest's is another one in each test, and each environment has a process of its own.
    monkeypatch.setattr(launch, "_environment", lambda: {**environment(), "PYTEST_CURRENT_TEST": ""})
    return runtime


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, Session(tmp_path), point=ANSIBLE)
