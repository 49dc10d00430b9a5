"""Checks against real services: a name server, SSH, processes, a Docker engine, Prometheus."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
import requests
import yaml

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.providers.docker.engine import Engine
from jupyter_runbook.record import Status
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.secret import Secret
from tests.support.sandboxes import can_start, leave_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from jupyter_runbook.record import StepRecord
    from tests.bench import Bench

pytestmark = pytest.mark.service

READY = 60  # seconds until a service answers: only a broken one takes them


def told(record: StepRecord) -> str:
    """Return why a step failed; empty where it did not."""
    return f"{record.error.kind}: {record.error.message}" if record.error else ""


def free_port() -> int:
    """Return a port of the loopback address that is free, for both kinds of sockets."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def listening(port: int) -> None:
    """Wait until something listens at a port of the loopback address."""
    ends = time.monotonic() + READY
    while time.monotonic() < ends:
        with closing(socket.socket()) as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)


def debian(name: str, package: str) -> Path:
    """Return the folder of one of Debian's packages, unpacked."""
    if why := can_start():
        leave_out(name, why)
    try:
        return unpacked(name, (package,), print)
    except RunbookError as error:
        leave_out(name, " ".join(error.lines()))
        raise


@contextmanager
def running(program: str, arguments: list[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the block."""
    path = shutil.which(program, path=env["PATH"])
    assert path
    process = subprocess.Popen([path, *arguments], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def names(tmp_path: Path) -> Iterator[str]:
    """Return the address of a name server that knows some names below example.test."""
    env = environment(debian("dnsmasq", "dnsmasq-base"), tmp_path)
    port = free_port()
    arguments = ["--keep-in-foreground", "--no-daemon", "--no-resolv", "--no-hosts", f"--port={port}", "--user=root"]
    arguments += ["--conf-file=/dev/null", "--listen-address=127.0.0.1", "--bind-interfaces", "--local=/example.test/"]
    arguments += ["--host-record=www.example.test,10.0.0.5,fd00::5", "--address=/two.example.test/10.0.0.7"]
    arguments += ["--txt-record=example.test,v=1 -all", "--mx-host=example.test,mail.example.test,10"]
    arguments += ["--cname=alias.example.test,www.example.test", f"--pid-file={tmp_path}/pid"]
    with running("dnsmasq", arguments, env):
        listening(port)
        yield f"127.0.0.1:{port}"


DNS = [
    ("www.example.test", "answers: [10.0.0.5, 'FD00:0::5']", ""),
    ("www.example.test", "type: a\n  answers: 10.0.0.5", ""),
    ("www.example.test", "answers: 10.0.0.6", "not-converged: 10.0.0.6 is not among 10.0.0.5, fd00::5"),
    ("alias.example.test", "type: CNAME\n  answers: www.example.test.", ""),
    ("example.test", "type: TXT\n  answers: v=1 -all", ""),
    ("example.test", "type: MX\n  answers: 10 mail.example.test", ""),
    ("www.example.test", "type: TXT", "not-converged: it has no TXT record"),
    ("nope.example.test", "", "not-converged: it has no address"),
    ("nope.example.test", "exists: false", ""),
    ("www.example.test", "exists: false", "not-converged: it is there: 10.0.0.5, fd00::5"),
    ("10.0.0.5", "type: PTR\n  answers: www.example.test", ""),
]


@pytest.mark.parametrize(("name", "more", "error"), DNS)
def test_dns(bench: Bench, names: str, name: str, more: str, error: str) -> None:
    assert told(bench.run(f"- dns: {name}\n  server: {names}\n  {more}\n").record) == error


def test_dns_as_this_machine_sees_it(bench: Bench) -> None:
    record = bench.run("- dns: localhost\n  answers: 127.0.0.1\n- dns: nope.invalid\n  exists: false\n").record
    assert told(record) == ""
    assert record.status is Status.OK


def test_dns_of_a_server_that_is_not_there(bench: Bench) -> None:
    error = told(bench.run(f"- dns: www.example.test\n  server: 127.0.0.1:{free_port()}\n  timeout: 0.5\n").record)
    assert error.startswith("unreachable: no ")


SSH = [
    ("", "", ""),
    ("command: hostname", "contains: host1", ""),
    ("command: hostname", "contains: host9", "not-converged: its output lacks 'host9'"),
    ("command: exit 3", "exit_status: 3", ""),
    ("command: 'false | cat'", "", "not-converged: exit status 1"),
    ("command: no-such-program", "", "tool: exit status 127"),
    ("command: echo {{ word }}", "contains: 'a $(b) \"c'", ""),
    ("command: sleep 60", "timeout: 2s", "unreachable: no answer within 2 s"),
    ("command: kill -9 $PPID", "", "tool: the connection broke while it ran"),
    ("command: sh -c 'exit 255'", "", "not-converged: exit status 255"),
]


@pytest.mark.parametrize(("command", "more", "error"), SSH)
def test_ssh(bench: Bench, inventory: Path, command: str, more: str, error: str) -> None:
    access = f"  identity: {inventory.parent}/key\n  known_hosts: {inventory.parent}/known_hosts\n"
    address = yaml.safe_load(inventory.read_text())["all"]["hosts"]["host1"]["ansible_host"]
    lines = "".join(f"  {line}\n" for line in (command, more) if line)
    record = bench.run(f"- ssh: root@{address}:22\n{access}{lines}", word='a $(b) "c').record
    assert told(record) == error


def test_ssh_without_the_right_key(bench: Bench, inventory: Path, tmp_path: Path) -> None:
    address = yaml.safe_load(inventory.read_text())["all"]["hosts"]["host1"]["ansible_host"]
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)  # noqa: S607
    known = f"  known_hosts: {inventory.parent}/known_hosts\n"
    wrong = bench.run(f"- ssh: root@{address}\n  identity: {tmp_path}/other\n{known}").record
    assert told(wrong).startswith(f"auth: root@{address}: Permission denied")
    (tmp_path / "known").write_text(f"{address} {(tmp_path / 'other.pub').read_text()}")
    stranger = f"- ssh: root@{address}\n  identity: {inventory.parent}/key\n  known_hosts: {tmp_path}/known\n"
    error = bench.run(stranger).record.error
    assert error
    assert error.kind == "auth"
    assert "ssh-keygen -R" in (error.hint or "")


def test_ssh_to_where_nothing_listens(bench: Bench) -> None:
    assert told(bench.run(f"- ssh: 127.0.0.1:{free_port()}\n").record).startswith("unreachable: ")


def test_process(bench: Bench) -> None:
    mark = secrets.token_hex(8)
    body = (
        f"- process: {os.path.basename(sys.executable)}\n  arguments: {mark}\n  count: 2\n"  # noqa: PTH119
        f"- process: {sys.executable}\n  name: by its path\n  arguments: {mark}\n"
        f"- process: no-such-program\n  running: false\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE) for _ in range(2)]
    try:
        assert told(bench.run(body).record) == ""
        assert "it runs twice" not in told(bench.run(body.replace("count: 2", 'count: "> 2"')).record)
        less = bench.run(f"- process: {sys.executable}\n  arguments: {mark}\n  count: '> 2'\n").record
        assert told(less) == "not-converged: it runs 2 times, not > 2"
        there = bench.run(f"- process: {sys.executable}\n  arguments: {mark}\n  running: false\n").record
        assert told(there) == "not-converged: it runs 2 times"
        other = bench.run(f"- process: {sys.executable}\n  arguments: {mark}\n  user: nobody\n").record
        assert told(other) == "not-converged: it does not run"
    finally:
        for one in both:
            one.kill()
            one.communicate()
    assert told(bench.run(f"- process: {sys.executable}\n  arguments: {mark}\n").record).endswith("it does not run")


def test_docker(bench: Bench, docker_host: str) -> None:
    name, engine = f"t{secrets.token_hex(4)}", Engine(docker_host)

    def made(suffix: str, **config: object) -> None:
        engine.call("POST", "/containers/create", {"Image": "busybox", **config}, name=name + suffix)
        engine.call("POST", f"/containers/{name}{suffix}/start")

    try:
        made("-up", Cmd=["sleep", "1000"])
        made("-once", Cmd=["sh", "-c", "exit 3"])
        sick = {"Test": ["CMD-SHELL", "echo no good; exit 1"], "Interval": 10**8, "Retries": 1}
        made("-sick", Cmd=["sleep", "1000"], Healthcheck=sick)
        record = bench.run(
            f"- docker: {name}-up\n  image: busybox\n- docker: {name}-once\n  exit_code: 3\n  within: 30s\n"
            f"- docker: {name}-sick\n  health: unhealthy\n  within: 30s\n  every: 50ms\n"
            f"- docker: {name}-none\n  exists: false\n".replace("\n-", f"\n  host: {docker_host}\n-")
            + f"  host: {docker_host}\n"
        ).record
        assert told(record) == ""
        bad = {
            f"{name}-once": "not-converged: state is exited, not running; it ended with 3",
            f"{name}-sick": "not-converged: it is unhealthy",
            f"{name}-up\n  image: debian": "not-converged: image is busybox, not debian",
            f"{name}-up\n  exists: false": "not-converged: it is there",
            f"{name}-none": "not-converged: there is no such container",
        }
        for check, error in bad.items():
            assert told(bench.run(f"- docker: {check}\n  host: {docker_host}\n").record) == error
        shown = bench.run(f"- docker: {name}-sick\n  host: {docker_host}\n").record.log
        assert shown
        assert "no good" in shown.head
    finally:
        for suffix in ("-up", "-once", "-sick"):
            engine.call("DELETE", f"/containers/{name}{suffix}", force=True)
        engine.close()


def test_docker_without_an_engine(bench: Bench, tmp_path: Path) -> None:
    record = bench.run(f"- docker: web\n  host: unix://{tmp_path}/none.sock\n").record
    assert told(record).startswith("unreachable: ")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a Prometheus that watches itself."""
    folder = tmp_path_factory.mktemp("prometheus")
    env = environment(debian("prometheus", "prometheus"), folder)
    port = free_port()
    jobs = [{"job_name": "itself", "static_configs": [{"targets": [f"127.0.0.1:{port}", "127.0.0.1:1"]}]}]
    (folder / "prometheus.yml").write_text(
        yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs})
    )
    arguments = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with running("prometheus", [*arguments, f"--web.listen-address=127.0.0.1:{port}"], env):
        listening(port)
        ends = time.monotonic() + READY
        while requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=READY).status_code != HTTPStatus.OK:
            assert time.monotonic() < ends, "it does not get ready"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"


def test_prometheus(bench: Bench, prometheus: str) -> None:
    good = (
        "- query: up\n  series: 2\n  within: 60s\n  every: 200ms\n"
        "- query: count(up == 1)\n  value: 1\n  within: 60s\n  every: 200ms\n"
        "- query: scalar(sum(up))\n  value: '>= 1'\n  within: 60s\n  every: 200ms\n"
        '- query: up{job="nope"}\n  series: 0\n'
    )
    record = bench.run(good.replace("- query", f"- prometheus: {prometheus}\n  query")).record
    assert told(record) == ""
    assert record.changes[0].resource == "prometheus up"
    bad = {
        "up\n  value: 1": 'up{instance="127.0.0.1:1", job="itself"} is 0, not 1',
        'up{job="nope"}': "the query gives nothing",
        'up{job="nope"}\n  value: "> 1"\n  series: ">= 0"': "the query gives nothing",
        'up\n  series: "> 2"': "there are 2 series, not > 2",
    }
    for query, error in bad.items():
        body = f"- prometheus: {prometheus}\n  query: {query}\n"
        assert told(bench.run(body).record) == f"not-converged: {error}"
    broken = told(bench.run(f"- prometheus: {prometheus}\n  query: 'up{{'\n").record)
    assert broken.startswith("tool: bad_data: ")


def test_prometheus_that_is_none_and_that_is_not_there(bench: Bench) -> None:
    error = told(bench.run(f"- prometheus: http://127.0.0.1:{free_port()}\n  query: up\n").record)
    assert error == "unreachable: connection refused"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (503, "unreachable: it is not ready: it answers with 503"),
        (502, "unreachable: it is not ready: it answers with 502"),
        (200, "tool: this is no Prometheus: it answers with 200"),
    ],
)
def test_prometheus_that_does_not_answer_a_query(bench: Bench, status: int, error: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"Service Unavailable\n")

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            body = f"- prometheus: http://127.0.0.1:{server.server_port}\n  query: up\n"
            assert told(bench.run(body).record) == error
        finally:
            server.shutdown()


def test_a_secret_in_a_header_is_not_shown(bench: Bench, prometheus: str) -> None:
    record = bench.run(
        f"- prometheus: {prometheus}\n  query: vector(1)\n  value: 1\n"
        "  request_headers: {authorization: '{{ token }}'}\n",
        token=Secret("t0ken-of-mine", name="token"),
    ).record
    assert told(record) == ""
    assert "t0ken-of-mine" not in str(record.wire())
