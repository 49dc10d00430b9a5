"""``dns``: what a name resolves to: as this machine's programs see it, or asked of one server."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from jupyter_runbook.errors import NotConverged, StepTimeout, Unreachable
from jupyter_runbook.providers.probe.check import Check, Seen, plain_text
from jupyter_runbook.secret.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["Dns"]

PORT = 53
# Records that people look for; a name's addresses of both kinds where none is asked for.
TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")
ADDRESSES = ("A", "AAAA")
_NONE = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


@dataclass(frozen=True)
class Dns(Check):
    """A name. What was not asked for is None or empty."""

    name: str | Secret
    exists: bool
    answers: tuple[str | Secret, ...]
    type: str | None
    server: tuple[str, int] | None

    kind: ClassVar[str] = "dns"
    takes: ClassVar[tuple[str, ...]] = ("exists", "answers", "type", "server")

    @classmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:  # noqa: ARG003 -- nothing of it is code
        """Read ``dns: NAME``."""
        name = fields.text("dns")
        if not re.fullmatch(r"[^\s/@:]+|[0-9A-Fa-f:.]+", plain_text(name)):
            raise fields.error("dns", f"dns: a name is needed, not {str(name)!r}", hint="- dns: www.example.net")
        kind = str(fields.text("type")).upper() or None
        if kind not in (None, *TYPES):
            raise fields.error("type", f"type: one of {', '.join(TYPES)} is needed, not {kind!r}")
        exists = fields.flag("exists", default=True)
        if fields.values.get("answers") and not exists:
            raise fields.error("answers", "answers can't be there where exists is false", hint="keep one of them")
        return cls(
            **shared,
            name=name,
            exists=exists,
            answers=fields.texts("answers"),
            type=kind,
            server=_server(fields),
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """Whether it is there, and the answers that have to be among those that come."""
        return {"exists": self.exists, **({"answers": list(self.answers)} if self.answers else {})}

    def look(self, stop: Stop) -> Seen:
        """Ask."""
        try:
            found = self.ask(self._found, stop)
        except StepTimeout:
            raise
        except Unreachable as error:
            return Seen({}, error)
        except OSError as error:
            return Seen({}, Unreachable(error.strerror or str(error)))
        values: dict[str, Any] = {"exists": bool(found)}
        if found:
            values["answers"] = found
        if not found and self.exists:
            what = f"no {self.type} record" if self.type else "no address"
            return Seen(values, NotConverged(f"it has {what}"))
        if found and not self.exists:
            return Seen(values, NotConverged(f"it is there: {', '.join(found)}"))
        have = {_plain(one) for one in found}
        lacks = [one for one in self.answers if _plain(plain_text(one)) not in have]
        return self.seen(values, [f"{one} is not among {', '.join(found)}" for one in lacks])

    def _found(self) -> list[str]:
        """Return what there is, sorted; nothing where the name or such a record is not there."""
        if self.type is None and self.server is None:
            return self._by_system()
        import dns.exception
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=self.server is None)
        resolver.lifetime = self.timing.timeout
        if self.server:
            resolver.nameservers, resolver.port = [self.server[0]], self.server[1]
        name = plain_text(self.name)
        if self.type == "PTR" and _is_address(name):
            import dns.reversename

            name = dns.reversename.from_address(name).to_text()
        found = []
        for kind in [self.type] if self.type else ADDRESSES:
            try:
                answer = resolver.resolve(name, kind, search=self.server is None)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                continue
            except dns.resolver.NoNameservers as error:
                raise Unreachable(f"no server has an answer: {_short(error)}") from None
            except dns.exception.Timeout:
                raise Unreachable(f"no answer within {self.timing.timeout:g} s") from None
            except dns.exception.DNSException as error:
                raise Unreachable(_short(error)) from None
            found += [_text(record) for record in answer]
        return sorted(set(found))

    def _by_system(self) -> list[str]:
        """Ask as this machine's programs do: its own file of hosts, too."""
        try:
            answers = socket.getaddrinfo(plain_text(self.name), None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno in _NONE:
                return []
            raise Unreachable(str(error.strerror)) from None
        except UnicodeError:
            return []
        return sorted({str(one[4][0]) for one in answers})


def _server(fields: Fields) -> tuple[str, int] | None:
    text = str(fields.text("server")).strip()
    if not text:
        return None
    match = re.fullmatch(r"\[?([0-9A-Fa-f:.]+?)\]?(?::([0-9]{1,5}))?", text) if not _is_address(text) else None
    address, port = (match[1], int(match[2] or PORT)) if match else (text, PORT)
    if not _is_address(address):
        raise fields.error("server", f"server: an IP address is needed, not {text!r}", hint="server: 10.0.0.2:53")
    return address, port


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _text(record: Any) -> str:
    """Return a record's value as people write it: no dot at a name's end, no quotes about a text."""
    strings = getattr(record, "strings", None)
    if strings is not None:
        return b"".join(strings).decode("utf-8", "replace")
    return str(record.to_text()).rstrip(".")


def _plain(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.rstrip(".").lower()


def _short(error: Exception) -> str:
    return excerpt(str(error), 200)
