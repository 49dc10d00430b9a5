"""What every test stands on."""

from __future__ import annotations

import gc
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from jupyter_runbook import secret
from jupyter_runbook.replay.imports import without_iri_parsers
from tests.support import groups, limits, sandboxes, signals

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.engine import Engine
    from tests.hosts import Hosts
    from tests.openstack import Cloud

MACHINE = groups.Machine()
#: The sandboxes that were up before the tests; a folder that workers share with the process that starts them.
THEIRS, NOTES = pytest.StashKey[frozenset[str]](), pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """See which sandboxes are up; a worker is told."""
    signals.heed()
    limits.prepare()
    without_iri_parsers()
    # An example has no time of its own: a busy machine is no fault. Before tests are imported, which take it as it is.
    hypothesis.settings.register_profile("suite", deadline=None)
    hypothesis.settings.load_profile("suite")
    worker = getattr(config, "workerinput", None)
    if worker is None:
        notes = tempfile.mkdtemp(prefix="jupyter-runbook-tests-")
        config.add_cleanup(lambda: shutil.rmtree(notes, ignore_errors=True))
        config.add_cleanup(sandboxes.begin())
        worker = {"theirs": sandboxes.up_before(), "notes": notes}
        if config.getoption("dist", "no") != "no":
            signals.heed_termination()
    config.stash[THEIRS] = frozenset(worker["theirs"])
    config.stash[NOTES] = Path(worker["notes"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker."""
    stash = node.config.stash
    node.workerinput |= {"theirs": sorted(stash[THEIRS]), "notes": str(stash[NOTES])}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep groups together."""
    from tests.support.scheduler import GroupScheduling

    return (
        GroupScheduling(config, log, config.stash[NOTES] / "groups")
        if config.getoption("dist") == "loadgroup"
        else None
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Write the groups down in a worker, before it tells of its tests; what is there by now is no garbage."""
    gc.freeze()
    if hasattr(session.config, "workerinput"):
        from tests.support.scheduler import write_groups

        found = {item.nodeid: groups.group(item) for item in session.items}
        path = session.config.stash[NOTES] / "groups"
        write_groups(path, {name: group for name, group in found.items() if group})


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take the sandboxes away once no test uses them any more: each worker has ended by then."""
    if not hasattr(session.config, "workerinput"):
        sandboxes.take_down(session.config.stash[NOTES])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test that needs a service, before `-m` looks at marks."""
    if groups.service(item):
        item.add_marker(pytest.mark.service)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into order; last, for they may have been shuffled."""
    groups.order(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Wait for the machine before a test's time begins."""
    MACHINE.enter(item)
    try:
        return (yield)
    finally:
        limits.stop()
        MACHINE.leave(item, nextitem)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Let a test fail that took too long and caught what told it so."""
    report = yield
    said = limits.overrun()
    if said and report.passed:
        report.outcome, report.longrepr = "failed", said
    return report


def pytest_enter_pdb() -> None:
    """Give whoever debugs a test all the time."""
    limits.stop()


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(settings: Any) -> bool:
    """Take the place of pytest-timeout's own timer."""
    limits.start(settings.timeout)
    return True


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_cancel_timer() -> bool:
    """Go on: pytest-timeout cancels its timer where a test fails, and the fixtures' clean-up may hang as well."""
    return True


@pytest.fixture
def pipelining(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ansible hand modules over without files of their own, as people with many hosts do: half the time."""
    monkeypatch.setenv("ANSIBLE_PIPELINING", "1")


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> None:
    """Forget the secrets of other tests: a process knows its secrets for as long as it lives."""
    secret._known.clear()
    for known in (
        secret.weak._texts,
        secret.weak._stands,
        secret.weak._later,
        secret.weak._revealed,
        secret._names,
    ):
        known.clear()


def shared(config: pytest.Config, name: str) -> Any:
    """Return what a shared sandbox is told."""
    return {"theirs": name in config.stash[THEIRS], "notes": config.stash[NOTES]}


@pytest.fixture(scope="session")
def docker_engine(pytestconfig: pytest.Config) -> Engine:
    """Return the tests' Docker engine, which may be down."""
    from jupyter_runbook.sandbox.docker import DockerSandbox
    from tests.engine import Engine

    return Engine(DockerSandbox(), **shared(pytestconfig, "docker"))


@pytest.fixture
def docker_host(docker_engine: Engine) -> str:
    """Return the address of a Docker engine that is up."""
    return docker_engine.up()


@pytest.fixture(scope="session")
def sandbox_hosts(pytestconfig: pytest.Config) -> Hosts:
    """Return the tests' hosts, which may be down."""
    from jupyter_runbook.sandbox.hosts import HostsSandbox
    from tests.hosts import Hosts

    return Hosts(HostsSandbox(), **shared(pytestconfig, "hosts"))


@pytest.fixture
def inventory(sandbox_hosts: Hosts) -> Path:
    """Return the inventory of three hosts that are up: host1, host2, host3."""
    return sandbox_hosts.up()


@pytest.fixture(scope="session")
def sandbox_cloud(pytestconfig: pytest.Config) -> Cloud:
    """Return the tests' OpenStack, which may be down."""
    from jupyter_runbook.sandbox.openstack import OpenStackSandbox
    from tests.openstack import Cloud

    return Cloud(OpenStackSandbox(), **shared(pytestconfig, "openstack"))
