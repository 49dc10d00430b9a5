"""``%%probe``: checks that only read, and prove what a runbook claims.

Each kind of check is a module of its own, of the kind's name.
"""

from __future__ import annotations

import difflib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import Interrupted, InvalidSpec, StepTimeout
from jupyter_runbook.plan import Action, Change, Plan
from jupyter_runbook.provider import Provider, Result
from jupyter_runbook.providers.probe.check import SHARED, Check, Seen, Timing
from jupyter_runbook.providers.probe.command import Command
from jupyter_runbook.providers.probe.dns import Dns
from jupyter_runbook.providers.probe.docker import Docker
from jupyter_runbook.providers.probe.file import File
from jupyter_runbook.providers.probe.http import Http
from jupyter_runbook.providers.probe.process import Process
from jupyter_runbook.providers.probe.prometheus import Prometheus
from jupyter_runbook.providers.probe.ssh import Ssh
from jupyter_runbook.providers.probe.tcp import Tcp
from jupyter_runbook.spec.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.provider import Context
    from jupyter_runbook.spec.cell import Cell
    from jupyter_runbook.spec.yamltext import Document, Path

__all__ = ["KINDS", "Probe", "ProbeSpec"]

#: The kinds by the field that names what is looked at.
KINDS: dict[str, type[Check]] = {
    kind.kind: kind for kind in (Http, Tcp, Dns, Ssh, Command, File, Process, Docker, Prometheus)
}

WITHIN, HOLD, EVERY, TIMEOUT = 0.0, 0.0, 1.0, 10.0  # seconds, where a check does not say
LEAST = 0.05  # seconds between two looks

BODY = f"""checks, with what each may say of what has to be there:
  http: URL          status (200 to 399), contains (in the body), headers,
                     json: {{$.path: value}} (RFC 9535; a value may be "> 3");
                     how it is asked: method (GET), request_headers, verify (true)
  tcp: HOST:PORT     open (true)
  dns: NAME          exists (true), answers, type (its addresses), server (this machine's way)
  ssh: USER@HOST:PORT  that one gets in; command, exit_status, contains; identity, known_hosts (files)
  command: TEXT      exit_status (0), contains (in its output)
  file: PATH         exists (true), type, mode, owner, group, contains
  process: PROGRAM   running (true) or count (">= 1"), of a user, with arguments
  docker: CONTAINER  exists (true), state (running), health, image, exit_code; host: URL
  prometheus: URL    query, value ("> 0.99", of each series), series (their number);
                     request_headers, verify
all of them:
  name               what it is called in the record
  within             so long it may take to come true ({WITHIN:g} s: one look)
  for                so long it then has to stay true: a soak after a change ({HOLD:g} s)
  every, timeout     between two looks ({EVERY:g} s); what one look may take ({TIMEOUT:g} s)"""

EXAMPLE = """%%probe --name "the site answers"
- http: http://localhost:{{ port }}/health
  status: 200
  contains: ready
  within: 30s
- tcp: db.example.net:5432
- command: systemctl is-active nginx
  contains: active
- file: /etc/nginx/nginx.conf
  mode: "0644\""""


@dataclass(frozen=True)
class ProbeSpec:
    """The checks of one cell."""

    checks: tuple[Check, ...]

    @cached_property
    def by_resource(self) -> dict[str, Check]:
        """The checks by what they are called."""
        return {check.resource: check for check in self.checks}


class Probe(Provider[ProbeSpec, "dict[str, Seen]"]):
    """Look, and look again until it holds; a check that does not hold in its time fails the step."""

    summary = "Checks that only read, side by side; a dry run looks once at each, and does not wait."
    body = BODY
    example = EXAMPLE
    # All of them wait side by side: a thread that sleeps costs next to nothing.
    workers = 64

    def parse(self, cell: Cell) -> ProbeSpec:
        """Read a list of checks, or one alone."""
        if cell.options.absent:
            raise cell.refuse("--absent", "a probe removes nothing; say what must not be there, with exists: false")
        document = cell.document(raw=lambda path: path[-1:] == ("command",))
        if isinstance(document.data, dict):
            paths: list[Path] = [()]
        elif isinstance(document.data, list) and document.data:
            paths = [(index,) for index in range(len(document.data))]
        else:
            raise document.error((), "a list of checks is needed", hint="- http: http://web.example.net/health")
        checks: dict[str, Check] = {}
        for path in paths:
            check = _check(document, path, cell.names)
            if check.resource in checks:
                raise document.error(
                    path, f"two checks are called {check.resource}", hint="give one of them a name of its own: name: …"
                )
            checks[check.resource] = check
        return ProbeSpec(tuple(checks.values()))

    def observe(self, spec: ProbeSpec, ctx: Context) -> dict[str, Seen]:
        """Look once at everything, side by side."""
        for check in spec.checks:
            check.ready(ctx.stop)
        with ThreadPoolExecutor(min(self.workers, len(spec.checks)), "runbook look") as pool:
            seen = list(pool.map(lambda check: check.look(ctx.stop), spec.checks))
        return {check.resource: replace(one, watched=ctx.again) for check, one in zip(spec.checks, seen, strict=True)}

    def plan(self, spec: ProbeSpec, state: dict[str, Seen]) -> Plan:
        """Plan to wait for what does not hold yet, and to watch what has to stay so."""
        return Plan(tuple(_change(check, state[check.resource]) for check in spec.checks))

    def apply(self, change: Change, spec: ProbeSpec, ctx: Context) -> Any:
        """Look until it holds, or its time is over; then until it has held for long enough."""
        check = spec.by_resource[change.resource]
        seen = _come_true(check, ctx.state[change.resource], ctx)
        if check.timing.hold:
            seen = _stay_true(check, seen, ctx)
        return dict(seen.values)

    def result(self, spec: ProbeSpec, state: dict[str, Seen]) -> Result:
        """Return what each check saw last."""
        rows = [(check, state[check.resource]) for check in spec.checks]
        return Result(
            [{"check": check.resource, "holds": seen.error is None, **seen.values} for check, seen in rows],
            {"holds": all(seen.error is None for _, seen in rows)},
        )


def _check(document: Document, path: Path, names: Mapping[str, Any]) -> Check:
    fields = Fields(document, path, "a check")
    named = [name for name in fields.values if name in KINDS]
    # An ssh check takes a command.
    kinds = [one for one in named if not any(one in KINDS[other].takes for other in named)]
    if len(kinds) != 1:
        raise _no_kind(fields, kinds)
    kind = KINDS[kinds[0]]
    fields.what = f"{'an' if kind.kind == 'http' else 'a'} {kind.kind} check"
    fields.only(kind.kind, *kind.takes, *SHARED)
    timing = Timing(
        fields.seconds("within", WITHIN),
        fields.seconds("for", HOLD),
        fields.seconds("every", EVERY, least=LEAST),
        fields.seconds("timeout", TIMEOUT, least=LEAST),
    )
    name = str(fields.text("name")) or kind.label(fields, names)
    return kind.read(fields, names, resource=f"{kind.kind} {name}", timing=timing)


def _no_kind(fields: Fields, kinds: list[str]) -> InvalidSpec:
    if kinds:
        return fields.error(
            kinds[1], f"one check looks at one thing, not at {' and '.join(kinds)}", hint="begin another one with -"
        )
    first = next(iter(fields.values), None)
    near = difflib.get_close_matches(first or "", KINDS, 1)
    hint = f"did you mean {near[0]}?" if near else "- http: http://web.example.net/health"
    return fields.error(first, f"a check names what it looks at: one of {', '.join(KINDS)}", hint=hint)


def _change(check: Check, seen: Seen) -> Change:
    values = dict(seen.values)
    if seen.error is None:
        why = ", ".join(f"{name} {_shown(value)}" for name, value in values.items())
        if seen.watched or not check.timing.hold:
            return Change(check.resource, check.kind, Action.NO_OP, why, values, values)
        why = f"it holds now ({why}), and has to for {check.timing.hold:g} s"
    else:
        why = seen.error.message
        why += f"; it has {check.timing.within:g} s to come true" if check.timing.within else ""
        why += f", and then to hold for {check.timing.hold:g} s" if check.timing.hold else ""
    return Change(check.resource, check.kind, Action.RUN, why, values or None, check.wanted, judged=True, writes=False)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(repr(str(one)) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one}" for name, one in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _come_true(check: Check, seen: Seen, ctx: Context) -> Seen:
    """Look until a check holds, and return what was seen then."""
    begun = time.monotonic()
    looks = 1
    while seen.error is not None:
        left = begun + check.timing.within - time.monotonic()
        if left <= 0:
            raise _given_up(check, seen, looks, ctx)
        try:
            ctx.stop.wait(min(check.timing.every, left))
            again = check.look(ctx.stop)
        except (Interrupted, StepTimeout) as error:
            raise type(error)(f"{error.message}, and still: {seen.error.message}", hint=error.hint) from None
        if again.error and again.error.message != seen.error.message:
            ctx.output(f"{again.error.message}\n")
        seen = again
        looks += 1
    return seen


def _stay_true(check: Check, seen: Seen, ctx: Context) -> Seen:
    """Look at what holds until it has held for long enough; the last look is at the end."""
    begun = time.monotonic()
    over = begun + check.timing.hold
    looks = 1
    while (left := over - time.monotonic()) > 0:
        try:
            ctx.stop.wait(min(check.timing.every, left))
            seen = check.look(ctx.stop)
        except (Interrupted, StepTimeout) as error:
            held = time.monotonic() - begun
            raise type(error)(f"{error.message}; it had held for {held:.1f} s", hint=error.hint) from None
        looks += 1
        if seen.error is not None:
            held = time.monotonic() - begun
            _say(seen, ctx)
            text = f"{seen.error.message}, after it had held for {held:.1f} s of {check.timing.hold:g} s"
            raise type(seen.error)(text, hint=seen.error.hint, resource=check.resource)
    ctx.output(f"it held for {check.timing.hold:g} s, looked {looks} times\n")
    return seen


def _given_up(check: Check, seen: Seen, looks: int, ctx: Context) -> Exception:
    error = seen.error
    assert error is not None  # noqa: S101 -- the caller has looked
    _say(seen, ctx)
    tried = f", for {check.timing.within:g} s, looked {looks} times" if check.timing.within else ""
    return type(error)(error.message + tried, hint=error.hint, resource=check.resource)


def _say(seen: Seen, ctx: Context) -> None:
    if seen.said.strip():
        ctx.output(f"it said:\n{seen.said.rstrip()}\n")
