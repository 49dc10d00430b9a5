"""What a provider is handed while it observes and applies: see `jupyter_runbook.provider.Context`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_runbook.draft import Draft
    from jupyter_runbook.record import ChangeRecord
    from jupyter_runbook.secret.redact import Stream
    from jupyter_runbook.session import Session
    from jupyter_runbook.stop import Stop

__all__ = ["StepContext"]


class StepContext:
    """The core's `Context`.

    Parameters
    ----------
    session, draft, stop
        The run, the record in the making, and the token.
    show
        Logs and shows text that is redacted.
    changed
        Called when there is something new to show.
    state, done
        While applying: the state that the plan was made from, and what was returned for each change done.
    resource
        While applying: the change's resource; what is printed bears its name where ``prefix`` says so.
    again
        See `Context.again`.
    """

    def __init__(
        self,
        session: Session,
        draft: Draft,
        stop: Stop,
        show: Callable[[str], object],
        changed: Callable[[], object] = lambda: None,
        *,
        state: Any = None,
        done: Mapping[str, Any] | None = None,
        resource: str = "",
        prefix: bool = False,
        again: bool = False,
    ) -> None:
        self.stop = stop
        self.state = state
        self.again = again
        self.done: Mapping[str, Any] = {} if done is None else done
        self._session = session
        self._draft = draft
        self._show = show
        self._changed = changed
        self._resource = resource
        self._prefix = session.names.text(f"{resource} | ") if prefix else ""
        self._stream: Stream = session.redactor.stream()
        self._rest = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._write(self._stream.close(), last=True)

    def output(self, text: str) -> None:
        """See `Context.output`."""
        self._write(self._stream.feed(text))

    def row(self, row: ChangeRecord) -> None:
        """See `Context.row`."""
        self._draft.report(self._resource, row)
        self._changed()

    def begun(self, resource: str) -> None:
        """See `Context.begun`."""
        self._draft.begun(resource)
        self._changed()

    def waiting(self) -> None:
        """See `Context.waiting`."""
        self._changed()

    def found(self, resource: str, identifier: str) -> None:
        """See `Context.found`."""
        self._session.journal.found(self._draft.id, self._session.names.text(resource), identifier)

    def fact(self, name: str, value: Any) -> None:
        """See `Context.fact`."""
        # What `--out` binds is shown by whoever looks at it.
        clean = self._session.redactor.value(value)
        with self._draft.lock:
            self._draft.facts[name] = clean

    def version(self, tool: str, version: str) -> None:
        """See `Context.version`."""
        with self._draft.lock:
            self._draft.versions[tool] = version

    def _write(self, text: str, *, last: bool = False) -> None:
        if self._prefix:
            # Whole lines only: those of several changes come side by side.
            text = self._rest + text
            cut = len(text) if last else text.rfind("\n") + 1
            text, self._rest = text[:cut], text[cut:]
            text = "".join(self._prefix + line for line in text.splitlines(keepends=True))
            if last and text and not text.endswith("\n"):
                text += "\n"
        if text:
            self._show(text)
