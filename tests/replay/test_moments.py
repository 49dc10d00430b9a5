"""A replay that is hit at a random moment: the work log and the journal together tell what happened, and no more.

``RUNBOOK_MOMENTS=200 make test TESTS='tests/replay/test_moments.py'`` tries so many; the suite tries a few.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import nbformat
import psutil
import pytest

from jupyter_runbook.audit.history import history
from jupyter_runbook.worklog import read
from tests.bench import ends
from tests.replay.runs import BIN, LOAD, Place, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

MOMENTS = int(os.environ.get("RUNBOOK_MOMENTS", "18"))
HITS = ["kill", "kill the kernel", "SIGTERM", "SIGINT", "SIGHUP", "stop and continue"]

# Each cell notes in a file, which nobody else writes, that it begins and that it ends.
NOTE = "open('witness', 'a').write('{word} {name}\\n')"
PLAIN = f"{NOTE}\nimport time\nfor i in range(40): print(i, flush=True)\ntime.sleep(0.1)\n{NOTE}"
STEP = "%%shell --name {name} --creates {name}.made\necho begin {name} >>witness; sleep 0.1; touch {name}.made\n"
STEP += "echo end {name} >>witness"


def runbook(folder: Path) -> None:
    cells = ["begin = end = None", LOAD]
    for number in range(2, 8):
        name = f"c{number}"
        plain = PLAIN.replace("{word}", "begin", 1).replace("{word}", "end", 1)
        cells.append((STEP if number % 2 else plain).replace("{name}", name))
    write(folder / "in.ipynb", cells)


def hit(how: str, replay: subprocess.Popen[str]) -> None:
    """Do it to a replay, or to its kernel if that has been started."""
    if how == "kill the kernel":
        for child in psutil.Process(replay.pid).children():
            child.kill()
    elif how == "stop and continue":
        replay.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        replay.send_signal(signal.SIGCONT)
    else:
        replay.send_signal(getattr(signal, "SIGKILL" if how == "kill" else how))


def processes(mark: str) -> list[int]:
    """Return the processes that have a mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MOMENT") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def check_truth(folder: Path, how: str, code: int) -> None:
    """Hold what the work log and the journal say against what the cells have noted."""
    lines = (folder / "witness").read_text().splitlines() if (folder / "witness").exists() else []
    begun = {line.split()[1] for line in lines if line.startswith("begin ")}
    ended = {line.split()[1] for line in lines if line.startswith("end ")}
    if not (folder / "out.ipynb").exists():
        assert not begun
        return
    nbformat.validate(nbformat.read(folder / "out.ipynb", as_version=4))  # type: ignore[no-untyped-call]
    log = read(folder / "out.ipynb")
    assert not log.live
    for cell in log.cells:
        name = str(cell.cell_id)
        assert cell.status != "running"
        if name in begun or name in ended:
            assert cell.status != "not-run", (name, how)
        if cell.status == "done" and name not in ("c0", "c1"):
            assert name in ended, (name, how)
        for step in cell.steps:
            assert step.status not in ("ok", "changed") or name in ended
            assert step.status != "not-run" or name not in begun
    [run] = history([folder / ".runbook" / "journal.jsonl"])
    assert run.status == log.status
    assert {"done": 0, "failed": 1, "interrupted": 130}[log.status] == code or code == -signal.SIGKILL


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_moment(tmp_path: Path, number: int) -> None:
    chance = random.Random(number)  # noqa: S311 -- no secret
    how, moment = HITS[number % len(HITS)], chance.uniform(0.2, 2.6)
    runbook(tmp_path)
    place = Place(tmp_path)
    environment = {**os.environ, "MOMENT": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    words = [str(BIN / "jupyter-runbook"), "replay", "in.ipynb", "out.ipynb"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as replay:
        time.sleep(moment)
        if replay.poll() is None:
            hit(how, replay)
        _, said = replay.communicate(timeout=60)
    where = f"{how} after {moment:.3f} s\n{said}"
    # Python's own start, before it has read a line of ours, has one of its own.
    assert "Traceback" not in said or "/jupyter_runbook/" not in said, where
    for pid in processes(str(tmp_path)):
        assert ends(pid), where
    check_truth(tmp_path, where, replay.returncode)
    # Whoever replays it next has no trouble with what is left, and leaves nothing of it.
    again = place.replay("in.ipynb", "out.ipynb", "--overwrite")
    assert again.code == 0, f"{where}\n{again.err}"
    log = read(tmp_path / "out.ipynb")
    assert [cell.status for cell in log.cells] == ["done"] * 8
    assert {step.status for cell in log.cells for step in cell.steps} <= {"ok", "changed"}
    made = {f"c{number}.made" for number in (3, 5, 7)}
    assert {one.name for one in tmp_path.iterdir()} == {
        ".runbook",
        "in.ipynb",
        "ipython",
        "out.ipynb",
        "witness",
    } | made
    assert {one.name for one in (tmp_path / ".runbook").iterdir()} <= {"journal.jsonl", "logs"}
    assert json.loads((tmp_path / "out.ipynb").read_text())["metadata"]["runbook"]["status"] == "done"
