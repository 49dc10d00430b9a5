"""Run a script with bash on another host, by ssh: as `bash` does it here, its text and values in no process list."""

from __future__ import annotations

import os
import re
import secrets
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.files import write_all
from jupyter_runbook.process import run_program
from jupyter_runbook.secret.excerpt import excerpt
from jupyter_runbook.ssh import CONNECT, FAILED, cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_runbook.spec.script import Script
    from jupyter_runbook.ssh import Target
    from jupyter_runbook.stop import Stop

__all__ = ["NO_FOLDER", "run_remote"]

# What the host's login shell starts. All of the rest comes on its standard input, NUL after each part.
_STARTER = 'exec bash -c \'IFS= read -r -d "" runbook_head && eval "$runbook_head"\' {name}'
# The script is sent once the host has said that it began: it can't run before we know, whatever it does to the session.
# The end of its input is the end of the session: whatever it still runs then shall not go on alone. A script that has
# ended leaves in peace what it left in the background. Both its outputs are one: over two channels of a session they
# would come in any order, and so would our marks. The trap (-E hands it on to functions) tells which line failed.
_HEAD = (
    'exec 2>&1; unset runbook_head; echo {mark} begun; {reads}IFS= read -r -d "" runbook_script; exec 9<&0; '
    '{{ trap "" TERM HUP; IFS= read -r _ <&9; kill -TERM 0; sleep 1; kill -KILL 0; }} </dev/null >/dev/null 2>&1 & '
    "runbook_watch=$!; ( exec 9<&- </dev/null; unset runbook_watch; {cwd}set -Eeuo pipefail; "
    'trap "echo {mark} \\$? \\$BASH_SUBSHELL \\$LINENO >&2" ERR; eval "unset runbook_script; $runbook_script" ); '
    "runbook_status=$?; kill -KILL $runbook_watch; echo {mark} ended; exit $runbook_status"
)
#: What a script ends with whose folder is not there: EX_IOERR of sysexits.h.
NO_FOLDER = 74
# The script is in a subshell.
_DEPTH = "1"


def run_remote(
    target: Target,
    script: Script,
    name: str,
    stop: Stop,
    output: Callable[[str], object],
    *,
    folder: str | None = None,
    connect: float = CONNECT,
) -> tuple[int, int | None]:
    """Run a script under ``bash -Eeuo pipefail`` on another host.

    Parameters
    ----------
    target
        The host.
    script
        The script and its values.
    name
        What ``$0`` is.
    stop, output
        See `jupyter_runbook.process.run_program`; where the token is set, or this machine is gone, the script and what
        it started on the host are ended there too.
    folder
        The folder to run in; None for the user's own.
    connect
        Seconds until the session stands.

    Returns
    -------
    tuple of int and (int or None)
        Its exit status, and the line that failed where bash told.

    Raises
    ------
    Unreachable, AuthFailed
        It was not reached: nothing ran there.
    ToolFailed
        There is no bash on the host, no ``ssh`` here, or the connection broke while it ran.
    StepTimeout, Interrupted
        The token was set.
    """
    mark = f"runbook-{secrets.token_hex(8)}"
    begun = threading.Event()
    marked = _Marked(mark, output, begun)
    change = f"cd -- {_path(folder)} || exit {NO_FOLDER}; " if folder else ""
    reads = "".join(f'IFS= read -r -d "" {one.name}; ' for one in script.variables)
    head = _HEAD.format(reads=reads, mark=mark, cwd=change)
    parts = [*(one.text for one in script.variables), "\n" + script.text]
    with _fed(_encoded([head]), _encoded(parts), begun) as descriptor:
        try:
            status = run_program(
                target.command(_STARTER.format(name=_quoted(name)), connect=connect),
                stop=stop,
                output=marked.take,
                stdin=descriptor,
            )
        except FileNotFoundError:
            raise ToolFailed("there is no ssh on this machine", hint="install OpenSSH's client") from None
        finally:
            marked.end()
    if not marked.begun:
        if status == FAILED:
            raise cause(marked.said)
        said = excerpt(marked.said, 200, end=True)
        raise ToolFailed(f"bash does not run there: {said or f'exit status {status}'}", hint="install bash on the host")
    if not marked.ended:
        raise ToolFailed("the connection broke while it ran", hint="look at the host before running it again")
    return status, _failed_at(status, marked.failed)


def _encoded(parts: list[str]) -> bytes:
    return b"".join(part.encode("utf-8", "surrogateescape") + b"\0" for part in parts)


@contextmanager
def _fed(first: bytes, then: bytes, begun: threading.Event) -> Iterator[int]:
    """Yield what a program reads: the first data, the rest once it has begun, and no end until the block is left."""
    reader, writer = os.pipe()
    left = threading.Event()

    def write() -> None:
        with suppress(OSError):  # it may end before it has read all
            write_all(writer, first)
            begun.wait()
            if not left.is_set():
                write_all(writer, then)

    thread = threading.Thread(target=write, name="runbook feed", daemon=True)
    thread.start()
    try:
        yield reader
    finally:
        # Without a reader the thread's last write ends.
        os.close(reader)
        left.set()
        begun.set()
        thread.join()
        os.close(writer)


class _Marked:
    """Takes out of what a host prints the lines that are for us."""

    def __init__(self, mark: str, output: Callable[[str], object], began: threading.Event) -> None:
        self._mark = mark
        self._output = output
        self._rest = ""
        self._began = began
        self.begun = self.ended = False
        self.failed = ""
        self.said = ""

    def take(self, text: str) -> None:
        """Take a piece; what may be the beginning of a mark waits for more."""
        text = self._rest + text
        while (at := text.find(self._mark)) >= 0 and (end := text.find("\n", at)) >= 0:
            self._hand_on(text[:at])
            self._note(text[at + len(self._mark) : end].strip())
            text = text[end + 1 :]
        keep = len(text) - at if at >= 0 else _overlap(text, self._mark)
        self._rest = text[len(text) - keep :]
        self._hand_on(text[: len(text) - keep])

    def end(self) -> None:
        """Hand on what waited."""
        self._hand_on(self._rest)
        self._rest = ""

    def _note(self, word: str) -> None:
        if word == "begun":
            self.begun = True
            self._began.set()
        elif word == "ended":
            self.ended = True
        else:
            self.failed = word

    def _hand_on(self, text: str) -> None:
        if not self.begun:
            self.said += text
        elif text:
            self._output(text)


def _overlap(text: str, mark: str) -> int:
    """Return how many of a text's last characters are the first ones of a mark."""
    return next((size for size in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:size])), 0)


def _failed_at(status: int, told: str) -> int | None:
    match = re.fullmatch(rf"{status} {_DEPTH} (\d+)", told)
    return int(match[1]) if match else None


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _path(text: str) -> str:
    """Return a path for the host's shell, which knows whose home it is."""
    if text == "~" or text.startswith("~/"):
        return '"$HOME"' + _quoted(text[1:]) if len(text) > 1 else '"$HOME"'
    return _quoted(text)
