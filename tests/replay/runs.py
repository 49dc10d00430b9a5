"""Runbooks for the tests, and replays of them as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from click.testing import CliRunner

from jupyter_runbook.audit.status import status_json
from jupyter_runbook.cli import main
from jupyter_runbook.worklog import read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BIN = Path(sys.executable).parent
TIMEOUT = 120  # seconds: what only a broken test waits out

LOAD = "%load_ext jupyter_runbook"


def write(path: Path, cells: Sequence[str], tags: Mapping[int, Sequence[str]] | None = None) -> Path:
    """Write a runbook of code cells; their ids are ``c0``, ``c1`` and so on."""
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for index, source in enumerate(cells):
        cell = nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]
        cell["id"] = f"c{index}"
        if tags and index in tags:
            cell.metadata["tags"] = list(tags[index])
        notebook.cells.append(cell)
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return path


@dataclass(frozen=True)
class Run:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """A folder to run commands in, with an IPython profile of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *words: str | Path, limit: int | None = None) -> Run:
        """Run a command of this environment.

        Parameters
        ----------
        words
            The command's name and its arguments.
        limit
            The size in KiB that no file can outgrow: a full disk, as a process sees it.
        """
        typed = [str(BIN / words[0]), *map(str, words[1:])]
        if limit is not None:
            typed = ["bash", "-c", f'ulimit -f {limit}; exec "$@"', "bash", *typed]
        done = subprocess.run(
            typed,
            cwd=self.folder,
            # With pytest's own mark, an ipykernel does not hear what programs print.
            env={**_environment(), "IPYTHONDIR": str(self.folder / "ipython"), **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def invoke(self, *words: str | Path) -> Run:
        """Run ``jupyter-runbook`` in this process: where a test is not about the process, that saves its start."""
        runner = CliRunner(env={"IPYTHONDIR": str(self.folder / "ipython"), **self.environment})
        with chdir(self.folder):
            done = runner.invoke(main, [*map(str, words)])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Run(done.exit_code, done.stdout, done.stderr)

    def replay(self, *words: str | Path, limit: int | None = None) -> Run:
        """Run ``jupyter-runbook replay`` as a process: what signals it, or limits it, or asks what it opens."""
        return self.command("jupyter-runbook", "replay", *words, limit=limit)

    def status(self, worklog: Path | str) -> dict[str, Any]:
        """Return what ``jupyter-runbook status --json`` prints."""
        found: dict[str, Any] = json.loads(json.dumps(status_json(read(self.folder / worklog))))
        return found

    def load(self, worklog: Path | str) -> Any:
        """Read a work log, which has to be a valid notebook."""
        notebook = nbformat.read(self.folder / worklog, as_version=4)  # type: ignore[no-untyped-call]
        nbformat.validate(notebook)
        return notebook


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def statuses(status: Mapping[str, Any]) -> list[str]:
    """Return the cells' statuses."""
    return [cell["status"] for cell in status["cells"]]
