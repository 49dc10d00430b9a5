"""The Provider interface: what a new backend writes, and all that it writes.

A provider is one class with one line in its package's ``pyproject.toml``::

    [project.entry-points."jupyter_runbook.providers"]
    files = "my_package:Files"

The entry point's name is the magic's name: with this line, ``%%files`` exists as soon as ``%load_ext jupyter_runbook``
has run, and the class is imported when a cell first uses it. Our own providers register in the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pandas as pd

    from jupyter_runbook.plan import Change, Plan
    from jupyter_runbook.record import ChangeRecord
    from jupyter_runbook.spec.cell import Cell
    from jupyter_runbook.spec.cursor import Place
    from jupyter_runbook.spec.options import Option
    from jupyter_runbook.stop import Stop

__all__ = ["Context", "Provider", "Result"]

Spec = TypeVar("Spec")
State = TypeVar("State")


class Context(Protocol):
    """What the core hands to `Provider.observe` and `Provider.apply`: the way to tell and to be told."""

    @property
    def stop(self) -> Stop:
        """The token to heed within a second: ask ``stop.check()``, sleep with ``stop.wait(seconds)``."""

    @property
    def state(self) -> Any:
        """While applying: the state that the plan was made from."""

    @property
    def done(self) -> Mapping[str, Any]:
        """While applying: what `Provider.apply` returned for each change done so far, by resource."""

    def output(self, text: str) -> None:
        """Show and log text of the tool's own, as it comes; it is redacted on the way."""

    @property
    def again(self) -> bool:
        """While observing: whether the changes are made, and this only looks at what is there now."""

    def row(self, row: ChangeRecord) -> None:
        """Add what the run found out as it went (one task on one host) as a row of the record.

        A row of the kind ``task`` or ``handler`` is called ``HOST: TASK``, and is shown as a cell of a matrix.
        """

    def begun(self, resource: str) -> None:
        """Say that the row of this name is at work, until `row` brings it."""

    def waiting(self) -> None:
        """Say that nothing came, so that what is shown has the time; while applying that is not needed."""

    def found(self, resource: str, identifier: str) -> None:
        """Note in the journal, at once, the ID that a service gave to a resource: a crash must not lose it."""

    def fact(self, name: str, value: Any) -> None:
        """Add what `--out` binds and no later observation would tell, like an exit code."""

    def version(self, tool: str, version: str) -> None:
        """Tell the version of a tool or service that takes part."""


@dataclass(frozen=True, repr=False)
class Result:
    """What ``--out`` binds.

    Parameters
    ----------
    resources
        One mapping a resource, as observed last.
    facts
        What else is worth knowing: an exit code, an address.
    inventory
        The hosts that the resources are, as groups of Ansible's YAML inventories; empty where they are none.
    tables
        What the step was asked to show: rows by the title of their table; shown below the record.
    """

    resources: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    inventory: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Show what a notebook asks to see: the tables, or all the resources."""
        from jupyter_runbook.display.tables import tables_text

        return tables_text(self.tables or {"resources": self.resources})

    def _repr_html_(self) -> str:
        from jupyter_runbook.display.tables import tables_html

        return tables_html(self.tables or {"resources": self.resources})

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """Return the resource of a name: ``web["web1"]["address"]``.

        Raises
        ------
        KeyError
            There is none, or there are several, of different kinds.
        """
        found = [one for one in self.resources if one.get("name") == name]
        if len(found) != 1:
            names = ", ".join(dict.fromkeys(str(one.get("name")) for one in self.resources))
            raise KeyError(f"{len(found) or 'none'} of the resources {'are' if found else 'is'} called {name}: {names}")
        return found[0]

    def df(self, kind: str | None = None) -> pd.DataFrame:
        """Return the resources as a table, one row each.

        Parameters
        ----------
        kind
            The table's title, or the resources' kind: those alone; left out, all that there are.

        Raises
        ------
        KeyError
            There is no such kind.
        MissingDependency
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            from jupyter_runbook.errors import MissingDependency

            raise MissingDependency("a table needs pandas", hint="pip install 'jupyter-runbook[pandas]'") from None
        rows = self.resources
        if kind is None and not rows:
            rows = [row for some in self.tables.values() for row in some]
        elif kind is not None:
            rows = self.tables.get(kind) or [row for row in rows if row.get("kind") == kind]
            if not rows and kind not in self.tables:
                raise KeyError(kind)
        return pd.DataFrame([dict(row) for row in rows])


class Provider(ABC, Generic[Spec, State]):
    """Five stages; the core does the rest: options, templates, approval, order, redaction, record, journal, display.

    An instance lives as long as its kernel and may keep connections open between cells. Errors are those of
    `jupyter_runbook.errors`: an `InvalidSpec` with its line from `parse`, else a `StepError` of the kind that fits.
    """

    #: One line for ``--help``.
    summary: ClassVar[str] = ""
    #: What the body of a cell may say, for ``--help``; empty where the example tells all.
    body: ClassVar[str] = ""
    #: A whole cell, for ``--help``.
    example: ClassVar[str] = ""
    #: The options of the magic beyond those that all share.
    options: ClassVar[tuple[Option, ...]] = ()
    #: How many changes are made side by side.
    workers: ClassVar[int] = 8

    @abstractmethod
    def parse(self, cell: Cell) -> Spec:
        """Read the cell. Pure.

        Returns
        -------
        Spec
            A frozen dataclass or plain values; a `Secret` stays one. Its values make the ``spec_digest``.

        Raises
        ------
        InvalidSpec
            With the line in the cell.
        """

    @staticmethod
    def complete(place: Place, body: str) -> Iterable[str]:  # noqa: ARG004 -- for the providers whose cells are YAML
        """Return the words that tab completion offers at a place of a cell's body. Pure."""
        return ()

    def title(self, spec: Spec) -> str | None:  # noqa: ARG002 -- for the providers that have one
        """Return what a step is called where its cell does not say; None for what its resources are called. Pure."""
        return None

    @abstractmethod
    def observe(self, spec: Spec, ctx: Context) -> State:
        """Look at what is there now. Only reads; a service's own dry run belongs here too."""

    @abstractmethod
    def plan(self, spec: Spec, state: State) -> Plan:
        """Compare. Pure: it is made before applying and again after, and must be empty then."""

    def holding(self, spec: Spec, state: State, ctx: Context) -> AbstractContextManager[State | None]:  # noqa: ARG002
        """Hold against others what the plan acts on, while it is applied and observed again.

        A provider whose target can be changed by two runs at once locks it here, and raises a `Conflict` that says who
        holds it. Where what is there has changed since ``state`` was observed, it gives the state as it is now, and the
        core plans anew; None where it is the same.
        """
        return nullcontext()

    @abstractmethod
    def apply(self, change: Change, spec: Spec, ctx: Context) -> Any:
        """Make one change of the plan, and return what is there now: plain values for the record's ``after``.

        It runs in a thread of its own, beside other changes that it does not need. None leaves the planned ``after``.
        """

    def result(self, spec: Spec, state: State) -> Result:  # noqa: ARG002 -- for the providers that have one
        """Return what ``--out`` binds, from the state observed last. Pure."""
        return Result()
