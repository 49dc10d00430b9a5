"""``tcp``: whether something listens at a host's port."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from jupyter_runbook.errors import NotConverged, StepTimeout, Unreachable
from jupyter_runbook.providers.probe.check import Check, Seen, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["Tcp", "reason"]

MAX_PORT = 65535


@dataclass(frozen=True)
class Tcp(Check):
    """A connection that is made and closed again; nothing is sent."""

    address: str | Secret
    open: bool

    kind: ClassVar[str] = "tcp"
    takes: ClassVar[tuple[str, ...]] = ("open",)

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:  # noqa: ARG003 -- nothing of it is code
        """Read ``tcp: HOST:PORT``; an IPv6 address stands in brackets."""
        address = fields.text("tcp")
        if _split(address) is None:
            hint = "- tcp: db.example.net:5432"
            raise fields.error("tcp", f"tcp: HOST:PORT is needed, not {str(address)!r}", hint=hint)
        return cls(**shared, address=address, open=fields.flag("open", default=True))

    @property
    def wanted(self) -> dict[str, Any]:
        """Whether it is open."""
        return {"open": self.open}

    def look(self, stop: Stop) -> Seen:
        """Connect."""
        try:
            self.ask(self._connect, stop)
        except StepTimeout:
            raise
        except OSError as error:
            why = reason(error)
            return Seen({"open": False}, Unreachable(why) if self.open else None)
        return Seen({"open": True}, None if self.open else NotConverged("it is open"))

    def _connect(self) -> None:
        with socket.create_connection(_split(self.address) or ("", 0), self.timing.timeout):
            pass


def reason(error: BaseException) -> str:
    """Return why a connection was not made, without the noise of the layers above."""
    if isinstance(error, Unreachable):
        return error.message
    if isinstance(error, TimeoutError) and not error.strerror:
        return "no answer in time"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def _split(address: str | Secret) -> tuple[str, int] | None:
    """Return host and port; None where it is no address."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/\[\]]+)):([0-9]{1,5})", plain_text(address).strip())
    if match is None or not 0 < int(match[3]) <= MAX_PORT:
        return None
    return match[1] or match[2], int(match[3])
