"""``%%os``: a tenant's infrastructure, planned and converged.

The way of a cell: `body` reads it by the declarations in `kinds`; `cloud` lists what there is, a call a kind, as a
`state`, which `views` shows as a cell would write it; `local` reads the files here that it names, and `quotas` how much
room there is. `planning` compares (`compare`) and says what is to be done, and `order` what comes first. `work` does
it: `api` makes, changes and takes away by what `calls` makes of a resource's values, `parts` and `servers` do what has
calls of its own, and `watch` waits for all that wait. `tables` tells what is there: rows, tables, an inventory.
`completing` offers words as somebody types.
"""

from __future__ import annotations

import os
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_runbook.errors import AuthFailed, BadInput, NotApproved, Unreachable
from jupyter_runbook.plan import Action, Change, Plan, summed_up
from jupyter_runbook.provider import Provider, Result
from jupyter_runbook.providers.openstack.body import NAMED, OpenStackSpec, read_body
from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.providers.openstack.planning import Operation, Planner
from jupyter_runbook.providers.openstack.state import CloudState, kinds_needed
from jupyter_runbook.spec.options import Option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.openstack.cloud import Cloud
    from jupyter_runbook.providers.openstack.watch import Watch
    from jupyter_runbook.spec.cell import Cell
    from jupyter_runbook.spec.cursor import Place

__all__ = ["OpenStack"]

# Seconds that it may take to list everything.
LONGEST = 900.0
# Seconds between looks at what was made, while a service does not show it yet.
LAGS = (0.2, 0.5, 1.0, 2.0)


def _told(kind: str) -> str:
    """Return a kind's fields for the help."""
    known = KINDS[kind]
    text = f"{kind}: {', '.join((known.identity, *known.fields))}"
    return textwrap.fill(text, 116, subsequent_indent="    ")


FIELDS = "\n".join(_told(kind) for kind in NAMED if KINDS[kind].fields)
BODY = f"""a mapping of kinds to lists of resources, with openstacksdk's attribute names:
{textwrap.fill(", ".join(NAMED), 110)}.
A reference is written with _id left off (network: back) and takes a name or an ID, of the cell's own or of the cloud's.
What another project has, and does not share, is told by its ID alone.
What is not given is not compared; a name alone is a resource that has to be there. Cells with nothing but kinds
(servers:) and names show tables of what is there.

{FIELDS}"""

EXAMPLE = """%%os --cloud sandbox
networks:
  - name: back
subnets:
  - {name: back, network: back, cidr: 10.0.0.0/24}
routers:
  - {name: out, external_gateway: public, interfaces: [back]}
security_groups:
  - name: web
    rules:
      - {protocol: tcp, port_range_min: 22, port_range_max: 22}
servers:
  - name: web1
    image: debian
    flavor: m1.small
    networks: [back]
    security_groups: [web]
    floating_ip: true"""


class OpenStack(Provider[OpenStackSpec, CloudState]):
    """Converge a tenant's resources."""

    workers = 16
    summary = "A tenant's networks, servers and volumes in an OpenStack: what is as it should be stays untouched."
    body = BODY
    example = EXAMPLE
    options: ClassVar[tuple[Option, ...]] = (
        Option(("--cloud",), "a cloud of clouds.yaml; left out, OS_CLOUD", "NAME"),
        Option(("--allow-replace",), "servers and volumes may be replaced"),
        Option(("--known-hosts",), "who takes the servers for an inventory accepts no host key that is not known yet"),
    )

    def __init__(self) -> None:
        self._clouds: dict[tuple[str | None, ...], Cloud] = {}
        # The files of private keys that cells have named, by cloud and keypair.
        self._keys: dict[str, dict[str, str]] = {}
        # What the cells of a dry run would have made, by cloud: the next ones refer to it.
        self._promised: dict[str, set[tuple[str, str]]] = {}
        self._watch: Watch | None = None
        self._planned: tuple[CloudState, Planner, dict[str, Operation]] | None = None

    def parse(self, cell: Cell) -> OpenStackSpec:
        """Read the cell."""
        return read_body(cell)

    @staticmethod
    def complete(place: Place, body: str) -> Iterator[str]:
        """Offer kinds, their fields, and the names that the cell has."""
        from jupyter_runbook.providers.openstack.completing import words_at

        return words_at(place, body)

    def title(self, spec: OpenStackSpec) -> str:
        """Name it after its resources, also where no plan of them comes about; or after what is only looked at."""
        return summed_up([one.title for one in spec.resources]) or f"look at {', '.join(spec.shown)}"

    def observe(self, spec: OpenStackSpec, ctx: Context) -> CloudState:
        """List every kind that the cell needs, side by side."""
        try:
            return ctx.stop.bounded(lambda: self._observed(spec, ctx), LONGEST)
        except (AuthFailed, BadInput):
            # Its entry is read anew, once somebody has mended it.
            self._clouds.pop(_named(spec), None)
            raise
        except TimeoutError:
            # The step's own deadline may be what was waited for.
            ctx.stop.wait(1.0)
            hint = "is it up? openstack catalog list shows its services"
            raise Unreachable(f"the cloud has not told what there is within {LONGEST:.0f} s", hint=hint) from None

    def _observed(self, spec: OpenStackSpec, ctx: Context) -> CloudState:
        from importlib.metadata import version

        from jupyter_runbook.providers.openstack.local import read_local

        cloud = self._cloud(spec)
        pauses = iter(LAGS if ctx.again else ())
        while True:
            ctx.stop.check()
            state = cloud.observe(kinds_needed(spec))
            ctx.version("openstacksdk", version("openstacksdk"))
            if "quotas" in spec.kinds:
                from jupyter_runbook.providers.openstack.quotas import read_quotas

                state = replace(state, lists={**state.lists, "quotas": read_quotas(cloud, spec, state)})
            state = replace(state, local=read_local(spec, state))
            planner, operations = self._operations(spec, state)
            work = [one for one in operations.values() if one.change.remains]
            pause = next(pauses, None)
            if not work or pause is None:
                break
            # A service may list late what it has said yes to (TRAPS, OpenStack 9).
            ctx.stop.wait(pause)
        return self._with_room(state, planner, work)

    def _with_room(self, state: CloudState, planner: Planner, work: list[Operation]) -> CloudState:
        """Add how much more the project may have, where a plan needs more."""
        if all(one.change.action in {Action.DELETE, Action.NO_OP} for one in work):
            return state
        from jupyter_runbook.providers.openstack.quotas import asked_for, room_of

        services = {service for service, _ in asked_for(work, planner)}
        return replace(state, room=room_of(self._cloud(planner.spec), services)) if services else state

    def plan(self, spec: OpenStackSpec, state: CloudState) -> Plan:
        """Compare everything, field by field."""
        planner, operations = self._operations(spec, state)
        changes = tuple(one.change for one in operations.values())
        if spec.dry:
            made = {(one.wanted.kind, one.wanted.name) for one in operations.values() if one.there is None}
            self._promised[state.cloud] |= set() if spec.absent else made
        if state.room:
            from jupyter_runbook.providers.openstack.quotas import asked_for, check_room

            check_room(asked_for(operations.values(), planner), state.room)
        held = [one for one in changes if one.action is Action.REPLACE and not spec.allowed]
        held = [one for one in held if any(KINDS[kind].title == one.kind and KINDS[kind].held for kind in spec.kinds)]
        if held:
            raise NotApproved(
                f"{', '.join(one.resource for one in held)} would be replaced: {held[0].reason}",
                hint="--allow-replace allows it, --confirm asks first, --check shows the plan",
                resource=held[0].resource,
            )
        return Plan(changes, target=state.cloud)

    def apply(self, change: Change, spec: OpenStackSpec, ctx: Context) -> Any:
        """Do one operation."""
        from jupyter_runbook.providers.openstack.watch import Watch
        from jupyter_runbook.providers.openstack.work import Work

        planner, operations = self._operations(spec, ctx.state)
        operation = operations[change.resource]
        cloud = self._cloud(spec)
        if self._watch is None or self._watch.stop is not ctx.stop:
            self._watch = Watch(cloud, ctx.stop)
        return Work(cloud, planner, ctx, self._watch).do(operation)

    def result(self, spec: OpenStackSpec, state: CloudState) -> Result:
        """Return a row a resource of the cell, as the cloud has it; and tables where the cell asks for nothing else."""
        from jupyter_runbook.providers.openstack.local import path_of
        from jupyter_runbook.providers.openstack.tables import hosts, rows, tables

        planner = self._operations(spec, state)[0]
        keys = self._keys.setdefault(state.cloud, {})
        for one in spec.resources:
            if "private_key_file" in one.values:
                keys[one.name] = str(path_of(one.values["private_key_file"]).absolute())
        return Result(rows(planner), {"cloud": state.cloud}, hosts(spec, state, keys), tables(planner))

    def _operations(self, spec: OpenStackSpec, state: CloudState) -> tuple[Planner, dict[str, Operation]]:
        """Return what a plan is made of; of many resources, each one's change asks for it."""
        if self._planned is None or self._planned[0] is not state:
            promised = self._promised.setdefault(state.cloud, set()) if spec.dry else set()
            planner = Planner(spec, state, promised)
            self._planned = state, planner, {one.change.resource: one for one in planner.operations()}
        return self._planned[1:]

    def _cloud(self, spec: OpenStackSpec) -> Cloud:
        """Return the cloud; its connection and token are kept from cell to cell."""
        from jupyter_runbook.providers.openstack.cloud import Cloud

        return self._clouds.setdefault(_named(spec), Cloud(spec.cloud))


def _named(spec: OpenStackSpec) -> tuple[str | None, ...]:
    """Return what tells which cloud is meant: its name, where there is one, and where clouds are named."""
    return spec.cloud, *(os.environ.get(name) for name in ("OS_CLOUD", "OS_CLIENT_CONFIG_FILE"))
