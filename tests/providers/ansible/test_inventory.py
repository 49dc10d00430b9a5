"""Inventories of every form, on hosts that are reached by SSH."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jupyter_runbook.provider import Result
from jupyter_runbook.providers.docker.engine import Engine
from jupyter_runbook.record import Status
from jupyter_runbook.sandbox.rootfs import debian_root
from jupyter_runbook.session import Session
from jupyter_runbook.ssh import NEW_KEYS
from tests.bench import Bench
from tests.providers.ansible.helpers import HERE, facts, hosts, tasks
from tests.providers.docker.yard import DOCKER, Yard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.hosts import Hosts

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pipelining")]

NAME = "- name: name\n  command: hostname\n  register: said\n  changed_when: false\n"


def names(bench: Bench, line: str, **given: Any) -> dict[str, str]:
    """Return what each host says that it is called."""
    done = bench.run(NAME, f"{line} --out out", **given)
    assert done.record.status is Status.OK, done.record.error
    return {host: known["registered"]["said"]["stdout"] for host, known in facts(done).items()}


def test_a_file_a_folder_a_text_a_mapping_and_a_result(bench: Bench, inventory: Path) -> None:
    everywhere = {f"host{number}": f"host{number}" for number in (1, 2, 3)}
    values = yaml.safe_load(inventory.read_text())
    assert names(bench, f"-i {inventory}") == everywhere
    assert names(bench, "-i {{ path }}", path=str(inventory)) == everywhere
    assert names(bench, "-i path", path=inventory) == everywhere
    assert names(bench, "-i text", text=inventory.read_text()) == everywhere
    assert names(bench, "-i values", values=values) == everywhere
    assert names(bench, "-i result", result=Result(inventory=values)) == everywhere
    assert names(bench, "-i {{ result.inventory }} --limit host2", result=Result(inventory=values)) == {
        "host2": "host2"
    }
    folder = bench.root / "site"
    (folder / "group_vars").mkdir(parents=True)
    values["web"] = {"hosts": {"host3": None}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(values))
    (folder / "group_vars" / "web.yml").write_text("ansible_host: 127.0.0.1\nansible_port: 1\n")
    assert names(bench, "-i site --hosts all:!web") == {"host1": "host1", "host2": "host2"}
    assert names(
        bench, "-i site --hosts host3", ansible_port=22, ansible_host=values["all"]["hosts"]["host3"]["ansible_host"]
    )


def test_the_plan_says_whether_an_inventory_accepts_new_host_keys(bench: Bench) -> None:
    for arguments, told in (("-o StrictHostKeyChecking=accept-new", True), ("-o StrictHostKeyChecking=yes", False)):
        named = hosts(me={**HERE, "ansible_ssh_common_args": arguments})
        record = bench.run("- ansible.builtin.ping:\n", "-i named", named=named).record
        assert (f"host_keys: {NEW_KEYS}" in str(record.changes[0].diff)) is told, record.changes[0].diff


def test_two_inventories_and_the_form_of_ini(bench: Bench, inventory: Path) -> None:
    ini = "[here]\nme ansible_connection=local\n\n[here:vars]\nansible_python_interpreter=/usr/bin/python3\n"
    found = names(bench, f"-i ini -i {inventory} --hosts me:host1", ini=ini)
    assert found == {"me": os.uname().nodename, "host1": "host1"}


def test_hosts_and_their_variables_without_a_group(bench: Bench) -> None:
    assert set(names(bench, "-i one", one={"me": HERE})) == {"me"}
    text = f"me ansible_connection=local ansible_python_interpreter={sys.executable}"
    assert set(names(bench, "-i text", text=text)) == {"me"}
    assert set(names(bench, "-i some", some=["me", "you"], ansible_connection="local")) == {"me", "you"}
    assert set(names(bench, "-i a,b,", ansible_connection="local")) == {"a", "b"}


def test_files_of_an_inventory_refer_to_the_notebooks_variables(bench: Bench) -> None:
    site = bench.root / "site"
    (site / "group_vars" / "web").mkdir(parents=True)
    (site / "hosts.yml").write_text("web:\n  hosts:\n    me: {ansible_connection: '{{ how }}'}\n")
    (site / "group_vars" / "web" / "more.yml").write_text("word: '{{ first }}'\n")
    (site / "group_vars" / "all").write_text("other: '{{ second }}'\n")
    (bench.root / "cluster.ini").write_text(
        "[web]\nme ansible_connection=local word='{{ first }}' other='{{ second }}'\n"
    )
    body = "- assert: {that: [word == 'a', other == 'b']}\n"
    for inventory in ("site", "site/hosts.yml", "cluster.ini"):
        record = bench.run(
            body, f"-i {inventory}", how="local", first="a", second="b", ansible_python_interpreter=sys.executable
        ).record
        assert record.status is Status.OK, record.error


def test_variables_of_the_inventory_stay_and_secrets_in_it_are_kept(bench: Bench) -> None:
    record = bench.run("- debug: {msg: '{{ word }}'}\n", "-i inv", inv=hosts(me={**HERE, "word": "theirs"})).record
    assert '"msg": "theirs"' in record.log.head  # type: ignore[union-attr]


@pytest.fixture
def yard(docker_host: str, tmp_path: Path) -> Iterator[Yard]:
    """Return a project on a real engine; nothing of it is left afterwards."""
    engine, place = Engine(docker_host), Bench(tmp_path, Session(tmp_path), point=DOCKER)
    made = Yard(place, engine, f"t{secrets.token_hex(4)}", docker_host)
    yield made
    made.clear()


def test_the_containers_that_a_cell_made_are_played_on(bench: Bench, yard: Yard, sandbox_hosts: Hosts) -> None:
    key = sandbox_hosts.up().parent / "key"
    root = debian_root(print)
    archive = bench.root / "root.tar"
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)  # noqa: S607
    image = f"{yard.project}-debian"
    yard.engine.call("POST", "/images/create", archive.read_bytes(), fromSrc="-", repo=image, tag="latest")
    start = "mkdir -p /run/sshd ~/.ssh; ssh-keygen -A; echo $$KEY > ~/.ssh/authorized_keys; exec /usr/sbin/sshd -D -e"
    web = {
        "image": image,
        "command": ["sh", "-c", start],
        "environment": {"KEY": key.with_suffix(".pub").read_text().strip()},
        "ports": ["127.0.0.1::22"],
        "hostname": "web",
        "deploy": {"replicas": 2},
        "healthcheck": {
            "test": ["CMD", "sh", "-c", "ssh-keyscan -T 1 127.0.0.1"],
            "interval": "1s",
            "start_period": "9s",
        },
    }
    cell = yaml.safe_dump({"services": {"web": web, "plain": {"image": "busybox", "command": "sleep 1000"}}})
    made = yard.bench.run(cell, f"--project {yard.project} --host {yard.host} --out site")
    assert made.result, made.record.error
    assert set(made.result.inventory) == {"web", "plain"}
    (plain,) = made.result.inventory["plain"]["hosts"].values()
    assert plain == {
        "ansible_connection": "community.docker.docker_api",
        "ansible_host": yard.name("plain"),
        "ansible_docker_docker_host": yard.host,
    }
    found = names(
        bench,
        "-i site --hosts web",
        site=made.result,
        ansible_user="root",
        ansible_ssh_private_key_file=key,
        ansible_ssh_common_args="-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        ansible_python_interpreter="/usr/bin/python3",
    )
    assert found == {yard.name("web", 1): "web", yard.name("web", 2): "web"}
    assert shutil.which("ssh")
    assert tasks(bench.screen.records[-1]) == {f"{yard.name('web', number)}: name": "ok" for number in (1, 2)}
