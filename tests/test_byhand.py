"""A notebook that is run by hand has a status as true as a replay's."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.audit.history import history
from jupyter_runbook.journal import Journal
from jupyter_runbook.worklog import read
from tests.kernel import kernel
from tests.replay.runs import LOAD, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyter_runbook.audit.history import Entry
    from tests.kernel import Kernel, Reply

pytestmark = pytest.mark.slow

CELLS = [
    LOAD,
    "%%shell --name first\ntrue",
    "1 + 1",
    "%%nope\ntrue",
    "1/0",
    "%%shell --name late\nsleep 60",
    "x = 2",
    "1/0",
]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """Return a kernel that a Jupyter server has started for hand.ipynb, which is saved as it was written."""
    write(tmp_path / "hand.ipynb", CELLS, {7: ["raises-exception"]})
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "hand.ipynb"))
    with kernel(tmp_path, tmp_path / "ipython") as found:
        yield found


def run(lab: Kernel, *numbers: int) -> list[Reply]:
    return [lab.run(CELLS[number], {"cellId": f"c{number}"}) for number in numbers]


def statuses(folder: Path) -> dict[str, str]:
    """Return what the status of the notebook tells of cells that ran."""
    log = read(folder / "hand.ipynb")
    return {str(cell.cell_id): cell.status for cell in log.cells if cell.status != "not-run"}


def entry(folder: Path) -> Entry:
    [found] = history([folder / ".runbook" / "journal.jsonl"])
    return found


def test_nothing_is_kept_before_the_first_step(lab: Kernel, tmp_path: Path) -> None:
    run(lab, 0, 2)
    assert not (tmp_path / ".runbook").exists()


def test_what_a_saved_notebook_does_not_tell(lab: Kernel, tmp_path: Path) -> None:
    run(lab, 0, 1, 2, 3, 4, 6, 7)
    assert statuses(tmp_path) == {
        "c1": "done", "c2": "done", "c3": "failed", "c4": "failed", "c6": "done", "c7": "done",
    }  # fmt: skip
    [step] = [step for cell in read(tmp_path / "hand.ipynb").cells if cell.cell_id == "c1" for step in cell.steps]
    assert (step.name, step.status) == ("first", "changed")  # nobody has saved it
    one = entry(tmp_path)
    assert (one.notebook, one.mode, one.status, one.steps) == ("hand.ipynb", "hand", "failed", {"changed": 1})
    lab.run("%%shell --name first\nfalse", {"cellId": "c1"})
    assert "c1" not in statuses(tmp_path)  # what ran is not what is saved
    lab.manager.shutdown_kernel()
    assert entry(tmp_path).status == "failed"
    assert entry(tmp_path).ended


def test_the_stop_button_and_a_killed_kernel(lab: Kernel, tmp_path: Path) -> None:
    run(lab, 0, 1)
    pid = lab.manager.provisioner.pid
    timer = threading.Timer(1.5, os.kill, [pid, signal.SIGINT])
    timer.start()
    [stopped] = run(lab, 5)
    assert stopped.status == "error"
    assert statuses(tmp_path)["c5"] == "interrupted"
    timer.join()
    run(lab, 6)
    content = {"code": CELLS[5], "silent": False, "store_history": True}
    lab.client.shell_channel.send(lab.client.session.msg("execute_request", content, metadata={"cellId": "c5"}))
    ends = time.monotonic() + 30
    while statuses(tmp_path)["c5"] != "running":
        assert time.monotonic() < ends
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    lab.manager.provisioner.process.wait()
    assert statuses(tmp_path)["c5"] == "interrupted"
    assert read(tmp_path / "hand.ipynb").status == "interrupted"
    assert entry(tmp_path).status == "interrupted"


def test_a_journal_that_can_not_be_written_stops_no_plain_cell(lab: Kernel, tmp_path: Path) -> None:
    run(lab, 0, 1)
    (tmp_path / ".runbook" / "journal.jsonl").unlink()
    (tmp_path / ".runbook" / "journal.jsonl").mkdir()
    [plain] = run(lab, 2)
    assert (plain.status, plain.text) == ("ok", "")
    [step] = run(lab, 1)
    assert step.status == "error"


def test_a_console_keeps_its_steps(tmp_path: Path) -> None:
    with kernel(tmp_path, tmp_path / "ipython") as found:
        found.run(LOAD)
        found.run("%%shell --name first\ntrue")
        found.run("1/0")
    events = [one["event"] for one in Journal(tmp_path / ".runbook" / "journal.jsonl").events("run", "cell", "end")]
    assert events == ["run", "end"]
