"""Folders that a task makes on its host for its module and its arguments: taken away where the play was stopped.

Ansible removes such a folder when the task ends. A task that is killed leaves it there, with what its arguments hold.
So each folder is told to the play's keeper before it is made, with what reaches its host; the keeper goes there once
nothing of the play is left. What it was told is in its memory alone, for it may have a password in it.
"""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import time
from contextlib import suppress
from typing import Any

__all__ = ["Leftovers"]

# So many folders are taken away at once; the others are told as left. One is told in so many bytes.
MOST, LARGEST = 200, 1 << 18
# What a play's own settings say of a host, beside its connection's options.
CONTEXT = ("connection", "remote_addr", "remote_user", "port", "password", "private_key_file", "timeout", "no_log")
# A user's home as the host's shell knows it: ~, ~/x, ~user/x.
HOME = re.compile(r"~[\w.-]*(?=/|$)")
# A connection that outlives what it was for would be one more thing that goes on.
ALONE = "-o ControlMaster=no -o ControlPath=none"


class Leftovers:
    """What the tasks of one play have made on hosts, and not taken away yet."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.reader.settimeout(0)
        self._notes: dict[str, dict[str, Any]] = {}

    def watch(self) -> None:
        """Tell of each folder that this process and its workers make and take away."""
        from ansible.errors import AnsibleConnectionFailure
        from ansible.plugins.action import ActionBase

        # Where the keeper is gone, nobody listens.
        self.reader.close()
        make, remove = ActionBase._make_tmp_path, ActionBase._remove_tmp_path

        def making(action: Any, *args: Any, **options: Any) -> Any:
            shell = action._connection._shell
            name = shell._generate_temp_dir_name()
            with suppress(Exception):  # a play does not fail for want of a note
                self._tell(_note(action, name))
            shell._generate_temp_dir_name = lambda: name
            try:
                return make(action, *args, **options)
            except AnsibleConnectionFailure:
                self._tell({"gone": name})
                raise
            finally:
                del shell._generate_temp_dir_name

        def removing(action: Any, tmp_path: Any, *args: Any, **options: Any) -> Any:
            shell = action._connection._shell
            path = tmp_path or shell.tmpdir
            made = remove(action, tmp_path, *args, **options)
            if path and shell.tmpdir is None:
                self._tell({"gone": os.path.basename(str(path).rstrip("/"))})
            return made

        ActionBase._make_tmp_path, ActionBase._remove_tmp_path = making, removing

    def _tell(self, note: dict[str, Any]) -> None:
        with suppress(OSError):
            self._writer.send(json.dumps(note, default=str).encode())

    def read(self) -> None:
        """Take what was told, as far as it has come."""
        with suppress(BlockingIOError):
            while piece := self.reader.recv(LARGEST):
                with suppress(ValueError):  # one that was too large
                    note = json.loads(piece)
                    if gone := note.get("gone"):
                        self._notes.pop(gone, None)
                    else:
                        self._notes[note["name"]] = note

    def clear(self, within: float) -> list[tuple[str, str]]:
        """Take away what is left, on all hosts side by side; return what could not be, by host and path.

        Parameters
        ----------
        within
            Seconds until what can't be reached is left as it is.
        """
        self.read()
        notes = list(self._notes.values())
        ends = time.monotonic() + within
        at_work: dict[int, dict[str, Any]] = {}
        left = [_told(note) for note in notes[MOST:]]
        for note in notes[:MOST]:
            reader, writer = os.pipe()
            if os.fork() == 0:
                os.close(reader)
                _become(note, writer)
            os.close(writer)
            at_work[reader] = note
        while at_work and (ready := select.select(list(at_work), [], [], max(0.0, ends - time.monotonic()))[0]):
            for reader in ready:
                note = at_work.pop(reader)
                if os.read(reader, 1) != b"y":
                    left.append(_told(note))
                os.close(reader)
        for reader, note in at_work.items():
            left.append(_told(note))
            os.close(reader)
        return left


def _become(note: dict[str, Any], writer: int) -> None:
    """Remove one note's folders, and say whether they are gone; the process ends here, and all that it started."""
    os.setsid()
    done = False
    with suppress(BaseException):
        null = os.open(os.devnull, os.O_RDWR)
        for one in (0, 1, 2):
            os.dup2(null, one)
        done = _remove(note)
    with suppress(OSError):
        os.write(writer, b"y" if done else b"n")
    os.killpg(0, signal.SIGKILL)


def _remove(note: dict[str, Any]) -> bool:
    if note.get("local"):
        for place in note["places"]:
            shutil.rmtree(os.path.join(os.path.expanduser(place), note["name"]), ignore_errors=True)
        return True
    from ansible.playbook.play_context import PlayContext
    from ansible.plugins.loader import connection_loader

    settings: Any = PlayContext()
    for key, value in note["context"].items():
        setattr(settings, key, value)
    connection = connection_loader.get(
        note["context"]["connection"], settings, new_stdin=None, task_uuid="", ansible_playbook_pid=str(os.getpid())
    )
    connection.set_options(direct=note["options"])
    paths = " ".join(_quoted(f"{place.rstrip('/')}/{note['name']}") for place in note["places"])
    return bool(connection.exec_command(f"rm -rf -- {paths}", in_data=None, sudoable=False)[0] == 0)


def _note(action: Any, name: str) -> dict[str, Any]:
    connection, settings = action._connection, action._play_context
    shell = connection._shell
    places = [action.get_shell_option("remote_tmp", default="~/.ansible/tmp")]
    places += action.get_shell_option("system_tmpdirs", default=None) or ["/var/tmp", "/tmp"]  # noqa: S108 -- Ansible's
    if getattr(shell, "SHELL_FAMILY", "") != "sh" or getattr(connection, "_remote_is_local", False):
        raise ValueError("there is no rm")
    known = {"name": name, "places": [str(one) for one in places], "host": str(settings.remote_addr)}
    if connection.transport == "local":
        return {**known, "local": True}
    options = {str(key): value for key, value in connection._options.items() if value is not None}
    if "ssh_args" in options:
        options["ssh_args"] = f"{ALONE} {options['ssh_args']}"
    context = {key: value for key in CONTEXT if (value := getattr(settings, key, None)) is not None}
    return {**known, "context": context, "options": options}


def _told(note: dict[str, Any]) -> tuple[str, str]:
    return note["host"], f"{note['places'][0]}/{note['name']}"


def _quoted(path: str) -> str:
    home = HOME.match(path)
    return home[0] + shlex.quote(path[home.end() :]) if home else shlex.quote(path)
