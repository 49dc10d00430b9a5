"""``prometheus``: what a query gives, and what each of its values has to be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlencode

from jupyter_runbook.errors import NotConverged, StepTimeout, ToolFailed, Unreachable
from jupyter_runbook.providers.probe.check import Check, Seen, plain_text
from jupyter_runbook.providers.probe.comparison import Comparison, comparison
from jupyter_runbook.providers.probe.http import failure, fetch, url_of
from jupyter_runbook.secret.excerpt import one_line_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["Prometheus"]

PATH = "/api/v1/query"
SERIES_SHOWN = 5
AWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


@dataclass(frozen=True)
class Prometheus(Check):
    """An instant query (Prometheus' HTTP API, "Instant queries"). What was not asked for is None."""

    url: str | Secret
    query: str | Secret
    value: Comparison | None
    series: Comparison | None
    request_headers: dict[str, str | Secret]
    verify: bool

    kind: ClassVar[str] = "prometheus"
    takes: ClassVar[tuple[str, ...]] = ("query", "value", "series", "request_headers", "verify")

    @classmethod
    def label(cls, fields: Fields, names: Mapping[str, Any]) -> str:
        """Return the query: what one server is asked for is many things."""
        del names
        return " ".join(str(fields.text("query") or fields.text("prometheus")).split())

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:  # noqa: ARG003 -- nothing of it is code
        """Read ``prometheus: URL``."""
        url, query = url_of(fields, "prometheus"), fields.text("query")
        if not plain_text(query).strip():
            raise fields.error(None, "a query is needed", hint='query: up{job="web"}')
        found = {name: _comparison(fields, name) for name in ("value", "series")}
        return cls(
            **shared,
            url=url,
            query=query,
            value=found["value"],
            series=found["series"],
            request_headers=fields.mapping("request_headers"),
            verify=fields.flag("verify", default=True),
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """What each value has to be, and how many series there have to be: one or more."""
        value = {"value": self.value.value} if self.value else {}
        return {"series": self.series.value if self.series else ">= 1", **value}

    def look(self, stop: Stop) -> Seen:
        """Ask."""
        address = f"{plain_text(self.url).rstrip('/')}{PATH}?{urlencode({'query': plain_text(self.query)})}"
        try:
            status, text = self.ask(
                lambda: fetch(address, self.request_headers, self.timing.timeout, verify=self.verify), stop
            )
        except StepTimeout:
            raise
        except OSError as error:
            return Seen({}, failure(error, self.timing.timeout))
        try:
            answer = json.loads(text)
            if answer["status"] != "success":
                return Seen({}, ToolFailed(f"{answer['errorType']}: {one_line_of(answer['error'])}"))
            values = _samples(answer["data"])
        except (ValueError, KeyError, TypeError, AttributeError):
            # One that starts, and a proxy whose Prometheus is away, answer so to everything.
            if status in AWAY:
                return Seen({}, Unreachable(f"it is not ready: it answers with {status}"), text)
            return Seen({}, ToolFailed(f"this is no Prometheus: it answers with {status}"), text)
        return self._judged(values)

    def _judged(self, values: dict[str, float]) -> Seen:
        shown = dict(list(values.items())[:SERIES_SHOWN])
        seen: dict[str, Any] = {"series": len(values)}
        if values:
            seen["value"] = next(iter(shown.values())) if len(values) == 1 else shown
        if not values and (self.series is None or self.value is not None):
            return Seen(seen, NotConverged("the query gives nothing"))
        wrong = []
        if self.series and not self.series.holds(len(values)):
            wrong.append(f"there are {len(values)} series, not {self.series.value}")
        if self.value:
            bad = {name: value for name, value in values.items() if not self.value.holds(value)}
            wrong += [
                f"{name or 'the value'} is {value:g}, not {self.value.value}"
                for name, value in list(bad.items())[:SERIES_SHOWN]
            ]
            wrong += [f"and {len(bad) - SERIES_SHOWN} more"] if len(bad) > SERIES_SHOWN else []
        return self.seen(seen, wrong)


def _samples(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the values by the names of their series, as PromQL writes these."""
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return {"": float(result[1])}
    if kind != "vector":
        raise ValueError(kind)
    return {_series(one["metric"]): float(one["value"][1]) for one in result}


def _series(labels: Mapping[str, str]) -> str:
    pairs = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items()) if name != "__name__")
    return labels.get("__name__", "") + (f"{{{pairs}}}" if pairs else "")


def _comparison(fields: Fields, name: str) -> Comparison | None:
    if name not in fields.values:
        return None
    given = fields.values[name]
    try:
        found = comparison(given)
    except ValueError as error:
        raise fields.error(name, f"{name}: {error}") from None
    if isinstance(found.wanted, bool) or not isinstance(found.wanted, (int, float)):
        raise fields.error(
            name, f"{name}: a number or a comparison with one is needed, not {given!r}", hint=f'{name}: "> 0.99"'
        )
    return found
