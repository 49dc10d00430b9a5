"""Hosts that are reached with the user's own ``ssh``: their keys, agent and configuration, and no question asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jupyter_runbook.canonical import LOCAL
from jupyter_runbook.errors import AuthFailed, StepError, Unreachable
from jupyter_runbook.secret.excerpt import last_line, redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["AUTH", "FAILED", "HOST_KEY", "NEW_KEYS", "Target", "accepts_new", "cause", "target"]

#: What ``ssh`` ends with when it did not come to run the command; a command may end with it too.
FAILED = 255
# Seconds until a session stands, where nobody says.
CONNECT = 10.0
PORTS = 65535

#: What ssh, and Ansible of it, say where credentials are refused, and where the host is another than it was.
AUTH = re.compile(
    r"permission denied|authentication failed|invalid/incorrect (?:username|password)|too many auth", re.IGNORECASE
)
HOST_KEY = re.compile(r"host key verification failed|remote host identification has changed", re.IGNORECASE)
_FORM = re.compile(
    r"(?:(?P<user>[^@\s:/-][^@\s:/]*)@)?(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s@:/\[\]-][^\s@:/\[\]]*))(?::(?P<port>[0-9]{1,5}))?"
)


#: What a record says of a host whose key may be new.
NEW_KEYS = "a host key that is not known yet is accepted (StrictHostKeyChecking=accept-new)"


def accepts_new(options: Iterable[str]) -> bool:
    """Tell whether options of ssh have the key of a host that is not known yet accepted."""
    return any("stricthostkeychecking=accept-new" in one.lower() for one in options)


@dataclass(frozen=True)
class Target:
    """One host and how it is reached; what is None or empty is as ``ssh`` itself has it.

    Parameters
    ----------
    host
        A name or an address, also one of ``~/.ssh/config``.
    user, port, identity
        Who logs in, where, with which key's file.
    options
        Further arguments of ``ssh``.
    program
        The client.
    """

    host: str
    user: str | None = None
    port: int | None = None
    identity: str | None = field(default=None, metadata=LOCAL)
    options: tuple[str, ...] = field(default=(), metadata=LOCAL)
    program: str = field(default="ssh", metadata=LOCAL)

    @property
    def accepts(self) -> bool:
        """Whether the key of a host that is not known yet is accepted, and known from then on."""
        return accepts_new(self.options)

    def command(self, remote: str, *, connect: float = CONNECT) -> list[str]:
        """Return the local command that runs a line of the host's login shell.

        Parameters
        ----------
        remote
            The line.
        connect
            Seconds until the session stands.
        """
        found = [self.program, "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, round(connect))}"]
        found += ["-o", "LogLevel=ERROR", *self.options]
        for flag, value in (("-l", self.user), ("-p", self.port), ("-i", self.identity)):
            if value is not None:
                found += [flag, str(value)]
        # What begins with a dash would be an option; after -- it is a host.
        return [*found, "--", self.host, remote]


def target(text: str, *, identity: str | None = None, options: Sequence[str] = ()) -> Target | None:
    """Return what ``[USER@]HOST[:PORT]`` means, an IPv6 address in brackets; None where it is no such text."""
    match = _FORM.fullmatch(text.strip())
    port = int(match["port"]) if match and match["port"] else None
    if match is None or port == 0 or (port or 0) > PORTS:
        return None
    return Target(match["six"] or match["host"], match["user"], port, identity, tuple(options))


def cause(said: str) -> StepError:
    """Return why a session did not come to stand, given what ``ssh`` or Ansible said of it."""
    said = redacted(said)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = last_line(said, "ssh did not say why")
    if HOST_KEY.search(said):
        text = next((line for line in lines if HOST_KEY.search(line)), text).strip("@ ")
        return AuthFailed(text, hint="see that it is the right host, then take its old key away: ssh-keygen -R")
    if AUTH.search(said):
        return AuthFailed(text, hint="give the right user and key; ssh -v tells which keys it tries")
    return Unreachable(text, hint="see that it is up, and its address and port")
