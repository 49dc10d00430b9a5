"""Volumes as block devices: a loop device of this machine for a volume's file, and a node of it in a server."""

from __future__ import annotations

import os
import stat
import subprocess
from contextlib import suppress
from pathlib import Path

# Of a disk's node: who may read and write it; Debian's group of that name.
MODE, DISK = 0o660, 6
# The bytes of a volume's ID that a virtual disk has as its serial number.
SERIAL = 20


def attach(file: str) -> int:
    """Return the minor number of the loop device of a file; it is made where there is none."""
    device = devices().get(file) or _losetup("--find", "--show", file).strip()
    return os.minor(Path(device).stat().st_rdev)


def release(file: str) -> None:
    """Give a file's loop device back; nothing where it has none."""
    if device := devices().get(file):
        with suppress(subprocess.CalledProcessError):
            _losetup("--detach", device)


def grow(file: str) -> None:
    """Tell a file's loop device that the file has grown."""
    if device := devices().get(file):
        _losetup("--set-capacity", device)


def devices() -> dict[str, str]:
    """Return the loop devices by the files that they are of."""
    shown = _losetup("--list", "--noheadings", "--output", "NAME,BACK-FILE")
    pairs = [line.split(None, 1) for line in shown.splitlines()]
    return {pair[1].strip(): pair[0] for pair in pairs if len(pair) > 1}


def show(process: int, device: str, minor: int, volume: str) -> None:
    """Make a disk's node in a server, and the link that has the volume's ID, as a virtual machine's kernel does.

    Parameters
    ----------
    process
        The server's first process.
    device
        The node's path in the server.
    minor
        The loop device's minor number.
    volume
        The volume's ID.
    """
    root = Path(f"/proc/{process}/root")
    node = root / device.lstrip("/")
    node.unlink(missing_ok=True)
    os.mknod(node, MODE | stat.S_IFBLK, os.makedev(7, minor))
    node.chmod(MODE)
    os.chown(node, 0, DISK)
    link = root / f"dev/disk/by-id/virtio-{volume[:SERIAL]}"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(f"../../{node.name}")


def hide(process: int, device: str, volume: str) -> None:
    """Take a disk's node away; see `show`."""
    root = Path(f"/proc/{process}/root")
    with suppress(OSError):
        (root / device.lstrip("/")).unlink(missing_ok=True)
        (root / f"dev/disk/by-id/virtio-{volume[:SERIAL]}").unlink(missing_ok=True)


def _losetup(*words: str) -> str:
    return subprocess.run(["/sbin/losetup", *words], capture_output=True, text=True, check=True).stdout
