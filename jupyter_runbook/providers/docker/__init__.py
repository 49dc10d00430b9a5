"""``%%docker``: a Compose file, converged on an engine.

The way of a cell: `compose` reads it into a `model`; `state` asks the engine; `planning` (a project), `placing` (one of
its containers) and `removal` compare (`compare`, `condition`) and say what is to be done; `work` does it, one operation
at a time, as the core says.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_runbook.files import expanded, is_there
from jupyter_runbook.plan import Change, Plan
from jupyter_runbook.provider import Provider, Result
from jupyter_runbook.providers.docker.compose.project import read_project
from jupyter_runbook.providers.docker.hosts import connect
from jupyter_runbook.providers.docker.lock import hold
from jupyter_runbook.providers.docker.model import DockerSpec
from jupyter_runbook.providers.docker.operations import operations
from jupyter_runbook.providers.docker.result import inventory, rows
from jupyter_runbook.providers.docker.state import HostState, Local, observe, same_containers
from jupyter_runbook.providers.docker.work import Work
from jupyter_runbook.spec.options import Option

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.docker.engine import Engine
    from jupyter_runbook.spec.cell import Cell
    from jupyter_runbook.stop import Stop

__all__ = ["Docker"]

State = dict[str, HostState]

# Seconds until an engine has done what a run that died had asked it for.
SETTLE = 0.3
# So many services are named in a step's title.
SHOWN = 4

BODY = """a Compose file: services, networks, volumes, configs, secrets, as the Compose Specification has them.
${VARIABLE} comes from the environment and .env, {{ expression }} from the notebook.
include: [compose.yaml] takes a file that is there already; several come over one another with path: [a, b].
What a container can be given as it is (limits, restart, networks) is updated; for all else it is replaced:
the new one takes over when it is healthy, or the old one comes back."""

EXAMPLE = """%%docker --project site
services:
  web:
    image: nginx:1.27
    ports: ["8080:80"]
    depends_on:
      db: {condition: service_healthy}
  db:
    image: postgres:17
    environment:
      POSTGRES_PASSWORD: "{{ db_password }}"
    volumes: [data:/var/lib/postgresql/data]
    healthcheck:
      test: pg_isready -U postgres
      interval: 2s
volumes:
  data:"""


class Docker(Provider[DockerSpec, State]):
    """Converge a project of containers, networks, volumes and images."""

    summary = "A Compose file, converged on one or more engines: what is as it should be stays untouched."
    body = BODY
    example = EXAMPLE
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            ("--host",),
            "an engine's address, or {{ a list of them }}; left out, as docker",
            "URL",
            many=True,
            template=False,
        ),
        Option(("--project",), "the project's name; left out, as Compose: name:, or the folder", "NAME"),
        Option(("--project-directory",), "what .env and relative paths are looked for in; left out, here", "DIR"),
        Option(("--profile",), "a profile whose services are wanted too", "NAME", many=True),
        Option(
            ("--load",),
            "an archive of docker save, or another engine's address, whose images come before a registry's",
            "FILE|URL",
            many=True,
        ),
        Option(("--save",), "keep the cell's images in an archive, as docker save writes it", "FILE"),
        Option(("--push",), "push what is built to its registry, where that has another one or none"),
        Option(("--volumes",), "with --absent: the volumes too, with their data"),
        Option(("--remove-orphans",), "remove the project's containers of services that are not in the cell"),
    )

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}

    def parse(self, cell: Cell) -> DockerSpec:
        """Read a Compose file, and the files beside it that it takes values from."""
        if cell.own("volumes") and not cell.options.absent:
            raise cell.refuse("--volumes", "it is for --absent alone; it would remove the volumes' data")
        for option in ("load", "save"):
            if cell.own(option) and cell.options.absent:
                raise cell.refuse(f"--{option}", "images are not removed with --absent, nor are they needed")
        return read_project(cell)

    def title(self, spec: DockerSpec) -> str:
        """Return the project and its services."""
        names = list(spec.services)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"project {spec.project}: {', '.join(names[:SHOWN])}{more}"

    def observe(self, spec: DockerSpec, ctx: Context) -> State:
        """Ask every engine, side by side."""
        from concurrent.futures import ThreadPoolExecutor

        for notice in spec.notices:
            ctx.output(f"{notice}\n")
        local = self._local(spec, ctx.stop)
        if len(spec.hosts) == 1:
            [(host, address)] = spec.hosts.items()
            found = {host: observe(spec, self.engine(address), ctx.stop, local)}
        else:
            with ThreadPoolExecutor(len(spec.hosts), "runbook docker host") as pool:
                asked = {
                    host: pool.submit(observe, spec, self.engine(address), ctx.stop, local)
                    for host, address in spec.hosts.items()
                }
                found = {host: one.result() for host, one in asked.items()}
        for host, address in spec.hosts.items():
            name = "docker engine" if len(spec.hosts) == 1 else f"docker engine of {host}"
            ctx.version(name, self.engine(address).version["Version"])
        return found

    def plan(self, spec: DockerSpec, state: State) -> Plan:
        """Compare everything, field by field."""
        target = ", ".join(spec.hosts)
        return Plan(tuple(one.change for one in operations(spec, state).values()), target=target)

    @contextmanager
    def holding(self, spec: DockerSpec, state: State, ctx: Context) -> Iterator[State | None]:
        """Hold the project on every engine, and look whether it is as it was when the plan was made."""
        with ExitStack() as stack:
            moved = False
            for host, address in sorted(spec.hosts.items()):
                engine = self.engine(address)
                took_over = stack.enter_context(hold(engine, spec.project))
                if took_over:
                    ctx.output(f"a run of {spec.project} died before it came to its end: going on from there\n")
                    # What it had asked for last may be about to be done still.
                    ctx.stop.wait(SETTLE)
                moved = moved or took_over or not same_containers(spec, engine, state[host])
            yield self.observe(spec, ctx) if moved else None

    def apply(self, change: Change, spec: DockerSpec, ctx: Context) -> Any:
        """Do one operation."""
        operation = operations(spec, ctx.state)[change.resource]
        return Work(self.engine(spec.hosts[operation.host]), spec, ctx, self.engine).do(operation)

    def result(self, spec: DockerSpec, state: State) -> Result:
        """Return a row a container: what it is, and where it can be reached; and the project and the engines."""
        facts = {"project": spec.project, "hosts": list(spec.hosts.values())}
        found = [row for host, one in state.items() for row in rows(spec, host, one)]
        return Result(found, facts, inventory(found, spec.hosts))

    def _local(self, spec: DockerSpec, stop: Stop) -> Local:
        """Return what images can be made of here, or come from."""
        if spec.absent:
            return Local()
        if not (spec.load or spec.save):
            return Local(_builds(spec, (), stop))
        from jupyter_runbook.providers.docker.archives import contents, offers

        images = dict.fromkeys(one.image for one in spec.services.values())
        offered = offers(spec.load, images, self.engine, stop)
        kept = expanded(spec.save) if spec.save else None
        saved = contents(kept) if kept and is_there(kept) else None
        return Local(_builds(spec, offered, stop), offered, saved)

    def engine(self, address: str) -> Engine:
        """Return the engine at an address; its connections are kept from cell to cell."""
        if address not in self._engines:
            self._engines[address] = connect(address)
        return self._engines[address]


def _builds(spec: DockerSpec, offered: Container[str], stop: Stop) -> dict[str, str]:
    wanted = {key: one for key, one in spec.services.items() if one.build and one.image not in offered}
    if not wanted:
        return {}
    from jupyter_runbook.providers.docker.images import build_digest

    return {key: build_digest(one.build, stop) for key, one in wanted.items() if one.build}
