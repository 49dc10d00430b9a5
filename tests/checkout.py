"""A checkout of the project, as a clone has it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "UV", "checkout", "empty_environment", "pip_install"]

#: The project's folder.
ROOT = Path(__file__).parent.parent
#: It does what pip and venv do, and keeps what it has fetched; None where it is not there.
UV = path if (path := Path(sys.prefix, "bin/uv")).exists() else None


def checkout(folder: Path) -> Path:
    """Put what git has or would take into a folder, with nothing built in it, and return the folder."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def empty_environment(folder: Path) -> Path:
    """Make a virtual environment that has pip alone, and return its folder."""
    command = [UV, "venv", "--quiet", "--seed", "--python", sys.executable] if UV else [sys.executable, "-m", "venv"]
    subprocess.run([*command, folder], check=True)
    return folder


def pip_install(environment: Path) -> list[str]:
    """Return the command that installs into an environment; what to install follows."""
    python = f"{environment}/bin/python"
    return [str(UV), "pip", "install", "--python", python] if UV else [python, "-m", "pip", "install"]
