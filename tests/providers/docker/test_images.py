"""Images: built when what they are built from changes, pulled from a real registry, and not asked for otherwise."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.canonical import digest
from jupyter_runbook.errors import BadInput
from jupyter_runbook.providers.docker import Docker
from jupyter_runbook.providers.docker.credentials import credentials, every_credential
from jupyter_runbook.providers.docker.operations import operations
from jupyter_runbook.providers.docker.state import HostState
from jupyter_runbook.record import Status
from jupyter_runbook.sandbox.docker import DockerSandbox
from tests.providers.docker.test_compose import read
from tests.providers.docker.test_traps import one_service
from tests.providers.docker.yard import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.providers.docker.yard import Tap, Yard


@pytest.fixture
def registry(docker_host: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of the sandbox's registry, to which we have what it asks for."""
    env = DockerSandbox().env()
    assert env["DOCKER_HOST"] == docker_host
    monkeypatch.setenv("DOCKER_CONFIG", env["DOCKER_CONFIG"])
    return env["RUNBOOK_REGISTRY"]


def test_an_image_is_built_again_when_its_source_changes(yard: Yard, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM busybox\nARG WORD\nCOPY . /app\nRUN echo $WORD > /word\n")
    (folder / ".dockerignore").write_text("# not these\n*.log\n")
    (folder / "page").write_text("one")
    build = {"context": "./app", "args": {"WORD": "hello"}, "tags": [f"{yard.project}-also:2"]}
    image = f"image {yard.project}-web"
    planned = yard.run(one_service(build=build), "--check")
    after: Any = next(one.after for one in planned.changes if one.resource == image)
    assert after["build"]["context"] == "./app", "as it is written: a plan is the same on another machine"
    record = yard.up(one_service(build=build))
    assert told(record)[image] == ("create", "is not there: build")
    assert record.log
    assert "Step 5/5" in str(record.log.head)
    assert yard.execute("web", "cat", "/app/page", "/word").split() == ["onehello"]
    assert yard.engine.get(f"/images/{yard.project}-also:2/json")["Id"] == yard.inspect("web")["Image"]
    (folder / "noise.log").write_text("what is ignored does not count")
    (folder / "page").touch()
    assert yard.run(one_service(build=build)).status is Status.OK
    (folder / "page").write_text("two")
    record = yard.up(one_service(build=build))
    assert told(record)[image] == ("update", "its source was changed: build")
    assert yard.execute("web", "cat", "/app/page") == "two"
    build["args"] = {"WORD": "bye"}
    yard.up(one_service(build=build))
    assert yard.execute("web", "cat", "/word").strip() == "bye"


def test_a_dockerfile_in_the_cell(yard: Yard) -> None:
    build = {
        "dockerfile_inline": "FROM busybox AS first\nRUN echo 1 > /one\nFROM first\nRUN exit 1\n",
        "target": "first",
    }
    yard.up(one_service(build=build))
    assert yard.execute("web", "cat", "/one").strip() == "1"


def test_an_image_is_pulled_once_and_the_registry_is_asked_only_where_that_is_wanted(
    yard: Yard, tap: Tap, registry: str
) -> None:
    name = f"{registry}/{yard.project}/app:1"

    def push(word: str) -> None:
        made = yard.engine.create("/containers/create", {"Image": "busybox", "Cmd": ["true"]})
        repository = name.removesuffix(":1")
        yard.do("POST", "/commit", {"Labels": {"word": word}}, container=made["Id"], repo=repository, tag="1")
        yard.do("DELETE", f"/containers/{made['Id']}")
        said = yard.engine.call("POST", f"/images/{repository}/push", headers=credentials(repository), tag="1")
        assert b"error" not in said
        yard.do("DELETE", f"/images/{name}", force=True)

    push("first")
    record = yard.up(one_service(image=name))
    assert told(record)[f"image {name}"] == ("create", "is not there: pull")
    first = yard.engine.get(f"/images/{name}/json")["Id"]
    yard.do("POST", f"/images/{name}/tag", repo=f"{yard.project}-keep", tag="1")
    push("second")
    yard.do("POST", f"/images/{yard.project}-keep:1/tag", repo=name.removesuffix(":1"), tag="1")
    yard.host = tap.host
    assert yard.run(one_service(image=name)).status is Status.OK, "missing is the default: what is there stays"
    assert not [one for one in tap.requests if "/distribution/" in one]
    record = yard.run(one_service(image=name, pull_policy="always"), "--check")
    assert told(record)[f"image {name}"] == ("update", "the registry has another: pull")
    assert tap.writes == []
    record = yard.up(one_service(image=name, pull_policy="always"))
    assert yard.inspect("web")["Image"] != first


def test_a_secret_of_a_build_is_not_in_the_record(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nARG API_TOKEN\nRUN echo got $API_TOKEN\n")
    cell = one_service(build={"context": ".", "args": {"API_TOKEN": "hunter-22-x"}})
    record = yard.up(cell)
    assert record.log
    assert "got [secret API_TOKEN]" in str(record.log.head)
    assert "hunter-22-x" not in json.dumps(record.wire())
    assert "hunter-22-x" not in yard.bench.session.journal.path.read_text()


def test_what_is_built_is_pushed_to_a_real_registry(yard: Yard, tmp_path: Path, registry: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY page /page\n")
    (tmp_path / "page").write_text("one")
    names = [f"{registry}/{yard.project}/web:{tag}" for tag in ("1", "latest")]
    cell = json.loads(one_service(build={"context": ".", "tags": names[1:]}))
    cell["services"]["web"]["image"] = names[0]
    record = yard.run(json.dumps(cell))
    assert [one for one in record.changes if one.kind == "push"] == [], "nothing is pushed unasked"
    assert yard.run(json.dumps(cell), "--push --check").status is Status.PLANNED
    record = yard.up(json.dumps(cell), "--push")
    for name in names:
        assert told(record)[f"push {name}"] == ("create", "the registry has none: push")
    (tmp_path / "page").write_text("two")
    record = yard.up(json.dumps(cell), "--push")
    for name in names:
        assert told(record)[f"push {name}"] == ("update", "the registry has another: push")
    # Another engine, or this one without it, gets it from there.
    yard.run(json.dumps(cell), "--absent")
    for name in names:
        yard.do("DELETE", f"/images/{name}", force=True)
    record = yard.up(one_service(image=names[1]))
    assert yard.execute("web", "cat", "/page") == "two"


def test_a_registry_that_does_not_answer(yard: Yard, tap: Tap, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    cell = json.loads(one_service(build="."))
    cell["services"]["web"]["image"] = "127.0.0.1:9/web:1"
    yard.host = tap.host
    record = yard.run(json.dumps(cell), "--push")
    assert record.error
    assert "the registry of 127.0.0.1:9/web:1 can't be asked: " in record.error.message
    assert tap.writes == []


def test_a_registry_that_asks_for_a_password(
    yard: Yard, tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = base64.b64encode(b"runbook:not-the-password").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": wrong}}}))
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    cell = json.loads(one_service(build="."))
    cell["services"]["web"]["image"] = f"{registry}/{yard.project}/web:1"
    for folder in (tmp_path / "none", tmp_path):
        monkeypatch.setenv("DOCKER_CONFIG", str(folder))
        pulled = yard.run(one_service(image=f"{registry}/{yard.project}/web:1"))
        for record in (pulled, yard.run(json.dumps(cell), "--push")):
            assert record.error
            assert f"docker login {registry}" in str(record.error.hint), record.error
            text = json.dumps(record.wire())
            assert wrong not in text
            assert "not-the-password" not in text


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("{", False),
        ("[]", True),
        ('{"auths": []}', False),
        ('{"auths": {"a": {"auth": "%%%"}}}', True),
        ('{"credsStore": "none-such"}', True),
        ('{"auths": {"a": 1}}', True),
    ],
)
def test_a_broken_configuration_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, broken: object
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(text)
    asks: list[Callable[[], dict[str, str]]] = [lambda: credentials("127.0.0.1:9/x")]
    if "Store" in text:
        assert every_credential() == {}, "most builds need none"
    else:
        asks.append(every_credential)
    for ask in asks:
        if broken:
            with pytest.raises(BadInput) as caught:
                ask()
            assert str(tmp_path / "config.json") in str(caught.value)
            assert len(caught.value.lines()) <= 3
        else:
            assert ask() == {}


def test_a_plan_to_build_is_the_same_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was approved with ``--plan`` on one machine is what is applied on another."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    made = []
    for name in ("one", "two"):
        (tmp_path / name / "app").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name)
        spec = read(one_service(build="./app"), "--project p --host unix:///x --save out.tar")
        provider = Docker()
        made.append(provider.plan(spec, {"unix:///x": HostState()}).digest(digest(spec)))
    assert made[0] == made[1]
    (tmp_path / "two/other").mkdir()
    spec = read(one_service(build="./other"), "--project p --host unix:///x --save out.tar")
    assert Docker().plan(spec, {"unix:///x": HostState()}).digest(digest(spec)) != made[0]


def test_the_names_of_an_image_are_pushed_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry answered one of two at once with an error of its own (500)."""
    monkeypatch.chdir(tmp_path)
    names = [f"127.0.0.1:5000/app:{tag}" for tag in (1, 2, 3)]
    cell = json.loads(one_service(build={"context": ".", "tags": names[1:]}))
    cell["services"]["web"]["image"] = names[0]
    found = operations(read(json.dumps(cell), "--push --host unix:///x"), {"x": HostState()})
    assert [found[f"push {name}"].change.needs for name in names] == [
        (f"image {names[0]}",),
        (f"image {names[0]}", f"push {names[0]}"),
        (f"image {names[0]}", f"push {names[0]}", f"push {names[1]}"),
    ]
