"""Ansible's own process: it has imported Ansible before a play comes, and forks for each.

It is run as a program, with Ansible's Python, and shares no module with the rest of the package. The kernel sends a
request over a socket; a fork, the *keeper*, starts ``ansible-playbook``'s own entry point in a further fork and stays
beside it. Whatever the play starts, in whatever session, becomes the keeper's child when its parent dies
(PR_SET_CHILD_SUBREAPER), so that the keeper can end all of it; it does so when it is told to stop, and when the kernel
is gone, also by SIGKILL.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import gc
import json
import os
import random
import runpy
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

# Between SIGTERM and SIGKILL to what has to stop, until it is given up, and for what it has left on hosts, in seconds.
PATIENCE, GIVEN_UP, CLEARING = 1.0, 4.0, 3.0
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, of prctl(2)
PIECE = 65536
NAMES = 2000

#: Where the play's events go, for the plugins in this process and its workers: they find this module by this name.
sys.modules["runbook_driver"] = sys.modules[__name__]
events = -1
#: Held by whoever writes there: a file without a name, whose lock (fcntl(2)) each process has for itself.
turn = os.memfd_create("runbook")
burn: list[str] = []


def emit(event: dict[str, Any]) -> None:
    """Send an event to the kernel: one line of JSON."""
    data = json.dumps(event, default=_told, ensure_ascii=True).encode() + b"\n"
    view = memoryview(data)
    # Ansible's workers tell what they decrypt, while its own process tells results that are longer than a pipe takes.
    fcntl.lockf(turn, fcntl.LOCK_EX)
    try:
        while view:
            view = view[os.write(events, view) :]
    except BrokenPipeError:  # nobody listens any more
        return
    finally:
        fcntl.lockf(turn, fcntl.LOCK_UN)


def _told(value: Any) -> Any:
    """Return what JSON can hold of a value of Ansible's own kinds."""
    if hasattr(value, "items"):
        return dict(value.items())
    if not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        return list(value)
    return str(value)


def burnt() -> None:
    """Take away what Ansible has read by now and nobody else shall."""
    for path in burn:
        with suppress(OSError):
            os.unlink(path)


def main() -> None:
    """Serve requests until the kernel is gone."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    _adopt()
    gc.disable()
    _prepare()
    # Each play is a fork: what is imported is none of its garbage, and its memory stays shared.
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a keeper's end is told by its own socket
    keepers: list[int] = []
    while True:
        text, descriptors = _receive(requests)
        if not text:
            _end_all(keepers)
            return
        keepers = [*filter(_lives, keepers), os.fork()]
        if keepers[-1] == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _keep(json.loads(text), *descriptors)
            finally:
                os._exit(1)
        for one in descriptors:
            os.close(one)


def _prepare() -> None:
    """Import what every play needs, and make our plugins known."""
    import ansible.cli.playbook
    import ansible.executor.playbook_executor  # noqa: F401 -- not all that it needs comes with the command's module
    from ansible.cli import CLI
    from ansible.errors import AnsibleError
    from ansible.parsing.vault import VaultLib
    from ansible.plugins.loader import callback_loader, vars_loader

    here = Path(__file__).parent
    callback_loader.add_directory(str(here / "callback"))
    vars_loader.add_directory(str(here / "vars"))
    decrypt = VaultLib.decrypt

    def telling(self: Any, *args: Any, **options: Any) -> Any:
        """Tell the kernel what must not be shown, before Ansible can show it."""
        plain = decrypt(self, *args, **options)
        emit({"e": "vault", "text": plain.decode("utf-8", "replace") if isinstance(plain, bytes) else str(plain)})
        return plain

    VaultLib.decrypt = telling
    listed = CLI.get_host_list

    def looking(inventory: Any, subset: Any, pattern: str = "all") -> Any:
        """Tell which hosts there are, where a limit leaves none."""
        try:
            return listed(inventory, subset, pattern)
        except AnsibleError:
            emit({"e": "known", "names": known(inventory)})
            raise

    CLI.get_host_list = staticmethod(looking)


def known(inventory: Any) -> list[str]:
    """Return the names of the hosts and groups of an inventory."""
    return [*map(str, inventory.hosts), *map(str, inventory.groups)][:NAMES]


def _receive(requests: socket.socket) -> tuple[bytes, list[int]]:
    """Receive one request and its open files: standard output, events, control."""
    descriptors: array.array[int] = array.array("i")
    try:
        head, ancillary, _, _ = requests.recvmsg(PIECE, socket.CMSG_SPACE(3 * descriptors.itemsize))
    except ConnectionError:
        return b"", []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    text = bytearray(head)
    while head and not text.endswith(b"\n"):
        head = requests.recv(PIECE)
        text += head
    return bytes(text), list(descriptors)


def _keep(request: dict[str, Any], output: int, tell: int, control: int) -> None:
    """Start a play and stay beside it: tell its end, stop it where that is asked for."""
    global events  # noqa: PLW0603 -- the plugins' end of the pipe
    _adopt()
    events = tell
    burn[:] = request["burn"]
    wake, bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(bell, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    scratch = _scratch()
    left = _inside("leftovers")["Leftovers"]()
    leader = os.fork()
    if leader == 0:
        signal.set_wakeup_fd(-1)
        for one in (wake, bell, control):
            os.close(one)
        # The exit handlers are the parent's: they would take away what its other plays need.
        os._exit(_play(request, output, scratch, left))
    os.close(output)
    status, stopped = _watch(leader, wake, control, left)
    if stopped:
        for host, path in left.clear(CLEARING):
            emit({"e": "left", "host": host, "path": path})
    os.close(tell)
    for path in [*request["burn"], *request["files"]]:
        with suppress(OSError):
            os.unlink(path)
    for folder in (request["folder"], scratch):
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.write(control, f"{status}\n".encode())
    os._exit(0)


def _scratch() -> str:
    """Make a folder for what a play writes here: one that is killed leaves the arguments of its tasks there.

    What Ansible packs of its modules is none of them, and is kept for the plays to come.
    """
    from ansible import constants

    kept = os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache")
    os.makedirs(kept, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="play-", dir=constants.DEFAULT_LOCAL_TMP)
    os.symlink(kept, os.path.join(folder, "ansiballz_cache"))
    return folder


def _inside(name: str) -> dict[str, Any]:
    """Return the names of a module beside this one: it is on no path, where Ansible's own imports would find it."""
    return runpy.run_path(str(Path(__file__).parent / f"{name}.py"))


def _play(request: dict[str, Any], output: int, scratch: str, left: Any) -> int:
    """Become ``ansible-playbook``, and return its exit status."""
    from ansible import constants
    from ansible.cli.playbook import PlaybookCLI

    constants.DEFAULT_LOCAL_TMP = scratch

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(request["cwd"])
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.update(request["env"])
    random.seed()
    if request["galaxy"]:
        constants.DEFAULT_ROLES_PATH = [f"{request['galaxy']}/roles", *constants.DEFAULT_ROLES_PATH]
        constants.COLLECTIONS_PATHS = [f"{request['galaxy']}/collections", *constants.COLLECTIONS_PATHS]
    try:
        _inside("values")["give"](request["extra"], request["inventories"])
        left.watch()
        PlaybookCLI.cli_executor(["ansible-playbook", *request["arguments"]])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 -- this fork ends here, whatever it was
        traceback.print_exc()
        return 250
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    return 0


def _watch(leader: int, wake: int, control: int, left: Any) -> tuple[int, bool]:
    """Wait until the play has ended, by itself or because it was stopped; return its exit status and whether it was."""
    status: int | None = None
    stop_at: float | None = None
    while True:
        timeout = None if stop_at is None else 0.05
        ready = select.select([wake, left.reader] + ([control] if stop_at is None else []), [], [], timeout)[0]
        left.read()
        with suppress(BlockingIOError):
            os.read(wake, PIECE)
        status, childless = _reap(leader, status)
        if control in ready:
            os.read(control, 1)  # a word, or the kernel's end: the same
            stop_at = time.monotonic()
            _signal(signal.SIGTERM)
        if stop_at is None and status is not None:
            if status >= 0:
                return status, False
            # Somebody killed it, and its workers live.
            stop_at = time.monotonic()
            _signal(signal.SIGTERM)
        if stop_at is not None:
            waited = time.monotonic() - stop_at
            if childless or waited > GIVEN_UP:
                return -signal.SIGTERM if status is None else status, True
            if waited > PATIENCE:
                _signal(signal.SIGKILL)


def _reap(leader: int, status: int | None) -> tuple[int | None, bool]:
    """Take note of ended children; return the leader's exit status, and whether no child is left.

    Without a child there is no descendant either: whoever loses its parent becomes our child. The kernel knows for
    certain, where a walk through /proc may miss one whose parent ends meanwhile.
    """
    try:
        while True:
            pid, how = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return status, False
            if pid == leader:
                status = os.waitstatus_to_exitcode(how)
    except ChildProcessError:
        return status, True


def _adopt() -> None:
    """Become the parent of all descendants whose parents end."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def _end_all(keepers: list[int]) -> None:
    """Give keepers the time to stop their plays; then end what is left: its keeper was killed."""
    begun = time.monotonic()
    while not _reap(0, None)[1]:
        waited = time.monotonic() - begun
        kept = any(map(_lives, keepers)) and waited < GIVEN_UP + CLEARING
        if not kept and waited > PATIENCE + 0.5:
            _signal(signal.SIGKILL)
        if waited > 2 * GIVEN_UP + CLEARING:
            return
        time.sleep(0.05)


def _lives(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def _signal(number: int) -> None:
    for pid in _descendants():
        with suppress(OSError):
            os.kill(pid, number)


def _descendants() -> list[int]:
    """Return all that came from this process and lives: children, theirs, and those whose parents are gone."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                if state != b"Z":
                    parents[int(entry)] = int(parent)
    mine = {os.getpid()}
    while True:
        more = {pid for pid, parent in parents.items() if parent in mine} - mine
        if not more:
            return sorted(mine - {os.getpid()}, reverse=True)
        mine |= more


if __name__ == "__main__":
    main()
