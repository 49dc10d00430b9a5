"""A network of a sandbox's own: a bridge in a namespace of its own, and one link of this machine that leads there.

No rule of this machine's reaches into the namespace, and no other range of addresses than the link's is seen outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import Conflict
from jupyter_runbook.sandbox.tools import ran

if TYPE_CHECKING:
    from ipaddress import IPv4Network

__all__ = ["BRIDGE", "connect", "connected", "refuse_anothers"]

#: The bridge's name in its namespace.
BRIDGE = "bridge"


def connected(link: str) -> bool:
    """Tell whether this machine has the link."""
    return Path("/sys/class/net", link).exists()


def refuse_anothers(link: str, name: str) -> None:
    """Refuse to take a link that somebody else made.

    Raises
    ------
    Conflict
        There is one of that name.
    """
    if connected(link):
        raise Conflict(
            f"this machine has a link {link} that is not of this sandbox: it stays untouched",
            hint=f"take the other {name} sandbox down, where RUNBOOK_SANDBOX names its folder",
        )


def connect(link: str, network: IPv4Network, namespace: Path) -> None:
    """Make the namespace, its bridge, and the link, which has the first address of the range.

    Parameters
    ----------
    link
        The link's name.
    network
        The range; what this machine sends there goes through the link.
    namespace
        A file that the namespace is kept by.

    Raises
    ------
    ToolFailed
        It can't be made here; the message is the tool's own.
    """
    namespace.touch()
    ran(["unshare", f"--net={namespace}", "true"])
    ran(["ip", "link", "add", link, "type", "veth", "peer", "name", "uplink", "netns", str(namespace)])
    ran(["ip", "address", "add", f"{next(network.hosts())}/{network.prefixlen}", "dev", link])
    ran(["ip", "link", "set", link, "up"])
    bridge = f"link add {BRIDGE} type bridge\nlink set {BRIDGE} up\nlink set dev uplink master {BRIDGE} up\n"
    ran(["nsenter", f"--net={namespace}", "ip", "-batch", "-"], bridge)
