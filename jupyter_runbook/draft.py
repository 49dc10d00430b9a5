"""The step's record in the making: each stage of `step.run` adds what it knows, and `Draft.seal` makes the record."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_runbook.canonical import JSON, digest, plain
from jupyter_runbook.errors import BadInput, Interrupted, NotConverged, Partial, RunbookError
from jupyter_runbook.logs import StepLog
from jupyter_runbook.matrix import in_order, matrix
from jupyter_runbook.notebook import FOLDER, source_digest
from jupyter_runbook.plan import Action, summed_up
from jupyter_runbook.record import Attempt, ChangeRecord, ChangeStatus, ErrorRecord, Status, StepRecord, utc
from jupyter_runbook.seal import seal
from jupyter_runbook.secret.excerpt import one_line_of
from jupyter_runbook.session import Progress, versions

if TYPE_CHECKING:
    from jupyter_runbook.execute import Executor, Outcome
    from jupyter_runbook.plan import Change, Plan
    from jupyter_runbook.record import Approval, Log
    from jupyter_runbook.session import Session
    from jupyter_runbook.spec.options import StepOptions

__all__ = ["Draft"]


# A row that fails with a reason that begins so did not fail its step.
HANDLED = ("ignored", "rescued")
_IDLE = (ChangeStatus.OK, ChangeStatus.SKIPPED)


class Draft:
    """What is known of a step so far.

    Parameters
    ----------
    provider
        The magic's name.
    cell_id
        The cell's id in the notebook.
    source
        The cell's source as saved.
    session
        The run that the step belongs to.
    """

    def __init__(self, provider: str, cell_id: str | None, source: str | None, session: Session) -> None:
        self.id = uuid.uuid4().hex
        self.provider = provider
        self.cell_id = cell_id
        self.source = source or ""
        self.source_digest = source_digest(source) if source else None
        self.session = session
        self.options: StepOptions | None = None
        self.spec_digest: str | None = None
        self.plan: Plan | None = None
        self.plan_digest: str | None = None
        self.approval: Approval | None = None
        self.error: RunbookError | None = None
        self.attempts: list[Attempt] = []
        self.skipped: str | None = None
        self.title: str | None = None
        self.facts: dict[str, Any] = {}
        self.versions: dict[str, str] = {}
        self.log = StepLog(session.root / FOLDER / "logs" / f"{self.id}.log", session.root)
        self.lock = threading.Lock()
        self.started = utc()
        self._begun = time.monotonic()
        self._rows: dict[str, ChangeRecord] = {}
        self._reported: dict[tuple[str, str], ChangeRecord] = {}
        self._at_work: dict[str, float] = {}

    @property
    def name(self) -> str:
        """The step's name: as given, or made from its resources."""
        if self.options and self.options.name:
            return self.options.name
        if self.title:
            return self.title
        return summed_up([change.resource for change in self.plan.changes] if self.plan else []) or self.provider

    @property
    def changed(self) -> bool:
        """Whether anything was changed so far, in any attempt."""
        return any(row.status is ChangeStatus.CHANGED for row in self._all_rows())

    def read(self, spec: Any, title: str | None = None) -> None:
        """Take the spec and its title; its digest is over its values, a secret standing as its name."""
        self.spec_digest = digest(spec)
        self.title = title

    def planned(self, plan: Plan) -> None:
        """Take an attempt's plan; what an earlier attempt changed stays so."""
        kept = {name: row for name, row in self._rows.items() if row.status is ChangeStatus.CHANGED}
        fresh = {}
        for change in plan.changes:
            done = kept.pop(change.resource, None)
            idle = change.action is Action.NO_OP
            fresh[change.resource] = done if done and idle else _row(change, idle=idle)
        self._rows = {**kept, **fresh}
        self.plan = plan
        self.plan_digest = plan.digest(self.spec_digest or "")

    def settle(self, outcome: Outcome) -> None:
        """Take what became of one change."""
        row = _row(outcome.change, idle=False)
        status = outcome.status
        # A run that reported what it found out as it went changed something if one of these rows did; what failed, and
        # was ignored or rescued, may have.
        mine = [one for (parent, _), one in self._reported.items() if parent == outcome.change.resource]
        idle = not outcome.change.writes or (mine and all(one.status in _IDLE for one in mine))
        if status is ChangeStatus.CHANGED and idle:
            status = ChangeStatus.OK
        before = self._rows.get(outcome.change.resource)
        if before and before.status is ChangeStatus.CHANGED and status is ChangeStatus.OK:
            return
        self._rows[outcome.change.resource] = replace(
            row,
            status=status,
            reason=one_line_of(outcome.error.message) if outcome.error else row.reason,
            after=plain(outcome.value) if outcome.value is not None else row.after,
            seconds=None if outcome.seconds is None else round(outcome.seconds, 3),
        )

    def report(self, parent: str, row: ChangeRecord) -> None:
        """Take a row that a run found out as it went; a later one of its name and kind replaces it.

        What an earlier attempt changed stays so, where a later one finds it as it should be.
        """
        key = parent, f"{row.kind} {row.resource}"
        with self.lock:
            self._at_work.pop(row.resource, None)
            before = self._reported.get(key)
            if before and before.status is ChangeStatus.CHANGED and row.status is ChangeStatus.OK:
                return
            self._reported[key] = row

    def begun(self, resource: str) -> None:
        """Note that a row of a run is at work."""
        with self.lock:
            self._at_work[resource] = time.monotonic()

    def applying(self) -> None:
        """Forget the rows of a dry run: what comes now is what happened."""
        with self.lock:
            self._reported = {key: row for key, row in self._reported.items() if key[0]}
            self._at_work = {}

    def tried(self, started: str, error: RunbookError | None) -> None:
        """Note one attempt."""
        self.attempts.append(Attempt(started, utc(), ErrorRecord.of(error) if error else None))

    def outcome_error(self, outcomes: list[Outcome]) -> RunbookError | None:
        """Return why an attempt failed: of kind ``partial`` when something was done, else the first failure's own."""
        bad = [one for one in outcomes if one.status not in (ChangeStatus.OK, ChangeStatus.CHANGED)]
        if not bad:
            return None
        # The one that broke first in the plan's order; a change that did not run is never the cause.
        cause = next((one for one in bad if one.status is not ChangeStatus.NOT_RUN), bad[0])
        error = cause.error or Interrupted("it was stopped")
        if not isinstance(error, BadInput):  # that one names a line
            error.resource = error.resource or cause.change.resource
        failed = sum(one.status is ChangeStatus.FAILED for one in bad)
        if isinstance(error, (Interrupted, TimeoutError)):
            return error
        if not self.changed:
            error.message += f" ({failed - 1} more failed)" if failed > 1 else ""
            return error
        if len(outcomes) == 1:
            return Partial(error.message, hint=error.hint, resource=error.resource)
        left = f", {len(bad) - failed} did not run" if len(bad) > failed else ""
        return Partial(
            f"{failed} of {len(outcomes)} changes failed{left}; {cause.change.resource}: {error.message}",
            hint=error.hint,
            resource=cause.change.resource,
        )

    def remains(self, again: Plan) -> NotConverged | None:
        """Judge the plan made after applying: what can be judged must not be in it any more."""
        left = again.remaining
        if not left:
            return None
        for change in left:
            row = self._rows.get(change.resource) or _row(change, idle=False)
            self._rows[change.resource] = replace(
                row, status=ChangeStatus.FAILED, reason=f"applied, but {change.reason or 'not as it should be'}"
            )
        more = f", and {len(left) - 1} more" if len(left) > 1 else ""
        return NotConverged(
            f"it was applied, and observing again still finds: {left[0].reason or left[0].action}{more}",
            resource=left[0].resource,
            hint="what is there now is in the diff; somebody else may be changing it back",
        )

    def progress(self, executor: Executor | None = None) -> Progress:
        """Return what the live display shows now."""
        now = time.monotonic()
        running = [(name, now - begun) for name, begun in executor.running.items()] if executor else []
        clean = self.session.names.text
        with self.lock:
            at_work = list(self._at_work)
            rows = list(self._reported.values())
        return Progress(
            clean(self.name),
            self.provider,
            now - self._begun,
            [(clean(name), seconds) for name, seconds in running],
            len(executor.outcomes) if executor else 0,
            len(executor.plan.changes) if executor else 0,
            self.log.tail,
            matrix(rows, at_work, clean),
        )

    @property
    def status(self) -> Status:
        """The status as things stand; that of `StepOptions.expect` comes in `seal`."""
        if isinstance(self.error, Interrupted):
            return Status.INTERRUPTED
        if self.error:
            return Status.FAILED
        if self.skipped:
            return Status.SKIPPED
        if self.options and self.options.check:
            return Status.PLANNED if self.plan and self.plan.work else Status.OK
        return Status.CHANGED if self.changed else Status.OK

    def so_far(self) -> StepRecord:
        """Return the record of the plan as it is shown before it is applied."""
        return seal(self._make(Status.PLANNED, None, None), self.session.redactor, self.session.names, self.source)

    def seal(self) -> StepRecord:
        """End the log, and make the record."""
        status = self.status
        error = ErrorRecord.of(self.error) if self.error else None
        summary = None
        if self.options and self.options.expect == "failed" and not isinstance(self.error, (BadInput, Interrupted)):
            if self.error:
                status = Status.CHANGED if self.changed else Status.OK
                summary = f"failed as expected: {self.error.message}"
            elif not self.skipped and status is not Status.PLANNED:  # a dry run proves nothing of it
                summary = f"it was expected to fail, and is {status}"
                status, error = (
                    Status.FAILED,
                    ErrorRecord("tool", summary, None, "take --expect away, or mend the guard"),
                )
        log = self.log.close()
        broken = f" (its log could not be kept: {self.log.broken.strerror})" if self.log.broken else ""
        draft = self._make(status, error, log)
        draft = replace(draft, summary=(summary or draft.summary) + broken)
        return seal(draft, self.session.redactor, self.session.names, self.source)

    def _make(self, status: Status, error: ErrorRecord | None, log: Log | None) -> StepRecord:
        return StepRecord(
            id=self.id,
            run=self.session.run,
            cell_id=self.cell_id,
            name=self.name,
            provider=self.provider,
            target=self._target(),
            mode="check" if self.options and self.options.check else "apply",
            status=status,
            changes=tuple(self._all_rows()),
            summary=self._summary(status),
            spec_digest=self.spec_digest,
            plan_digest=self.plan_digest,
            source_digest=self.source_digest,
            started=self.started,
            ended=utc(),
            seconds=round(time.monotonic() - self._begun, 3),
            actor=self.session.actor,
            versions={**versions(), **self.versions},
            approval=self.approval,
            attempts=tuple(self.attempts),
            error=error if status is not Status.INTERRUPTED else None,
            log=log,
            prev=self.session.prev,
        )

    def _target(self) -> str | None:
        return self.plan.target if self.plan else None

    def _all_rows(self) -> list[ChangeRecord]:
        with self.lock:
            return [*self._rows.values(), *in_order(self._reported.values())]

    def _summary(self, status: Status) -> str:
        if self.skipped:
            return f"skipped: {self.skipped}"
        if isinstance(self.error, Interrupted):
            return f"interrupted: {self.error.message}"
        with self.lock:
            reported = dict(self._reported)
        if status is Status.PLANNED and self.plan and not reported:
            return self.plan.summary
        # A run that says what it did is not counted beside what it says; a dry run speaks for the whole plan.
        told = {parent for parent, _ in reported}
        runs = [row for name, row in self._rows.items() if name not in told and "" not in told]
        counts: dict[str, int] = {}
        for row in [*runs, *reported.values()]:
            handled = (row.reason or "").partition(":")[0] if row.status is ChangeStatus.FAILED else ""
            word = f"failed and {handled}" if handled in HANDLED else str(row.status)
            counts[word] = counts.get(word, 0) + 1
        known = [str(one) for one in ChangeStatus] + [f"failed and {one}" for one in HANDLED]
        words = [f"{counts[one]} {one}" for one in known if one in counts]
        return ", ".join(words) or ("nothing was done" if self.error else "nothing to do")


def _row(change: Change, *, idle: bool) -> ChangeRecord:
    before: JSON = plain(change.before)
    return ChangeRecord(
        resource=change.resource,
        kind=change.kind,
        action=change.action,
        status=ChangeStatus.OK if idle else ChangeStatus.PLANNED,
        reason=change.reason or None,
        before=before,
        after=plain(change.after),
        diff=change.diff,
    )
