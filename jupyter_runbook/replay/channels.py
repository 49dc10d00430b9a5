"""A kernel's channels as a replay reads them: every message in its order, none dropped, and none waited for in vain.

jupyter_client and nbclient ask for one message after the other, each with a time limit: a kernel that says more than
they take in loses the rest, and a cell whose last message is late is called ended. Here what is there is read at once,
a cell has ended with its reply and its ``idle`` (jupyter-client's documentation, "Messaging in Jupyter"), and a reader
that is slow slows the kernel down (see `jupyter_runbook.replay.launcher`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import zmq

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LOST", "NUMBER", "Channels", "Request", "parsed"]

#: How the first frame of each message begins that our launcher's kernels publish; the message's number follows.
NUMBER = b"#"

# Between the addresses and the message (jupyter-client's documentation, "The wire protocol").
_DELIMITER = b"<IDS|MSG>"
# What is read in one go takes so many seconds at most; then signals and clocks have their turn.
TURN = 0.02
# Seconds of silence after which nothing more comes of a kernel that is gone, and the seconds that this takes at most.
QUIET, LAST_WORDS = 0.05, 5.0
# Seconds that a reply may be later than its request's end, before it is asked for.
SOON = 0.25
#: The status of a reply that did not come, or that nobody can read.
LOST = "lost"


@dataclass
class Request:
    """A request that a kernel works on.

    Parameters
    ----------
    ended
        Has the reply once that and the ``idle`` are there; or the error that reading ended with.
    """

    ended: asyncio.Future[dict[str, Any]]
    reply: dict[str, Any] | None = field(default=None, repr=False)
    idle: bool = False


class Channels:
    """The channels ``shell`` and ``iopub`` of one kernel.

    Parameters
    ----------
    client
        jupyter_client's, with its channels started; nobody else reads them from now on.
    published
        Called with each message of ``iopub``.
    missing
        Called with a number: so many messages that the kernel has sent did not come.
    """

    def __init__(
        self, client: Any, published: Callable[[dict[str, Any]], object], missing: Callable[[int], object]
    ) -> None:
        self._session = client.session
        self._channel = client.shell_channel
        self._shell = zmq.Socket(shadow=client.shell_channel.socket.underlying)
        self._iopub = zmq.Socket(shadow=client.iopub_channel.socket.underlying)
        self._published = published
        self._missing = missing
        self._requests: dict[str, Request] = {}
        self._number: int | None = None
        self._heard = 0.0
        self._loop = asyncio.get_running_loop()
        self._again = False
        for socket in (self._shell, self._iopub):
            # In the place of zmq.asyncio's own, which reads for whoever awaits a message.
            self._loop.add_reader(socket.FD, self._read)
        self._read()

    def close(self) -> None:
        """Read no more."""
        for socket in (self._shell, self._iopub):
            self._loop.remove_reader(socket.FD)
        self._again = True  # whatever is scheduled does nothing

    def send(self, message: dict[str, Any]) -> Request:
        """Send a request on ``shell``."""
        request = Request(self._loop.create_future())
        self._requests[str(message["header"]["msg_id"])] = request
        self._channel.send(message)
        # ZeroMQ's descriptor tells of changes alone, and sending may have taken one.
        self._soon()
        return request

    async def last_words(self) -> None:
        """Read what a kernel has sent that is gone."""
        ends = time.monotonic() + LAST_WORDS
        self._heard = time.monotonic()
        while self._heard + QUIET > time.monotonic() < ends:
            await asyncio.sleep(QUIET / 5)
            self._read()

    def _soon(self) -> None:
        if not self._again:
            self._again = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._again = False
        if not (self._shell.closed or self._iopub.closed):
            self._read()

    def _read(self) -> None:
        """Read what is there; where that is much, the rest comes soon."""
        try:
            ends = time.monotonic() + TURN
            while time.monotonic() < ends:
                # What a cell has printed is there before its reply is.
                if not (self._take(self._iopub, self._publish) or self._take(self._shell, self._replied)):
                    return
            self._soon()
        except Exception as error:  # noqa: BLE001 -- asyncio would log it, and the cell would never end
            self._fail(error)

    def _take(self, socket: zmq.Socket[bytes], use: Callable[[list[bytes], dict[str, Any]], object]) -> bool:
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._heard = time.monotonic()
        addresses, message = parsed(frames, self._session.sign if self._session.auth is not None else None)
        if message is not None:
            use(addresses, message)
        return True

    def _publish(self, addresses: list[bytes], message: dict[str, Any]) -> None:
        if addresses and addresses[0].startswith(NUMBER):
            number = int(addresses[0][len(NUMBER) :])
            if self._number is not None and number > self._number + 1:
                self._missing(number - self._number - 1)
            self._number = number
        self._published(message)
        if message["msg_type"] == "status" and message["content"].get("execution_state") == "idle":
            self._settle(message, idle=True)

    def _replied(self, _addresses: list[bytes], message: dict[str, Any]) -> None:
        self._settle(message, idle=False)

    def _settle(self, message: dict[str, Any], *, idle: bool) -> None:
        name = str(message["parent_header"].get("msg_id"))
        request = self._requests.get(name)
        if request is None:
            return
        if idle:
            request.idle = True
        else:
            request.reply = message
        if request.idle and request.reply is None:
            self._loop.call_later(SOON, self._ask_after, name)
        if request.idle and request.reply is not None:
            del self._requests[name]
            if not request.ended.done():
                request.ended.set_result(request.reply)

    def _ask_after(self, name: str) -> None:
        """Ask where the reply to a request is that has ended: the next reply comes after it, if it comes at all."""
        if name in self._requests:
            self.send(self._session.msg("kernel_info_request", {})).ended.add_done_callback(
                lambda _: self._give_up(name)
            )

    def _give_up(self, name: str) -> None:
        request = self._requests.pop(name, None)
        if request is not None and not request.ended.done():
            request.ended.set_result({"content": {"status": LOST}})

    def _fail(self, error: Exception) -> None:
        if not self._requests:
            raise error
        for request in self._requests.values():
            if not request.ended.done():
                request.ended.set_exception(error)


def parsed(
    frames: list[bytes], sign: Callable[[list[bytes]], bytes] | None
) -> tuple[list[bytes], dict[str, Any] | None]:
    """Return a message's addresses and the message; None where it is none of our kernel's.

    Parameters
    ----------
    frames
        As they came.
    sign
        Returns the signature that four frames must have; None where the kernel signs nothing.
    """
    try:
        at = frames.index(_DELIMITER)
        signature, *parts = frames[at + 1 : at + 6]
        if len(parts) < 4 or (sign is not None and not hmac.compare_digest(sign(parts), signature)):  # noqa: PLR2004
            return [], None
        header, parent, metadata, content = map(_value, parts)
        message = {
            "header": header,
            "msg_id": header["msg_id"],
            "msg_type": header["msg_type"],
            "parent_header": parent,
            "metadata": metadata,
            "content": content,
            "buffers": [memoryview(one) for one in frames[at + 6 :]],
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return [], None
    return frames[:at], message


def _value(part: bytes) -> Any:
    """Return the value of one part, with nothing in it that JSON (RFC 8259) or UTF-8 has not."""
    try:
        text, whole = part.decode("utf-8"), True
    except UnicodeDecodeError:
        text, whole = part.decode("utf-8", "surrogateescape"), False
    value = json.loads(text, parse_constant=str, parse_float=_number)
    return value if whole and b"\\ud" not in part and b"\\uD" not in part else _unicode(value)


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _unicode(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_unicode(name): _unicode(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_unicode(one) for one in value]
    return value
