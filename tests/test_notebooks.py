"""The notebooks that are the documentation are executed, twice: the second run finds all as it should be."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from jupyter_runbook.cli import main
from jupyter_runbook.providers.docker.engine import Engine
from jupyter_runbook.sandbox.docker import DockerSandbox
from tests.openstack import connect
from tests.tenant import clear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hosts import Hosts
    from tests.openstack import Cloud

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def replay(name: str, worklog: str, **parameters: str) -> list[dict[str, Any]]:
    """Replay a notebook of the folder that we are in, and return its steps."""
    given = [word for key, value in parameters.items() for word in ("-p", key, value)]
    done = CliRunner().invoke(main, ["replay", name, worklog, *given])
    assert done.exit_code == 0, done.output
    shown = CliRunner().invoke(main, ["status", worklog, "--json"])
    return list(json.loads(shown.stdout)["steps"])


@pytest.fixture
def project(docker_host: str) -> Iterator[str]:
    """Return the name of a project of which nothing is left."""
    name = f"t{secrets.token_hex(4)}"
    yield name
    engine = Engine(docker_host)
    for one in engine.get("/containers/json", all=1, filters={"name": [name]}):
        engine.call("DELETE", f"/containers/{one['Id']}", force=True, v=True)
    for kind in ("networks", "volumes"):
        listed = engine.get(f"/{kind}")
        for one in listed["Volumes"] or () if kind == "volumes" else listed:
            if one["Name"].startswith(name):
                engine.call("DELETE", f"/{kind}/{one['Name']}")
    engine.close()


def test_docker(docker_host: str, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "notebooks"
    shutil.copytree(
        NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".env", ".drifted", "*.tar", ".runbook", "worklogs")
    )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    env = DockerSandbox().env()
    registry = env["RUNBOOK_REGISTRY"]
    monkeypatch.setenv("DOCKER_CONFIG", env["DOCKER_CONFIG"])
    parameters = {"project": project, "registry": registry, "version": project, "port": "18088"}
    first = {step["name"]: step["status"] for step in replay("10-docker.ipynb", "a.ipynb", **parameters)}
    assert first == {
        "settings of the site": "changed",
        "the application": "changed",
        "it answers": "ok",
        "an archive for sites without a registry": "changed",
        "more memory for the site": "changed",
        "more memory for web, as a dry run": "planned",
        "more memory for web": "changed",
        "somebody's hand": "changed",
        "as the cell says": "changed",
        "it answers again": "ok",
        "no more of the old tier": "changed",
        "the old tier is gone": "changed",
    }
    second = replay("10-docker.ipynb", "b.ipynb", **parameters)
    assert {step["status"] for step in second} == {"ok"}
    changes = reasons(Path("a.ipynb"))
    assert changes["more memory for web"] == ["update: mem_limit: changed in the cell"]
    assert changes["as the cell says"] == ["update: mem_limit: differs from the cell; networks.back: changed by hand"]
    assert changes["an archive for sites without a registry"] == ["create: is not there: save"]
    assert changes["the old tier is gone"] == ["delete: is there"]


def reasons(worklog: Path) -> dict[str, list[str]]:
    """Return what each step did and why, from the records of a work log."""
    found = {}
    for record in records(worklog):
        rows = [one for one in record["changes"] if one["action"] != "no-op"]
        found[record["name"]] = [f"{one['action']}: {one['reason']}" for one in rows]
    return found


@pytest.mark.usefixtures("pipelining")
def test_ansible_on_hosts(sandbox_hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = sandbox_hosts.free()
    inventory = sandbox_hosts.up()
    folder = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("11-ansible-hosts", ".runbook", "worklogs"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("ANSIBLE_INVENTORY", str(inventory))
    first = {step["name"]: step["status"] for step in replay("11-ansible-hosts.ipynb", "a.ipynb")}
    assert first == {
        "the hosts answer": "ok",
        "the first release": "changed",
        "the site on every host": "changed",
        "the next release": "changed",
        "the next release, as a dry run": "planned",
        "the next release, host by host": "changed",
        "every host says so": "ok",
    }
    log = Path("a.ipynb").read_text()
    assert "hello from host3, release 2" in log
    done = CliRunner().invoke(main, ["replay", "11-ansible-hosts.ipynb", "b.ipynb"])
    assert done.exit_code == 0
    # Each task is told as soon as its turn is over.
    told = done.output.index("\n      ✓ site : service: 1 ok\n")
    assert told < done.output.index("\n      ✓ site : service: 2 ok\n") < done.output.index("host by host (%%ansible)")
    second = json.loads(CliRunner().invoke(main, ["status", "b.ipynb", "--json"]).stdout)["steps"]
    assert {step["status"] for step in second} == {"ok"}
    sandbox.stop("host2")
    done = CliRunner().invoke(main, ["replay", "11-ansible-hosts.ipynb", "c.ipynb"])
    assert done.exit_code == 1
    assert "unreachable: host2: facts: unreachable: " in done.output
    steps = json.loads(CliRunner().invoke(main, ["status", "c.ipynb", "--json"]).stdout)["steps"]
    assert steps[0]["status"] == "failed"
    record = next(one for one in records(Path("c.ipynb")) if one["name"] == "the hosts answer")
    rows = {row["resource"]: row["status"] for row in record["changes"] if row["kind"] == "task"}
    assert rows == {"host1: facts": "ok", "host2: facts": "failed", "host3: facts": "ok"}


def records(worklog: Path) -> Iterator[dict[str, Any]]:
    """Go through the records of a work log."""
    for cell in json.loads(worklog.read_text())["cells"]:
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get("application/vnd.jupyter-runbook.step.v1+json")
            if record:
                yield record


def test_openstack(sandbox_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = sandbox_cloud.up()
    folder = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("20-openstack", ".runbook", "worklogs"))
    monkeypatch.chdir(folder)
    for key, value in sandbox.env().items():
        monkeypatch.setenv(key, value)
    name = f"t{secrets.token_hex(4)}"
    with connect(sandbox) as cloud:
        try:
            steps = [
                {step["name"]: step["status"] for step in replay("20-openstack.ipynb", worklog, site=name, keep=keep)}
                for worklog, keep in (("a.ipynb", "false"), ("b.ipynb", "true"), ("c.ipynb", "true"))
            ]
            made = {"the network": "changed", "the servers": "changed", "a look at the project": "ok"}
            assert steps == [
                {**made, "nothing is left": "changed"},
                {**made, "nothing is left": "skipped"},
                {**dict.fromkeys(made, "ok"), "nothing is left": "skipped"},
            ]
            assert sorted(one.name for one in cloud.compute.servers()) == [f"{name}-web1", f"{name}-web2"]
        finally:
            clear(cloud)
    outputs = [
        output["data"]
        for cell in json.loads(Path("a.ipynb").read_text())["cells"]
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    assert any("image/png" in data for data in outputs), "the chart"
    tables = [str(data.get("text/html")) for data in outputs]
    both = r"10\.20\.0\.12, \d+\.\d+\.\d+\.\d+<"
    assert any(f"{name}-web1" in one and re.search(both, one) for one in tables), "the table"
    assert [one["status"] for one in records(Path("a.ipynb"))] == ["changed", "changed", "ok", "changed"]
