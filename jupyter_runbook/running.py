"""A step at work: the parts of the stages that `step.run` names."""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jupyter_runbook.context import StepContext
from jupyter_runbook.draft import Draft
from jupyter_runbook.errors import (
    BadInput,
    Interrupted,
    InvalidSpec,
    NotApproved,
    RunbookError,
    StalePlan,
    ToolFailed,
)
from jupyter_runbook.execute import REFRESH_LEAST, Executor
from jupyter_runbook.interrupts import Interrupts
from jupyter_runbook.record import StepRecord, utc
from jupyter_runbook.registry import missing
from jupyter_runbook.secret.excerpt import told
from jupyter_runbook.secret.weak import revealed
from jupyter_runbook.spec.options import parse_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from importlib.metadata import EntryPoint

    from jupyter_runbook.plan import Change, Plan
    from jupyter_runbook.provider import Provider, Result
    from jupyter_runbook.session import Live, Session
    from jupyter_runbook.spec.options import StepOptions
    from jupyter_runbook.stop import Stop

__all__ = ["Running", "Step"]


@dataclass(frozen=True)
class Step:
    """One cell to be run.

    Parameters
    ----------
    point
        The entry point of its provider; its name is the magic's.
    line
        The magic's line, without the magic.
    body
        The text below it.
    names
        The notebook's names and their values.
    source
        The cell's whole source as saved, for its digest.
    cell_id
        The cell's id in the notebook.
    limit
        The time limit in seconds that a replay sets each cell; the step's own is the lesser of the two.
    check
        Whether it is a dry run whatever its line says: the whole replay is one.
    """

    point: EntryPoint
    line: str
    body: str
    names: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    cell_id: str | None = None
    limit: float | None = None
    check: bool = False

    def within(self, timeout: float | None) -> float | None:
        """Return the time that the step has in seconds, given what its own line says."""
        return min((one for one in (timeout, self.limit) if one), default=None)

    @property
    def magic(self) -> str:
        """The magic as it is typed."""
        return f"%%{self.point.name}"


class Running:
    """One step at work: each method is a part of a stage of `run`."""

    def __init__(self, step: Step, session: Session, live: Live) -> None:
        self.step = step
        self.session = session
        self.live = live
        self.draft = Draft(step.point.name, step.cell_id, step.source, session)
        self.interrupts = Interrupts()
        self.approved: set[str] = set()
        self.notify: Callable[[], object] = _nothing
        self._withheld = False
        self._thread = threading.current_thread()
        self._refused = self._look_back()
        self._shown_at = time.monotonic()
        live.progress(self.draft.progress())

    def _look_back(self) -> RunbookError | None:
        """Tell of what an earlier run left open; return why nothing can be done where the journal is none of ours."""
        try:
            for text in self.session.left_open():
                self.live.notice(self.session.redactor.text(text))
        except OSError as error:
            return BadInput(f"the journal can't be read: {error.strerror}", hint="nothing was done")
        return None

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turn whatever ends a stage into the record's error."""
        try:
            yield
        except RunbookError as error:
            self.draft.error = error
        except KeyboardInterrupt:
            self.draft.error = Interrupted("it was stopped")
        except Exception as error:  # noqa: BLE001 -- a provider's fault must end in a record
            self.draft.error = self.unexpected(error)

    def options(self, provider: Provider[Any, Any]) -> StepOptions:
        """Read the magic's line."""
        if self._refused is not None:
            raise self._refused
        options = parse_options(self.step.line, provider.options, self.step.names, magic=self.step.magic)
        if self.step.check:
            options = replace(options, check=True)
        self.draft.options = options
        return options

    def wanted(self, options: StepOptions) -> bool:
        """Evaluate ``--when``."""
        if options.when is None:
            return True
        try:
            # A runbook's author may run any Python in the notebook anyway.
            holds = bool(eval(options.when, dict(self.step.names)))  # noqa: S307
        except Exception as error:  # noqa: BLE001 -- an expression can raise whatever the values' own methods raise
            raise InvalidSpec(f"--when {options.when!r} raised {told(error)}", line=1) from None
        if not holds:
            self.draft.skipped = f"{options.when} is false"
        return holds

    def attempts(self, stop: Stop, options: StepOptions) -> Iterator[Any]:
        """Yield a context for each try; a failure that a retry may mend ends its try, and the next one plans anew."""
        self.interrupts.stop = stop
        for left in range(options.retries, -1, -1):
            attempt = _Attempt(self.draft, stop, last=left == 0)
            yield attempt
            if attempt.error is None:
                return
            self.output(f"[failed: {attempt.error.message}; the next of {left} tries comes in {options.delay:g} s]\n")
            stop.wait(options.delay)

    def observe(self, provider: Provider[Any, Any], spec: Any, context: StepContext) -> Any:
        """Look at what is there: an interrupt ends it at once, for nothing is changed."""
        self.notify = self._shown_soon
        try:
            with self.interrupts.raising(), context:
                return provider.observe(spec, context)
        finally:
            self.notify = _nothing

    def planned(self, plan: Plan) -> None:
        """Take the plan of this attempt."""
        self.draft.planned(plan)

    def planned_anew(self, plan: Plan) -> None:
        """Take the plan that is made once nobody else can change anything; one that was approved has to be the same."""
        before = self.draft.plan_digest
        self.draft.planned(plan)
        if before in self.approved and self.draft.plan_digest != before:
            raise StalePlan(
                "what is there was changed after the plan was approved: nothing was done", hint="run the step again"
            )

    def hold_to(self, options: StepOptions) -> None:
        """Refuse a first plan that is not the one of ``--plan``; a retry's is asked for instead."""
        made = self.draft.plan_digest or ""
        if options.plan and not self.draft.attempts:
            if not made.startswith(options.plan):
                raise StalePlan(
                    f"the plan made now is {made[:12]}, not {options.plan}: nothing was done",
                    hint="read the plan with --check, and give its digest to --plan",
                )
            self.approved.add(made)

    def approve(self, options: StepOptions) -> None:
        """Ask, where the step wants it."""
        made = self.draft.plan_digest or ""
        if not (options.confirm or options.plan) or made in self.approved:
            return
        with self.interrupts.raising():
            approval = self.session.approver(self.draft.so_far())
        self.draft.approval = approval
        if approval.answer != "yes":
            who = "nobody could be asked" if approval.answer == "nobody" else f"{approval.by} said no"
            why = f": {approval.reason}" if approval.reason and approval.answer == "no" else ""
            hint = f"apply this plan with --plan {made[:12]}" if approval.answer == "nobody" else None
            raise NotApproved(f"{who}{why}; nothing was done", hint=hint)
        self.approved.add(made)

    def begin(self, stop: Stop) -> None:
        """Note the beginning in the journal, before the first write."""
        stop.check()
        try:
            self.session.journal.begin(self.draft.so_far())
        except OSError as error:
            raise ToolFailed(
                f"the journal {self.session.journal.path} can't be written ({error.strerror}): nothing was done",
                hint="without a journal an interrupted step would be lost; make room, or make the folder writable",
            ) from None

    def apply(self, plan: Plan, provider: Provider[Any, Any], spec: Any, state: Any, stop: Stop) -> None:
        """Make the changes of the very plan that was shown."""
        self.draft.applying()
        several = len(plan.work) > 1
        done: dict[str, Any] = {}

        def make(change: Change) -> Any:
            with self.context(stop, state=state, done=done, resource=change.resource, prefix=several) as context:
                done[change.resource] = value = provider.apply(change, spec, context)
                return value

        executor = Executor(
            plan,
            make,
            stop,
            workers=provider.workers,
            ended=self.draft.settle,
            refresh=lambda: self.live.progress(self.draft.progress(executor)),
            unexpected=self.unexpected,
            shown=self._shown_at,
        )
        self.notify = executor.notify
        outcomes = executor.run()
        self.notify = _nothing
        error = self.draft.outcome_error(outcomes)
        if error is not None:
            raise error

    def judge(self, again: Plan) -> None:
        """Fail the step where a plan that can be judged still remains."""
        error = self.draft.remains(again)
        if error is not None:
            raise error

    def end(self, result: Result | None) -> tuple[StepRecord, Result | None]:
        """Make the record, journal it and show it."""
        record = self.draft.seal()
        try:
            self.session.journal.end(record)
        except OSError as error:
            self.live.notice(f"this step's record is not in the journal: {error.strerror or error}")
        self.session.prev = record.digest
        self.live.done(record)
        if result is not None and result.tables:
            self.live.tables(self.session.redactor.value(dict(result.tables)))
        if result is not None and self.draft.facts:
            result = replace(result, facts={**self.draft.facts, **result.facts})
        return record, result

    def context(self, stop: Stop, **known: Any) -> StepContext:
        """Return what the provider is handed."""
        return StepContext(self.session, self.draft, stop, self.output, self._news, **known)

    def output(self, text: str) -> None:
        """Log and show text that is redacted already; nothing of it where it may have a secret that can't be."""
        why = revealed()
        with self.draft.lock:
            if why is None:
                self.draft.log.write(text)
            elif not self._withheld:
                self._withheld = True
                self.draft.log.write(f"[what this step printed is not kept: {why}]\n")
        self.notify()

    def _news(self) -> None:
        self.notify()

    def _shown_soon(self) -> None:
        """Refresh the display while observing, which no executor does: in this thread alone, and not too often."""
        now = time.monotonic()
        if threading.current_thread() is self._thread and now - self._shown_at >= REFRESH_LEAST:
            self._shown_at = now
            self.live.progress(self.draft.progress())

    def unexpected(self, error: Exception) -> RunbookError:
        """Return the error for what no provider should raise; its traceback goes to the log."""
        if isinstance(error, ModuleNotFoundError):
            return missing(self.step.point, error)
        text = "".join(traceback.format_exception(error))
        self.output(self.session.redactor.text(text))
        return ToolFailed(
            told(error),
            hint=f"this is a fault of {self.step.magic} itself; the step's log has the traceback",
        )


class _Attempt:
    """One try: notes itself in the draft, and lets through what no retry can mend."""

    def __init__(self, draft: Draft, stop: Stop, *, last: bool) -> None:
        self.draft = draft
        self.stop = stop
        self.last = last
        self.error: RunbookError | None = None
        self.started = utc()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        ours = error if isinstance(error, RunbookError) else None
        cause = ours or (ToolFailed(told(error)) if error else None)
        self.draft.tried(self.started, cause)
        final = isinstance(ours, (BadInput, Interrupted, NotApproved, StalePlan)) or self.stop.error is not None
        if ours is None or self.last or final:
            return False
        self.error = ours
        return True


def _nothing() -> None:
    """Stand where no executor listens."""
