"""Why a kernel is gone that nobody has ended: what its process left, and what the machine's memory tells."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

__all__ = ["cause", "memory_events", "out_of_memory"]


def cause(code: int | None, killed: int | None) -> str:
    """Return it as a clause.

    Parameters
    ----------
    code
        The process's exit code, or minus the number of the signal that ended it; None where it can't be known.
    killed
        How many processes of its control group were killed for want of memory since it started; None where that can't
        be known.
    """
    if code is None:
        return "the kernel died"
    if code >= 0:
        return f"the kernel died: its process exited with {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if code == -signal.SIGKILL and killed:
        return f"the kernel died: it was killed ({name}) for want of memory, as its control group counts"
    if code == -signal.SIGKILL:
        return f"the kernel died: it was killed ({name}); if nobody did it, see dmesg: memory may have been short"
    return f"the kernel died of {name}"


def memory_events(pid: int | None) -> Path | None:
    """Return the file that counts how many of a process's control group were killed for want of memory; None without.

    That is Linux's ``memory.events`` (cgroups(7), version 2) or ``memory.oom_control`` (version 1).
    """
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/cgroup").read_text("utf-8").splitlines():
            number, kinds, group = line.split(":", 2)
            if number != "0" and "memory" not in kinds.split(","):
                continue
            for root in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
                # In a container the path may be the host's, and the container's own group the root.
                for place in (f"{root}{group}", root):
                    for name in ("memory.events", "memory.oom_control"):
                        if out_of_memory(path := Path(place, name)) is not None:
                            return path
    return None


def out_of_memory(path: Path | None) -> int | None:
    """Return what such a file counts; None where it can't be known."""
    with suppress(OSError, ValueError, TypeError):
        for line in Path(path or "").read_text("utf-8").splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return None
