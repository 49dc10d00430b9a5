"""Programs that a sandbox uses: found where root's path does not lead, heard when they fail, or left running."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.secret.excerpt import excerpt

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

__all__ = ["begin", "found", "ran"]

# The first descriptor that is not for input, output or errors.
GIVEN = 3


def found(program: str) -> str:
    """Return the path of a program.

    Raises
    ------
    ToolFailed
        It is not there.
    """
    path = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/bin"]))
    if path is None:
        raise ToolFailed(f"{program} is not there", hint="apt-get install iproute2 util-linux mount")
    return path


def ran(command: list[str], text: str = "") -> str:
    """Run a program to its end, with a text for it to read, and return what it said.

    Raises
    ------
    ToolFailed
        It is not there, or it failed; the message is its own.
    """
    done = subprocess.run(
        [found(command[0]), *command[1:]], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        said = excerpt(done.stderr.strip() or done.stdout)
        raise ToolFailed(f"{Path(command[0]).name} {' '.join(command[1:4])} failed: {said}")
    return done.stdout


def begin(command: Sequence[str], env: Mapping[str, str], log: Path, given: socket.socket | None = None) -> int:
    """Begin a program that outlives this process, and return its pid.

    Parameters
    ----------
    command
        The program, which its environment's path leads to, and its arguments.
    env
        Its environment.
    log
        What it says is added there; for the user alone.
    given
        A socket that it gets as descriptor 3.

    Raises
    ------
    ToolFailed
        There is no such program.
    """
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        raise ToolFailed(f"{command[0]} is not there")
    actions: list[tuple[int, int, str, int, int] | tuple[int, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    if given is not None:
        actions.append((os.POSIX_SPAWN_DUP2, given.fileno(), GIVEN))
    return os.posix_spawn(program, list(command), dict(env), file_actions=actions, setsid=True)
