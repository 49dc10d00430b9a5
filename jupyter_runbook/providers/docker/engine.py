"""A Docker engine's HTTP interface (API 1.41 and later): connections that are kept, and its errors as ours.

The SDK is not used for this: its import and its layers cost more than all the answers that a no-op needs. It is asked
where it knows more than HTTP: credentials, build contexts.
"""

from __future__ import annotations

import json
import select
import socket
from collections import deque
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from jupyter_runbook.errors import AuthFailed, Conflict, Denied, RunbookError, ToolFailed, Unreachable
from jupyter_runbook.secret.excerpt import one_line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from http.client import HTTPResponse

    from jupyter_runbook.stop import Stop

__all__ = ["Engine", "NotFound"]

# The newest version of the interface whose meaning this provider knows; an older engine is asked in its own.
NEWEST = (1, 45)
OLDEST = (1, 41)
# Seconds for a connection, and for an answer that should come at once.
CONNECT, ANSWER = 10.0, 60.0
# Connections that are kept for the next cell.
KEPT = 8


class NotFound(ToolFailed):
    """The engine knows no such thing."""


class Engine:
    """One engine, by its address.

    Parameters
    ----------
    url
        ``unix://PATH``, ``tcp://HOST:PORT``, ``ssh://[USER@]HOST[:PORT]``.
    certificates
        For ``tcp://`` with TLS: the folder of ``ca.pem``, ``cert.pem`` and ``key.pem``.
    """

    def __init__(self, url: str, certificates: str | None = None) -> None:
        self.url = url
        self._certificates = certificates
        self._idle: deque[HTTPConnection] = deque()
        self._version: dict[str, Any] | None = None

    @property
    def version(self) -> dict[str, Any]:
        """What the engine tells of itself; asked once.

        Raises
        ------
        Unreachable
            It does not answer.
        ToolFailed
            It is older than this provider knows.
        """
        if self._version is None:
            found = json.loads(self._send("GET", "/version", None, {}, ANSWER)[1])
            if _numbers(found["ApiVersion"]) < OLDEST:
                raise ToolFailed(
                    f"the engine at {self.url} speaks version {found['ApiVersion']} of the API, "
                    f"{'.'.join(map(str, OLDEST))} is needed",
                    hint="Docker 20.10 or later has it",
                )
            self._version = found
        return self._version

    @property
    def api(self) -> tuple[int, int]:
        """The version of the API that is spoken."""
        return min(NEWEST, _numbers(self.version["ApiVersion"]))

    def get(self, path: str, /, **query: Any) -> Any:
        """Return the value at a path; a query's dicts and lists go as JSON.

        Raises
        ------
        NotFound
            There is none.
        RunbookError
            As `call`.
        """
        return json.loads(self.call("GET", path, **query))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        /,
        *,
        seconds: float = ANSWER,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> bytes:
        """Ask, and return the answer's body.

        Parameters
        ----------
        method, path, query
            The path without a version.
        body
            A value, sent as JSON; bytes go as a tar archive.
        seconds
            How long the answer may take.
        headers
            Headers of the caller's own.

        Raises
        ------
        Unreachable
            No answer.
        AuthFailed, Denied, NotFound, Conflict, ToolFailed
            The answer is an error, in the engine's own words.
        """
        given = dict(headers or {})
        if body is not None:
            given["Content-Type"] = "application/x-tar" if isinstance(body, bytes) else "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer = self._send(method, self._path(path, query), body, given, seconds)
        if status >= 400:  # noqa: PLR2004 -- RFC 9110, section 15: an error
            raise _error(status, answer)
        return answer

    def create(self, path: str, body: Any, /, **query: Any) -> dict[str, Any]:
        """Post a value, and return the answer's value."""
        return dict(json.loads(self.call("POST", path, body, **query)))

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        stop: Stop,
        /,
        *,
        body: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        **query: Any,
    ) -> Iterator[HTTPResponse]:
        """Ask for an answer that comes piece by piece; reading it ends at once when the work has to end.

        The connection is closed afterwards, by which the engine ends what it does for it. Where ``seconds`` are given,
        reading raises `TimeoutError` when nothing came for so long.

        Raises
        ------
        RunbookError
            As `call`, and as ``stop.check``.
        """
        connection = self._connection()
        given = dict(headers or {})
        if body is not None:
            given.setdefault("Content-Type", "application/x-tar")
        with stop.calling(lambda: _break(connection)):
            try:
                with self._telling(stop):
                    if connection.sock is None:
                        connection.connect()
                    # An answer begins when it can: over ssh to a busy machine that takes a while.
                    reading = connection.sock
                    reading.settimeout(None if seconds is None else ANSWER)
                    connection.request(method, self._path(path, query), body, given, encode_chunked=body is not None)
                    answer = connection.getresponse()
                    reading.settimeout(seconds)
                    if answer.status >= 400:  # noqa: PLR2004 -- RFC 9110, section 15: an error
                        raise _error(answer.status, answer.read())
                    yield answer
            finally:
                connection.close()

    def lines(self, answer: HTTPResponse) -> Iterator[dict[str, Any]]:
        """Go through a stream of JSON values, as they come; one that tells of an error is the last.

        Raises
        ------
        ToolFailed
            The error, in the engine's own words.
        """
        for line in answer:
            if line.strip():
                value = json.loads(line)
                if "error" in value:
                    raise ToolFailed(one_line_of(str(value["error"])))
                yield value

    @contextmanager
    def _telling(self, stop: Stop) -> Iterator[None]:
        try:
            yield
        except (OSError, HTTPException, ValueError, AttributeError) as error:
            # A connection that is closed while it is read fails in one of many ways.
            stop.check()
            ours = isinstance(error, (RunbookError, TimeoutError))
            if ours or not isinstance(error, (OSError, HTTPException)):
                raise
            raise self._unreachable(error) from None

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._idle:
            self._idle.pop().close()

    def _path(self, path: str, query: Mapping[str, Any]) -> str:
        pairs = [
            (name, json.dumps(one) if isinstance(one, (dict, list)) else "1" if one is True else one)
            for name, value in query.items()
            for one in (value if isinstance(value, tuple) else (value,))
            if one is not None and one is not False
        ]
        version = ".".join(map(str, self.api))
        return f"/v{version}{quote(path, safe='/:@')}" + (f"?{urlencode(pairs)}" if pairs else "")

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> tuple[int, bytes]:
        connection = self._take()
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(seconds)
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            connection.close()
            if isinstance(error, RunbookError):
                raise
            raise self._unreachable(error) from None
        except BaseException:
            connection.close()  # an answer that was not read to its end must not be the next one's
            raise
        if len(self._idle) < KEPT and not answer.will_close:
            self._idle.append(connection)
        else:
            connection.close()
        return answer.status, text

    def _take(self) -> HTTPConnection:
        """Return a kept connection that is still open, or a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._connection()
            # What can be read without having asked is the other end's goodbye.
            if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()

    def _connection(self) -> HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return _Connection(lambda: _unix(self.url.removeprefix("unix://")))
        if parts.scheme == "ssh":
            from jupyter_runbook.providers.docker.ssh import connect

            return _Connection(lambda: connect(self.url))
        host, port = parts.hostname or "localhost", parts.port or (2376 if self._certificates else 2375)
        return _Connection(lambda: _tcp(host, port, self._certificates))

    def _unreachable(self, error: Exception) -> Unreachable:
        self._version = None  # another engine may answer next time
        self.close()
        if isinstance(error, PermissionError):
            return Unreachable(
                f"the engine at {self.url} may not be asked by this user", hint="be root, or of the group docker"
            )
        why = "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or str(error)
        hint = "is it up? jupyter runbook sandbox up docker brings one up here, --host names another"
        return Unreachable(f"no engine at {self.url}: {why or type(error).__name__}", hint=hint)


class _Connection(HTTPConnection):
    """HTTP over whatever a function connects."""

    def __init__(self, dial: Callable[[], socket.socket]) -> None:
        super().__init__("docker", timeout=ANSWER)
        self._dial = dial

    def connect(self) -> None:
        self.sock = self._dial()


def _unix(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(CONNECT)
        made.connect(path)
    except BaseException:
        made.close()
        raise
    return made


def _tcp(host: str, port: int, certificates: str | None) -> socket.socket:
    made = socket.create_connection((host, port), CONNECT)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if certificates is None:
        return made
    import ssl

    try:
        context = ssl.create_default_context(cafile=f"{certificates}/ca.pem")
        context.load_cert_chain(f"{certificates}/cert.pem", f"{certificates}/key.pem")
        return context.wrap_socket(made, server_hostname=host)
    except BaseException:
        made.close()
        raise


def _break(connection: HTTPConnection) -> None:
    """End whatever reads a connection, from another thread."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)


def _error(status: int, body: bytes) -> RunbookError:
    text = body.decode(errors="replace").strip()
    with suppress(ValueError, TypeError, KeyError):
        text = str(json.loads(text)["message"]).strip()
    text = one_line_of(text) or f"the engine answered {status}"
    kinds: dict[int, type[RunbookError]] = {401: AuthFailed, 403: Denied, 404: NotFound, 409: Conflict}
    return kinds.get(status, ToolFailed)(text)
