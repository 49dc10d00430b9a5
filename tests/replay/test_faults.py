"""The truth after each way to end: the work log on disk, its status, and the exit code."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.audit.history import history
from tests.bench import ends
from tests.replay.runs import LOAD, Place, statuses, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

pytestmark = pytest.mark.slow

# The kernel's parent is the replay: a cell that wants it stopped can do so itself, and no test has to wait.
HERE = "import os, signal, time\nreplay = os.getppid()"
STOP = "os.kill(replay, signal.{})\ntime.sleep(100)"
STEP = "%%shell --name slow\nkill -s {} {{{{ replay }}}}; sleep 100"


@dataclass(frozen=True)
class Case:
    """A runbook, and what has to be true after its replay."""

    name: str
    cells: Sequence[str]
    exit: int
    status: str
    ended: str  # the first letter of each cell's status
    steps: Sequence[str] = ()
    tags: Mapping[int, Sequence[str]] = field(default_factory=dict)
    words: Sequence[str] = ()
    said: str = ""


CAUGHT = "try:\n    get_ipython().run_cell_magic('shell', '', 'false')\nexcept Exception as error:\n    print(error)"

CASES = [
    Case("all is well", ["1", LOAD, "%%shell\ntrue"], 0, "done", "ddd", ["changed"]),
    Case("an error", ["1/0", "1"], 1, "failed", "fn", said="ZeroDivisionError: division by zero"),
    Case("a failed step", [LOAD, "%%shell\nexit 7", "%%shell\ntrue"], 1, "failed", "dfn", ["failed", "not-run"]),
    Case("bad input in a step", [LOAD, "%%shell --nope\ntrue", "1"], 1, "failed", "dfn", ["failed"]),
    Case("nobody approves", [LOAD, "%%shell --confirm\ntrue", "1"], 3, "failed", "dfn", ["failed"]),
    Case("a stale plan", [LOAD, "%%shell --plan 00000000\ntrue", "1"], 3, "failed", "dfn", ["failed"]),
    Case("a skipped step", [LOAD, "%%shell --when False\ntrue", "1"], 0, "done", "dsd", ["skipped"]),
    Case("a skipped cell", ["1", "1/0", "1"], 0, "done", "dsd", tags={1: ["skip-execution"]}),
    Case("an error that may be", ["1/0", "1"], 0, "done", "dd", tags={0: ["raises-exception"]}),
    Case("a shell line", ["!exit 3", "1"], 1, "failed", "fn", said="a shell line in it exited with 3"),
    Case("a shell line that may fail", ["!exit 3", "_exit_code"], 0, "done", "dd", tags={0: ["raises-exception"]}),
    Case("a shell line that is mended", ["!exit 3\n!true", "1"], 0, "done", "dd"),
    Case("no such magic", ["1", "%%nope\ntrue", "1"], 1, "failed", "dfn", said="Cell magic `%%nope` not found"),
    Case("no such line magic", ["%nope", "1"], 1, "failed", "fn", said="Line magic function `%nope` not found"),
    Case("no such magic, which may be", ["%nope", "1"], 0, "done", "dd", tags={0: ["raises-exception"]}),
    Case("not loaded", ["%%shell\ntrue", "1"], 1, "failed", "fn", ["failed"],
         said="Cell magic `%%shell` not found; a cell above it needs %load_ext jupyter_runbook"),
    Case("a caught failure", [LOAD, CAUGHT, "1"], 1, "failed", "dfd", ["failed"]),
    Case("a killed kernel", ["1", "import os\nos.kill(os.getpid(), 9)", "1"], 1, "failed", "din",
         said="the kernel died: it was killed (SIGKILL)"),
    Case("a kernel that crashes", ["1", "import os\nos.abort()", "1"], 1, "failed", "din",
         said="the kernel died of SIGABRT"),
    Case("a kernel that leaves", ["1", "import os\nos._exit(0)", "1"], 1, "failed", "din",
         said="the kernel died: its process exited with 0"),
    Case("a kernel killed in a step", [LOAD, "import os\nkernel = os.getpid()",
         "%%shell --name deadly\nkill -9 {{ kernel }}; sleep 1", "%%shell\ntrue"], 1, "failed", "ddin",
         ["interrupted", "not-run"]),
    Case("a cell's time limit", ["import time\ntime.sleep(100)", "1"], 1, "failed", "fn", words=["--timeout", "0.5"],
         said="it took longer than 0.5 s"),
    Case("a step's time limit", [LOAD, "%%shell\nsleep 100", "1"], 1, "failed", "dfn", ["failed"],
         words=["--timeout", "0.5"], said="timeout: it took longer than 0.5 s"),
    Case("Ctrl-C", [HERE, STOP.format("SIGINT"), "1"], 130, "interrupted", "din", said="stopped by SIGINT"),
    Case("SIGTERM", [HERE, STOP.format("SIGTERM"), "1"], 130, "interrupted", "din", said="stopped by SIGTERM"),
    Case("the terminal goes away", [HERE, STOP.format("SIGHUP"), "1"], 130, "interrupted", "din"),
    Case("Ctrl-C in a step", [HERE, LOAD, STEP.format("INT"), "%%shell\ntrue"], 130, "interrupted", "ddin",
         ["interrupted", "not-run"]),
    Case("the replay killed in a step", [HERE, LOAD, STEP.format("KILL"), "1"], -9, "interrupted", "ddin",
         ["interrupted"]),
    Case("the replay killed", [HERE, STOP.format("SIGKILL"), "1"], -9, "interrupted", "din"),
]  # fmt: skip

LETTERS = {"d": "done", "f": "failed", "i": "interrupted", "s": "skipped", "n": "not-run"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_work_log_says_what_happened(place: Place, case: Case) -> None:
    write(place.folder / "in.ipynb", case.cells, case.tags)
    # Those that signal the replay itself need one that is a process of its own.
    replay = place.replay if HERE in case.cells else partial(place.invoke, "replay")
    done = replay("in.ipynb", "out.ipynb", *case.words)
    assert done.code == case.exit, done.err
    assert "Traceback" not in done.err
    assert case.said in done.err
    status = place.status("out.ipynb")
    assert status["status"] == case.status
    assert statuses(status) == [LETTERS[letter] for letter in case.ended]
    assert [step["status"] for step in status["steps"]] == list(case.steps)
    notebook = place.load("out.ipynb")
    assert [cell.source for cell in notebook.cells] == list(case.cells)
    if case.exit != -9:
        assert "◌ running" not in json.dumps(notebook, ensure_ascii=False)
        theirs = {"done": "completed"}
        said = [cell.metadata.papermill.status for cell in notebook.cells]
        assert said == [theirs.get(one, one) for one in statuses(status)]
        assert notebook.metadata.runbook.status == case.status
    journal = place.folder / ".runbook" / "journal.jsonl"
    assert not [one for one in (place.folder / ".runbook").iterdir() if one.suffix == ".lock"] or case.exit == -9
    [run] = history([journal])
    assert (run.status, run.notebook, run.mode) == (case.status, "out.ipynb", "replay")
    assert (run.run, run.runbook) == (status["run"], "in.ipynb")


@pytest.mark.parametrize(
    ("name", "code"), [("a failed step", 1), ("a killed kernel", 138), ("a shell line", 1), ("Ctrl-C in a step", 1)]
)
def test_papermill_with_our_engine_says_the_same(place: Place, name: str, code: int) -> None:
    case = next(one for one in CASES if one.name == name)
    write(place.folder / "in.ipynb", case.cells, case.tags)
    done = place.command("papermill", "--engine", "runbook", "--no-progress-bar", "in.ipynb", "out.ipynb")
    assert done.code == code  # papermill's own: 138 for a kernel that died
    assert statuses(place.status("out.ipynb")) == [LETTERS[letter] for letter in case.ended]
    place.load("out.ipynb")


def test_a_step_that_is_stopped_still_writes_its_record(place: Place) -> None:
    write(place.folder / "in.ipynb", [HERE, LOAD, STEP.format("TERM")])
    assert place.replay("in.ipynb", "out.ipynb").code == 130
    [step] = place.status("out.ipynb")["steps"]
    assert (step["name"], step["status"]) == ("slow", "interrupted")
    assert step["seconds"] is not None


def test_a_stop_that_the_cell_does_not_heed_can_be_pressed_again(place: Place) -> None:
    deaf = "for _ in range(2):\n    try:\n        os.kill(replay, signal.SIGINT)\n        time.sleep(100)\n"
    deaf += "    except KeyboardInterrupt:\n        pass\ntime.sleep(100)"
    write(place.folder / "in.ipynb", [HERE, deaf, "1"])
    assert place.replay("in.ipynb", "out.ipynb").code == 130
    assert statuses(place.status("out.ipynb")) == ["done", "interrupted", "not-run"]


def test_a_work_log_whose_folder_is_gone_is_kept_elsewhere(place: Place) -> None:
    """Something ran: that is no bad input, and what it did is not lost."""
    (place.folder / "out").mkdir()
    (place.folder / "tmp").mkdir()
    place = Place(place.folder, {"TMPDIR": str(place.folder / "tmp")})
    gone = f"import shutil, time\nshutil.rmtree({str(place.folder / 'out')!r})\ntime.sleep(1)"
    write(place.folder / "in.ipynb", [LOAD, "%%shell --name first\ntrue", gone, "1"])
    done = place.replay("in.ipynb", "out/out.ipynb")
    assert done.code == 1
    assert (
        "out/out.ipynb: the work log could not be written any more: No such file or directory; all of it is in"
        in done.err
    )
    [kept] = (place.folder / "tmp").glob("out-*.ipynb")
    assert kept.stat().st_mode & 0o077 == 0
    assert statuses(place.status(kept)) == ["done", "done", "done", "not-run"]


def test_what_a_full_disk_leaves_is_whole_and_true(place: Place) -> None:
    write(
        place.folder / "in.ipynb",
        ["1", "import os\nprint(os.urandom(100_000).hex())\nimport time\ntime.sleep(0.5)", "1"],
    )
    done = place.replay("in.ipynb", "out.ipynb", limit=64)
    assert done.code == 1
    assert "out.ipynb: the work log could not be written any more: File too large" in done.err
    status = place.status("out.ipynb")
    assert (status["status"], statuses(status)) == ("interrupted", ["done", "done", "not-run"])
    assert sorted(one.name for one in place.folder.iterdir()) == [".runbook", "in.ipynb", "ipython", "out.ipynb"]


@pytest.mark.parametrize("victim", ["replay", "os.getpid()"], ids=["the replay", "the kernel"])
def test_nothing_outlives_what_was_killed(place: Place, victim: str) -> None:
    note = f"{HERE}\nvictim = {victim}\nopen('pids', 'w').write(f'{{os.getpid()}}\\n')"
    step = "%%shell --name slow\nsleep 300 & echo $$ $! >> pids; kill -9 {{ victim }}; sleep 300"
    write(place.folder / "in.ipynb", [note, LOAD, step])
    assert place.replay("in.ipynb", "out.ipynb").code == (-9 if victim == "replay" else 1)
    pids = (place.folder / "pids").read_text().split()
    assert len(pids) == 3
    for pid in pids:
        assert ends(int(pid))


@pytest.fixture
def short() -> Iterator[Path]:
    """Return a folder whose path is short: a socket's has room for 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder)


def test_a_folder_for_temporary_files_may_have_a_long_path(place: Place) -> None:
    long = place.folder / ("d" * 100)
    long.mkdir()
    write(place.folder / "in.ipynb", [LOAD, "%%shell\necho here"])
    done = Place(place.folder, {"TMPDIR": str(long)}).replay("in.ipynb", "out.ipynb")
    assert done.code == 0, done.err
    assert not list(long.glob("runbook-*"))


def test_sockets_are_in_a_private_folder_and_gone_afterwards(place: Place, short: Path) -> None:
    private = Place(place.folder, {"TMPDIR": str(short)})
    look = (
        "import os, json, psutil, multiprocessing\n"
        "[folder] = [one for one in os.listdir(os.environ['TMPDIR']) if one.startswith('runbook-') and one != left]\n"
        "mode = os.stat(os.path.join(os.environ['TMPDIR'], folder)).st_mode & 0o777\n"
        "inside = [one.laddr for one in psutil.Process().net_connections('unix') if folder in one.laddr]\n"
        "listening = [one for one in psutil.net_connections() if one.status == 'LISTEN' and one.pid]\n"
        "ours = {one.pid for one in psutil.Process(os.getppid()).children(recursive=True)} | {os.getppid()}\n"
        "print(json.dumps([mode, len(set(inside)), [one.laddr for one in listening if one.pid in ours]]))"
    )
    forked = (
        "child = multiprocessing.get_context('fork').Process(target=print, args=('from the child',))\n"
        "child.start()\nchild.join()\nprint(child.exitcode)"
    )
    write(place.folder / "killed.ipynb", [HERE, STOP.format("SIGKILL")])
    assert private.replay("killed.ipynb", "killed.out.ipynb").code == -9
    [left] = short.iterdir()
    write(place.folder / "in.ipynb", [f"left = {left.name!r}", look, forked])
    for command in ("jupyter-runbook replay --overwrite", "papermill --engine runbook --no-progress-bar"):
        assert private.command(*command.split(), "in.ipynb", "out.ipynb").code == 0
        cells = place.load("out.ipynb").cells
        assert json.loads(cells[1].outputs[0].text) == [0o700, 6, []]
        assert sorted("".join(one.text for one in cells[2].outputs).splitlines()) == ["0", "from the child"]
    assert list(short.iterdir()) == []


def test_the_next_run_tells_of_the_step_that_was_killed(place: Place) -> None:
    write(place.folder / "in.ipynb", [HERE, LOAD, STEP.format("KILL")])
    assert place.replay("in.ipynb", "out.ipynb").code == -9
    write(place.folder / "again.ipynb", [LOAD, "%%shell\ntrue"])
    assert place.invoke("replay", "again.ipynb", "out2.ipynb").code == 0
    shown = str([cell.outputs for cell in place.load("out2.ipynb").cells])
    assert "the step slow (%%shell), begun" in shown
