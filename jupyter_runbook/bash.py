"""Run a script with bash: its text in no process list, its values in no environment, and the line that failed told."""

from __future__ import annotations

import os
import re
import shutil
import signal
from functools import cache
from typing import TYPE_CHECKING

from jupyter_runbook.errors import InvalidSpec, ToolFailed
from jupyter_runbook.process import memory_file, run_program
from jupyter_runbook.secret.excerpt import redacted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jupyter_runbook.spec.script import Script
    from jupyter_runbook.stop import Stop

__all__ = ["NO_COMMAND", "bash_version", "check_syntax", "ended", "run_script"]

#: bash's statuses for a command that was found but can't be executed, and for one that was not found.
NO_COMMAND = (126, 127)
SIGNALLED = 128


def ended(status: int) -> str:
    """Return how a program ended, in words: ``exit status 2``, ``was killed by SIGKILL``."""
    number = -status if status < 0 else status - SIGNALLED
    if status < 0 or number in set(signal.Signals):
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return f"was killed by {name}" if status < 0 else f"exit status {status} ({name})"
    return f"exit status {status}"


@cache
def _bash() -> str:
    found = shutil.which("bash")
    if found is None:
        raise ToolFailed("there is no bash on this machine", hint="install bash")
    return found


@cache
def bash_version() -> str:
    """Return the version of bash."""
    import subprocess

    command = [_bash(), "--norc", "-c", "echo $BASH_VERSION"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def check_syntax(script: Script, stop: Stop, first_line: int = 2) -> None:
    """Raise `InvalidSpec` where bash can't read a script, with the line of the cell; nothing of it runs."""
    said: list[str] = []
    # So many empty lines before it, and bash's numbers are the cell's.
    descriptor = memory_file(b"\n" * (first_line - 1) + script.text.encode("utf-8", "surrogateescape"))
    try:
        status = run_program(
            [_bash(), "-n", f"/dev/fd/{descriptor}"], stop=stop, output=said.append, pass_fds=[descriptor]
        )
    finally:
        os.close(descriptor)
    lines = redacted("".join(said)).splitlines()
    if status != 0 or any("syntax error" in line for line in lines):
        first = next((line for line in lines if "error" in line), lines[0] if lines else "bash can't read the script")
        match = re.match(r"\S+: line (\d+): (.*)", first)
        raise InvalidSpec(match[2] if match else first, line=int(match[1]) if match else None, hint="nothing of it ran")


# The script is evaluated from a file in memory, so that its text is in no process list, and its name stands for $0. Its
# variables are read from the same file, so that no value is in the script's text or in the environment. The trap (-E
# hands it on to functions) tells which line failed. All of this is on line 1, where the cell has its magic.
_STARTER = 'IFS= read -r -d "" -u "$1" runbook_script && eval "$runbook_script"'
_HEAD = (
    'unset runbook_script; {reads}eval "exec $1<&-"; trap "echo \\$? \\$BASH_SUBSHELL \\$LINENO >&$2" ERR; shift 2\n'
)


def run_script(
    script: Script, name: str, stop: Stop, output: Callable[[str], object], folder: Path | None = None
) -> tuple[int, int | None]:
    """Run a script under ``bash -Eeuo pipefail``.

    Parameters
    ----------
    script
        The script and its values.
    name
        What ``$0`` is.
    stop, output
        See `run_program`.
    folder
        The folder to run in; None for ours.

    Returns
    -------
    tuple of int and (int or None)
        Its exit status (negative for a signal), and the line that failed where bash told.

    Raises
    ------
    StepTimeout, Interrupted
        The token was set; the script is gone.
    ToolFailed
        There is no bash here.
    """
    reads = "".join(f'IFS= read -r -d "" -u "$1" {one.name}; ' for one in script.variables)
    parts = [_HEAD.format(reads=reads) + script.text, *(one.text for one in script.variables)]
    data = memory_file(b"".join(part.encode("utf-8", "surrogateescape") + b"\0" for part in parts))
    told = memory_file(b"")
    try:
        command = [_bash(), "-Eeuo", "pipefail", "-c", _STARTER, name, str(data), str(told)]
        status = run_program(command, stop=stop, output=output, cwd=folder, pass_fds=[data, told])
        os.lseek(told, max(0, os.fstat(told).st_size - 100), os.SEEK_SET)
        return status, _failed_at(status, os.read(told, 100))
    finally:
        os.close(data)
        os.close(told)


def _failed_at(status: int, told: bytes) -> int | None:
    """Return the line of the last failure told, if it is the one that ended the script: not that of a subshell."""
    last = told.decode().splitlines()[-1:]
    match = re.fullmatch(rf"{status} 0 (\d+)", last[0]) if last else None
    return int(match[1]) if match else None
