"""Choose a range of addresses by looking: a bridge on one that the machine needs cuts it off."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jupyter_runbook.errors import Conflict
from jupyter_runbook.files import expanded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["CANDIDATES", "choose", "in_the_way", "in_use"]

Network = ipaddress.IPv4Network

#: Private ranges that few networks use (RFC 1918), then those for benchmarks (RFC 2544).
CANDIDATES = tuple(
    Network(text)
    for text in (
        "172.30.0.0/16",
        "10.213.0.0/16",
        "172.23.0.0/16",
        "10.87.0.0/16",
        "192.168.208.0/20",
        "198.18.0.0/16",
        "198.19.0.0/16",
    )
)

# What the package clients of a machine's own configuration ask, and what the environment names as a proxy.
_CONFIGURATION = [
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d",
    "/etc/pip.conf",
    "~/.pip/pip.conf",
    "~/.config/pip/pip.conf",
    "/etc/npmrc",
    "~/.npmrc",
]
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")


# A state in /proc/net/tcp, of include/net/tcp_states.h.
TIME_WAIT = "06"


def choose(candidates: Iterable[Network] = CANDIDATES, env: Mapping[str, str] | None = None) -> Network:
    """Return the first range that nothing of this machine lies in.

    Parameters
    ----------
    candidates
        In the order of preference.
    env
        The environment in which ``ip`` is found; None for this process's own.

    Raises
    ------
    Conflict
        Each has something in it; the message names what, for the first.
    """
    candidates = list(candidates)
    used = dict(in_use(env))
    for candidate in candidates:
        if in_the_way(candidate, used) is None:
            return candidate
    first = candidates[0]
    raise Conflict(
        f"no range of addresses is free for a bridge: in {first} lies {in_the_way(first, used)}",
        hint="take away a network that you do not need; ip route shows them",
    )


def in_the_way(candidate: Network, used: dict[Network, str]) -> str | None:
    """Return what lies in a range, as people would name it; None where nothing does."""
    return next((f"{what} ({network})" for network, what in used.items() if network.overlaps(candidate)), None)


def in_use(env: Mapping[str, str] | None = None) -> Iterator[tuple[Network, str]]:
    """Go through the ranges and addresses that this machine needs, with what each is."""
    yield from _routes(env)
    for line in _lines(Path("/etc/resolv.conf")):
        if line.startswith("nameserver"):
            yield from _addresses(line.split()[1:2], "the resolver")
    hosts = sorted(set(_hosts()))
    yield from _addresses(hosts, "a host of the package clients or a proxy", names=True)
    yield from _peers([*_lines(Path("/proc/net/tcp"))[1:], *_lines(Path("/proc/net/tcp6"))[1:]])


def _peers(lines: Iterable[str]) -> Iterator[tuple[Network, str]]:
    for line in lines:
        _number, _local, remote, state = line.split()[:4]
        if state == TIME_WAIT:  # it has ended
            continue
        peer, _, _port = remote.partition(":")
        # Of an address of version 6, the last four bytes are one of version 4 or name nothing that we could take.
        address = ipaddress.IPv4Address(bytes.fromhex(peer[-8:])[::-1])
        if not (address.is_loopback or address.is_unspecified):
            yield Network(address), "a peer of an open connection"


def _routes(env: Mapping[str, str] | None) -> Iterator[tuple[Network, str]]:
    """Go through every routing table: a route by policy counts as well."""
    command = ["ip", "-4", "route", "show", "table", "all"]
    # The path of another environment is not the one that a bare name is looked up in.
    command[0] = shutil.which("ip", path=(os.environ if env is None else env).get("PATH")) or "ip"
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=10)
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0] in {"local", "broadcast", "unreachable", "blackhole", "prohibit", "multicast"}:
            words = words[1:]
        if not words or words[0] == "default":
            continue
        try:
            network = Network(words[0], strict=False)
        except ValueError:
            continue
        # Half of all addresses is a default route by another name (VPN clients make two of them).
        if network.prefixlen > 1:
            yield network, f"the route to {words[0]}"


def _hosts() -> Iterator[str]:
    urls = [os.environ.get(form, "") for name in _PROXIES for form in (name, name.upper())]
    for name in _CONFIGURATION:
        path = expanded(name)
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            urls += [word for line in _lines(file) for word in line.replace("=", " ").split() if "://" in word]
    for url in urls:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            continue
        if host:
            yield host


def _addresses(hosts: Iterable[str], what: str, *, names: bool = False) -> Iterator[tuple[Network, str]]:
    for host in hosts:
        try:
            yield Network(host), what
            continue
        except ValueError:
            if not names:
                continue
        try:
            found = {str(row[4][0]) for row in socket.getaddrinfo(host, None, socket.AF_INET)}
        except OSError:
            continue
        for address in sorted(found):
            yield Network(address), f"{what}, {host}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
