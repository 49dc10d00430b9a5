"""Debian's packages, unpacked for a sandbox alone: nothing of the system is installed or changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.sandbox.base import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["environment", "unpacked"]

# Changes when what is unpacked is made in another way.
RECIPE = "1"


def unpacked(name: str, packages: Sequence[str], tell: Callable[[str], object]) -> Path:
    """Return the folder of some packages and all that they need and the system does not have, unpacked.

    It is made once, and kept below `cache_folder` by a digest of what it is made from.

    Parameters
    ----------
    name
        How its folder's name begins.
    packages
        Names of Debian's packages.
    tell
        Called with a line of progress.

    Raises
    ------
    ToolFailed
        This is no Debian, or a package could not be fetched; the message is apt's own.
    """
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise ToolFailed(
            f"the {name} sandbox is made of Debian's packages, by root", hint="use it on Debian as root, in a container"
        )
    version = _read("/etc/debian_version")
    key = hashlib.sha256("\n".join([RECIPE, version, os.uname().machine, *packages]).encode()).hexdigest()[:16]
    folder = cache_folder() / f"{name}-{key}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as scratch:
        tell(f"fetching {', '.join(packages)} (once)")
        archives = Path(scratch, "archives")
        (archives / "partial").mkdir(parents=True)
        if _fetch(packages, archives).returncode != 0:
            _apt("update", "-q")
            done = _fetch(packages, archives)
            if done.returncode != 0:
                lines = [line for line in done.stderr.splitlines() if line.startswith("E:")] or ["apt-get failed"]
                raise ToolFailed(f"the packages for the {name} sandbox can't be fetched: {lines[0][2:].strip()}")
        root = Path(scratch, "root")
        root.mkdir(mode=0o755)
        for archive in sorted(archives.glob("*.deb")):
            subprocess.run([_program("dpkg"), "-x", str(archive), str(root)], check=True, capture_output=True)
        try:
            root.rename(folder)
        except OSError:
            if not folder.is_dir():  # somebody else was quicker
                raise
    return folder


def environment(root: Path, links: Path) -> dict[str, str]:
    """Return the environment in which unpacked programs find themselves, each other and their libraries.

    Parameters
    ----------
    root
        What `unpacked` returned.
    links
        A folder of links to programs that are called by other names; it comes first.
    """
    libraries = [str(path) for path in (root / "usr/lib").glob("*-linux-gnu*")]
    programs = [str(links), *(str(root / name) for name in ("usr/sbin", "usr/bin", "sbin", "bin"))]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "CONTAINERD_"))}
    # Root's own path may lack sbin, where iptables and ip are.
    env["PATH"] = os.pathsep.join([*programs, env.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    env["LD_LIBRARY_PATH"] = os.pathsep.join([*libraries, *filter(None, [env.get("LD_LIBRARY_PATH")])])
    if libraries:
        env["XTABLES_LIBDIR"] = os.pathsep.join(f"{path}/xtables" for path in libraries)
    return env


def _fetch(packages: Sequence[str], archives: Path) -> subprocess.CompletedProcess[str]:
    return _apt(
        "install",
        "-y",
        "--no-install-recommends",
        "--download-only",
        "-o",
        f"Dir::Cache::archives={archives}",
        # It is written into by apt's own user where that can be, and else by root: no warning is wanted of it.
        "-o",
        "APT::Sandbox::User=root",
        *packages,
    )


def _apt(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return subprocess.run(
        [_program("apt-get"), "-o", "Acquire::Retries=5", *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _program(name: str) -> str:
    return shutil.which(name) or name


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
