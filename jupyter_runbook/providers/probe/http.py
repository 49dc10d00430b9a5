"""``http``: what a URL answers."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from jupyter_runbook.errors import StepError, StepTimeout, ToolFailed, Unreachable
from jupyter_runbook.providers.probe.check import Check, Seen, found, lacking, plain_text
from jupyter_runbook.providers.probe.comparison import Comparison, comparison
from jupyter_runbook.providers.probe.tcp import reason
from jupyter_runbook.secret.excerpt import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["Http", "failure", "fetch", "url_of"]

# What only reads (RFC 9110, section 9.2.1).
METHODS = ("GET", "HEAD", "OPTIONS")
# As Kubernetes' httpGet probes have it; a redirect is an answer, and is not followed.
GOOD = range(200, 400)
# So much of a body is read, in bytes.
READ_LIMIT = 4 * 1024 * 1024
# So much of a body goes to the log where the check does not hold, in characters.
SAID_LIMIT = 4000
# So much of a value is told, in characters.
VALUE_LIMIT = 100
LOOPBACK = ("localhost", "127.", "::1")


@dataclass(frozen=True)
class Http(Check):
    """A request. What was not asked for is empty."""

    url: str | Secret
    method: str
    status: tuple[int, ...]
    contains: tuple[str | Secret, ...]
    json: dict[str, Comparison]
    headers: dict[str, str | Secret]
    request_headers: dict[str, str | Secret]
    verify: bool

    kind: ClassVar[str] = "http"
    takes: ClassVar[tuple[str, ...]] = ("status", "contains", "json", "headers", "method", "request_headers", "verify")

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:  # noqa: ARG003 -- nothing of it is code
        """Read ``http: URL``."""
        method = str(fields.text("method", "GET")).upper()
        if method not in METHODS:
            raise fields.error("method", f"method: a probe only reads, with {' or '.join(METHODS)}, not with {method}")
        return cls(
            **shared,
            url=url_of(fields, "http"),
            method=method,
            status=fields.integers("status", []) if "status" in fields.values else (),
            contains=fields.texts("contains"),
            json=_queries(fields),
            headers=fields.mapping("headers"),
            request_headers=fields.mapping("request_headers"),
            verify=fields.flag("verify", default=True),
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """The status, the texts that the body has, and the headers."""
        status: Any = list(self.status) if self.status else f"{GOOD.start} to {GOOD.stop - 1}"
        asked = {
            "contains": list(self.contains),
            "json": {query: one.value for query, one in self.json.items()},
            "headers": dict(self.headers),
        }
        return {
            "status": self.status[0] if len(self.status) == 1 else status,
            **{name: value for name, value in asked.items() if value},
        }

    def look(self, stop: Stop) -> Seen:
        """Ask, and read what is answered."""
        try:
            return self.ask(self._look, stop)
        except StepTimeout:
            raise
        except OSError as error:  # of which requests' own are, and Unreachable
            return Seen({}, failure(error, self.timing.timeout))

    def _look(self) -> Seen:
        url, seconds = plain_text(self.url), self.timing.timeout
        with _answer(self.method, url, self.request_headers, seconds, verify=self.verify) as answer:
            return self._read(answer)

    def _read(self, answer: requests.Response) -> Seen:
        status = answer.status_code
        values: dict[str, Any] = {"status": status}
        expected = self.status or GOOD
        wrong = [] if status in expected else [f"the status is {status} {answer.reason or ''}".rstrip()]
        if self.headers:
            values["headers"] = {name: answer.headers.get(name) for name in self.headers}
            for name, value in self.headers.items():
                wrong += lacking(f"the header {name}", [value], answer.headers.get(name) or "")
        text = _body(answer) if self.contains or self.json or wrong else ""
        if self.contains:
            values["contains"] = found(self.contains, text)
            wrong += lacking("the body", self.contains, text)
        if self.json:
            values["json"], more = _asked(self.json, text)
            wrong += more
        return self.seen(values, wrong, redacted(text)[:SAID_LIMIT])


def fetch(url: str, headers: Mapping[str, str | Secret], timeout: float, *, verify: bool) -> tuple[int, str]:
    """Return the status and the body of what a URL answers to GET.

    Raises
    ------
    OSError
        It did not answer; `failure` says why.
    """
    with _answer("GET", url, headers, timeout, verify=verify) as answer:
        return answer.status_code, _body(answer)


def failure(error: OSError, timeout: float) -> StepError:
    """Return why there was no answer, given what requests raised."""
    import requests

    if isinstance(error, StepError):
        return error
    if isinstance(error, requests.exceptions.Timeout):
        return Unreachable(f"no answer within {timeout:g} s")
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(f"TLS: {_why(error)}", hint="verify: false takes any certificate")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader)):
        return ToolFailed(str(error))
    return Unreachable(_why(error))


@contextmanager
def _answer(
    method: str, url: str, headers: Mapping[str, str | Secret], timeout: float, *, verify: bool
) -> Iterator[requests.Response]:
    """Yield an answer whose body is not read yet."""
    import requests

    if not verify:
        _no_warnings()
    with requests.Session() as session:
        # Proxies are as the environment says, but for what is on this machine.
        session.trust_env = not (urlsplit(url).hostname or "").startswith(LOOPBACK)
        session.headers["User-Agent"] = "jupyter-runbook"
        with session.request(
            method,
            url,
            headers={name: plain_text(value) for name, value in headers.items()},
            auth=_no_netrc,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
            verify=verify,
        ) as answer:
            yield answer


def _queries(fields: Fields) -> dict[str, Comparison]:
    """Read the field ``json``: what each query (RFC 9535) has to give."""
    given = fields.values.get("json", {})
    if not isinstance(given, dict):
        raise fields.error("json", "json: a mapping is needed: a path, and what it has to be", hint="$.status: ready")
    if not given:
        return {}
    import jsonpath

    found = {}
    for query, value in given.items():
        try:
            jsonpath.compile(query)
            found[query] = comparison(value)
        except jsonpath.JSONPathError as error:
            why = str(error).splitlines()[0]
            raise fields.error("json", f"json: {query!r} is no JSON path: {why}", hint="$.items[0].name") from None
        except ValueError as error:
            raise fields.error("json", f"json: {query}: {error}") from None
    return found


def _asked(queries: Mapping[str, Comparison], text: str) -> tuple[dict[str, Any], list[str]]:
    """Return what each query gives, and what is wrong with it; several values are a list."""
    import jsonpath

    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}, ["the body is no JSON"]
    values: dict[str, Any] = {}
    wrong = []
    for query, wanted in queries.items():
        try:
            nodes = jsonpath.findall(query, document)
        except jsonpath.JSONPathError as error:
            wrong.append(f"{query} can't be asked: {str(error).splitlines()[0]}")
            continue
        if not nodes:
            wrong.append(f"there is no {query}")
            continue
        values[query] = nodes[0] if len(nodes) == 1 else nodes
        # One value in a list of one is as good as it alone: a query that may give several was asked.
        if not (wanted.holds(values[query]) or wanted.holds(nodes)):
            wrong.append(f"{query} is {_short(values[query])}, not {wanted.value}")
    return values, wrong


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_LIMIT else text[: VALUE_LIMIT - 1] + "…"


def _body(answer: requests.Response) -> str:
    pieces: list[bytes] = []
    for piece in answer.iter_content(65536):
        pieces.append(piece)
        if sum(map(len, pieces)) >= READ_LIMIT:
            break
    # Of a text without a charset requests makes Latin-1, as RFC 2616 had it; today it is UTF-8.
    charset = answer.encoding if "charset" in answer.headers.get("content-type", "").lower() else None
    try:
        return b"".join(pieces)[:READ_LIMIT].decode(charset or "utf-8", "replace")
    except LookupError:
        return b"".join(pieces)[:READ_LIMIT].decode("utf-8", "replace")


def url_of(fields: Fields, name: str) -> str | Secret:
    """Read a field that is a URL, and has no password in it."""
    given = fields.text(name)
    url = plain_text(given)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or url != url.strip():
        hint = f"- {name}: http://web.example.net/health"
        raise fields.error(name, f"{name}: a URL is needed, not {str(given)!r}", hint=hint)
    if parts.username is not None:
        raise fields.error(
            name,
            f"{name}: a URL with a user and a password would show them wherever it is shown",
            hint="send them in request_headers: {authorization: …}, from %runbook secret",
        )
    return given


def _no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing, where requests would take a password from ~/.netrc unasked."""
    return request


@cache
def _no_warnings() -> None:
    import urllib3

    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def _why(error: BaseException) -> str:
    """Return what the system said, below the layers of requests and urllib3."""
    import requests

    last = error
    for inner in _chain(error):
        if isinstance(inner, OSError) and not isinstance(inner, requests.RequestException) and inner.strerror:
            return reason(inner)
        last = inner
    return reason(last)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it came from, outermost first."""
    at: BaseException | None = error
    while at is not None:
        yield at
        inside = [at.__cause__, getattr(at, "reason", None), *at.args]
        at = next((one for one in inside if isinstance(one, BaseException)), None)
