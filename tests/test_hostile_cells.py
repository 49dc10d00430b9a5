"""Cells with anything in any place, for every provider: a spec, or an error for people with the cell's line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jupyter_runbook.errors import BadInput, RunbookError
from jupyter_runbook.registry import load, providers
from jupyter_runbook.spec.cell import Cell
from jupyter_runbook.spec.options import parse_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A cell of each provider with many of its fields.
SAMPLES = {
    "docker": """\
name: shop
services:
  web:
    image: nginx
    command: [sleep, "10"]
    environment: {A: "1"}
    ports: ["8080:80", {target: 81, published: "8081"}]
    volumes: [data:/data, {type: bind, source: ./a, target: /a}]
    networks: {front: {aliases: [w]}}
    depends_on: {db: {condition: service_started}}
    healthcheck: {test: [CMD, "true"], interval: 5s, retries: 3}
    deploy: {replicas: 2, resources: {limits: {memory: 1G, cpus: "0.5"}}}
    secrets: [{source: pw, target: /pw, mode: 0400}]
    labels: {a: b}
    restart: on-failure:3
    ulimits: {nofile: {soft: 1, hard: 2}}
    logging: {driver: json-file, options: {max-size: 1m}}
    build: {context: ., args: {A: "1"}, target: x}
  db: {image: postgres}
networks: {front: {driver: bridge, ipam: {config: [{subnet: 10.1.0.0/24}]}}}
volumes: {data: {driver: local, labels: {a: b}}}
secrets: {pw: {content: abc}}
""",
    "os": """\
networks: [{name: back}]
subnets: [{name: back, network: back, cidr: 10.0.0.0/24, dns_nameservers: [1.1.1.1]}]
routers: [{name: out, external_gateway: public, interfaces: [back]}]
security_groups: [{name: web, rules: [{protocol: tcp, port_range_min: 22, port_range_max: 22}]}]
servers:
  - {name: w, image: debian, flavor: small, networks: [back], security_groups: [web], floating_ip: true}
volumes: [{name: v, size: 1}]
""",
    "probe": """\
- http: http://h/x
  status: [200]
  contains: ok
  json: {"$.a": 1, "$.b": "> 2"}
  headers: {A: b}
  timeout: 5s
- tcp: h:22
- dns: h
  server: 1.1.1.1
- file: /etc/hosts
  mode: "0644"
- command: "true"
  exit_status: 0
- prometheus: http://h:9090
  query: up
""",
    "ansible": """\
- name: one
  ansible.builtin.copy: {dest: /x, content: "{{ a }}", mode: "0644"}
  when: [a is defined]
  loop: [1, 2]
  register: out
  notify: two
- block: [{ansible.builtin.debug: {var: out}}]
  rescue: [{ansible.builtin.fail: {msg: no}}]
  vars: {a: 1}
  no_log: true
""",
}
#: What may stand in any place, as YAML's text.
VALUES = (
    "null",
    "[]",
    "{}",
    "[1, null, {a: [b]}]",
    "{1: 2, true: x}",
    "{[a]: b, null: c}",
    "true",
    "-1",
    "1e999",
    ".nan",
    "9" * 5000,
    "0x" + "f" * 5000,
    "!!int x",
    "!!float x",
    "!!binary '*'",
    "!!timestamp 2020-99-99",
    "2020-99-99",
    "2020-01-01",
    "!other x",
    '"\\ud800"',
    '"\\0"',
    '"\\e[31m\\n"',
    "''",
    "'{{ nobody }}'",
    "'~nobody-here/x'",
    "'{{ 1/0 }}'",
    "'{{ [].a.b }}'",
    "'{{ x.__class__ }}'",
    "'{% for a in range(99999999999) %}{% endfor %}'",
    "'{{'",
    "'${A'",
    "'$'",
    "*nobody",
    "&a [*a]",
    "<<: 1",
    "[" * 200 + "]" * 200,
    "a" * 100_000,
    "{<<: {a: b}}",
    "'../../../../etc/passwd'",
    "'//'",
    "'-x'",
    "':'",
    "'[::1]:99999'",
    "'http://['",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def with_value(sample: str, path: tuple[Any, ...], text: str) -> str:
    if not path:
        return text
    made = yaml.safe_load(sample)
    place = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "@@"
    return yaml.safe_dump(made, sort_keys=False, width=10**6).replace("'@@'", text).replace("@@", text)


def refused(name: str, body: str) -> RunbookError | None:
    """Read a cell, and return the error for people; None where it can be read."""
    provider = load(providers()[name])
    options = parse_options("", provider.options, {}, magic=f"%%{name}")
    try:
        provider.title(provider.parse(Cell(f"%%{name}", body, options, {})))
    except RunbookError as error:
        return error
    return None


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OS_CLOUD", "nobody")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_is_good(name: str) -> None:
    provider = load(providers()[name])
    options = parse_options("", provider.options, {}, magic=f"%%{name}")
    provider.parse(Cell(f"%%{name}", SAMPLES[name], options, {"a": 1}))


@pytest.mark.parametrize("text", VALUES, ids=[one[:14] for one in VALUES])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_cell_with_anything_anywhere(name: str, text: str) -> None:
    # Each place gets a third of the values, each value a third of the places: all of each kind come up.
    for path in list(places(yaml.safe_load(SAMPLES[name])))[VALUES.index(text) % 3 :: 3]:
        body = with_value(SAMPLES[name], path, text)
        try:
            error = refused(name, body)
        except Exception as fault:
            raise AssertionError(f"{name} {path}: {type(fault).__name__}: {fault}"[:500]) from fault
        if error is not None:
            assert isinstance(error, BadInput), path
            assert 1 <= len(error.lines()) <= 3, path
            assert all(len(line) < 2000 for line in error.lines()), path


PIPES = {
    "docker env_file": ("docker", "services: {web: {image: x, env_file: NAME}}"),
    "docker label_file": ("docker", "services: {web: {image: x, label_file: NAME}}"),
    "docker include": ("docker", "include: [NAME]\nservices: {web: {image: x}}"),
    "docker extends": ("docker", "services: {web: {extends: {file: NAME, service: web}}}"),
    "docker config": ("docker", "services: {web: {image: x, configs: [c]}}\nconfigs: {c: {file: NAME}}"),
    "docker secret": ("docker", "services: {web: {image: x, secrets: [c]}}\nsecrets: {c: {file: NAME}}"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["a pipe", "/dev/zero", "a folder", "a broken link"])
@pytest.mark.parametrize("case", PIPES)
def test_a_file_beside_a_notebook_that_has_no_end_is_refused(tmp_path: Path, case: str, kind: str) -> None:
    name, body = PIPES[case]
    path = tmp_path / "given.yml"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "/dev/zero" else "nobody")
    provider = load(providers()[name])
    options = parse_options("", provider.options, {}, magic=f"%%{name}")
    with pytest.raises(BadInput, match=r"given\.yml"):
        provider.parse(Cell(f"%%{name}", body.replace("NAME", "given.yml"), options, {}))
