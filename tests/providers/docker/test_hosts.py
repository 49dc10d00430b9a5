"""Which engine is meant, engines behind SSH, and several side by side."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.providers.docker.engine import Engine
from jupyter_runbook.providers.docker.hosts import _named, connect, default_host
from jupyter_runbook.providers.docker.waiting import SETTLE
from jupyter_runbook.record import Status
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.sandbox.docker import PACKAGES
from tests.providers.docker.test_traps import one_service
from tests.providers.docker.yard import told
from tests.sshd import path_with, serving
from tests.support.sandboxes import can_start, leave_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.docker.yard import Tap, Yard


def test_the_engine_is_found_as_the_docker_cli_finds_it(tmp_path: Path) -> None:
    assert default_host({"DOCKER_HOST": "tcp://one:2375/"}) == "tcp://one:2375"
    key = hashlib.sha256(b"far").hexdigest()
    meta = tmp_path / "contexts/meta" / key
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": "ssh://me@far"}}}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "far"}))
    variables = {"DOCKER_CONFIG": str(tmp_path)}
    assert default_host(variables) == "ssh://me@far"
    assert default_host({**variables, "DOCKER_HOST": "unix:///x"}) == "unix:///x"
    (tmp_path / "config.json").write_text("{}")
    assert default_host(variables).startswith("unix://")
    assert default_host({**variables, "DOCKER_CONTEXT": "far"}) == "ssh://me@far"


def test_certificates_are_those_of_the_docker_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    assert connect("tcp://far:2376")._certificates == str(tmp_path)
    assert connect("unix:///x")._certificates is None


INVENTORY = {
    "all": {
        "vars": {"ansible_user": "admin"},
        "hosts": {"web1": {"ansible_host": "10.0.0.5"}, "web2": None},
        "children": {
            "far": {"hosts": {"db1": {"ansible_host": "fd00::1", "ansible_port": 2222, "ansible_user": "root"}}},
            "near": {"hosts": {"here": {"docker_host": "unix:///run/docker.sock"}}},
            "none": None,
        },
    }
}


def test_hosts_of_an_inventory() -> None:
    assert dict(_named(INVENTORY)) == {
        "web1": "ssh://admin@10.0.0.5",
        "web2": "ssh://admin@web2",
        "db1": "ssh://root@[fd00::1]:2222",
        "here": "unix:///run/docker.sock",
    }
    for bad in (
        {"all": {"hosts": ["web1"]}},
        {"all": {"children": {"a": "b"}}},
        {"a": {}, "b": "unix:///x"},
        {"a": {"hosts": {"b": 1}}},
    ):
        with pytest.raises(InvalidSpec, match="this is no inventory"):
            _named(bad)


def test_a_host_of_many_groups_has_what_each_of_them_says() -> None:
    """Inventories name a host once with its address, and once more in each group that it is in."""
    web: dict[str, Any] = {"hosts": {"web1": None, "web2": {"ansible_port": 22}}, "vars": {"ansible_user": "deploy"}}
    hosts = {"web1": {"ansible_host": "10.0.0.5"}, "web2": {"ansible_user": "root", "ansible_port": 2022}}
    inventory = {"all": {"hosts": hosts, "children": {"web": web}, "vars": {"ansible_user": "admin"}}}
    assert dict(_named(inventory)) == {"web1": "ssh://deploy@10.0.0.5", "web2": "ssh://root@web2:22"}


@pytest.fixture
def ssh(docker_host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of the engine behind a real SSH server."""
    if why := can_start():
        leave_out("docker", why)
    root = unpacked("docker", PACKAGES, print)
    docker = shutil.which("docker", path=environment(root, tmp_path)["PATH"])
    assert docker
    with serving(tmp_path, {"DOCKER_HOST": docker_host, "PATH": f"{Path(docker).parent}:/usr/bin:/bin"}) as tools:
        monkeypatch.setenv("PATH", path_with(tools))
        yield f"ssh://{os.environ.get('USER', 'root')}@box"


def test_an_engine_behind_ssh(yard: Yard, ssh: str) -> None:
    yard.host = ssh
    record = yard.up(
        one_service(configs=["page"]).replace('{"services"', '{"configs": {"page": {"content": "far"}}, "services"')
    )
    assert record.target == ssh
    assert yard.execute("web", "cat", "/page") == "far"
    assert yard.up(one_service(environment={"A": "1"})).status is Status.CHANGED
    assert yard.run(one_service(), "--absent").status is Status.CHANGED
    assert yard.containers() == []


def test_a_host_that_ssh_does_not_reach(yard: Yard, ssh: str) -> None:
    yard.host = ssh.replace("@box", "@nowhere.invalid")
    record = yard.run(one_service())
    assert record.error
    assert record.error.kind == "unreachable"
    assert "nowhere.invalid" in record.error.message
    assert "resolve" in record.error.message
    assert "ssh " in str(record.error.hint)
    assert len(record.error.message.splitlines()) == 1


def test_a_session_ends_with_its_engine(ssh: str) -> None:
    engine = Engine(ssh)
    assert engine.version["Version"]
    session: Any = engine._idle[0].sock
    engine.close()
    assert session.process.returncode is not None


def test_two_engines_side_by_side(yard: Yard, second_engine: str) -> None:
    """A second engine of this machine, in a network of its own."""
    cell = one_service(network_mode="none")
    yard.host = "{{ hosts }}"
    hosts = {"near": yard.engine.url, "far": second_engine}
    record = yard.up(cell, hosts=hosts)
    assert record.target == "near, far"
    assert {name for name in told(record) if name.startswith("container")} == {
        f"container {yard.name('web')} on near",
        f"container {yard.name('web')} on far",
    }
    other = Engine(second_engine)
    other.call("POST", f"/containers/{yard.name('web')}/kill")
    record = yard.up(cell, hosts=hosts)
    assert told(record)[f"container {yard.name('web')} on near"] == ("no-op", "running")
    assert told(record)[f"container {yard.name('web')} on far"] == ("update", "it ended with 137")
    assert yard.run(cell, "--absent", hosts=hosts).status is Status.CHANGED
    assert other.get("/containers/json", all=1) == []
    other.close()
    yard.host = "{{ hosts }}"
    record = yard.run(cell, hosts=[yard.engine.url, "unix:///nowhere.sock"])
    assert record.error
    assert record.error.kind == "unreachable"
    assert yard.containers() == [], "where one does not answer, nothing is done on the others"


def test_an_engine_that_is_slow_to_begin_an_answer(yard: Yard, tap: Tap) -> None:
    """As one behind ssh on a busy machine: a look at a new container takes longer than it has to settle."""

    def late(line: str) -> bool:
        if "/events" in line:
            time.sleep(2 * SETTLE)
        return True

    tap.on_request = late
    yard.host = tap.host
    yard.up(one_service())
    assert any("/events" in line for line in tap.requests)
