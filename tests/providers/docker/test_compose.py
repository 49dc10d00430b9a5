"""A Compose file is read as Compose reads it: no engine is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.providers.docker.compose.interpolate import InterpolationError, interpolate, read_env_file
from jupyter_runbook.providers.docker.compose.project import read_project
from jupyter_runbook.providers.docker.labels import fingerprints
from jupyter_runbook.providers.docker.ports import read_ports, seen_ports, write_ports
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.cell import Cell
from jupyter_runbook.spec.node import Node
from jupyter_runbook.spec.options import parse_options
from jupyter_runbook.spec.yamltext import Document

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_runbook.providers.docker.model import DockerSpec


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "My.Site"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)


def read(body: str, line: str = "", **names: Any) -> DockerSpec:
    from jupyter_runbook.providers.docker import Docker

    options = parse_options(line, Docker.options, names, magic="%%docker")
    return read_project(Cell("%%docker", body, options, names))


KNOWN = {"A": "a", "EMPTY": "", "B_2": "two"}

FILLED = [
    ("plain", "plain"),
    ("$A", "a"),
    ("${A}", "a"),
    ("x$A-y", "xa-y"),
    ("$B_2.$A", "two.a"),
    ("$$A", "$A"),
    ("$${A}", "${A}"),
    ("$$$A", "$a"),
    ("$NONE", ""),
    ("${NONE}", ""),
    ("${NONE:-x}", "x"),
    ("${NONE-x}", "x"),
    ("${EMPTY:-x}", "x"),
    ("${EMPTY-x}", ""),
    ("${A:-x}", "a"),
    ("${NONE:-}", ""),
    ("${NONE:-${A}}", "a"),
    ("${NONE:-${ALSO:-deep}}y", "deepy"),
    ("${NONE:-a $A b}", "a a b"),
    ("${NONE:-$$}", "$"),
    ("${A:+yes}", "yes"),
    ("${EMPTY:+yes}", ""),
    ("${EMPTY+yes}", "yes"),
    ("${NONE+yes}", ""),
    ("${A:?needed}", "a"),
    ("${EMPTY?needed}", ""),
    ("${A:-${NONE:?never asked}}", "a"),
    ("http://${A}:80/$B_2?x=}", "http://a:80/two?x=}"),
]


@pytest.mark.parametrize(("text", "expected"), FILLED)
def test_variables_are_filled(text: str, expected: str) -> None:
    assert interpolate(text, KNOWN.get) == expected


@pytest.mark.parametrize(
    "text", ["$", "$ A", "${", "${}", "${A", "${A:", "${A:-x", "${A!}", "$-", "${EMPTY:?}", "${NONE?}"]
)
def test_what_is_no_variable_is_an_error(text: str) -> None:
    with pytest.raises(InterpolationError):
        interpolate(text, KNOWN.get)


@given(st.text())
def test_a_text_with_its_dollars_doubled_comes_out_as_it_is(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), KNOWN.get) == text


@given(st.text(alphabet="$AB{}:-?+ x", max_size=20))
def test_any_text_is_filled_or_is_an_error_of_ours(text: str) -> None:
    try:
        interpolate(text, KNOWN.get)
    except InterpolationError:
        return


def test_an_env_file() -> None:
    text = """
# a comment
A=1
export B=two words   # and a comment
C="quoted # not a comment\\n$A"
D='as it $A stands'
E=
F
G: yaml
H="two
lines"
I=${A}${OUT}
J=a#b
"""
    assert read_env_file(text, {"OUT": "side"}) == {
        "A": "1",
        "B": "two words",
        "C": "quoted # not a comment\n1",
        "D": "as it $A stands",
        "E": "",
        "F": None,
        "G": "yaml",
        "H": "two\nlines",
        "I": "1side",
        "J": "a#b",
    }


@pytest.mark.parametrize("text", ["A='open", 'A="open\nand more', "two words", "A=${B", "=x"])
def test_an_env_file_that_can_not_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="line 1: "):
        read_env_file(text)


def test_a_value_is_filled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a variable or an expression brings is a value, and never a template."""
    monkeypatch.setenv("SLY", "{{ 1 / 0 }} ${A}")
    spec = read(
        "services:\n  web:\n    image: x\n    environment:\n"
        "      A: ${SLY}\n      B: '{{ sly }}'\n      C: '{{ sly }} ${SLY}'",
        sly="${SLY} {{ no }}",
    )
    assert spec.services["web"].environment == {
        "A": "{{ 1 / 0 }} ${A}",
        "B": "${SLY} {{ no }}",
        "C": "${SLY} {{ no }} {{ 1 / 0 }} ${A}",
    }


def test_a_variable_with_the_name_of_a_secret_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter22")
    spec = read("services:\n  web:\n    image: x\n    environment: {URL: 'db://me:${DB_PASSWORD}@db', TOKEN: abcdef}")
    found = spec.services["web"].environment or {}
    assert isinstance(found["URL"], Secret)
    assert found["URL"].reveal() == "db://me:hunter22@db"
    assert isinstance(found["TOKEN"], Secret)
    assert "hunter22" not in repr(spec)
    assert "abcdef" not in repr(spec)


def test_an_unset_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    assert read("services:\n  web:\n    image: x$NOT_SET").notices == (
        "the variable NOT_SET is not set: it counts as empty",
    )
    assert read("services:\n  web:\n    image: x${NOT_SET:-y}").notices == ()


PROJECTS = [
    ("", "", {}, "mysite"),
    ("", "--project other", {}, "other"),
    ("name: third\n", "", {}, "third"),
    ("name: third\n", "--project other", {}, "other"),
    ("", "", {"COMPOSE_PROJECT_NAME": "fourth"}, "fourth"),
]


@pytest.mark.parametrize(("head", "line", "env", "expected"), PROJECTS)
def test_the_project_is_named_as_compose_names_it(
    monkeypatch: pytest.MonkeyPatch, head: str, line: str, env: dict[str, str], expected: str
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert read(f"{head}services:\n  web:\n    image: x\n", line).project == expected


def test_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "services:\n  web: {image: x}\n  debug: {image: x, profiles: [debug]}\n  more: {image: x, profiles: [more]}"
    assert list(read(body).services) == ["web"]
    assert read(body).asleep == ("debug", "more")
    assert list(read(body, "--profile debug").services) == ["web", "debug"]
    assert list(read(body, "--profile '*'").services) == ["web", "debug", "more"]
    monkeypatch.setenv("COMPOSE_PROFILES", "more")
    assert list(read(body).services) == ["web", "more"]
    assert list(read(body, "--absent").services) == ["web", "debug", "more"]


def test_anchors_and_extensions() -> None:
    spec = read(
        "x-base: &base\n  image: busybox\n  environment: &env {A: '1'}\n"
        "services:\n  a: {<<: *base, x-note: hello}\n  b:\n    <<: *base\n    environment: {<<: *env, B: '2'}\n"
    )
    assert spec.services["a"].environment == {"A": "1"}
    assert spec.services["b"].environment == {"A": "1", "B": "2"}


EXTENDS = """
services:
  base:
    image: busybox
    command: sleep 1
    environment: {A: "1", B: "2"}
    volumes: ["./a:/a", "./b:/b"]
    ports: ["80:80"]
    cap_add: [NET_ADMIN]
    healthcheck: {test: "true", interval: 1s}
    networks: [front]
  web:
    extends: base
    command: sleep 2
    environment: ["B=3", "C=4"]
    volumes: ["./c:/b"]
    ports: ["81:81"]
    healthcheck: {test: "false"}
    networks: {back: {aliases: [w]}}
  api:
    extends: {service: web}
    image: other
networks: {front: , back: }
"""


def test_a_service_takes_what_it_extends() -> None:
    api = read(EXTENDS).services["api"]
    assert api.image == "other"
    assert api.settings["command"] == ["sleep", "2"]
    assert api.environment == {"A": "1", "B": "3", "C": "4"}
    assert [mount.source.rpartition("/")[2] + mount.target for mount in api.mounts or ()] == ["a/a", "c/b"]
    assert [str(port) for port in api.ports or ()] == ["80:80/tcp", "81:81/tcp"]
    assert api.settings["healthcheck"] == {"test": ["CMD-SHELL", "false"], "interval": 1_000_000_000}
    assert api.networks == {"front": {}, "back": {"aliases": ["w"]}}


BAD_EXTENDS = [
    ("services:\n  a: {extends: b, image: x}\n", "a extends 'b', which is no service of this cell", 3),
    ("services:\n  a: {extends: a, image: x}\n", "they extend each other: a → a", 3),
    ("services:\n  a: {extends: b}\n  b: {extends: a}\n", "they extend each other: a → b → a", 4),
    ("services:\n  a: {image: x, mem_limit: lots}\n  b:\n    extends: a\n", "a size", 3),
]


@pytest.mark.parametrize(("body", "says", "line"), BAD_EXTENDS)
def test_what_can_not_be_extended(body: str, says: str, line: int) -> None:
    with pytest.raises(InvalidSpec, match=says) as caught:
        read(body)
    assert caught.value.where.line == line


PORT = st.integers(1, 65535).map(str)
IP = st.sampled_from(["", "127.0.0.1", "[::1]"])


@given(st.lists(st.tuples(IP, PORT, PORT, st.sampled_from(["tcp", "udp"])), max_size=6))
def test_ports_come_back_from_the_engine_as_they_were_read(rows: list[tuple[str, str, str, str]]) -> None:
    short = [f"{ip}{':' if ip else ''}{outer}:{inner}/{protocol}" for ip, outer, inner, protocol in rows]
    long = [
        {"target": inner, "published": outer, "host_ip": ip.strip("[]"), "protocol": protocol}
        for ip, outer, inner, protocol in rows
    ]
    ports = read_ports(Node(Document(short)))
    assert seen_ports(write_ports(ports)) == ports
    assert read_ports(Node(Document(list(reversed(long))))) == ports


def test_spellings_have_one_fingerprint() -> None:
    """TRAPS, Docker 2 and 3: what is equal is made from the same."""
    one = read(
        "services:\n  web:\n    image: x\n    environment: {B: 2, A: '1'}\n    ports: ['8080:80']\n    mem_limit: 1g\n"
        "    command: sleep 1\n    volumes: [./a:/a:ro]\n    labels: {x: 1}\n"
        "    stop_grace_period: 1m\n    cap_add: [CAP_KILL]\n"
    )
    other = read(
        "services:\n  web:\n    image: x\n    environment: [A=1, B=2]\n    ports: [{target: 80, published: '8080'}]\n"
        "    deploy: {resources: {limits: {memory: 1024M}}}\n    command: [sleep, '1']\n"
        "    volumes: [{type: bind, source: ./a, target: /a/, read_only: true}]\n    labels: ['x=1']\n"
        "    stop_grace_period: 60s\n    cap_add: [kill]\n"
    )
    assert fingerprints(one.services["web"]) == fingerprints(other.services["web"])


def test_a_copied_files_digest_stays_what_it_was() -> None:
    """TRAPS, Docker 10: an upgrade of the tool must not replace what holds a secret."""
    spec = read("services:\n  web: {image: x, configs: [page]}\nconfigs: {page: {content: abc}}\n")
    assert fingerprints(spec.services["web"])["files"].text == "710a6f238f3ac2b7"
