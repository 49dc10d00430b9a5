"""A project to converge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.session import Session
from tests.bench import Bench
from tests.openstack import connect
from tests.providers.openstack.lab import OS, Lab
from tests.tenant import clear

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.openstack import Cloud


@pytest.fixture
def lab(sandbox_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Return the project of the sandbox's member, which is empty afterwards."""
    sandbox = sandbox_cloud.up(machines=False)
    for key, value in sandbox.env().items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    with connect(sandbox) as connection:
        yield Lab(Bench(tmp_path, Session(tmp_path), point=OS), connection)
        clear(connection)
