"""What a kernel says to its front ends, redacted on its way out: what plain cells print, show and raise.

The messages are those of Jupyter's protocol (jupyter-client's documentation, Messaging in Jupyter). A stream comes in
pieces: what may be the beginning of a secret is held back, until more comes or the cell ends. Of a thread that outlives
its cell nobody tells when it has said its last word: that is known when the kernel ends.
"""

from __future__ import annotations

import builtins
import os
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret.redact import Redactor
from jupyter_runbook.secret.weak import in_step, revealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jupyter_runbook.secret.redact import Stream

__all__ = ["Messages", "already_redacted", "watch_kernel"]

# Those with texts that people read, or that are saved.
_TEXTS = frozenset({"stream", "error", "execute_reply", "inspect_reply", "complete_reply", "input_request"})
_DISPLAYS = frozenset({"display_data", "update_display_data", "execute_result"})
_COMMS = frozenset({"comm_open", "comm_msg", "comm_close"})
# Before these, what was printed has to be out.
_AFTER_STREAMS = frozenset({"display_data", "execute_result", "error", "clear_output", "input_request"})
# Those with what a cell says, of which nothing is kept where it had a secret that can't be masked.
_KEPT = _DISPLAYS | _COMMS | {"stream", "error", "execute_reply", "input_request"}
# Bytes in base64: a piece of a short secret would be found there by chance, and break them.
_BINARY = ("image/", "audio/", "video/", "application/pdf", "application/octet-stream")

# So many cells of which nothing is kept are kept in mind.
WITHHELD = 256

_redacted: ContextVar[bool] = ContextVar("redacted", default=False)


@contextmanager
def already_redacted() -> Iterator[None]:
    """Mark what is displayed as redacted: a record whose text is changed would not have its digest any more."""
    token = _redacted.set(True)
    try:
        yield
    finally:
        _redacted.reset(token)


class Messages:
    """Redact messages in the order that they come.

    Parameters
    ----------
    redactor
        Left out: for all secrets that this process holds.
    leave
        Tells of a MIME type and its value in a display whether it is left as it is: a record that has its digest.
    reason
        Tells why nothing of what the cell at work says is kept, None where it may be; see
        `jupyter_runbook.secret.weak`.
    """

    def __init__(
        self,
        redactor: Redactor | None = None,
        leave: Callable[[str, Any], bool] | None = None,
        reason: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._redactor = redactor or Redactor()
        self._leave = leave
        self._reason = reason
        # The messages whose answers are not kept, each with the reason; those that were told it.
        self._withheld: dict[str, str] = {}
        self._told: set[str] = set()
        self._streams: dict[tuple[str, str], Stream] = {}
        self._lock = threading.Lock()

    def take(self, kind: str, content: dict[str, Any], parent: str) -> list[tuple[str, dict[str, Any]]]:
        """Return what is to be sent in place of a message: maybe what was held back of a stream, then the message.

        Parameters
        ----------
        kind
            The message's type.
        content
            Its content; it is not changed.
        parent
            The ID of the message that it belongs to.
        """
        if (why := self._why_not(kind, parent)) is not None:
            return self._withhold(kind, content, parent, why)
        if kind == "stream":
            text = self._feed(str(content.get("name")), str(content.get("text")), parent)
            return [(kind, {**content, "text": text})] if text else []
        held = self._held(parent) if _is_idle(kind, content) or kind in _AFTER_STREAMS else []
        return [*held, (kind, self.clean(kind, content))]

    def clean(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Return a message's content without secrets."""
        if _redacted.get():
            return content
        if kind in _TEXTS:
            return {key: self._value(value) for key, value in content.items()}
        if kind in _DISPLAYS:
            shown = content.get("data")
            shown = shown if isinstance(shown, dict) else {}
            data = {self._redactor.text(str(mime)): self._data(mime, value) for mime, value in shown.items()}
            return {**content, "data": data, "metadata": self._value(content.get("metadata") or {})}
        if kind in _COMMS:
            return {**content, "data": self._value(content.get("data"))}
        return content

    def _why_not(self, kind: str, parent: str) -> str | None:
        """Return why a message is not sent as it is, though redacted."""
        if kind not in _KEPT or _redacted.get():
            return None
        with self._lock:
            if parent not in self._withheld and (why := self._reason()) is not None:
                if in_step():
                    # A step redacts what it leaves, and the cell has nothing of it.
                    return why
                if len(self._withheld) >= WITHHELD:
                    self._told.discard(next(iter(self._withheld)))
                    del self._withheld[next(iter(self._withheld))]
                self._withheld[parent] = why
            return self._withheld.get(parent)

    def _withhold(self, kind: str, content: dict[str, Any], parent: str, why: str) -> list[tuple[str, dict[str, Any]]]:
        """Return what is sent in place of a message that may have a secret which can't be masked."""
        with self._lock:
            fresh = parent not in self._told
            self._told.add(parent)
            for of, name in list(self._streams):
                if of == parent:
                    del self._streams[of, name]
        text = f"[what this cell printed is not kept: {why}]"
        if kind in _COMMS:
            return []  # a widget's state
        if kind == "stream":
            return [(kind, {**content, "text": text + "\n"})] if fresh else []
        if kind in _DISPLAYS:
            return [(kind, {**content, "data": {"text/plain": text}, "metadata": {}})]
        if kind in ("error", "execute_reply"):
            hides: dict[str, Any] = {}
            if "evalue" in content:
                name = str(content.get("ename"))
                name = name if isinstance(getattr(builtins, name, None), type) else "Exception"
                hides = {"ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}
            if "payload" in content:
                hides["payload"] = []
            return [(kind, {**self.clean(kind, content), **hides})]
        return [(kind, {**content, "prompt": ""})]

    def _data(self, mime: str, value: Any) -> Any:
        if self._leave is not None and self._leave(mime, value):
            return value
        return value if mime.startswith(_BINARY) and not mime.startswith("image/svg") else self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, tuple):
            value = list(value)
        return self._redactor.value(value)

    def _feed(self, name: str, text: str, parent: str) -> str:
        with self._lock:
            stream = self._streams.setdefault((parent, name), self._redactor.stream())
            return stream.feed(text)

    def _held(self, parent: str) -> list[tuple[str, dict[str, Any]]]:
        with self._lock:
            held = [(name, self._streams.pop((of, name)).close()) for of, name in list(self._streams) if of == parent]
        return [("stream", {"name": name, "text": text}) for name, text in held if text]

    def last_words(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what is still held back, as the parents' IDs and the contents of streams: nothing more comes."""
        with self._lock:
            held = [(parent, name, stream.close()) for (parent, name), stream in self._streams.items()]
            self._streams.clear()
        return [(parent, {"name": name, "text": text}) for parent, name, text in held if text]


def _read(message: Any, content: Any, parent: Any) -> tuple[str, dict[str, Any], Any, str]:
    """Return a message's kind, its content, its parent's header and ID, of what ``Session.send`` is given."""
    whole = isinstance(message, dict)
    kind = str(message["header"]["msg_type"] if whole else message)
    said = dict((message.get("content") if whole else content) or {})
    above = (message.get("parent_header") if whole else parent) or {}
    return kind, said, above, str((above.get("header") or above).get("msg_id", ""))


def _is_idle(kind: str, content: Mapping[str, Any]) -> bool:
    return kind == "status" and content.get("execution_state") == "idle"


def watch_kernel(kernel: Any) -> None:
    """Have all that a kernel says redacted from now on; once is enough.

    Parameters
    ----------
    kernel
        An ipykernel, ``get_ipython().kernel``.
    """
    session = kernel.session
    if not isinstance(session.send, _Send):
        session.send = _Send(session.send, kernel.iopub_socket)
        _keep_from_log()


class _Send:
    """Takes the place of a kernel's ``Session.send``, and sends what has no secret.

    Parameters
    ----------
    send
        The session's own.
    socket
        The one that the kernel publishes on.
    """

    def __init__(self, send: Callable[..., Any], socket: Any) -> None:
        self._send = send
        self._socket = socket
        self._messages = Messages(reason=revealed)
        self._process = os.getpid()
        # Of the messages that what is held back belongs to, by their IDs.
        self._headers: dict[str, Any] = {}

    def __call__(
        self,
        stream: Any,
        message: Any,
        content: Mapping[str, Any] | None = None,
        parent: Any = None,
        ident: Any = None,
        **options: Any,
    ) -> Any:
        kind, said, above, cause = _read(message, content, parent)
        *before, (kind, said) = self._instead(kind, said, above, cause) or [("", {})]
        for _, piece in before:
            self._publish(piece, above)
        if not kind:
            return None
        if isinstance(message, dict):
            return self._send(stream, {**message, "content": said}, ident=ident, **options)
        return self._send(stream, message, said, parent, ident, **options)

    def _instead(self, kind: str, said: dict[str, Any], above: Any, cause: str) -> list[tuple[str, dict[str, Any]]]:
        if os.getpid() != self._process:
            # A forked child says nothing of its end, so nothing is held back: each piece is redacted as a whole.
            return [(kind, self._messages.clean(kind, said))]
        if kind == "stream":
            self._headers[cause] = above
        elif kind == "shutdown_reply":
            for of, piece in self._messages.last_words():
                self._publish(piece, self._headers.get(of, {}))
        elif _is_idle(kind, said):
            self._headers.pop(cause, None)
        return self._messages.take(kind, said, cause)

    def _publish(self, piece: Mapping[str, Any], parent: Any) -> None:
        self._send(self._socket, "stream", piece, parent=parent, ident=b"stream." + str(piece["name"]).encode())


def _keep_from_log() -> None:
    """Keep what programs print out of the log of whatever started the kernel: an ipykernel writes it there, too."""
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "_original_stdstream_copy", None) is not None:
            stream._original_stdstream_copy = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)  # type: ignore[union-attr]  # noqa: SLF001
