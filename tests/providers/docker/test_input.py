"""Bad input: one to three lines, with the line and what to do; nothing is touched."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.record import Status
from jupyter_runbook.sandbox.docker import DockerSandbox
from tests.providers.docker.test_traps import one_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench import Bench
    from tests.providers.docker.yard import Tap, Yard

WEB = "services:\n  web:\n    image: busybox\n"

#: Body, options, line, what the message says, what the hint says.
BAD = [
    ("", "", 2, "the cell is empty", "write a Compose file"),
    ("web:\n  image: x\n", "", 2, "a Compose file has no web", "it takes name, version, include, services"),
    ("volumes:\n", "", 2, "there are no services", "services:"),
    (
        WEB + "    enviroment: {}\n",
        "",
        5,
        "services.web.enviroment: a service has no enviroment",
        "did you mean environment",
    ),
    (WEB + "    links: [db]\n", "", 5, "web depends on db, which is no service of this cell", None),
    (WEB + "    links: ['a:b:c']\n", "", 5, "services.web.links[0]: NAME[:ALIAS] is needed", None),
    (WEB + "    network_mode: host\n    links: [db]\n", "", 6, "network_mode has no links", "join a network"),
    (WEB + "    volumes_from: ['db:x']\n", "", 5, "SERVICE[:ro] or container:NAME[:ro] is needed", None),
    (WEB + "    blkio_config: {wait: 3}\n", "", 5, "blkio_config has no wait", "it takes weight"),
    (WEB + "    blkio_config: {device_read_bps: [{path: /dev/x}]}\n", "", 5, "path and rate are needed", None),
    ("services:\n  web:\n    command: x\n", "", 3, "the service web has neither image nor build", None),
    (WEB + "    environment:\n      A: '{{ nowhere }}'\n", "", 6, "'nowhere' is undefined", "define it"),
    (WEB + "    command: echo ${A B}\n", "", 5, "${A is not closed", None),
    (WEB + "    command: echo $\n", "", 5, "a dollar itself is $$", None),
    (WEB + "    command: ${NOT_SET_AT_ALL:?set it please}\n", "", 5, "has to be set: set it please", None),
    (WEB + "    ports: ['80:80:80:80']\n", "", 5, "services.web.ports[0]: a port, such as 8080:80", None),
    (WEB + "    ports: [99999:80]\n", "", 5, "ports go from 1 to 65535", None),
    (WEB + "    ports: [8000-8001:80-82]\n", "", 5, "ranges of different length", None),
    (WEB + "    volumes: [data:/data]\n", "", 5, "the volume data is not declared", "data:"),
    (WEB + "    volumes: [./a:b]\n", "", 5, "has to begin with /", None),
    (WEB + "    volumes: [./a:/b:rx]\n", "", 5, "the mode rx is not known", "one of ro"),
    (WEB + "    networks: [back]\n", "", 5, "the network back is not declared", "back:"),
    (WEB + "    configs: [page]\n", "", 5, "page is not declared", "file: ./page"),
    (WEB + "    depends_on: [db]\n", "", 5, "web depends on db, which is no service of this cell", None),
    (WEB + "    depends_on: {web: {condition: service_up}}\n", "", 5, "one of service_started", None),
    (WEB + "    depends_on: [web]\n", "", 3, "they depend on each other: web → web", None),
    (WEB + "    mem_limit: lots\n", "", 5, "a size, such as 64m or 1gb", None),
    (WEB + "    restart: sometimes\n", "", 5, "no, always, unless-stopped", None),
    (WEB + "    healthcheck: {test: [curl, x]}\n", "", 5, "a list begins with CMD", None),
    (WEB + "    healthcheck: {intervall: 1s}\n", "", 5, "a healthcheck has no intervall", "did you mean interval"),
    (WEB + "    deploy: {placement: {}}\n", "", 5, "placement is Swarm's own", "take it out"),
    (
        WEB + "    mem_limit: 64m\n    deploy: {resources: {limits: {memory: 32m}}}\n",
        "",
        6,
        "mem_limit says otherwise",
        None,
    ),
    (WEB + "    scale: 2\n    container_name: one\n", "", 6, "2 containers can't have one name", None),
    (WEB + "    env_file: nowhere.env\n", "", 5, "No such file or directory: nowhere.env", "required: false"),
    (WEB + "    label_file: 10-docker.txt\n", "", 5, "No such file or directory: 10-docker.txt", "in a step above"),
    (WEB + "    label_file: bad.env\n", "", 5, "bad.env: line 1: NAME=VALUE is needed", "mend that file"),
    (WEB + "    build: ./nowhere\n", "", 5, "the folder ./nowhere is not there", None),
    (
        WEB + "    network_mode: host\n    networks: [default]\n",
        "",
        5,
        "a service with networks has no network_mode",
        None,
    ),
    (WEB + "    labels: {a: '{{ password }}'}\n", "", 5, "the secret PASSWORD can't", None),
    (
        WEB + "    profiles: [debug]\n  app:\n    image: x\n    depends_on: [web]\n",
        "",
        8,
        "whose profile is not active",
        "--profile",
    ),
    (
        WEB + "    read_only: true\n    configs: [page]\nconfigs:\n  page: {content: abc}\n",
        "",
        6,
        "no engine copies page into a read_only container",
        "declare it with file:",
    ),
    (WEB + "configs:\n  page: {external: true}\n", "", 6, "external is Swarm's own", "file:"),
    (WEB + "secrets:\n  key: {file: ./nowhere}\n", "", 6, "No such file or directory: ./nowhere", "in a step above"),
    (WEB, "--project Web", 1, "'Web' can't be a project's name", "lower-case"),
    ("name: Web\n" + WEB, "", 2, "'Web' can't be a project's name", "lower-case"),
    (WEB, "--volumes", 1, "%%docker can't take --volumes", None),
    (WEB, "--host engine.example.net", 1, "'engine.example.net' is no engine's address", "ssh://USER@HOST"),
    (WEB, "--host {{ [] }}", 1, "--host names no engine", None),
    (WEB, "--host unix:///a --host unix:///a", 1, "unix:///a is there twice", None),
    ("include: [other.yaml]\n" + WEB, "", 2, "No such file or directory: other.yaml", "the file that names it"),
]


@pytest.mark.parametrize(("body", "line", "number", "says", "hint"), BAD, ids=[one[3] for one in BAD])
def test_bad_input_is_an_error_with_its_line(  # noqa: PLR0917 -- a row of the table
    bench: Bench, monkeypatch: pytest.MonkeyPatch, body: str, line: str, number: int, says: str, hint: str | None
) -> None:
    from jupyter_runbook.secret import Secret

    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/at/all.sock")  # nobody is asked
    (bench.root / "bad.env").write_text("=\n")
    record = bench.run(body, line, password=Secret("hunter22", name="PASSWORD")).record
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.kind == "invalid-spec"
    assert says in record.error.message
    assert record.error.message.startswith(f"line {number}: ")
    assert len(record.error.message.splitlines()) <= 2
    if hint:
        assert hint in str(record.error.hint)
    assert bench.events() == ["end"]


def test_no_engine(bench: Bench, tmp_path: Path) -> None:
    record = bench.run(WEB, f"--host unix://{tmp_path}/none.sock").record
    assert record.error
    assert record.error.kind == "unreachable"
    assert record.error.message == f"no engine at unix://{tmp_path}/none.sock: No such file or directory"
    assert "sandbox up docker" in str(record.error.hint)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
    record = bench.run(WEB, f"--host {address}").record
    assert record.error
    assert record.error.message == f"no engine at {address}: Connection refused"
    assert bench.events() == ["end", "end"]


def test_a_port_that_a_program_has(yard: Yard, tap: Tap) -> None:
    host, yard.host = yard.host, tap.host
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for ports in ([f"127.0.0.1:{port}:80"], [f"{port}:80"]):
            record = yard.run(one_service(ports=ports))
            assert record.error
            assert record.error.kind == "conflict"
            assert record.error.message.startswith(f"the port {port}/tcp is taken by ")
            assert record.error.message.endswith(f"(process {os.getpid()})")
    assert tap.writes == []
    yard.host = host
    yard.up(one_service(ports=[f"127.0.0.1:{port}:80"]))


def test_a_port_that_another_container_has(yard: Yard, tap: Tap) -> None:
    published = {"PortBindings": {"80/tcp": [{"HostPort": "18390"}]}}
    yard.make(Cmd=["sleep", "1000"], ExposedPorts={"80/tcp": {}}, HostConfig=published)
    yard.host = tap.host
    record = yard.run(one_service(ports=["18390:80"]))
    assert f"the port 18390/tcp is taken by the container {yard.project}-hand" in str(record.error)
    assert tap.writes == []


def untouched(yard: Yard) -> bool:
    return not yard.containers() and not [n for n in yard.engine.get("/networks") if yard.project in n["Name"]]


@pytest.mark.parametrize("image", ["127.0.0.1:9/nothing/here:1", "127.0.0.1:{port}/nothing:1"])
def test_an_image_that_is_not_there(yard: Yard, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = DockerSandbox().env()
    monkeypatch.setenv("DOCKER_CONFIG", env["DOCKER_CONFIG"])
    image = image.format(port=env["RUNBOOK_REGISTRY"].rpartition(":")[2])
    record = yard.run(one_service(image=image))
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.kind == "tool"
    assert f"the image {image} can't be pulled: " in record.error.message
    assert "look whether its name is right" in str(record.error.hint)
    assert untouched(yard)


def test_an_image_that_is_never_pulled(yard: Yard, tap: Tap) -> None:
    yard.host = tap.host
    record = yard.run(one_service(image="nothing/here:1", pull_policy="never"))
    assert "the image nothing/here:1 is not there, and pull_policy is never" in str(record.error)
    assert tap.writes == []


def test_a_build_that_fails(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo before; echo the last words; exit 7\n")
    record = yard.run(one_service(build="."))
    assert record.status is Status.FAILED
    assert record.error
    assert f"the build of {yard.project}-web failed" in record.error.message
    assert "returned a non-zero code: 7" in record.error.message
    assert "the last words" in record.error.message
    assert len(record.error.message.splitlines()) == 1
    assert record.error.kind == "tool"
    assert untouched(yard)


def test_a_name_that_is_somebody_elses(yard: Yard, tap: Tap) -> None:
    yard.make(name=yard.name("web"), Cmd=["sleep", "1000"])
    yard.host = tap.host
    record = yard.run(one_service())
    assert record.error
    assert record.error.kind == "conflict"
    assert f"the name {yard.name('web')} is taken by a container that is not ours" in record.error.message
    assert tap.writes == []


@pytest.mark.parametrize("kind", ["network", "volume"])
def test_something_external_that_is_not_there(yard: Yard, tap: Tap, kind: str) -> None:
    fields: dict[str, Any] = {"networks": ["out"]} if kind == "network" else {"volumes": ["out:/out"]}
    cell = {**json.loads(one_service(**fields)), f"{kind}s": {"out": {"external": True, "name": "nowhere"}}}
    yard.host = tap.host
    record = yard.run(json.dumps(cell))
    assert f"the {kind} nowhere is external, and not there" in str(record.error)
    assert tap.writes == []
