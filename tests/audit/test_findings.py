"""What does not fit in a work log: each way to change one, with the journal at hand and without."""

from __future__ import annotations

import itertools
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.audit.findings import (
    ADDED,
    FIRST,
    FIRST_REMOVED,
    FOLLOWS,
    LIST,
    MOVED,
    NEXT_REMOVED,
    NO_RECORD,
    SOURCE,
    _out_of_order,
    findings,
)
from jupyter_runbook.audit.report import report_html
from jupyter_runbook.audit.status import status_json, status_text
from jupyter_runbook.canonical import digest
from jupyter_runbook.notebook import KEY, source_digest
from jupyter_runbook.record import MIME_TYPE
from jupyter_runbook.worklog import read
from tests.kernel import kernel
from tests.replay.runs import LOAD, Place, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CELLS = [
    LOAD,
    "%%shell --name one\necho 1",
    "%%shell --name two\necho 2",
    "x = 1",
    "%%shell --name three\necho 3",
]
EDITED = "the record there does not match its digest; it was edited after the run"
ANOTHER = "the journal has another record of this step; one of the two was edited after the run"
ABSENT = "the record there is not in the journal"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ran")
    write(folder / "a.ipynb", CELLS)
    for name in ("out.ipynb", "other.ipynb"):
        done = Place(folder).command("jupyter", "runbook", "replay", "a.ipynb", name)
        assert done.code == 0, done.err
    return folder


Notebook = dict[str, Any]


def record(notebook: Notebook, cell: int) -> dict[str, Any]:
    for output in notebook["cells"][cell]["outputs"]:
        if MIME_TYPE in output.get("data", {}):
            return output["data"][MIME_TYPE]  # type: ignore[no-any-return]
    raise AssertionError(f"no record in cell {cell}")


def edit(notebook: Notebook, cell: int, *, seal: bool) -> None:
    one = record(notebook, cell)
    one["summary"] = "nothing to see here"
    if seal:
        one["digest"] = digest({key: value for key, value in one.items() if key != "digest"})


def take_out(notebook: Notebook, cell: int) -> None:
    notebook["cells"][cell]["outputs"] = []


def swap(notebook: Notebook) -> None:
    cells = notebook["cells"]
    cells[1]["outputs"], cells[2]["outputs"] = cells[2]["outputs"], cells[1]["outputs"]


def forge(notebook: Notebook) -> None:
    """Have a plain cell show a record of its own."""
    made = json.loads(json.dumps(record(notebook, 1)))
    made["name"] = "all is well"
    made["digest"] = digest({key: value for key, value in made.items() if key != "digest"})
    output = {"output_type": "display_data", "metadata": {}, "data": {MIME_TYPE: made, "text/plain": "ok"}}
    notebook["cells"][3]["outputs"] = [output]


def add(notebook: Notebook) -> None:
    """Add a cell that looks as if it had run."""
    made = {**json.loads(json.dumps(notebook["cells"][3])), "id": "added", "source": "delete_everything()"}
    notebook["cells"].insert(4, made)


def of_another_run(notebook: Notebook, folder: Path) -> None:
    other = json.loads((folder / "other.ipynb").read_text("utf-8"))
    notebook["cells"][4]["outputs"] = other["cells"][4]["outputs"]


#: What is done; what is told of which cell (from 0) without a journal, and what more with it.
CASES: dict[str, tuple[Callable[[Notebook, Path], object], list[tuple[int, str]], list[tuple[int, str]]]] = {
    "nothing": (lambda _notebook, _folder: None, [], []),
    "edited": (lambda one, _: edit(one, 2, seal=False), [(2, EDITED)], []),
    "edited, with its digest": (lambda one, _: edit(one, 2, seal=True), [(4, FOLLOWS)], [(2, ANOTHER)]),
    "the last edited, with its digest": (lambda one, _: edit(one, 4, seal=True), [], [(4, ANOTHER)]),
    "the first taken out": (lambda one, _: take_out(one, 1), [(1, NO_RECORD), (2, FOLLOWS)], []),
    "one between taken out": (lambda one, _: take_out(one, 2), [(2, NO_RECORD), (4, FOLLOWS)], []),
    "the last taken out": (lambda one, _: take_out(one, 4), [(4, NO_RECORD)], []),
    "a step's code": (lambda one, _: one["cells"][2].update(source="%%shell --name two\necho 3"), [(2, SOURCE)], []),
    "a plain cell's code": (lambda one, _: one["cells"][3].update(source="x = 2"), [(3, SOURCE)], []),
    "a plain cell's code, and what ran": (
        lambda one, _: (
            one["cells"][3].update(source="x = 2"),
            one["metadata"][KEY]["cells"][3].__setitem__(1, source_digest("x = 2")),
        ),
        [],
        [(0, LIST)],
    ),
    "a cell added": (lambda one, _: add(one), [(4, ADDED)], []),
    "a cell taken out": (lambda one, _: one["cells"].pop(3), [(2, NEXT_REMOVED)], []),
    "the first cell taken out": (lambda one, _: one["cells"].pop(0), [(0, FIRST_REMOVED)], []),
    "a cell moved": (lambda one, _: one["cells"].insert(0, one["cells"].pop(3)), [(0, MOVED)], []),
    "a step moved": (
        lambda one, _: one["cells"].append(one["cells"].pop(1)),
        [(1, FOLLOWS), (4, FIRST), (4, MOVED)],
        [],
    ),
    "what ran taken out": (lambda one, _: one["metadata"][KEY].pop("cells"), [], []),
    "swapped": (lambda one, _: swap(one), [(1, FOLLOWS), (2, FIRST), (4, FOLLOWS)], []),
    "shown by a plain cell": (
        lambda one, _: forge(one),
        [(3, "it shows a record of %%shell (all is well), and is no step")],
        [],
    ),
    "of another run": (of_another_run, [(4, "the record there is of another run, ")], []),
}


@pytest.mark.parametrize("journal", [True, False], ids=["with the journal", "without it"])
@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_named(ran: Path, tmp_path: Path, case: str, *, journal: bool) -> None:
    shutil.copytree(ran, tmp_path / "copy")
    folder = tmp_path / "copy"
    notebook = json.loads((folder / "out.ipynb").read_text("utf-8"))
    change, alone, more = CASES[case]
    change(notebook, folder)
    (folder / "out.ipynb").write_text(json.dumps(notebook), "utf-8")
    if not journal:
        shutil.rmtree(folder / ".runbook")
    log = read(folder / "out.ipynb")
    expected = sorted([*alone, *(more if journal else [])])
    found = sorted((one.cell.index, one.text) for one in findings(log))
    assert [cell for cell, _ in found] == [cell for cell, _ in expected], found
    for (_, text), (_, start) in zip(found, expected, strict=True):
        assert text.startswith(start)
        assert text in status_text(log)
        assert text.replace("%%", "%%") in report_html(log)
        assert text in [one["message"] for one in status_json(log)["findings"]]
    assert "all is well" not in [step["name"] for step in status_json(log)["steps"]]


@given(st.permutations(range(7)))
def test_what_was_moved_is_the_fewest(places: list[int]) -> None:
    moved = _out_of_order(places)
    left = [one for one in places if one not in moved]
    assert left == sorted(left)
    rows = (row for size in range(len(left) + 1, 8) for row in itertools.combinations(places, size))
    assert not any(list(row) == sorted(row) for row in rows), "no longer one is in order"


def test_a_notebook_that_is_run_by_hand_names_a_step_that_was_edited(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", [LOAD, "%%shell --name one\necho 1"])
    with kernel(tmp_path, tmp_path / "ipython") as lab:
        lab.run(f"__session__ = {str(path)!r}")
        lab.run(LOAD, {"cellId": "c0"})
        reply = lab.run("%%shell --name one\necho 1", {"cellId": "c1"})
    notebook = json.loads(path.read_text("utf-8"))
    output = {"output_type": "display_data", "metadata": {}, "data": {MIME_TYPE: reply.record, "text/plain": "x"}}
    notebook["cells"][1] |= {"outputs": [output], "execution_count": 2}
    path.write_text(json.dumps(notebook), "utf-8")
    assert findings(read(path)) == []
    notebook["cells"][1]["source"] += " 2"
    path.write_text(json.dumps(notebook), "utf-8")
    assert [(one.cell.index, one.text) for one in findings(read(path))] == [(1, SOURCE)]


def test_a_step_that_code_has_run_is_one_where_the_journal_has_it(tmp_path: Path) -> None:
    write(tmp_path / "a.ipynb", [LOAD, "get_ipython().run_cell_magic('shell', '--name coded', 'echo 1')"])
    assert Place(tmp_path).command("jupyter", "runbook", "replay", "a.ipynb", "out.ipynb").code == 0
    log = read(tmp_path / "out.ipynb")
    assert [step["name"] for step in status_json(log)["steps"]] == ["coded"]
    assert findings(log) == []
    shutil.rmtree(tmp_path / ".runbook")
    assert [one.text for one in findings(read(tmp_path / "out.ipynb"))] == [
        "it shows a record of %%shell (coded), and is no step"
    ]
