"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook import __version__
from tests.replay.runs import write

if TYPE_CHECKING:
    from tests.engine import Engine


def jupyter_runbook(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    jupyter = Path(sys.executable).with_name("jupyter")
    known = {**os.environ, **env}
    return subprocess.run([jupyter, "runbook", *args], capture_output=True, text=True, check=False, env=known)


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


# Asks a completion as bash does: the words, and which function completes the first one.
ASK = """
eval "$(jupyter runbook completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
"$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')" "$1"
echo "${COMPREPLY[*]}"
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["jupyter", "ru"], "runbook"),
        (["jupyter", "runbook", "re"], "replay report"),
        (["jupyter-runbook", "replay", "--parameters"], "--parameters-file"),
        (["jupyter", "runbook", "sandbox", "up", "h"], "hosts"),
        (["jupyter", "runbook", "replay", "a.ipynb", "-p", ""], "site replicas"),
        (["jupyter", "runbook", "replay", "a.ipynb", "-p", "r"], "replicas"),
        (["jupyter", "runbook", "replay", "a.ipynb", "-p", "replicas", ""], ""),
        (["jupyter", "runbook", "replay", "no.ipynb", "-p", ""], ""),
    ],
)
def test_bash_completes(tmp_path: Path, words: list[str], offered: str) -> None:
    write(tmp_path / "a.ipynb", ["site = 'a'\nreplicas = 1"], {0: ["parameters"]})
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "--norc", "-c", ASK, "bash", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{offered}\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_for_both_ways_to_type_it(shell: str) -> None:
    done = jupyter_runbook("completion", shell)
    assert done.returncode == 0
    assert "_jupyter_runbook_sub" in done.stdout
    assert f"_JUPYTER_RUNBOOK_COMPLETE={shell}_complete" in done.stdout


def test_doctor_tells_what_is_here_and_what_brings_the_rest(tmp_path: Path) -> None:
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text("clouds: {here: {}, there: {}}\n")
    none = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "KUBECONFIG": str(tmp_path / "none"), "NO_COLOR": "1"}
    done = jupyter_runbook("doctor", OS_CLIENT_CONFIG_FILE=str(clouds), **none)
    assert done.returncode == 0, done.stderr
    assert f"✓ clouds.yaml           {clouds}: here, there\n" in done.stdout
    assert f"· Docker engine         no engine at unix://{tmp_path}/none.sock" in done.stdout
    assert "→ jupyter runbook sandbox up docker, or set DOCKER_HOST (for %%docker)" in done.stdout
    assert "good; not here: " in done.stdout
    clouds.write_text("clouds: [\n")
    found = json.loads(jupyter_runbook("doctor", "--json", OS_CLIENT_CONFIG_FILE=str(clouds), **none).stdout)
    by_name = {one["name"]: one for one in found}
    assert by_name["clouds.yaml"]["status"] == "absent"
    assert "can't be read" in by_name["clouds.yaml"]["found"]
    assert by_name["kubeconfig"] == {
        "name": "kubeconfig",
        "status": "absent",
        "found": f"none at {tmp_path}/none",
        "use": "%%k8s",
        "hint": "set KUBECONFIG, or write ~/.kube/config",
    }


def test_doctor_without_bash_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "jupyter").symlink_to(Path(sys.executable).with_name("jupyter"))
    (tmp_path / "jupyter-runbook").symlink_to(Path(sys.executable).with_name("jupyter-runbook"))
    done = jupyter_runbook("doctor", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "✗ bash" in done.stdout
    assert done.stdout.endswith("missing: bash\n")


def test_doctor_finds_an_engine(docker_engine: Engine) -> None:
    done = jupyter_runbook("doctor", DOCKER_HOST=docker_engine.up())
    assert f" at {docker_engine.up()}\n" in done.stdout.partition("✓ Docker engine         ")[2]
