"""A range of addresses is chosen by looking (TRAPS, Sandbox 1)."""

from __future__ import annotations

import shutil
import socket
import subprocess
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.errors import Conflict
from jupyter_runbook.sandbox import addresses
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.sandbox.docker import PACKAGES
from tests.support.sandboxes import can_start, leave_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# None that a sandbox takes: one may be up.
FIRST, SECOND = IPv4Network("10.211.0.0/16"), IPv4Network("10.89.0.0/16")


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Find ip as the sandbox does: a machine need not have it."""
    if why := can_start():
        leave_out("docker", why)
    env = environment(unpacked("docker", PACKAGES, print), tmp_path)
    for name in ("PATH", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, env[name])


def test_the_first_free_range_is_taken() -> None:
    assert addresses.choose([FIRST, SECOND]) == FIRST


@pytest.fixture
def route() -> Iterator[str]:
    """Put a real route in the way of the first range."""
    ip = shutil.which("ip")
    assert ip
    words = ["unreachable", "10.211.7.0/24", "table", "4213"]
    subprocess.run([ip, "route", "add", *words], check=True)
    yield words[1]
    subprocess.run([ip, "route", "delete", *words], check=True)


def test_a_route_in_the_way_is_seen_in_any_table(route: str) -> None:
    assert addresses.choose([FIRST, SECOND]) == SECOND
    with pytest.raises(Conflict, match=rf"in 10\.211\.0\.0/16 lies the route to {route}"):
        addresses.choose([FIRST])


def test_a_default_route_is_not_in_the_way() -> None:
    assert not any(network.prefixlen <= 1 for network, _ in addresses.in_use())


def test_the_resolver_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resolv.conf").write_text("# hand made\nnameserver 10.211.0.53\n")
    read = addresses._lines
    monkeypatch.setattr(
        addresses, "_lines", lambda path: read(tmp_path / "resolv.conf" if path.name == "resolv.conf" else path)
    )
    used = dict(addresses.in_use())
    assert addresses.in_the_way(FIRST, used) == "the resolver (10.211.0.53/32)"


def test_a_proxy_and_a_package_index_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://10.211.9.9:3128")
    monkeypatch.setenv("PIP_INDEX_URL", "http://10.89.1.1/simple")
    used = dict(addresses.in_use())
    assert "10.211.9.9" in str(addresses.in_the_way(FIRST, used))
    assert "10.89.1.1" in str(addresses.in_the_way(SECOND, used))


def test_a_peer_is_seen_and_loopback_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        used = dict(addresses.in_use())
    assert addresses.in_the_way(IPv4Network("127.0.0.0/8"), {k: v for k, v in used.items() if "peer" in v}) is None
    # The kernel writes an address as a number in the machine's order.
    line = "  0: 0100007F:0016 0907D30A:C350 01"
    assert "10.211.7.9" in str(list(addresses._peers([line])))
    # One that has ended (TIME_WAIT) is none.
    assert not list(addresses._peers([line[:-2] + "06"]))
