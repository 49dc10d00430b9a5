"""The command line, as a user types it."""

import subprocess
import sys
from pathlib import Path

from jupyter_runbook import __version__


def jupyter_runbook(*args: str) -> "subprocess.CompletedProcess[str]":
    jupyter = Path(sys.executable).with_name("jupyter")
    return subprocess.run([jupyter, "runbook", *args], capture_output=True, text=True, check=False)


def test_the_command_is_a_subcommand_of_jupyter() -> None:
    done = jupyter_runbook("--version")
    assert (done.returncode, done.stdout) == (0, f"jupyter-runbook, version {__version__}\n")


def test_help_has_an_example() -> None:
    done = jupyter_runbook("--help")
    assert done.returncode == 0
    assert "Example: jupyter runbook" in done.stdout


def test_an_unknown_command_is_bad_input_and_no_traceback() -> None:
    done = jupyter_runbook("no-such-command")
    assert done.returncode == 2
    assert "no-such-command" in done.stderr
    assert "Traceback" not in done.stderr
