"""What every test stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_runbook import secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine import Engine
    from tests.hosts import Hosts
    from tests.openstack import Cloud


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> None:
    """Forget the secrets of other tests: a process knows its secrets for as long as it lives."""
    secret._known.clear()


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """Return the session's Docker engine, which may be down."""
    from tests.engine import Engine

    engine = Engine()
    yield engine
    engine.down()


@pytest.fixture
def docker_host(docker_engine: Engine) -> str:
    """Return the address of a Docker engine that is up."""
    return docker_engine.up()


@pytest.fixture(scope="session")
def sandbox_hosts() -> Iterator[Hosts]:
    """Return the session's hosts, which may be down."""
    from tests.hosts import Hosts

    hosts = Hosts()
    yield hosts
    hosts.down()


@pytest.fixture
def inventory(sandbox_hosts: Hosts) -> Path:
    """Return the inventory of three hosts that are up: host1, host2, host3."""
    return sandbox_hosts.up()


@pytest.fixture(scope="session")
def sandbox_cloud() -> Iterator[Cloud]:
    """Return the session's OpenStack, which may be down."""
    from tests.openstack import Cloud

    cloud = Cloud()
    yield cloud
    cloud.down()
