"""``%%shell``: a bash script that is a step, with guards that say whether it has to run."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_runbook.bash import NO_COMMAND, bash_version, check_syntax, ended
from jupyter_runbook.errors import InvalidSpec, StepError, ToolFailed
from jupyter_runbook.plan import Action, Change, Plan
from jupyter_runbook.provider import Provider, Result
from jupyter_runbook.providers.shell.place import Here, Place, There, places
from jupyter_runbook.secret.excerpt import Excerpt, last_line, own
from jupyter_runbook.spec.cell import Cell
from jupyter_runbook.spec.options import Option
from jupyter_runbook.spec.script import Script, load_script
from jupyter_runbook.ssh import NEW_KEYS

if TYPE_CHECKING:
    from jupyter_runbook.provider import Context
    from jupyter_runbook.spec.script import Variable
    from jupyter_runbook.stop import Stop

__all__ = ["Shell", "ShellSpec", "ShellState"]

# What `--out` keeps of the output, in characters.
OUTPUT_LIMIT = 1_000_000
TITLE_LIMIT = 60


@dataclass(frozen=True)
class ShellSpec:
    """A script and its guards; what is empty or None was not given."""

    title: str
    source: str
    script: Script
    creates: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    unless: Script | None = None
    unless_source: str | None = None
    onlyif: Script | None = None
    cwd: str | None = None
    places: tuple[Place, ...] = (Here(),)

    @property
    def named(self) -> str:
        """What the script is called, without its kind."""
        return self.title.removeprefix("script ")

    def resource(self, place: Place) -> str:
        """Return what the script is called where it runs."""
        return f"{place.name}: {self.title}" if place.name else self.title

    @property
    def variables(self) -> list[Variable]:
        """What the script and its guards refer to."""
        return [one for script in (self.script, self.unless, self.onlyif) if script for one in script.variables]


@dataclass(frozen=True)
class Guards:
    """What the guards see: whether each path is there, and how the guards' commands ended (None: not asked)."""

    there: dict[str, bool]
    unless: int | None = None
    onlyif: int | None = None


@dataclass(frozen=True)
class ShellState:
    """What the guards see at each place, by the script's name there; and, as they end, how the scripts ended."""

    guards: dict[str, Guards]
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Shell(Provider[ShellSpec, ShellState]):
    """Run a script under ``bash -euo pipefail``."""

    summary = "A bash script (-euo pipefail). With a guard it runs only where it has to; a non-zero exit fails it."
    example = "%%shell --creates {{ folder }}/key\nssh-keygen -q -t ed25519 -N '' -f {{ folder }}/key"
    options: ClassVar[tuple[Option, ...]] = (
        Option(("--creates",), "it makes this path (or glob): not run where that is there", "P", many=True),
        Option(("--removes",), "it takes this path away: not run where that is not there", "P", many=True),
        Option(("--unless",), "not run where this command succeeds", "CMD", template=False),
        Option(("--onlyif",), "run only where this command succeeds", "CMD", template=False),
        Option(("--cwd",), "the folder to run in", "DIR"),
        Option(
            ("--on",),
            "hosts to run on with ssh, side by side: web1,web2, an inventory's file or a variable; left out, here",
            "HOSTS",
            many=True,
            template=False,
        ),
    )
    workers = 16

    def parse(self, cell: Cell) -> ShellSpec:
        """Read the script; see `load_script` for what its templates become."""
        if cell.options.absent:
            raise cell.refuse("--absent", "a script has no opposite; write a step that removes, with --removes")
        lines = [line.strip() for line in cell.body.splitlines()]
        first = next((line for line in lines if line and not line.startswith("#")), None)
        if first is None:
            raise InvalidSpec("the script is empty", line=cell.first_line, hint="write commands below the magic")
        title = cell.options.name or (first if len(first) <= TITLE_LIMIT else first[: TITLE_LIMIT - 1] + "…")

        def command(option: str) -> Script | None:
            text = cell.own(option)
            return load_script(text, cell.names) if text else None

        return ShellSpec(
            title=f"script {title}",
            source=cell.body.rstrip("\n"),
            script=load_script(cell.body, cell.names, first_line=cell.first_line),
            creates=tuple(cell.own("creates") or ()),
            removes=tuple(cell.own("removes") or ()),
            unless=command("unless"),
            unless_source=cell.own("unless"),
            onlyif=command("onlyif"),
            cwd=cell.own("cwd"),
            places=places(cell),
        )

    def observe(self, spec: ShellSpec, ctx: Context) -> ShellState:
        """Ask the guards, the paths first; and bash whether it can read the script, before any line of it runs."""
        check_syntax(spec.script, ctx.stop)
        if len(spec.places) == 1:
            guards = [_look(spec, spec.places[0], ctx.stop)]
        else:
            with ThreadPoolExecutor(min(self.workers, len(spec.places)), "runbook look") as pool:
                guards = list(pool.map(lambda place: _look(spec, place, ctx.stop), spec.places))
        ctx.version("bash", bash_version())
        return ShellState({spec.resource(place): seen for place, seen in zip(spec.places, guards, strict=True)})

    def plan(self, spec: ShellSpec, state: ShellState) -> Plan:
        """Plan the one run at each place, or say which guard makes it needless."""
        hosts = ", ".join(place.name for place in spec.places if place.name) or "localhost"
        return Plan(tuple(_change(spec, resource, guards) for resource, guards in state.guards.items()), hosts)

    def apply(self, change: Change, spec: ShellSpec, ctx: Context) -> Any:
        """Run the script."""
        kept = Excerpt(OUTPUT_LIMIT)

        def output(text: str) -> None:
            kept.add(text)
            ctx.output(text)

        place = next(one for one in spec.places if spec.resource(one) == change.resource)
        status, line = place.run(spec.script, spec.named, ctx.stop, output, spec.cwd)
        text = kept.close()
        facts = {"exit_code": status, "output": text}
        if place.name:
            state: ShellState = ctx.state
            with state.lock:  # the hosts end in any order
                state.ended[place.name] = facts
                ctx.fact("hosts", dict(state.ended))
        else:
            for name, value in facts.items():
                ctx.fact(name, value)
        if status != 0:
            last = last_line(text, "")
            raise ToolFailed(
                ended(status) + _source_line(spec.source, line),
                hint=f"its last line was: {last}" if last else None,
                resource=change.resource,
            )
        return {"exit_code": status}

    def result(self, spec: ShellSpec, state: ShellState) -> Result:
        """Return the guards' paths.

        The run's own facts are ``exit_code`` and ``output``, with ``--on`` those of each host below ``hosts``.
        """
        rows = []
        for place in spec.places:
            host = {"host": place.name} if place.name else {}
            seen = state.guards[spec.resource(place)].there
            rows += [{**host, "path": path, "exists": there} for path, there in seen.items()]
        return Result(rows, {"script": spec.title})


def _look(spec: ShellSpec, place: Place, stop: Stop) -> Guards:
    """Ask the guards of one place."""
    try:
        there = place.there([*spec.creates, *spec.removes], spec.cwd, stop)
        seen = Guards(there)
        if _idle(spec, seen) is None and spec.unless:
            seen = Guards(there, unless=_guard(spec, place, "--unless", spec.unless, stop))
        if _idle(spec, seen) is None and spec.onlyif:
            seen = Guards(there, seen.unless, onlyif=_guard(spec, place, "--onlyif", spec.onlyif, stop))
    except StepError as error:
        if not place.name:
            raise
        raise type(error)(f"{place.name}: {error.message}", hint=error.hint, resource=spec.resource(place)) from None
    return seen


def _change(spec: ShellSpec, resource: str, seen: Guards) -> Change:
    idle = _idle(spec, seen)
    guards = _guards(spec, seen)
    if idle is not None:
        return Change(resource, "script", Action.NO_OP, idle, guards or None, guards or None)
    wanted: dict[str, Any] = {name: _satisfied(name) for name in guards if name != "onlyif"}
    values = {variable.expression: variable.value for variable in spec.variables}
    accepts = {spec.resource(one): one.target.accepts for one in spec.places if isinstance(one, There) and one.target}
    keys = {"host_keys": NEW_KEYS} if accepts.get(resource) else {}
    after = {**wanted, "script": spec.source, **({"values": values} if values else {}), **keys}
    before = {name: guards[name] for name in wanted}
    return Change(resource, "script", Action.RUN, _why(spec, seen), before or None, after, judged=bool(wanted))


def _idle(spec: ShellSpec, state: Guards) -> str | None:
    """Return why the script need not run; None where it has to."""
    if spec.creates and all(state.there[path] for path in spec.creates):
        return f"creates: {', '.join(spec.creates)} {'is' if len(spec.creates) == 1 else 'are'} there"
    if spec.removes and not any(state.there[path] for path in spec.removes):
        return f"removes: {', '.join(spec.removes)} {'is' if len(spec.removes) == 1 else 'are'} not there"
    if state.unless == 0:
        return "unless: the command succeeds"
    if state.onlyif not in (None, 0):
        return f"onlyif: the command ends with {state.onlyif}"
    return None


def _why(spec: ShellSpec, state: Guards) -> str:
    missing = [path for path in spec.creates if not state.there[path]]
    extra = [path for path in spec.removes if state.there[path]]
    parts = [f"creates: {path} is not there" for path in missing] + [f"removes: {path} is there" for path in extra]
    if spec.unless:
        parts.append(f"unless: the command ends with {state.unless}")
    if spec.onlyif:
        parts.append("onlyif: the command succeeds")
    return "; ".join(parts) or "no guard: it runs each time"


def _guards(spec: ShellSpec, state: Guards) -> dict[str, str]:
    """Return what each guard sees, in words."""
    seen = {f"creates {path}": "there" if state.there[path] else "not there" for path in spec.creates}
    seen |= {f"removes {path}": "there" if state.there[path] else "not there" for path in spec.removes}
    if spec.unless and state.unless is not None:
        seen[f"unless {spec.unless_source}"] = "succeeds" if state.unless == 0 else f"ends with {state.unless}"
    if spec.onlyif and state.onlyif is not None:
        seen["onlyif"] = "succeeds" if state.onlyif == 0 else f"ends with {state.onlyif}"
    return seen


def _satisfied(guard: str) -> str:
    """Return what a guard sees where the script need not run."""
    return {"creates": "there", "removes": "not there", "unless": "succeeds"}[guard.partition(" ")[0]]


def _guard(spec: ShellSpec, place: Place, option: str, command: Script, stop: Stop) -> int:
    said: list[str] = []
    status, _ = place.run(command, option, stop, said.append, spec.cwd)
    if status in NO_COMMAND or status < 0:
        last = last_line("".join(said), "")
        raise ToolFailed(
            f"the guard {option} {ended(status)}" + (f": {last}" if last else ""),
            hint="a guard has to be a command that runs, and succeeds or fails",
        )
    return status


def _source_line(source: str, line: int | None) -> str:
    """Return a line of the cell as it is written: `` at line 3: false | cat``."""
    lines = source.splitlines()
    at = (line or 0) - Cell.first_line
    if not 0 <= at < len(lines):
        return f" at line {line}" if line else ""
    text = own(lines[at]).strip()
    return f" at line {line}: {text if len(text) <= TITLE_LIMIT else text[: TITLE_LIMIT - 1] + '…'}"
