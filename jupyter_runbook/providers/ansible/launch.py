"""Run plays: the kernel's side of `inside/driver.py`.

Ansible takes 0.4 s to import, as long as a short play. So a process that has imported it stays for the kernel's life
and forks for each play; it is started anew where what Ansible reads at its start has changed: the environment, the
folder, a configuration file.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.files import expanded
from jupyter_runbook.providers.ansible.follow import KILLED, Ends, follow
from jupyter_runbook.secret.excerpt import last_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jupyter_runbook.stop import Stop

__all__ = ["Launcher", "Request"]

DRIVER = Path(__file__).parent / "inside" / "driver.py"
# What Ansible reads as it starts, beyond its environment; the first one that is there counts.
CONFIGURATIONS = ("ansible.cfg", "~/.ansible.cfg", "/etc/ansible/ansible.cfg")


@dataclass(frozen=True)
class Request:
    """One call of ``ansible-playbook``.

    Parameters
    ----------
    arguments
        What follows the command's name.
    cwd
        The folder to run in.
    folder
        A private folder that is gone afterwards, also where the kernel is killed.
    env
        What is added to the environment.
    files
        Files that are gone afterwards.
    burn
        Files that are gone as soon as Ansible has read them.
    galaxy
        A folder whose ``roles`` and ``collections`` are found before all others.
    extra
        The extra vars: data, whatever is written in them.
    inventories
        The texts of inventories by the paths that ``arguments`` name, which are there only while Ansible reads them.
        What is in them is data, too.
    """

    arguments: Sequence[str]
    cwd: Path
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[Path] = ()
    burn: Sequence[Path] = ()
    galaxy: Path | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    inventories: Mapping[str, str] = field(default_factory=dict)

    def line(self) -> bytes:
        """Return it as the driver reads it."""
        values = {
            "arguments": list(self.arguments),
            "cwd": str(self.cwd),
            "env": dict(self.env),
            "folder": str(self.folder),
            "galaxy": str(self.galaxy or ""),
            "files": [str(path) for path in self.files],
            "burn": [str(path) for path in self.burn],
            "extra": dict(self.extra),
            "inventories": dict(self.inventories),
        }
        return json.dumps(values).encode() + b"\n"


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a folder that nobody else may read, in memory where the machine has such a place; it is gone afterwards."""
    places = [os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm"]  # noqa: S108 -- a folder of its own in there, mode 0700
    base = next((one for one in places if one and os.access(one, os.W_OK | os.X_OK)), None)
    folder = Path(tempfile.mkdtemp(prefix="runbook-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Launcher:
    """Ansible's process of this kernel, started with the first play."""

    def __init__(self) -> None:
        self._key: Any = None
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        # Called at the latest when the kernel ends in good order; where it is killed, the closed socket says it.
        self._end: Callable[[], object] | None = None

    def run(
        self,
        request: Request,
        stop: Stop,
        output: Callable[[str], object],
        event: Callable[[dict[str, Any] | None], object],
    ) -> int:
        """Run ``ansible-playbook``; return its exit status, negative for a signal.

        Parameters
        ----------
        request
            What to run.
        stop
            Once it is set, everything that the play started gets SIGTERM, and SIGKILL a second later.
        output
            Called with each piece of what it prints, in this thread.
        event
            Called with each event, in this thread; with None where nothing comes for a while.

        Raises
        ------
        StepTimeout, Interrupted
            The token was set; nothing of the play is left on this machine.
        ToolFailed
            Ansible can't be started.
        """
        stop.check()
        self._ready(request.cwd)
        with Ends() as ends:
            self._send(request, ends)
            status = follow(ends, stop, output, event)
        if status == KILLED:
            # The keeper is gone, and what it kept is not: Ansible's process ends that.
            self.close()
        stop.check()
        return status

    def close(self) -> None:
        """End Ansible's process; a play that is at work ends too."""
        if self._end is not None:
            self._end()
        self._requests = self._process = self._end = None

    def _ready(self, cwd: Path) -> None:
        env = _environment()
        # Each play changes into its folder itself: another folder matters only where it has another ansible.cfg.
        key = (env, _configuration(env, cwd))
        if self._process is not None and self._process.poll() is None and self._key == key:
            return
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(DRIVER), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        self._requests, self._key = ours, key
        self._end = weakref.finalize(self, _ended, ours, self._process)

    def _send(self, request: Request, ends: Ends) -> None:
        assert self._requests is not None  # noqa: S101 -- _ready has made it
        line = request.line()
        try:
            sent = socket.send_fds(self._requests, [line], ends.theirs)
            self._requests.sendall(line[sent:])
        except OSError as error:
            raise self._failed(error.strerror) from None
        ends.handed_over()

    def _failed(self, why: str | None) -> ToolFailed:
        process = self._process
        said = process.stderr.read().decode(errors="replace") if process and process.stderr else ""
        self.close()
        return ToolFailed(
            f"Ansible can't be started: {last_line(said, why or 'it has ended')}",
            hint="see whether ansible-playbook --version works here",
        )


def _ended(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    requests.close()
    if process.stderr is not None:
        process.stderr.close()
    process.wait()


def _environment() -> dict[str, str]:
    """Return the environment of Ansible's process: the kernel's, and what makes its answers ours."""
    env = dict(os.environ)
    env["ANSIBLE_STDOUT_CALLBACK"] = "runbook"
    env["ANSIBLE_NOCOLOR"] = "1"
    # An inventory that can't be read is an error, and no empty inventory.
    env["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] = "1"
    env["ANSIBLE_LOCALHOST_WARNING"] = "0"
    # A module's arguments, which may hold secrets, are for no system log.
    env["ANSIBLE_NO_TARGET_SYSLOG"] = "1"
    env.pop("ANSIBLE_FORCE_COLOR", None)
    # A task that asks for the programs of the notebook's own environment finds them.
    env["PATH"] = os.pathsep.join(dict.fromkeys([env.get("PATH", os.defpath), str(Path(sys.executable).parent)]))
    return env


def _configuration(env: Mapping[str, str], cwd: Path) -> Any:
    """Return what tells whether the configuration files are as they were."""
    named = [env["ANSIBLE_CONFIG"]] if env.get("ANSIBLE_CONFIG") else []
    found = []
    for path in (*named, *CONFIGURATIONS):
        with suppress(OSError):
            status = os.stat(cwd / expanded(path))  # noqa: PTH116 -- one call for the file and its folder
            found.append((path, status.st_mtime_ns, status.st_size, status.st_ino))
    return found
