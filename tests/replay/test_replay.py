"""``jupyter runbook replay``, ``status`` and ``demo``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from jupyter_runbook.files import lock
from jupyter_runbook.notebook import lock_path
from jupyter_runbook.replay.demo import quickstart
from tests.replay.runs import BIN, LOAD, Place, statuses, write

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_second_demo_says_ok_where_the_first_said_changed(place: Place) -> None:
    found = []
    for _ in range(2):
        done = place.invoke("demo")
        assert done.code == 0, done.err
        match = re.search(r"^work log: (worklogs/00-quickstart-\d{8}T\d{6}Z(-2)?\.ipynb)$", done.out, re.MULTILINE)
        assert match
        status = place.status(match[1])
        assert status["status"] == "done"
        assert set(statuses(status)) == {"done"}
        found.append([step["status"] for step in status["steps"]])
        assert f"\nreport: {match[1].removesuffix('ipynb')}html\n" in done.out
        page = (place.folder / match[1]).with_suffix(".html").read_text()
        assert page.count("<td>%%") == len(status["steps"])
    assert found == [["changed", "changed", "ok", "changed", "ok", "planned"], ["ok"] * 5 + ["planned"]]
    assert (place.folder / "worklogs/quickstart/berlin/site.conf").read_text() == "name=berlin\nport=8080\n"


def test_runbooks_in_git_have_no_outputs() -> None:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        nbformat.validate(notebook)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not [cell.id for cell in code if cell.outputs or cell.execution_count is not None]
        assert not {"papermill", "runbook"} & set(notebook.metadata)
    assert quickstart() == ROOT / "notebooks" / "00-quickstart.ipynb"


def test_the_quick_start_shows_a_diff_in_its_dry_run(place: Place) -> None:
    done = place.invoke(
        "replay", quickstart(), "out.ipynb", "-p", "folder", str(place.folder / "made"), "-p", "port", "9090"
    )
    assert done.code == 0
    [cell] = [cell for cell in place.load("out.ipynb").cells if cell.id == "other-port"]
    assert "unless grep -qx port={{ port + 1 }} site.conf: ends with 1" in cell.outputs[0].data["text/plain"]
    assert (place.folder / "made/berlin/site.conf").read_text() == "name=berlin\nport=9090\n"


def test_the_kernel_works_in_the_runbooks_folder_and_knows_its_cell_and_run(place: Place) -> None:
    (place.folder / "books").mkdir()
    look = "ask = get_ipython().kernel.get_parent('shell')['metadata']\n"
    look += "import os, json\nprint(json.dumps([os.getcwd(), ask]))"
    write(place.folder / "books" / "a.ipynb", [look, LOAD, "%%shell --creates made\ntouch made"], {0: ["mine"]})
    assert place.invoke("replay", "books/a.ipynb", "out.ipynb").code == 0
    notebook = place.load("out.ipynb")
    cwd, asked = json.loads(notebook.cells[0].outputs[0].text)
    run = notebook.metadata.runbook.run
    assert cwd == str(place.folder / "books")
    assert (asked["cellId"], asked["tags"]) == ("c0", ["mine"])
    assert asked["runbook"] == {
        "run": run,
        "timeout": None,
        "check": False,
        "notebook": str(place.folder / "out.ipynb"),
    }
    assert (place.folder / "books" / "made").exists()
    record = notebook.cells[2].outputs[0].data["application/vnd.jupyter-runbook.step.v1+json"]
    assert (record["run"], record["cell_id"]) == (run, "c2")
    *_, end, ended, last = (place.folder / ".runbook" / "journal.jsonl").read_text().splitlines()
    assert json.loads(end)["record"] == record
    assert [json.loads(line)["event"] for line in (ended, last)] == ["cell-end", "run-end"]
    assert not (place.folder / "books" / ".runbook").exists()


def test_parameters_reach_the_runbook_and_its_record(place: Place) -> None:
    write(place.folder / "a.ipynb", ["version = '1.0'\ncount = 1", "print(version, count + 1)"], {0: ["parameters"]})
    done = place.invoke("replay", "a.ipynb", "out.ipynb", "-p", "version", "1.10", "-p", "count", "2")
    assert done.code == 0, done.err
    notebook = place.load("out.ipynb")
    assert [cell.id for cell in notebook.cells] == ["c0", "injected-parameters", "c1"]
    assert notebook.cells[2].outputs[0].text == "1.10 3\n"
    assert notebook.metadata.runbook.parameters == {"version": "1.10", "count": 2}
    assert notebook.metadata.runbook.runbook == "a.ipynb"
    assert notebook.metadata.papermill.input_path == "a.ipynb"


def nothing(place: Place) -> None:
    """Leave only the runbook."""


def evidence(place: Place) -> None:
    (place.folder / "out.ipynb").write_text("evidence")


def no_json(place: Place) -> None:
    (place.folder / "a.ipynb").write_text('{\n "cells": [\n<<<<<<< HEAD\n')


def no_notebook(place: Place) -> None:
    (place.folder / "a.ipynb").write_text("[1]")


def older(place: Place) -> None:
    (place.folder / "a.ipynb").write_text('{"worksheets": [], "metadata": {}, "nbformat": 3}')


def poem(place: Place) -> None:
    cell = {"cell_type": "poem", "source": "", "metadata": {}, "id": "a"}
    text = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    (place.folder / "a.ipynb").write_text(text)


def stray_key(place: Place) -> None:
    cell = {"cell_type": "markdown", "source": "", "metadata": {}, "id": "a"}
    text = json.dumps({"cells": [cell, {**cell, "id": "b", "output": 1}], "metadata": {}, "nbformat": 4})
    (place.folder / "a.ipynb").write_text(text)


def stray_metadata(place: Place) -> None:
    text = json.dumps({"cells": [], "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4})
    (place.folder / "a.ipynb").write_text(text)


def twins(place: Place) -> None:
    cell = {"cell_type": "markdown", "source": "", "metadata": {}, "id": "a"}
    text = json.dumps({"cells": [cell, cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    (place.folder / "a.ipynb").write_text(text)


def other_kernel(place: Place) -> None:
    path = place.folder / "a.ipynb"
    path.write_text(path.read_text().replace('"name": "python3"', '"name": "cobol"'))


def folder(place: Place) -> None:
    (place.folder / "out.ipynb").mkdir()


@pytest.mark.parametrize(
    ("words", "before", "said"),
    [
        ("none.ipynb", nothing, "error: none.ipynb: there is no such file"),
        (".", nothing, "error: .: it can't be read: Is a directory"),
        ("a.ipynb", no_json, "error: a.ipynb, line 3: this is no notebook"),
        ("a.ipynb", no_notebook, "error: a.ipynb: this is JSON, but no notebook of nbformat 4"),
        ("a.ipynb", older, "error: a.ipynb: this is JSON, but no notebook of nbformat 4"),
        (
            "a.ipynb out.ipynb",
            poem,
            "error: a.ipynb, cell 1: this is no valid notebook: there is no type",
        ),
        ("a.ipynb out.ipynb", stray_key, "error: a.ipynb, cell 2: this is no valid notebook: data must not contain"),
        ("a.ipynb out.ipynb", stray_metadata, "error: a.ipynb: this is no valid notebook: data.metadata.kernelspec"),
        ("a.ipynb out.ipynb", twins, "error: a.ipynb, cell 2: it has the id of cell 1, a"),
        ("a.ipynb out.ipynb", other_kernel, "error: a.ipynb: there is no kernel cobol here"),
        ("a.ipynb out.ipynb", evidence, "error: out.ipynb: this work log is there already"),
        ("a.ipynb out.ipynb --overwrite", folder, "error: out.ipynb: this is a folder"),
        ("a.ipynb no/out.ipynb", nothing, "error: no/out.ipynb: its folder is not there"),
        ("a.ipynb /proc/out.ipynb", nothing, "error: /proc/out.ipynb: the work log can't be written"),
        ("a.ipynb a.ipynb --overwrite", nothing, "error: a.ipynb: the work log would overwrite the runbook itself"),
        ("a.ipynb out.ipynb -p nmae x", nothing, "error: a.ipynb: it has no parameter nmae\n→ did you mean name?"),
        ("a.ipynb out.ipynb -p n x", nothing, "error: a.ipynb: the parameter n takes int, not 'x'"),
        ("a.ipynb out.ipynb -p n 1 -p n 2", nothing, "error: the parameter n is given twice"),
        ("a.ipynb out.ipynb --timeout 0", nothing, "Invalid value for '--timeout'"),
    ],
)
def test_bad_input_is_a_few_lines_and_nothing_is_touched(
    place: Place, words: str, before: Callable[[Place], None], said: str
) -> None:
    write(place.folder / "a.ipynb", ["name = 'x'\nn = 1"], {0: ["parameters"]})
    (place.folder / "ipython").mkdir()
    before(place)
    there = {path: path.is_file() and path.read_bytes() for path in place.folder.rglob("*")}
    done = place.invoke("replay", *words.split())
    assert done.code == 2, done.err
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    if "Usage" not in done.err:
        assert 1 <= len(done.err.splitlines()) <= 3
    assert {path: path.is_file() and path.read_bytes() for path in place.folder.rglob("*")} == there


def test_a_second_replay_to_one_work_log_is_refused(place: Place) -> None:
    write(place.folder / "a.ipynb", ["1"])
    with lock(lock_path(place.folder / "out.ipynb")):
        done = place.invoke("replay", "a.ipynb", "out.ipynb")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: out.ipynb: another replay is writing it\n")
    assert place.invoke("replay", "a.ipynb", "out.ipynb").code == 0
    assert place.invoke("replay", "a.ipynb", "out.ipynb", "--overwrite").code == 0


def test_status_while_the_replay_is_at_work(place: Place) -> None:
    ask = (
        f"import subprocess\ncommand = [{str(BIN / 'jupyter-runbook')!r}, 'status', 'out.ipynb', '--json']\n"
        "done = subprocess.run(command, capture_output=True)\n"
        "print(done.stdout.decode())"
    )
    write(place.folder / "a.ipynb", ["1", ask, "1"])
    assert place.invoke("replay", "a.ipynb", "out.ipynb").code == 0
    status = json.loads(place.load("out.ipynb").cells[1].outputs[0].text)
    assert (status["status"], statuses(status)) == ("running", ["done", "running", "not-run"])


def test_status_for_people(place: Place) -> None:
    write(place.folder / "a.ipynb", [LOAD, "%%shell --name first\nfalse", "%%shell --name last\ntrue", "1"])
    assert place.invoke("replay", "a.ipynb", "out.ipynb").code == 1
    lines = place.invoke("status", "out.ipynb").out.splitlines()
    assert lines[0] == "out.ipynb: failed"
    assert re.fullmatch(r"  run \S+, by \S+ on \S+, \S+ \S+ UTC to \S+ \S+ UTC", lines[1])
    assert re.fullmatch(r"  ✗ failed      +0\.\d s  first  \(%%shell, cell 2\)", lines[2])
    assert lines[3] == "      tool: exit status 1 at line 2: false"
    assert re.fullmatch(r"  · not-run      +last  \(%%shell, cell 3\)", lines[4])
    assert lines[5].split() == ["·", "not-run", "cell", "4"]
    assert lines[6:] == ["  steps: 1 failed, 1 not-run", "  cells: 1 done, 1 failed, 2 not-run"]


def test_the_runbook_itself_has_a_status_too(place: Place) -> None:
    write(place.folder / "a.ipynb", [LOAD, "%%shell --name first\nfalse"])
    status = place.status("a.ipynb")
    assert (status["status"], status["run"], statuses(status)) == ("not-run", None, ["not-run", "not-run"])
    assert [(step["name"], step["status"], step["seconds"]) for step in status["steps"]] == [("first", "not-run", None)]


def test_progress_is_a_line_a_cell_with_the_cause_of_a_failure(place: Place) -> None:
    write(place.folder / "a.ipynb", [LOAD, "%%shell --name first\nfalse"])
    lines = place.invoke("replay", "a.ipynb", "out.ipynb").err.splitlines()
    assert re.fullmatch(r"\[1/2\] ✓ done +0\.\d s  %load_ext jupyter_runbook", lines[0])
    assert re.fullmatch(r"\[2/2\] ✗ failed +0\.\d s  first \(%%shell\)", lines[1])
    assert lines[2:] == ["      tool: exit status 1 at line 2: false"]


@pytest.mark.parametrize("command", ["replay", "status", "report", "demo"])
def test_help_has_an_example(place: Place, command: str) -> None:
    done = place.invoke(command, "--help")
    assert done.code == 0
    assert f"Example: jupyter runbook {command}" in " ".join(done.out.split())


def test_a_fault_of_our_own_is_no_traceback_unless_it_is_asked_for(place: Place) -> None:
    code = "from jupyter_runbook import cli, worklog\nworklog.read = None\ncli.main(['status', 'a.ipynb'])"
    for debug, said in (("", "error: TypeError: 'NoneType' object is not callable\n→ "), ("1", "Traceback")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "JUPYTER_RUNBOOK_DEBUG": debug},
            cwd=place.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert said in done.stderr


def test_help_and_status_import_no_papermill(place: Place) -> None:
    write(place.folder / "a.ipynb", ["1"])
    code = (
        "import sys\nfrom jupyter_runbook.cli import main\n"
        "main(['status', 'a.ipynb'], standalone_mode=False)\n"
        "print([name for name in ('papermill', 'nbclient', 'nbformat', 'zmq') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place.folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_a_replay_makes_no_parsers_of_iris(place: Place) -> None:
    write(place.folder / "a.ipynb", ["1"])
    code = (
        "import sys\nfrom jupyter_runbook.cli import main\n"
        "main(['replay', 'a.ipynb', 'b.ipynb'], standalone_mode=False)\n"
        "from jsonschema import FormatChecker\n"
        "print([name for name in ('rfc3987_syntax', 'lark') if name in sys.modules], 'iri' in FormatChecker.checkers)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place.folder, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[] False", done.stderr
