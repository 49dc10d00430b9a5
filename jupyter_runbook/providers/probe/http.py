"""``http``: what a URL answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from jupyter_runbook.errors import StepTimeout, ToolFailed, Unreachable
from jupyter_runbook.providers.probe.check import Check, Seen, found, lacking, plain_text
from jupyter_runbook.providers.probe.tcp import reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["Http"]

# What only reads (RFC 9110, section 9.2.1).
METHODS = ("GET", "HEAD", "OPTIONS")
# As Kubernetes' httpGet probes have it; a redirect is an answer, and is not followed.
GOOD = range(200, 400)
# So much of a body is read, in bytes.
READ_LIMIT = 4 * 1024 * 1024
# So much of a body goes to the log where the check does not hold, in characters.
SAID_LIMIT = 4000
LOOPBACK = ("localhost", "127.", "::1")


@dataclass(frozen=True)
class Http(Check):
    """A request. What was not asked for is empty."""

    url: str | Secret
    method: str
    status: tuple[int, ...]
    contains: tuple[str | Secret, ...]
    headers: dict[str, str | Secret]
    request_headers: dict[str, str | Secret]
    verify: bool

    kind: ClassVar[str] = "http"
    takes: ClassVar[tuple[str, ...]] = ("status", "contains", "headers", "method", "request_headers", "verify")

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:  # noqa: ARG003 -- nothing of it is code
        """Read ``http: URL``."""
        url = fields.text("http")
        _check_url(fields, plain_text(url))
        method = str(fields.text("method", "GET")).upper()
        if method not in METHODS:
            raise fields.error("method", f"method: a probe only reads, with {' or '.join(METHODS)}, not with {method}")
        return cls(
            **shared,
            url=url,
            method=method,
            status=fields.integers("status", []) if "status" in fields.values else (),
            contains=fields.texts("contains"),
            headers=fields.mapping("headers"),
            request_headers=fields.mapping("request_headers"),
            verify=fields.flag("verify", default=True),
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """The status, the texts that the body has, and the headers."""
        status: Any = list(self.status) if self.status else f"{GOOD.start} to {GOOD.stop - 1}"
        asked = {"contains": list(self.contains), "headers": dict(self.headers)}
        return {
            "status": self.status[0] if len(self.status) == 1 else status,
            **{name: value for name, value in asked.items() if value},
        }

    def look(self, stop: Stop) -> Seen:
        """Ask, and read what is answered."""
        import requests

        try:
            return self.ask(self._look, stop)
        except StepTimeout:
            raise
        except requests.exceptions.Timeout:
            return Seen({}, Unreachable(f"no answer within {self.timing.timeout:g} s"))
        except requests.exceptions.SSLError as error:
            return Seen({}, Unreachable(f"TLS: {_why(error)}", hint="verify: false takes any certificate"))
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
            return Seen({}, ToolFailed(str(error)))
        except OSError as error:  # of which requests' own are, and Unreachable
            return Seen({}, Unreachable(_why(error)))

    def _look(self) -> Seen:
        import requests

        if not self.verify:
            _no_warnings()
        with requests.Session() as session:
            # Proxies are as the environment says, but for what is on this machine.
            session.trust_env = not (urlsplit(plain_text(self.url)).hostname or "").startswith(LOOPBACK)
            session.headers["User-Agent"] = "jupyter-runbook"
            with session.request(
                self.method,
                plain_text(self.url),
                headers={name: plain_text(value) for name, value in self.request_headers.items()},
                auth=_no_netrc,
                timeout=self.timing.timeout,
                allow_redirects=False,
                stream=True,
                verify=self.verify,
            ) as answer:
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
        text = _body(answer) if self.contains or wrong else ""
        if self.contains:
            values["contains"] = found(self.contains, text)
            wrong += lacking("the body", self.contains, text)
        return self.seen(values, wrong, text[:SAID_LIMIT])


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


def _check_url(fields: Fields, url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or url != url.strip():
        shown = str(fields.text("http"))
        raise fields.error(
            "http", f"http: a URL is needed, not {shown!r}", hint="- http: http://web.example.net/health"
        )
    if parts.username is not None:
        raise fields.error(
            "http",
            "http: a URL with a user and a password would show them wherever it is shown",
            hint="send them in request_headers: {authorization: …}, from %runbook secret",
        )


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
