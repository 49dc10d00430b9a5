"""The executor of a plan's graph: what nothing binds runs side by side, what a failure binds does not run."""

from __future__ import annotations

import contextvars
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import Interrupted, RunbookError, ToolFailed
from jupyter_runbook.plan import Action
from jupyter_runbook.record import ChangeStatus
from jupyter_runbook.secret.excerpt import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.plan import Change, Plan
    from jupyter_runbook.stop import Stop

__all__ = ["Executor", "Outcome"]

# The seconds that a provider has to heed a stop; what does not is left behind, and the record says so.
GRACE = 10.0
# Seconds between two refreshes of the live display: at least, where there is something new; at most, for the clock.
REFRESH_LEAST, REFRESH_MOST = 0.2, 1.0


@dataclass(frozen=True)
class Outcome:
    """What became of one change.

    Parameters
    ----------
    change
        The change.
    status
        ``ok`` (it was a no-op), ``changed``, ``failed``, ``interrupted`` or ``not-run``.
    value
        What the provider returned.
    error
        Why it failed or did not run.
    seconds
        How long it took; None where it did not begin.
    """

    change: Change
    status: ChangeStatus
    value: Any = None
    error: RunbookError | None = None
    seconds: float | None = None


class Executor:
    """Run the changes of one plan.

    Parameters
    ----------
    plan
        The plan, which knows that its needs make no circle.
    apply
        Makes one change; called in a thread of its own.
    stop
        The token: once it is set, nothing new begins.
    workers
        How many changes run side by side.
    started, ended
        Called in the caller's thread, as each change begins and ends.
    refresh
        Called in the caller's thread, at most five times a second while there is something new, else once a second.
    unexpected
        Turns an error that is none of ours into one.
    shown
        When the display was refreshed last, on the clock of `time.monotonic`.
    """

    def __init__(
        self,
        plan: Plan,
        apply: Callable[[Change], Any],
        stop: Stop,
        *,
        workers: int = 8,
        started: Callable[[Change], object] = lambda _change: None,
        ended: Callable[[Outcome], object] = lambda _outcome: None,
        refresh: Callable[[], object] = lambda: None,
        unexpected: Callable[[Exception], RunbookError] = lambda error: ToolFailed(told(error)),
        shown: float = 0.0,
    ) -> None:
        self.plan = plan
        self.outcomes: dict[str, Outcome] = {}
        self.running: dict[str, float] = {}
        self._apply = apply
        self._stop = stop
        self._workers = workers
        self._started = started
        self._ended = ended
        self._refresh = refresh
        self._unexpected = unexpected
        self._events: SimpleQueue[Outcome | None] = SimpleQueue()
        self._news = False
        self._shown = shown
        # Whether something is to be shown that came too early after what was shown last.
        self._due = False
        self._stopped_at: float | None = None

    def notify(self) -> None:
        """Say, from any thread, that there is something new to show."""
        if not self._news:
            self._news = True
            self._events.put(None)

    def run(self) -> list[Outcome]:
        """Run everything, and return what became of each change, in the plan's order."""
        for change in self.plan.changes:
            if change.action is Action.NO_OP:
                self._settle(Outcome(change, ChangeStatus.OK))
        with self._stop.calling(self.notify):
            while self._begin() or self.running:
                self._wait()
        for change in self.plan.changes:
            if change.resource not in self.outcomes:
                self._settle(Outcome(change, ChangeStatus.NOT_RUN, error=self._stop.error))
        return [self.outcomes[change.resource] for change in self.plan.changes]

    def _begin(self) -> bool:
        """Begin what can begin; return whether anything did."""
        begun = False
        for change in self.plan.changes:
            if self._stop.error is not None or len(self.running) >= self._workers:
                break
            if change.resource in self.outcomes or change.resource in self.running:
                continue
            needed = [self.outcomes.get(need) for need in change.needs]
            broken = next((one for one in needed if one and one.status not in _DONE), None)
            if broken:
                word = "failed" if broken.status is ChangeStatus.FAILED else "did not run"
                error = ToolFailed(f"it needs {broken.change.resource}, which {word}")
                self._settle(Outcome(change, ChangeStatus.NOT_RUN, error=error))
                return True  # what needs this one comes before it in the list, maybe
            if all(needed):
                self._start(change)
                begun = True
        return begun

    def _start(self, change: Change) -> None:
        self.running[change.resource] = time.monotonic()
        self._started(change)
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._work, change), name=f"runbook {change.resource}", daemon=True
        ).start()

    def _work(self, change: Change) -> None:
        begun = time.monotonic()
        value: Any = None
        error: RunbookError | None = None
        status = ChangeStatus.CHANGED
        try:
            value = self._apply(change)
        except Interrupted as caught:
            status, error = ChangeStatus.INTERRUPTED, caught
        except RunbookError as caught:
            status, error = ChangeStatus.FAILED, caught
        except Exception as caught:  # noqa: BLE001 -- a provider's fault must end in a row, not in a dead thread
            status, error = ChangeStatus.FAILED, self._unexpected(caught)
        self._events.put(Outcome(change, status, value, error, time.monotonic() - begun))

    def _wait(self) -> None:
        """Take the events of the next moment, then refresh the display once, if it is time."""
        if not self.running:
            return
        soonest = self._shown + REFRESH_LEAST
        ends = soonest if self._due else time.monotonic() + REFRESH_MOST
        while self.running:
            try:
                event = self._events.get(timeout=max(0.0, ends - time.monotonic()))
            except Empty:
                break
            if event is None:
                ends = min(ends, soonest)
                self._check_grace()
            elif event.change.resource in self.running:
                self._settle(event)
                if not self._events.qsize():
                    break
        self._check_grace()
        now = time.monotonic()
        self._due = now < soonest
        if not self._due:
            self._shown = now
            self._news = False
            self._refresh()

    def _check_grace(self) -> None:
        error = self._stop.error
        if error is None:
            return
        self._stopped_at = self._stopped_at or time.monotonic()
        if self._stop.hurried or time.monotonic() - self._stopped_at >= GRACE:
            self._abandon()

    def _abandon(self) -> None:
        """Leave what still runs behind, as interrupted: it heeded no stop."""
        for resource, begun in list(self.running.items()):
            change = next(change for change in self.plan.changes if change.resource == resource)
            error = Interrupted("it heeded no stop, and may still be at work")
            self._settle(Outcome(change, ChangeStatus.INTERRUPTED, error=error, seconds=time.monotonic() - begun))

    def _settle(self, outcome: Outcome) -> None:
        self.running.pop(outcome.change.resource, None)
        self.outcomes[outcome.change.resource] = outcome
        self._ended(outcome)


_DONE = (ChangeStatus.OK, ChangeStatus.CHANGED)
