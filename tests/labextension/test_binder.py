"""What Binder builds: its steps in an empty environment, and the quick start in the JupyterLab that comes of them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from playwright.sync_api import expect

from tests.checkout import ROOT, checkout, empty_environment, pip_install
from tests.labextension.lab import Lab, Tab, run_all

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

BINDER = ROOT / "binder"


def pins() -> dict[str, str]:
    """Return the version that each package is pinned to here."""
    lines = (BINDER / "requirements.txt").read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"==[^,*]+", str(one.specifier)) for one in found)
    return {one.name: str(one.specifier)[2:] for one in found if one.marker is None or one.marker.evaluate()}


def test_what_the_project_needs_is_pinned_to_what_it_takes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    pinned = pins()
    for one in map(Requirement, wanted):
        assert one.specifier.contains(pinned[one.name.lower()], prereleases=True), one
    built = (BINDER / "build.in").read_text("utf-8").splitlines()[1:]
    assert sorted(built) == sorted(project["build-system"]["requires"])


def test_what_is_built_opens_the_quick_start(browser: Browser, network: list[str], tmp_path: Path, shots: Path) -> None:
    repository = checkout(tmp_path / "home")
    environment = empty_environment(tmp_path / "venv")
    env = {**os.environ, "PATH": f"{tmp_path}/venv/bin:{os.environ['PATH']}"}
    # repo2docker (2025.12): requirements.txt by pip, then postBuild, both in the repository's folder.
    pip = pip_install(environment)
    for command in ([*pip, "-r", "binder/requirements.txt"], ["binder/postBuild"]):
        done = subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    (tmp_path / "jupyter").mkdir()
    lab = Lab(tmp_path / "jupyter", network, repository, environment)
    try:
        tab = Tab(browser, lab)
        tab.page.set_viewport_size({"width": 1300, "height": 8000})
        panel = tab.open("notebooks/00-quickstart.ipynb")
        run_all(tab)
        ends = ["● changed", "● changed", "✓ ok", "● changed", "✓ ok", "○ planned"]
        expect(panel.locator(".jp-RunbookStep-status")).to_have_text(ends, timeout=60_000)
        expect(panel.locator(".jp-RunbookForm-site input")).to_have_value("berlin")
        tab.page.screenshot(path=str(shots / "binder.png"))
        assert tab.errors == []
        tab.close()
    finally:
        lab.end()
