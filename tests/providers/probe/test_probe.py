"""``%%probe`` against real servers, commands and files: what holds, comes true, does not; bad input; stops."""

from __future__ import annotations

import grp
import http.server
import os
import pwd
import signal
import socket
import ssl
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest
import trustme

from jupyter_runbook.record import ChangeRecord, Status, StepRecord
from jupyter_runbook.registry import providers
from jupyter_runbook.secret import Secret
from tests.bench import Bench, descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 30  # seconds: what only a broken test waits out


# Method, path and headers.
Asked = tuple[str, str, dict[str, str]]


JSON = '{"status": {"ready": true, "replicas": 3}, "items": [{"name": "a"}, {"name": "b"}], "none": null}'


class Site(http.server.BaseHTTPRequestHandler):
    """Answers by path; a class variable keeps what it was asked."""

    asked: ClassVar[list[Asked]]
    wait: ClassVar[threading.Event]

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, dict(self.headers)))
        if self.path == "/hang":
            self.wait.wait(LIMIT)
        status, body, kind = {
            "/": (200, "<h1>Grüezi</h1>", "text/html"),
            "/json": (200, JSON, "application/json"),
            "/latin": (200, "Grüezi", "text/plain; charset=latin-1"),
            "/odd": (200, "hello", "text/plain; charset=no-such"),
            "/moved": (302, "", "text/plain"),
            "/busy": (503, "try later", "text/plain"),
            "/big": (200, "x" * 5_000_000 + "the end", "text/plain"),
        }.get(self.path, (404, "no", "text/plain"))
        data = body.encode("latin-1" if "latin" in kind else "utf-8")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status == 302:
            self.send_header("Location", "http://other.invalid/")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815 -- http.server's own names

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[tuple[str, type[Site]]]:
    """Serve on a free port of the loopback address; yield the address and what was asked."""

    class Here(Site):
        asked: ClassVar[list[Asked]] = []
        wait = threading.Event()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is what we test
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", Here
    finally:
        Here.wait.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[tuple[str, type[Site]]]:
    with serving() as served:
        yield served


def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def rows(record: StepRecord) -> dict[str, ChangeRecord]:
    return {one.resource: one for one in record.changes}


def test_it_is_installed_as_any_provider() -> None:
    assert providers()["probe"].value == "jupyter_runbook.providers.probe:Probe"


def test_what_holds_is_ok_and_nothing_was_changed(bench: Bench, site: tuple[str, type[Site]]) -> None:
    address, _ = site
    (bench.root / "conf").write_text("port: 8080\nuser: web\n")
    done = bench.run(
        "- http: http://{{ address }}/\n  status: 200\n  contains: Grüezi\n  headers: {content-type: text/html}\n"
        "- tcp: '{{ address }}'\n"
        "- command: cat {{ file }}\n  contains: ['port: 8080', 'user: {{ user }}']\n"
        "- file: conf\n  type: file\n  contains: 'user: {{ user }}'\n",
        "--out seen",
        address=address,
        file="conf",
        user="web",
    )
    record = done.record
    assert (record.status, record.summary, record.name) == (Status.OK, "4 ok", f"http http://{address}/ and 3 more")
    assert [row.action for row in record.changes] == ["no-op"] * 4
    assert rows(record)["command cat conf"].after == {"exit_status": 0, "contains": ["port: 8080", "user: web"]}
    assert rows(record)["file conf"].reason == "exists true, type file, contains 'user: web'"
    assert bench.events() == ["end"]
    assert done.result is not None
    assert done.result.facts["holds"] is True
    assert list(done.result.df()["check"]) == [row.resource for row in record.changes]


def test_what_comes_true_in_its_time_is_ok(bench: Bench) -> None:
    port = closed_port()
    late = bench.root / "late"
    opened: list[socket.socket] = []

    def come() -> None:
        opened.append(socket.create_server(("127.0.0.1", port)))
        late.touch()

    threading.Timer(0.3, come).start()
    record = bench.run(
        f"- tcp: 127.0.0.1:{port}\n  within: {LIMIT}s\n  every: 50ms\n"
        f"- file: late\n  within: {LIMIT}\n  every: 0.05\n- file: late\n  exists: false\n  name: gone\n",
        "--check",
    ).record
    assert (record.status, record.summary) == (Status.PLANNED, "2 to run, 1 unchanged")
    assert record.seconds < 5
    record = bench.run(
        f"- tcp: 127.0.0.1:{port}\n  within: {LIMIT}s\n  every: 50ms\n- file: late\n  within: {LIMIT}\n  every: 0.05\n"
    ).record
    opened[0].close()
    assert (record.status, record.summary) == (Status.OK, "2 ok"), record.error
    seen = rows(record)["file late"]
    assert (seen.status, seen.before, seen.after) == ("ok", {"exists": False}, {"exists": True})
    assert seen.reason == f"it is not there; it has {LIMIT} s to come true"
    assert seen.seconds is not None


def test_all_wait_side_by_side(bench: Bench) -> None:
    # One after the other, or eight at once, this would take from six seconds to half a minute.
    body = "".join(f"- file: f{number}\n  within: 1s\n  every: 1s\n" for number in range(50))
    begun = time.monotonic()
    record = bench.run(body).record
    assert time.monotonic() - begun < 5
    assert (record.status, record.summary) == (Status.FAILED, "50 failed")
    assert record.error is not None
    assert (record.error.kind, record.error.resource) == ("not-converged", "file f0")
    assert record.error.message == "it is not there, for 1 s, looked 2 times (49 more failed)"


def test_one_that_held_and_no_longer_does_fails_the_step(bench: Bench) -> None:
    (bench.root / "first").touch()
    threading.Timer(0.3, lambda: (bench.root / "first").rename(bench.root / "second")).start()
    record = bench.run(f"- file: first\n- file: second\n  within: {LIMIT}s\n  every: 50ms\n").record
    assert record.status is Status.FAILED
    assert record.error is not None
    assert (record.error.kind, record.error.resource) == ("not-converged", "file first")
    assert {name: row.status for name, row in rows(record).items()} == {"file first": "failed", "file second": "ok"}


HTTP = [
    ("/busy", "", "not-converged", "the status is 503 Service Unavailable"),
    ("/busy", "status: 503", None, ""),
    ("/busy", "status: [200, 503]", None, ""),
    ("/", "status: 404", "not-converged", "the status is 200 OK"),
    ("/moved", "", None, ""),
    ("/moved", "status: 302\n  headers: {location: other.invalid}", None, ""),
    ("/latin", "contains: Grüezi", None, ""),
    ("/odd", "contains: hello", None, ""),
    ("/", "contains: [Gr, nope, never]", "not-converged", "the body lacks 'nope'; the body lacks 'never'"),
    ("/", "headers: {x-version: '1'}", "not-converged", "the header x-version lacks '1'"),
    ("/", "method: head", None, ""),
    ("/big", "contains: the end", "not-converged", "the body lacks 'the end'"),
    ("/json", 'json: {$.status.ready: true, status.replicas: ">= 3", "$.none": null}', None, ""),
    ("/json", "json: {'$.items[*].name': [a, b], \"$.items[?@.name == 'b'].name\": b}", None, ""),
    ("/json", "json: {$.status.replicas: '> 3'}", "not-converged", "$.status.replicas is 3, not > 3"),
    ("/json", "json: {$.status.ready: 1}", "not-converged", "$.status.ready is true, not 1"),
    (
        "/json",
        "json: {$.nope: 1, '$.items[0]': 1}",
        "not-converged",
        'there is no $.nope; $.items[0] is {"name": "a"}, not 1',
    ),
    ("/", "json: {$.a: 1}", "not-converged", "the body is no JSON"),
    ("/hang", "timeout: 200ms", "unreachable", "no answer within 0.2 s"),
]


@pytest.mark.parametrize(("path", "more", "kind", "message"), HTTP)
def test_http(  # noqa: PLR0917 -- a case's parts
    bench: Bench, site: tuple[str, type[Site]], path: str, more: str, kind: str | None, message: str
) -> None:
    record = bench.run(f"http: http://{site[0]}{path}\n{more}".replace("\n  ", "\n")).record
    assert record.error is None if kind is None else record.error is not None
    if record.error:
        assert (record.error.kind, record.error.message) == (kind, message)
        assert record.status is Status.FAILED
    assert all(path == "/moved" or one[1] == path for one in site[1].asked)


def test_a_server_that_hangs_up(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())  # noqa: PLW0108 -- accepted in the thread
        thread.start()
        error = bench.run(f"- http: http://127.0.0.1:{server.getsockname()[1]}/").record.error
        thread.join()
    assert error is not None
    assert error.kind == "unreachable"
    assert len(error.message) < 60


def test_what_was_answered_is_in_the_log(bench: Bench, site: tuple[str, type[Site]]) -> None:
    record = bench.run(f"- http: http://{site[0]}/busy\n- command: echo so; exit 3").record
    assert record.log is not None
    assert record.log.head.splitlines() == [
        f"http http://{site[0]}/busy | it said:",
        f"http http://{site[0]}/busy | try later",
        "command echo so; exit 3 | it said:",
        "command echo so; exit 3 | so",
    ]


def test_what_is_not_there_is_unreachable_in_a_few_words(bench: Bench) -> None:
    port = closed_port()
    record = bench.run(
        f"- tcp: 127.0.0.1:{port}\n- http: http://127.0.0.1:{port}/\n- http: http://no.such.host.invalid/\n"
        f"- tcp: no.such.host.invalid:80\n- tcp: 127.0.0.1:{port}\n  open: false\n  name: shut\n"
    ).record
    assert record.error is not None
    assert (record.error.kind, record.error.message) == ("unreachable", "connection refused (3 more failed)")
    assert [row.reason for row in record.changes][:2] == ["connection refused"] * 2
    for row in record.changes[2:4]:
        assert row.reason is not None
        assert "name" in row.reason
        assert len(row.reason) < 80
    assert (record.changes[4].status, record.changes[4].reason) == ("ok", "open false")


def test_tls(bench: Bench, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(context) as (address, _):
        record = bench.run(f"- http: https://{address}/").record
        assert record.error is not None
        assert record.error.kind == "unreachable"
        assert record.error.message.startswith("TLS: ")
        assert "certificate verify failed" in record.error.message
        assert len(record.error.message) < 200
        assert bench.run(f"- http: https://{address}/\n  verify: false\n  contains: Grüezi").record.status is Status.OK
    assert tmp_path.exists()


def test_a_secret_is_sent_and_shown_nowhere(
    bench: Bench, site: tuple[str, type[Site]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A password in ~/.netrc is for whoever asks for it.
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password netrc-word\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    address, served = site
    token = Secret("s3cr3t-t0ken", name="token")
    body = (
        "- http: http://{{ address }}/\n  request_headers: {authorization: 'Bearer {{ token }}'}\n"
        "- http: http://{{ address }}/busy?key={{ token }}\n  name: busy\n"
        "- command: echo {{ token }}; false\n- file: conf\n  contains: '{{ token }}'\n"
    )
    (tmp_path / "conf").write_text("password: other")
    record = bench.run(body, address=address, token=token).record
    assert record.status is Status.FAILED
    assert [one[2].get("authorization") or one[2].get("Authorization") for one in served.asked[:2]].count(
        "Bearer s3cr3t-t0ken"
    ) == 1
    assert not any("netrc" in str(one) or "Basic" in str(one) for one in served.asked)
    assert any(one[1] == "/busy?key=s3cr3t-t0ken" for one in served.asked)
    kept = str(record.wire()) + "".join(path.read_text() for path in tmp_path.rglob("*.*l*") if path.is_file())
    assert "s3cr3t-t0ken" not in kept
    assert "[secret token]" in kept


@pytest.mark.parametrize(
    "body",
    [
        "- tcp: '{{ word }}'\n  name: n",
        "- http: 'http://{{ word }}/'\n  name: n",
        "- http: http://127.0.0.1:1/\n  contains: '{{ word }}'",
        "- command: test {{ word }} = x",
        "- file: '{{ word }}'\n  name: n",
    ],
)
def test_a_digest_has_a_secrets_name_and_not_its_value(bench: Bench, body: str) -> None:
    words = ("127.0.0.1:1", "127.0.0.2:1")
    digests = {bench.run(body, "--check", word=Secret(word, name="word")).record.spec_digest for word in words}
    assert len(digests) == 1
    assert None not in digests


FILES = [
    ("here", "", None),
    ("here", "type: file\n  mode: '0640'", None),
    ("here", "mode: '644'", "mode is 0640, not 0644"),
    ("here", f"owner: {pwd.getpwuid(os.getuid()).pw_name}\n  group: {grp.getgrgid(os.getgid()).gr_name}", None),
    ("here", "owner: nobody-we-know", f"owner is {pwd.getpwuid(os.getuid()).pw_name}, not nobody-we-know"),
    ("here", "exists: false", "it is there"),
    ("here", "contains: [one, three]", "it lacks 'three'"),
    ("none", "", "it is not there"),
    ("none", "exists: false", None),
    ("here/none", "exists: false", None),
    ("folder", "type: directory", None),
    ("folder", "type: file", "type is directory, not file"),
    ("folder", "contains: x", "it is no regular file, and was not read"),
    ("pipe", "contains: x", "it is no regular file, and was not read"),
    ("link", "type: link", None),
    ("link", "type: file", None),
    ("dangling", "type: link", None),
    ("dangling", "exists: false", None),
    ("~/here", "", None),
]


@pytest.mark.parametrize(("path", "more", "message"), FILES)
def test_file(  # noqa: PLR0917 -- a case's parts
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, more: str, message: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").write_text("one\ntwo\n")
    (tmp_path / "here").chmod(0o640)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("here")
    (tmp_path / "dangling").symlink_to("nowhere")
    record = bench.run(f"- file: {path}\n  {more}").record
    assert (record.error and record.error.message) == message
    assert record.error is None or record.error.kind == "not-converged"


COMMANDS = [
    ("true", "", None, ""),
    ("false", "exit_status: 1", None, ""),
    ("exit 3", "exit_status: [0, 3]", None, ""),
    ("exit 3", "", "not-converged", "exit status 3"),
    ("echo to stderr >&2", "contains: stderr", None, ""),
    ("echo a", "contains: [a, b]", "not-converged", "its output lacks 'b'"),
    ("no-such-command-here", "", "tool", "exit status 127"),
    ("kill -9 $$", "", "not-converged", "was killed by SIGKILL"),
    ("while :; do :; done", "timeout: 0.2", "tool", "it did not end within 0.2 s"),
    ("false | true", "", "not-converged", "exit status 1"),
]


@pytest.mark.parametrize(("command", "more", "kind", "message"), COMMANDS)
def test_command(bench: Bench, command: str, more: str, kind: str | None, message: str) -> None:
    before = descriptors()
    record = bench.run(f"- command: {command}\n  {more}").record
    assert (record.error and (record.error.kind, record.error.message)) == (kind and (kind, message))
    assert descriptors() == before


def test_a_value_is_never_parsed_by_the_shell(bench: Bench) -> None:
    evil = "x; touch pwned #$(touch pwned)"
    record = bench.run("- command: |\n    test {{ value }} = 'x; touch pwned #$(touch pwned)'", value=evil).record
    assert record.status is Status.OK
    assert not (bench.root / "pwned").exists()


BAD = [
    ("", 2, "a list of checks is needed"),
    ("[]", 2, "a list of checks is needed"),
    ("just words", 2, "a list of checks is needed"),
    ("- htpp: x", 2, "a check names what it looks at: one of http, tcp, dns, ssh, command"),
    ("- within: 3", 2, "a check names what it looks at"),
    ("- {http: 'http://a', tcp: 'a:1'}", 2, "one check looks at one thing, not at http and tcp"),
    ("- tcp: a:1\n- x", 3, "a check is a mapping, not 'x'"),
    ("- http: x", 2, "http: a URL is needed, not 'x'"),
    ("- http: ftp://a/", 2, "http: a URL is needed, not 'ftp://a/'"),
    ("- http: 'http://[::1'", 2, "http: a URL is needed"),
    ("- http: http://u:pw@h/", 2, "http: a URL with a user and a password would show them"),
    ("- http: http://a\n  method: post", 3, "method: a probe only reads"),
    ("- http: http://a\n  status: ok", 3, "status: a whole number, or a list of them is needed, not 'ok'"),
    ("- http: http://a\n  status: [true]", 3, "status: a whole number"),
    ("- http: http://a\n  headers: [a]", 3, "headers: a mapping is needed, not a list"),
    ("- http: http://a\n  contains:\n    a: b", 3, "contains: a text is needed, not a mapping"),
    ("- tcp: 80", 2, "tcp: HOST:PORT is needed, not '80'"),
    ("- tcp: a:0", 2, "tcp: HOST:PORT is needed"),
    ("- tcp: a:65536", 2, "tcp: HOST:PORT is needed"),
    ("- tcp: a:1\n  open: 3", 3, "open: true or false is needed, not 3"),
    ("- tcp: a:1\n  opne: true", 3, "a tcp check takes no opne"),
    ("- tcp: a:1\n  within: soon", 3, "within: a duration is needed"),
    ("- http: http://a/\n  json: ready", 3, "json: a mapping is needed"),
    ("- http: http://a/\n  json: {'$.[': 1}", 3, "json: '$.[' is no JSON path"),
    ("- http: http://a/\n  json: {$.a: '> b'}", 3, "json: $.a: a comparison with a number is needed"),
    ("- dns: a b", 2, "dns: a name is needed"),
    ("- dns: a\n  type: AX", 3, "type: one of A, AAAA"),
    ("- dns: a\n  server: here", 3, "server: an IP address is needed"),
    ("- dns: a\n  exists: false\n  answers: b", 4, "answers can't be there where exists is false"),
    ("- ssh: -oProxyCommand=x", 2, "ssh: [USER@]HOST[:PORT] is needed"),
    ("- ssh: a\n  contains: b", 3, "contains is of a command, and there is none"),
    ("- ssh: a\n  command: echo {{ nope }}", 3, "nope"),
    ("- process: ''", 2, "process: a program's name is needed"),
    ("- process: a\n  count: many", 3, "count: a whole number is needed"),
    ("- process: a\n  count: 1\n  running: true", 3, "running and count say the same"),
    ("- docker: ''", 2, "docker: a container's name is needed"),
    ("- docker: a\n  state: up", 3, "state: one of created, dead"),
    ("- docker: a\n  host: nowhere", 3, "host: 'nowhere' is no engine's address"),
    ("- docker: a\n  exists: false\n  image: b", 4, "image can't be looked at where exists is false"),
    ("- prometheus: http://a:9090", 2, "a query is needed"),
    ("- prometheus: a:9090\n  query: up", 2, "prometheus: a URL is needed"),
    ("- prometheus: http://u:p@a/\n  query: up", 2, "prometheus: a URL with a user and a password"),
    ("- prometheus: http://a\n  query: up\n  value: good", 4, "value: a number or a comparison"),
    ("- tcp: a:1\n  for: ever", 3, "for: a duration is needed"),
    ("- tcp: a:1\n  every: 0", 3, "every: 0 is too short: 0.05 s or more is needed"),
    ("- tcp: a:1\n- tcp: a:1", 3, "two checks are called tcp a:1"),
    ("- file: x\n  mode: 0644", 3, "mode: an octal number in quotes is needed"),
    ("- file: x\n  mode: '9'", 3, "mode: an octal number in quotes is needed"),
    ("- file: x\n  type: socket", 3, "type: one of file, directory, link is needed, not 'socket'"),
    ("- file: x\n  exists: false\n  mode: '0644'", 4, "mode can't be looked at where exists is false"),
    ("- command: [a, b]", 2, "command: a text is needed, not a list"),
    ("- command: ''", 2, "command: a text is needed"),
    ("- command: echo {{ nope }}", 2, "'nope' is undefined"),
    ("- tcp: a:1\n- command: |\n    true\n    fi", 5, "syntax error near unexpected token `fi'"),
    ("- file: '{{ nope }}'", 2, "'nope' is undefined"),
]


@pytest.mark.parametrize(("body", "line", "message"), BAD)
def test_bad_input_names_the_line(bench: Bench, body: str, line: int, message: str) -> None:
    record = bench.run(body).record
    assert record.error is not None
    assert record.error.kind == "invalid-spec"
    assert record.error.message.startswith(f"line {line}: ")
    assert message in record.error.message
    assert "pw" not in record.error.message
    assert bench.events() == ["end"]


def test_absent_makes_no_sense(bench: Bench) -> None:
    error = bench.run("- file: x", "--absent").record.error
    assert error is not None
    assert "%%probe can't take --absent" in error.message


@pytest.mark.parametrize("body", ["- http: http://{}/hang\n  timeout: 60s", "- file: never\n  within: 1h"])
def test_a_stop_is_heeded_within_a_second(bench: Bench, site: tuple[str, type[Site]], body: str) -> None:
    begun = time.monotonic()
    record = bench.run(body.format(site[0]), "--timeout 0.5").record
    assert time.monotonic() - begun < 1.5
    assert record.error is not None
    assert record.error.kind == "timeout"
    if "never" in body:
        assert record.error.message == "it took longer than 0.5 s, and still: it is not there"


@pytest.mark.parametrize("check", ["http: http://{}/hang", "command: 'touch begun; sleep 60'"])
def test_the_stop_button_ends_the_first_look(bench: Bench, site: tuple[str, type[Site]], check: str) -> None:
    pressed: list[float] = []

    def press() -> None:
        deadline = time.monotonic() + LIMIT
        while not (site[1].asked or (bench.root / "begun").exists()) and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    record = bench.run(f"- {check.format(site[0])}\n  timeout: {LIMIT}s\n- tcp: '{site[0]}'").record
    ended = time.monotonic()
    presser.join()
    assert record.status is Status.INTERRUPTED
    assert record.summary == "interrupted: it was stopped"
    assert ended - pressed[0] < 3


def test_a_retry_looks_again(bench: Bench) -> None:
    record = bench.run("- file: x\n- command: test -e y || { touch x y; false; }", "--retries 3 --delay 0.05").record
    assert record.status is Status.OK
    assert len(record.attempts) == 2
