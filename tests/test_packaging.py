"""What ``pip install .`` brings into an empty environment, on a machine without node."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook import __version__
from tests.checkout import ROOT, UV, checkout, empty_environment, pip_install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout."""
    return checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def environment(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a virtual environment into which nothing but the project was installed, by a shell that has no node."""
    folder = tmp_path_factory.mktemp("environment")
    traps = folder / "traps"
    traps.mkdir()
    for name in ("node", "npm", "npx"):
        (traps / name).write_text("#!/bin/sh\necho 'the system has a node' >&2; exit 97\n")
        (traps / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{traps}:{os.environ['PATH']}"}
    venv = empty_environment(folder / "venv")
    pip = pip_install(venv)
    done = subprocess.run([*pip, str(source)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    yield venv
    shutil.rmtree(folder)


def run(environment: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    env |= {"HOME": str(environment), "IPYTHONDIR": str(environment / "ipython")}
    done = subprocess.run(
        [environment / "bin" / words[0], *words[1:]], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_labextension_is_there_and_enabled(environment: Path) -> None:
    listed = re.sub(r"\x1b\[[0-9;]*m", "", run(environment, "jupyter", "labextension", "list"))
    assert re.search(r"^ +jupyter-runbook v\S+ enabled +OK \(python, jupyter-runbook\)$", listed, re.MULTILINE)


def test_the_command_and_the_magics_are_there(environment: Path) -> None:
    assert __version__ in run(environment, "jupyter", "runbook", "--version")
    told = run(
        environment,
        "ipython",
        "-c",
        "%load_ext jupyter_runbook\nprint(sorted(get_ipython().magics_manager.magics['cell']))",
    )
    for name in ("ansible", "docker", "probe", "shell"):
        assert f"'{name}'" in told


def test_the_built_extension_is_installed_once(environment: Path) -> None:
    [package] = environment.glob("lib/python*/site-packages/jupyter_runbook")
    assert not (package / "labextension").exists()
    assert (environment / "share/jupyter/labextensions/jupyter-runbook/install.json").is_file()


def test_a_wheel_of_an_sdist_is_not_built_again(source: Path, environment: Path, tmp_path: Path) -> None:
    # `environment` has built the extension in the checkout.
    assert environment.is_dir()
    if UV is None:
        pytest.skip("uv builds it; `make test` has it")
    env = {**os.environ, "npm_config_registry": "http://127.0.0.1:9/"}
    done = subprocess.run([UV, "build", "-o", tmp_path, source], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(
        re.search(r"data/share/jupyter/labextensions/jupyter-runbook/static/remoteEntry", name) for name in names
    )
    assert not any(name.startswith(("labextension", "jupyter_runbook/labextension")) for name in names)


def test_both_packages_have_one_version() -> None:
    said = json.loads((ROOT / "labextension/package.json").read_text("utf-8"))["version"]
    assert said == re.sub(r"\.dev(\d+)$", r"-dev.\1", __version__)
    locked = json.loads((ROOT / "labextension/package-lock.json").read_text("utf-8"))
    assert locked["version"] == locked["packages"][""]["version"] == said


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (ROOT / "labextension/package-lock.json").read_text("utf-8")
