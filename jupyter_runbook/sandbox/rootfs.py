"""A Debian of its own, as a folder: the root file system of the sandbox's hosts and servers, made once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.sandbox.base import cache_folder
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.secret.excerpt import last_line

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HOST", "SERVER", "debian_root"]

# Changes when it is made in another way.
RECIPE = "1"
#: What a host is: SSH, what Ansible's modules need (Python, with apt), and a first process that takes orphans away.
HOST = ("iproute2", "openssh-server", "procps", "python3", "python3-apt", "tini")
#: What a server of a cloud is: the same, for people who work on it, and an engine of its own.
SERVER = (
    "ca-certificates",
    "cloud-init",
    "docker.io",
    "e2fsprogs",
    "iproute2",
    "iptables",
    "iputils-ping",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "python3-cffi-backend",  # of cloud-init: debootstrap does not follow the virtual package that asks for it
    "sudo",
)
# Not for a host's use: documentation, and what each host has of its own.
WASTE = ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "usr/share/doc/*", "etc/ssh/ssh_host_*")


def debian_root(tell: Callable[[str], object], name: str = "host", included: tuple[str, ...] = HOST) -> Path:
    """Return the folder of a small Debian with some packages; it is made once, and kept in the cache.

    It is of the release and from the archive that this machine's own packages are from.

    Parameters
    ----------
    tell
        Called with a line of progress.
    name
        What it is for: how its folder's name begins.
    included
        The packages; `HOST` or `SERVER`.

    Raises
    ------
    ToolFailed
        This is no Debian, or it can't be fetched; the message is debootstrap's own.
    """
    tools = unpacked("debootstrap", ("debootstrap",), tell)
    archive, release, trusted = _source()
    key = hashlib.sha256("\n".join([RECIPE, release, str(tools), *included]).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{name}-{key}"
    if folder.is_dir():
        return folder
    tell(f"making a Debian ({release}) for the {name}s, about a minute (once)")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as scratch:
        root = Path(scratch, "root")
        env = environment(tools, tools)
        env["DEBOOTSTRAP_DIR"] = str(tools / "usr/share/debootstrap")
        # In namespaces of its own: what it mounts is gone when it ends, however it ends.
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command += [str(tools / "usr/sbin/debootstrap"), "--variant=minbase", f"--include={','.join(included)}"]
        if trusted:  # as this machine's own configuration says of its archive
            command.append("--no-check-gpg")
        done = subprocess.run(
            [*command, release, str(root), archive],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = last_line(done.stderr.strip() or done.stdout)
            raise ToolFailed(f"debootstrap failed: {said}", hint="see whether apt-get works here")
        for pattern in WASTE:
            for path in root.glob(pattern):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        try:
            root.rename(folder)
        except OSError:
            if not folder.is_dir():  # somebody else was quicker
                raise
    return folder


@cache  # apt takes a second to read its lists
def _source() -> tuple[str, str, bool]:
    """Return the archive, the release, and whether it is taken without a signature, as apt is configured here."""
    form = "$(REPO_URI) $(CODENAME) $(TRUSTED) $(SUITE)"
    done = subprocess.run(
        [shutil.which("apt-get") or "apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        archive, release, trusted = line.split()[:3]
        # Those of updates are named after it: bookworm-security.
        if "-" not in release:
            return archive, release, trusted == "yes"
    raise ToolFailed(
        "apt names no archive to make a Debian from", hint="apt-get update, and look at /etc/apt/sources.list"
    )
