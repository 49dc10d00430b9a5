"""``ssh://`` engines: the user's own ``ssh``, with their keys, agent and configuration, as the Docker CLI does it.

The other end runs ``docker system dial-stdio``, which joins the session to the engine's socket there.
"""

from __future__ import annotations

import socket
import subprocess
from typing import Any
from urllib.parse import urlsplit

from jupyter_runbook.errors import MissingDependency, Unreachable
from jupyter_runbook.secret.excerpt import last_line

__all__ = ["connect"]

# Seconds until the session stands; an engine far away is still there.
CONNECT = 30


class _Session(socket.socket):
    """Our end of a pair of sockets, whose other end is what ``ssh`` reads and writes; it ends with it."""

    process: subprocess.Popen[bytes]
    url: str
    heard = False

    def sendall(self, *arguments: Any) -> None:
        """Send, and tell of a session that ended before anything came."""
        try:
            super().sendall(*arguments)
        except OSError:
            if self.heard:
                raise
            raise self.failure() from None

    def recv_into(self, *arguments: Any) -> int:
        """Read, and tell of a session that ended before anything came."""
        try:
            count = super().recv_into(*arguments)
        except ConnectionError:
            count = 0
            if self.heard:
                raise
        if count:
            self.heard = True
        elif not self.heard:
            raise self.failure()
        return count

    def failure(self) -> Unreachable:
        """Return the error for a session that did not come to stand, in ssh's own words."""
        self.process.wait(CONNECT)
        said = (self.process.stderr.read() if self.process.stderr else b"").decode(errors="replace")
        return Unreachable(
            f"no engine at {self.url}: {last_line(said, f'ssh ended with {self.process.returncode}')}",
            hint=f"look whether this goes without a question: ssh {_target(self.url)} docker version",
        )

    def _real_close(self) -> None:
        super()._real_close()  # type: ignore[misc]
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()


def connect(url: str) -> socket.socket:
    """Return a socket that speaks to the engine of a host.

    Raises
    ------
    MissingDependency
        There is no ``ssh`` here.
    Unreachable
        The host refuses or does not answer; this comes with the first read.
    """
    parts = urlsplit(url)
    command = ["ssh", "-T", "-o", f"ConnectTimeout={CONNECT}", "-o", "BatchMode=yes"]
    if parts.username:
        command += ["-l", parts.username]
    if parts.port:
        command += ["-p", str(parts.port)]
    # What begins with a dash would be an option; after -- it is a host.
    command += ["--", parts.hostname or "localhost", "docker", "system", "dial-stdio"]
    ours, theirs = socket.socketpair()
    session = _Session(ours.family, ours.type, ours.proto, ours.detach())
    session.url = url
    try:
        session.process = subprocess.Popen(
            command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        socket.socket.close(session)
        raise MissingDependency("an ssh:// engine needs the program ssh", hint="install OpenSSH's client") from None
    finally:
        theirs.close()
    return session


def _target(url: str) -> str:
    return urlsplit(url).netloc.rpartition(":")[0] or urlsplit(url).netloc
