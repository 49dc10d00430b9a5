"""A bench whose cells are played by ansible-core itself."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.registry import GROUP
from jupyter_runbook.session import Session
from tests.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

ANSIBLE = EntryPoint("ansible", "jupyter_runbook.providers.ansible:Ansible", GROUP)


@pytest.fixture(autouse=True)
def private(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for what is handed over in private; nobody else's is there."""
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return folder


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, Session(tmp_path), point=ANSIBLE)
