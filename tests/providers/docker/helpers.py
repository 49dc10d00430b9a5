"""More than one runner at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_runbook.session import Session
from tests.bench import Bench
from tests.providers.docker.yard import DOCKER

if TYPE_CHECKING:
    from pathlib import Path


def own_bench(root: Path) -> Bench:
    """Return a bench with a session of its own."""
    root.mkdir()
    return Bench(root, Session(root), point=DOCKER)
