"""Peers that are installed beside the sandboxes' caches, once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import command
from jupyter_runbook.canonical import digest
from jupyter_runbook.sandbox.base import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["play"]

BIN = Path(sys.executable).parent
# Its modules of OpenStack ask for a part of openstacksdk that later ones no longer have.
ANSIBLE = ("ansible==12.3.0", "docker>=7", "requests", "openstacksdk==4.4.0")


def play(text: str, folder: Path, env: Mapping[str, str]) -> Callable[[], float]:
    """Return what runs a play on this machine by ``ansible-playbook``, and tells how long it took."""
    home = cache_folder() / f"bench-ansible-{digest(list(ANSIBLE))[:16]}"
    if not (home / "bin/ansible-playbook").exists():
        sys.stderr.write("installing Ansible (once)\n")
        subprocess.run([BIN / "uv", "venv", "--quiet", home], check=True)
        subprocess.run([BIN / "uv", "pip", "install", "--quiet", "--python", home / "bin/python", *ANSIBLE], check=True)
    (folder / "play.yml").write_text(text)
    more = {**env, "ANSIBLE_PYTHON_INTERPRETER": str(home / "bin/python"), "ANSIBLE_LOCALHOST_WARNING": "0"}
    return command([str(home / "bin/ansible-playbook"), "-i", "localhost,", "play.yml"], folder, more)
