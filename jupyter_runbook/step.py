"""run(): the one place that names every stage of a step.

cell text → spec → observe → state → plan → approve → apply → observe again → record → journal
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jupyter_runbook.registry import load
from jupyter_runbook.running import Running
from jupyter_runbook.secret.weak import reveals
from jupyter_runbook.session import Live
from jupyter_runbook.spec.cell import Cell
from jupyter_runbook.stop import Stop

if TYPE_CHECKING:
    from jupyter_runbook.provider import Result
    from jupyter_runbook.record import StepRecord
    from jupyter_runbook.running import Step
    from jupyter_runbook.session import Session
    from jupyter_runbook.spec.options import StepOptions

__all__ = ["Done", "run"]


@dataclass(frozen=True)
class Done:
    """A step that has ended: its record, and what ``--out`` binds (None where it did not get so far)."""

    record: StepRecord
    options: StepOptions | None
    result: Result | None


def run(step: Step, session: Session, live: Live | None = None) -> Done:
    """Run one step through every stage, and leave its record in the journal.

    Whatever happens in a stage is in the record: this raises nothing but what the display raises.
    """
    running = Running(step, session, live or Live())
    result: Result | None = None
    with running.interrupts, reveals(step.source or step.body):
        with running.telling():
            provider = load(step.point)
            options = running.options(provider)
            if running.wanted(options):
                spec = provider.parse(Cell(step.magic, step.body, options, step.names))
                running.draft.read(spec, provider.title(spec))
                with Stop(step.within(options.timeout)) as stop:
                    for attempt in running.attempts(stop, options):
                        with attempt:
                            context = running.context(stop)
                            state = running.observe(provider, spec, context)
                            plan = provider.plan(spec, state)
                            running.planned(plan)
                            running.hold_to(options)
                            if plan.work and not options.check:
                                running.approve(options)
                                running.begin(stop)
                                with provider.holding(spec, state, context) as moved:
                                    if moved is not None:
                                        state, plan = moved, provider.plan(spec, moved)
                                        running.planned_anew(plan)
                                    running.apply(plan, provider, spec, state, stop)
                                    state = running.observe(provider, spec, running.context(stop, again=True))
                                    running.judge(provider.plan(spec, state))
                            result = provider.result(spec, state)
        record, result = running.end(result)
    return Done(record, running.draft.options, result)
