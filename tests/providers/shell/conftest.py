"""What the tests of ``%%shell`` stand on."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.registry import GROUP
from jupyter_runbook.session import Session
from tests.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

SHELL = EntryPoint("shell", "jupyter_runbook.providers.shell:Shell", GROUP)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a bench for scripts, in its folder."""
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path, Session(tmp_path), point=SHELL)
