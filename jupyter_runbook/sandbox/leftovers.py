"""What an engine leaves on a machine when it is killed: processes, mounts, bridges, rules, control groups.

Each is found by what is the sandbox's own alone: its folder, its bridge, its range of addresses.
"""

from __future__ import annotations

import ipaddress
import json
import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import psutil

__all__ = [
    "bridges",
    "clear_bridges",
    "clear_groups",
    "clear_loops",
    "clear_mounts",
    "clear_rules",
    "end",
    "processes",
    "talking_to",
]

# The chains that an engine makes for itself, and none but it; there is one engine in a network namespace.
CHAINS = "DOCKER"
#: The programs that an engine is made of; a name is cut to 15 characters by the kernel.
ENGINE = ("dockerd", "containerd", "docker-registr")


def processes(folder: Path, names: tuple[str, ...] = ENGINE, *, family: bool = True) -> list[psutil.Process]:
    """Return the processes that work in a folder (an engine, its containerd and shims), and all that they began.

    Parameters
    ----------
    folder
        It stands in their command lines.
    names
        How the names of the programs begin.
    family
        Whether what they began counts too.
    """
    import psutil

    mark = f"{folder}/"
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name().startswith(names) and any(mark in word for word in process.cmdline()):
                for one in (process, *(process.children(recursive=True) if family else ())):
                    found[one.pid] = one
    return list(found.values())


def talking_to(network: str, names: tuple[str, ...]) -> list[psutil.Process]:
    """Return the processes of some names that hold a connection into a range of addresses."""
    import psutil

    within = ipaddress.ip_network(network)
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() in names and any(
                one.raddr and ipaddress.ip_address(one.raddr.ip) in within for one in process.net_connections("inet4")
            ):
                found[process.pid] = process
    return list(found.values())


def end(found: Iterable[psutil.Process], seconds: float, *, kill: bool = False) -> None:
    """End processes: ask, and kill what has not ended in time (seconds); or kill them at once."""
    import psutil

    left = list(found)
    for number in (signal.SIGKILL,) if kill else (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(number)
        ends = time.monotonic() + seconds
        left = [process for process in left if not _ended(process.pid, ends)]


def _ended(pid: int, ends: float) -> bool:
    """Wait until a process has ended; a zombie has, whoever is slow to take it away."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        over = bool(select.select([descriptor], [], [], max(0.0, ends - time.monotonic()))[0])
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return over
    finally:
        os.close(descriptor)


def clear_mounts(folder: Path) -> None:
    """Unmount what is mounted below a folder, the innermost first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1].encode().decode("unicode_escape") for line in lines]
    for point in sorted((one for one in points if Path(one).is_relative_to(folder)), reverse=True):
        _run(["umount", "--lazy", point], os.environ)


def clear_loops(folder: Path) -> None:
    """Give back the loop devices of files below a folder."""
    shown = _run(["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"], os.environ)
    for line in shown.splitlines():
        device, _, file = line.partition(" ")
        if file.strip().startswith(f"{folder}/"):
            _run(["losetup", "--detach", device], os.environ)


def bridges(pool: str, env: Mapping[str, str]) -> list[str]:
    """Return the bridges with an address of the sandbox's range: its own, and those that its engine made."""
    network = ipaddress.ip_network(pool)
    shown = _run(["ip", "-json", "address", "show", "type", "bridge"], env)
    return [
        link["ifname"]
        for link in json.loads(shown or "[]")
        if any(
            one.get("family") == "inet" and ipaddress.ip_address(one["local"]) in network
            for one in link.get("addr_info", ())
        )
    ]


def clear_bridges(names: Iterable[str], env: Mapping[str, str]) -> None:
    """Take bridges away; one that is not there is none to take."""
    for name in names:
        _run(["ip", "link", "delete", name], env)


def clear_rules(names: Iterable[str], pool: str, env: Mapping[str, str]) -> None:
    """Take away an engine's chains, and the rules that lead there, or name one of the bridges or the range."""
    for program in ("iptables", "ip6tables"):
        for table in ("nat", "filter"):
            begin = [program, "-w", "-t", table]
            rules = list(_rules(_run([*begin, "-S"], env)))
            for words in rules:
                if words[0] == "-A" and not words[1].startswith(CHAINS) and _ours(words, names, pool):
                    _run([*begin, "-D", *words[1:]], env)
            chains = [words[1] for words in rules if words[0] == "-N" and words[1].startswith(CHAINS)]
            for flag in ("-F", "-X"):  # all empty first: they lead to each other
                for chain in chains:
                    _run([*begin, flag, chain], env)


def clear_groups(name: str) -> None:
    """Take away the control groups of a name, which are empty by now."""
    root = Path("/sys/fs/cgroup")
    for group in [root / name, *root.glob(f"*/{name}")]:
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def _rules(shown: str) -> Iterator[list[str]]:
    import shlex

    for line in shown.splitlines():
        words = shlex.split(line)
        if len(words) > 1:
            yield words


def _ours(words: list[str], names: Iterable[str], pool: str) -> bool:
    network = ipaddress.ip_network(pool)
    for before, word in pairwise(words):
        if before == "-j" and word.startswith(CHAINS):
            return True
        if before in {"-i", "-o"} and word in names:
            return True
        if before in {"-s", "-d"}:
            with suppress(ValueError, TypeError):
                if ipaddress.ip_network(word, strict=False).subnet_of(network):  # type: ignore[arg-type]
                    return True
    return False


def _run(command: list[str], env: Mapping[str, str]) -> str:
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        return ""
    done = subprocess.run([program, *command[1:]], env=env, capture_output=True, text=True, check=False)
    return done.stdout
