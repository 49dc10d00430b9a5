"""Time two ways to do one thing by turns, so that what else the machine does hits both."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Kernel", "Row", "command", "compare", "measure", "memory", "no_op", "no_op_afresh"]

TIMEOUT = 120


@dataclass(frozen=True)
class Row:
    """One line of the table; ``ours`` and ``peer`` are medians.

    Parameters
    ----------
    name
        What is measured.
    unit
        ``s``; ``MB``; ``x`` where ours is itself how many times as much.
    ours, peer
        In that unit; no peer where ours is held against a number alone.
    ratio
        Ours over the peer's; None without one.
    limit
        What the ratio may be at most; without a peer, what ours may be.
    holds
        Whether it does.
    """

    name: str
    unit: str
    ours: float
    peer: float | None
    ratio: float | None
    limit: float
    holds: bool


def compare(
    name: str,
    ours: Callable[[], float],
    peer: Callable[[], float],
    *,
    limit: float,
    rounds: int,
    warm: bool = True,
) -> Row:
    """Take the median of both, by turns; the first turn of each only warms the caches.

    Parameters
    ----------
    name
        What is measured.
    ours, peer
        Do it once, and return how long it took in seconds.
    limit
        What the ratio may be at most.
    rounds
        How often.
    warm
        Whether there is a first turn that is not counted; what takes minutes has none.
    """
    taken: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(rounds + warm):
        for who, work in (("ours", ours), ("peer", peer)):
            seconds = work()
            if number or not warm:
                taken[who].append(seconds)
    medians = {who: statistics.median(seconds) for who, seconds in taken.items()}
    ratio = medians["ours"] / medians["peer"]
    return Row(name, "s", round(medians["ours"], 4), round(medians["peer"], 4), round(ratio, 3), limit, ratio <= limit)


def measure(name: str, unit: str, ours: Callable[[], float], *, limit: float, rounds: int) -> Row:
    """Take the median of something that has no peer.

    Parameters
    ----------
    name, unit
        See `Row`.
    ours
        Does it once, and returns its figure.
    limit
        What that may be at most.
    rounds
        How often.
    """
    median = statistics.median(ours() for _ in range(rounds))
    return Row(name, unit, round(median, 4), None, None, limit, median <= limit)


def memory(words: Sequence[str], folder: Path) -> float:
    """Run a command in a folder, and return the most memory that one of its processes had, in MB."""
    environment = {**os.environ, "IPYTHONDIR": str(folder / "ipython")}
    with subprocess.Popen(
        words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as one:
        _, status, used = os.wait4(one.pid, 0)
        one.returncode = os.waitstatus_to_exitcode(status)
    if one.returncode:
        raise subprocess.CalledProcessError(one.returncode, words)
    return used.ru_maxrss / 1024


def command(words: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Callable[[], float]:
    """Return what runs a command in a folder, and tells how long it took."""

    def work() -> float:
        started = time.perf_counter()
        subprocess.run(
            words,
            cwd=folder,
            check=True,
            capture_output=True,
            env={**os.environ, "IPYTHONDIR": str(folder / "ipython"), **(env or {})},
        )
        return time.perf_counter() - started

    return work


class Kernel:
    """A real kernel in a folder, and how long a cell takes in it: from the request to its last word."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        from jupyter_client.manager import KernelManager

        given = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), **env}
        # A socket's path has room for 107 bytes (unix(7)), and is looked up where each side works.
        self._sockets = tempfile.TemporaryDirectory(prefix="bench-")
        manager: Any = KernelManager(kernel_name="python3", transport="ipc", ip=f"{self._sockets.name}/kernel")
        manager.start_kernel(cwd=str(folder), env=given)
        self._manager = manager
        self._client = manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._sockets.cleanup()

    def run(self, code: str) -> float:
        """Run a cell that must not fail, and return its seconds."""
        said: list[str] = []

        def heard(message: dict[str, Any]) -> None:
            content = message["content"]
            said.append(
                str(content.get("text") or content.get("traceback") or content.get("data", {}).get("text/plain"))
            )

        started = time.perf_counter()
        reply = self._client.execute_interactive(code, timeout=TIMEOUT, output_hook=heard)
        seconds = time.perf_counter() - started
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(said))
        self.said = "\n".join(said)
        return seconds


def no_op(kernel: Kernel, cell: str) -> Callable[[], float]:
    """Return what runs a step that has nothing to do, and tells how long it took.

    Parameters
    ----------
    kernel
        Where, with the extension loaded.
    cell
        Its code.
    """

    def work() -> float:
        seconds = kernel.run(cell)
        if "✓ ok" not in kernel.said:
            raise RuntimeError(kernel.said)
        return seconds

    return work


def no_op_afresh(folder: Path, env: Mapping[str, str], cell: str) -> Callable[[], float]:
    """Return what runs such a step as the first one of a kernel; the kernel's own start is not counted."""

    def work() -> float:
        with Kernel(folder, env) as kernel:
            kernel.run("%load_ext jupyter_runbook")
            return no_op(kernel, cell)()

    return work
