"""The one hierarchy of errors.

::

    RunbookError
    ├── BadInput (ValueError)              exit code 2: nothing ran
    │   ├── InvalidSpec                    a cell can't be read: file, cell, line, hint
    │   ├── MissingDependency (ImportError)  an SDK is not installed
    │   └── NotANotebook
    ├── StepError                          a step can't go on; `kind` says why
    │   ├── Unreachable (ConnectionError)
    │   ├── AuthFailed (PermissionError)
    │   ├── Denied (PermissionError)
    │   ├── Conflict
    │   ├── StepTimeout (TimeoutError)
    │   ├── NotConverged
    │   ├── StalePlan                      exit code 3
    │   ├── NotApproved                    exit code 3
    │   ├── Frozen
    │   ├── Partial                        some of the changes were made, some not
    │   ├── ToolFailed                     what we called said no, in its own words
    │   └── StepFailed                     what a magic raises: the step's record tells all
    └── Interrupted                        exit code 130: somebody pressed stop

A leaf also is the builtin that it means, so that callers who know nothing of us can catch it.
Messages are one line; `hint` says what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from jupyter_runbook.printable import one_line, readable
from jupyter_runbook.secret.excerpt import own, redacted_hint

if TYPE_CHECKING:
    from jupyter_runbook.record import StepRecord

ErrorKind = Literal[
    "invalid-spec",
    "unreachable",
    "auth",
    "denied",
    "conflict",
    "timeout",
    "not-converged",
    "stale-plan",
    "not-approved",
    "frozen",
    "partial",
    "tool",
]

__all__ = [
    "AuthFailed",
    "BadInput",
    "Conflict",
    "Denied",
    "ErrorKind",
    "Frozen",
    "Interrupted",
    "InvalidSpec",
    "MissingDependency",
    "NotANotebook",
    "NotApproved",
    "NotConverged",
    "Partial",
    "RunbookError",
    "StalePlan",
    "StepError",
    "StepFailed",
    "StepTimeout",
    "ToolFailed",
    "Unreachable",
    "Where",
]


# Of an error's line, in characters.
LONGEST = 1000


@dataclass(frozen=True)
class Where:
    """Where in the user's text something is wrong; each part may be unknown.

    Parameters
    ----------
    file
        The notebook, playbook or parameter file, as the user would name it.
    cell
        The cell: its step name, or its number counted from 1.
    line
        The line, counted from 1, inside the cell (the magic's own line is 1) or the file.
    """

    file: str | None = None
    cell: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        parts = [
            self.file,
            f"cell {self.cell}" if self.cell is not None else None,
            f"line {self.line}" if self.line is not None else None,
        ]
        return ", ".join(part for part in parts if part)


class RunbookError(Exception):
    """The base of all errors that this package raises on purpose.

    ``kind`` is what a record's ``error.kind`` says, ``exit_code`` what the command ends with.

    Parameters
    ----------
    message
        One line: what is wrong.
    hint
        One line: what to do about it.
    where
        The place in the user's own text.
    resource
        The resource that it is about, as the plan names it.
    """

    kind: ErrorKind = "tool"
    exit_code: int = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: Where | None = None,
        resource: str | None = None,
    ) -> None:
        # Redacted as a whole, before anybody cuts it.
        message, hint = own(message), hint and redacted_hint(hint, str(where or ""))
        # A name forges no line of its own.
        message = message.replace(resource, one_line(resource)) if resource else message
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where or Where()
        self.resource = resource

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return the error as one to three lines: place and message, then the hint."""
        place = one_line(str(self.where))
        first, *rest = readable(self.message).splitlines() or [""]
        lines = [f"{place}: {first}" if place else first, *rest][:2]
        if self.hint:
            lines.append("→ " + one_line(" ".join(self.hint.split())))
        # Whoever reads it wants to know where it is; the text itself may be anybody's, and of any length.
        return [line if len(line) <= LONGEST else line[: LONGEST - 1] + "…" for line in lines]

    def at(self, *, file: str | None = None, cell: str | None = None) -> Self:
        """Fill in the file and the cell where the error has none, and return the error itself."""
        self.where = Where(self.where.file or file, self.where.cell or cell, self.where.line)
        return self

    def _render_traceback_(self) -> list[str]:
        # IPython's hook: a short message in place of a traceback.
        first, *rest = self.lines()
        return [f"{type(self).__name__} ({self.kind}): {first}", *rest]


class BadInput(RunbookError, ValueError):
    """What the user gave can't be used; nothing was touched."""

    kind: ErrorKind = "invalid-spec"
    exit_code = 2


class InvalidSpec(BadInput):
    """A cell's text can't be read as a spec.

    Parameters
    ----------
    line
        Short for ``where=Where(line=line)``.
    """

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        hint: str | None = None,
        where: Where | None = None,
        resource: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, where=where or Where(line=line), resource=resource)


class MissingDependency(BadInput, ImportError):
    """A provider's SDK is not installed; the hint names the ``pip install`` that mends it."""

    kind = "tool"


class NotANotebook(BadInput):
    """The file is no notebook that nbformat can read."""


class StepError(RunbookError):
    """A step can't go on; the class says which kind of failure it is."""


class Unreachable(StepError, ConnectionError):
    """The target did not answer."""

    kind = "unreachable"


class AuthFailed(StepError, PermissionError):
    """The target answered, and refused the credentials."""

    kind = "auth"


class Denied(StepError, PermissionError):
    """The credentials are good, but do not allow this."""

    kind = "denied"


class Conflict(StepError):
    """Somebody else holds or owns what the step would change."""

    kind = "conflict"


class StepTimeout(StepError, TimeoutError):
    """The step or one of its waits took longer than it may."""

    kind = "timeout"


class NotConverged(StepError):
    """After applying, a plan still remains."""

    kind = "not-converged"


class StalePlan(StepError):
    """The plan made now is not the plan that was asked for."""

    kind = "stale-plan"
    exit_code = 3


class NotApproved(StepError):
    """Somebody said no, or nobody could be asked."""

    kind = "not-approved"
    exit_code = 3


class Frozen(StepError):
    """The step may not run again until someone unfreezes it."""

    kind = "frozen"


class Partial(StepError):
    """Some changes were made and some failed."""

    kind = "partial"


class ToolFailed(StepError):
    """The tool, service or command that was called failed, in its own words."""

    kind = "tool"


class StepFailed(StepError):
    """A step failed, or somebody stopped it: what a cell magic raises, so that Run All and papermill stop there.

    Parameters
    ----------
    record
        The step's record; it has been shown and journaled before.
    """

    def __init__(self, record: StepRecord) -> None:
        error = record.error
        what = error.message if error else record.summary
        resource, name = one_line((error and error.resource) or ""), one_line(record.name)
        if resource and resource not in what:
            what = f"{resource}: {what}"
        super().__init__(
            what if what.startswith(name) else f"{name}: {what}",
            hint=error.hint if error else None,
            resource=error.resource if error else None,
        )
        self.record = record
        if error:
            self.kind = error.kind
        # A step that was not let run is told from one that ran and failed (the command line's contract).
        self.exit_code = {"stale-plan": 3, "not-approved": 3}.get(self.kind, 1)
        if record.status == "interrupted":
            self.exit_code = 130

    def __reduce__(self) -> tuple[type[Self], tuple[StepRecord]]:
        return type(self), (self.record,)

    def _render_traceback_(self) -> list[str]:
        said = self.record.status if self.record.error is None else self.kind
        first, *rest = self.lines()
        return [f"StepFailed ({said}): {first}", *rest]


class Interrupted(RunbookError):
    """The step was stopped from outside (the stop button, Ctrl-C, SIGTERM)."""

    exit_code = 130
