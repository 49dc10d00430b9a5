"""Scripts with values, as a step runs them: bash itself shows what comes of them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_runbook.spec.script import Script

__all__ = ["run"]

BASH = shutil.which("bash") or "bash"


def run(script: Script, folder: Path, flags: str, *, home: str = "/nowhere") -> subprocess.CompletedProcess[str]:
    """Run a script in a folder, with its values in variables; its output is UTF-8, as far as it is."""
    values = "".join(f"{one.name}={shlex.quote(one.text)}\n" for one in script.variables)
    return subprocess.run(
        [BASH, flags, "pipefail"],
        input=values + script.text,
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=20,
        encoding="utf-8",
        errors="replace",
        env={"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8"},
    )
