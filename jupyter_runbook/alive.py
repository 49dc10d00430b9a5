"""Whether a process that has left its name somewhere is still at work, whatever was done to the clocks since."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.canonical import JSON

__all__ = ["is_alive", "this_process"]


@cache
def this_process() -> dict[str, JSON]:
    """Name this process so that no later one with its number is taken for it: host, boot, number and start."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": _boot(), "pid": pid, "process_started": _started(pid)}


def is_alive(entry: Mapping[str, Any]) -> bool | None:
    """Tell whether the process that wrote an entry is still at work.

    Parameters
    ----------
    entry
        What `this_process` returned there, maybe with more.

    Returns
    -------
    bool | None
        None where it ran on another host. False also where the entry names no process.
    """
    if entry.get("host") != socket.gethostname():
        return None
    try:
        pid, started = int(entry["pid"]), float(entry["process_started"])
        if "boot" in entry:
            return bool(entry["boot"] == _boot()) and _started(pid) == started
        # An older entry has the time of day; that clock may be set while a process runs.
        return abs(_created(pid) - started) < 1
    except (OSError, KeyError, TypeError, ValueError, OverflowError):
        return False


@cache
def _boot() -> str | None:
    """Return what this start of the machine is called; None where the system has no name for it."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return None


def _started(pid: int) -> float:
    """Return when a process started: in clock ticks since the machine did (proc_pid_stat(5)), else the time of day.

    Raises
    ------
    OSError
        There is no such process, or it has ended and only its parent has not asked yet.
    """
    if not Path("/proc/self/stat").exists():
        return _created(pid)
    # The name of the program, in brackets, may have any character.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    if fields[0] in (b"Z", b"X"):
        raise ProcessLookupError(f"the process {pid} has ended")
    return float(fields[19])


def _created(pid: int) -> float:
    """Return the time of day at which a process started, in seconds; see `_started`."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise ProcessLookupError(f"the process {pid} has ended")
        return process.create_time()
    except psutil.Error as error:
        raise ProcessLookupError(str(error)) from None
