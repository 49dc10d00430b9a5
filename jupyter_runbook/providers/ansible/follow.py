"""Follow a play that runs in another process: its events, what it prints, and its keeper's last word."""

from __future__ import annotations

import codecs
import json
import os
import selectors
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from jupyter_runbook.process import Bell

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.stop import Stop

__all__ = ["KILLED", "Ends", "follow"]

PIECE = 1 << 16
# Seconds that a stopped play has, with what it left on hosts; its keeper gives up before.
GIVEN_UP = 9.0
# Seconds without a word, after which it is told that there was none.
SILENCE = 0.5
#: The status of a play whose keeper did not tell it.
KILLED = -9


class Ends:
    """The pipes of one play: what it prints, its events, and its keeper's socket.

    Parameters
    ----------
    output, events
        The descriptors that the kernel reads.
    control
        The kernel's end of the keeper's socket: a word stops the play, the end of the kernel does too; what comes back
        is the exit status.
    """

    def __init__(self) -> None:
        self.output, output = os.pipe()
        self.events, events = os.pipe()
        self.control, self._control = socket.socketpair()
        self._pipes = [output, events]

    @property
    def theirs(self) -> list[int]:
        """The play's own ends."""
        return [*self._pipes, self._control.fileno()]

    def handed_over(self) -> None:
        """Close the play's ends here."""
        for one in self._pipes:
            os.close(one)
        self._pipes = []
        self._control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.handed_over()
        self.control.close()
        os.close(self.output)
        os.close(self.events)


def follow(
    ends: Ends, stop: Stop, output: Callable[[str], object], event: Callable[[dict[str, Any] | None], object]
) -> int:
    """Read what comes until the play has ended; return its exit status, `KILLED` where the keeper did not tell.

    Where nothing comes for half a second, the event is None: time goes by, for those who show it.

    An exception that comes meanwhile (an interrupt, or one of the callbacks') stops the play, and goes on when all of
    it is gone.
    """
    bell = Bell()
    following = _Following(ends, output, event)
    try:
        with stop.calling(bell.ring), selectors.DefaultSelector() as selector:
            following.register(selector, bell.reader)
            while following.go_on(selector, bell.reader):
                if stop.error is not None:
                    following.stop()
        following.rest()
    except BaseException:
        _end(ends)
        raise
    finally:
        bell.close()
    return following.status


class _Following:
    def __init__(
        self, ends: Ends, output: Callable[[str], object], event: Callable[[dict[str, Any] | None], object]
    ) -> None:
        self._ends = ends
        self._output = output
        self._event = event
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._begun = b""
        self._said = b""
        self._told = False
        self._takers = {ends.events: self._take_events, ends.output: self._take_output}

    @property
    def status(self) -> int:
        return int(self._said) if self._said.strip() else KILLED

    def register(self, selector: selectors.BaseSelector, bell: int) -> None:
        for one in self._takers:
            os.set_blocking(one, False)
        for file in (*self._takers, self._ends.control.fileno(), bell):
            selector.register(file, selectors.EVENT_READ)

    def stop(self) -> None:
        """Tell the keeper to end it, once."""
        if not self._told:
            self._told = True
            _tell(self._ends)

    def go_on(self, selector: selectors.BaseSelector, bell: int) -> bool:
        """Wait for something to read, and read it; False when the keeper has spoken, or is gone."""
        ready = {key.fd for key, _ in selector.select(GIVEN_UP if self._told else SILENCE)}
        if not ready and not self._told:
            self._event(None)
            return True
        for one, take in self._takers.items():
            if one in ready and _read(one, take) is False:
                selector.unregister(one)
        if bell in ready:
            os.read(bell, PIECE)
        if self._ends.control.fileno() in ready:
            piece = self._ends.control.recv(PIECE)
            self._said += piece
            return bool(piece) and not self._said.endswith(b"\n")
        return bool(ready)

    def rest(self) -> None:
        """Read what is left in the pipes."""
        for one, take in self._takers.items():
            while _read(one, take):
                pass
        if text := self._decode(b"", final=True):
            self._output(text)

    def _take_events(self, piece: bytes) -> None:
        *lines, self._begun = (self._begun + piece).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:  # its writer was killed, and another one went on
                event = {"e": "broken"}
            self._event(event)

    def _take_output(self, piece: bytes) -> None:
        # What was printed may hold a secret that an event tells of: that one came before.
        while _read(self._ends.events, self._take_events):
            pass
        if text := self._decode(piece):
            self._output(text)


def _tell(ends: Ends) -> None:
    with suppress(OSError):
        ends.control.send(b"stop\n")


def _end(ends: Ends) -> None:
    """End a play that nobody follows any more, and wait until all of it is gone."""
    _tell(ends)
    ends.control.settimeout(GIVEN_UP)
    with suppress(OSError):
        while ends.control.recv(PIECE):
            pass


def _read(descriptor: int, take: Callable[[bytes], object]) -> bool | None:
    """Read a piece: True where there was one, False at the end, None where there is none now."""
    try:
        piece = os.read(descriptor, PIECE)
    except BlockingIOError:
        return None
    if piece:
        take(piece)
    return bool(piece)
