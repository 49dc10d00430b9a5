"""Nobody is there: what waits ends, what failed stops the run, and who reads the progress can't end it."""

from __future__ import annotations

import gc
import json
import os
import pty
import socket
import subprocess
import tempfile
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.audit.history import history
from tests.replay.runs import BIN, LOAD, Place, statuses, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def shell(place: Place, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, ``R`` being a replay of in.ipynb, which leaves its exit status in the file ``code``."""
    script = f"R() {{ {BIN}/jupyter runbook replay in.ipynb out.ipynb; echo $? >code; }}\n{line}"
    words = ["bash", "-c", script]
    return subprocess.run(words, cwd=place.folder, capture_output=True, text=True, check=False, timeout=120)


GONE = {
    "a reader that goes away": "R 2>&1 | head -1",
    "a full standard error": "R 2>/dev/full",
    "a closed standard error": "R 2>&-",
    "a full standard output": "R >/dev/full",
    "a closed standard output": "R >&-",
    "both closed": "R >&- 2>&-",
    "all closed": "R <&- >&- 2>&-",
}


@pytest.mark.parametrize("how", GONE)
def test_who_reads_the_progress_can_not_end_the_run(place: Place, how: str) -> None:
    write(place.folder / "in.ipynb", ["print(1)", "import time; time.sleep(0.5)", "!echo 3", "print(4)"])
    done = shell(place, GONE[how])
    assert (place.folder / "code").read_text() == "0\n", done.stderr
    status = place.status("out.ipynb")
    assert statuses(status) == ["done"] * 4
    assert place.load("out.ipynb").cells[3].outputs[0].text == "4\n"
    lost = place.load("out.ipynb").metadata.runbook.lost
    assert (lost is not None) is (how in ("a reader that goes away", "a full standard error"))
    assert "Traceback" not in done.stderr
    if lost:
        assert lost.startswith("its progress could not be shown any more: ")
        assert lost in place.invoke("status", "out.ipynb").out


# What the first cell does, how the three cells end, and what is said of it.


def test_a_terminal_that_closes_does_not_end_the_run(place: Place) -> None:
    cells = ["import time\ntime.sleep(2)", LOAD, "%%shell --name last\nsleep 0.5; echo whole"]
    write(place.folder / "in.ipynb", cells)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place.folder)
        os.environ["TERM"] = "xterm"
        os.execv(str(BIN / "jupyter-runbook"), ["jupyter-runbook", "replay", "in.ipynb", "out.ipynb"])  # noqa: S606
    shown = b""
    while b"running" not in shown:
        shown += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    status = place.status("out.ipynb")
    assert statuses(status) == ["done"] * 3
    assert [step["status"] for step in status["steps"]] == ["changed"]
    assert place.load("out.ipynb").metadata.runbook.lost in (
        "its terminal was closed while it ran",
        "its progress could not be shown any more: Input/output error",
    )


def test_a_time_zone_changes_nothing(place: Place) -> None:
    ask = "import subprocess\nprint(subprocess.run([{0!r}, 'status', 'out.ipynb'], capture_output=True, text=True, "
    ask = ask.format(str(BIN / "jupyter-runbook")) + "env={**os.environ, 'TZ': 'Asia/Tokyo'}).stdout)"
    write(place.folder / "in.ipynb", ["import os, time", ask, "1"])
    moved = Place(place.folder, {"TZ": "America/New_York"})
    assert moved.replay("in.ipynb", "out.ipynb").code == 0
    said = place.load("out.ipynb").cells[1].outputs[0].text
    assert said.startswith("out.ipynb: running\n")
    [entry] = history([place.folder / ".runbook" / "journal.jsonl"])
    assert (entry.status, entry.started[-1], entry.ended[-1:] if entry.ended else "") == ("done", "Z", "Z")


# Every other way is in tests/replay/test_endings.py.
FAILS = {
    "%run": ("%run fails.py", "failed", "SystemExit: 3"),
    "x = !cmd": ("x = !exit 3", "failed", "a shell line in it exited with 3"),
    "exit()": ("exit()", "failed", "SystemExit"),
    "sys.exit(0)": ("import sys; sys.exit(0)", "failed", "SystemExit"),
    "!cat": ("!cat", "done", ""),
    "a program that reads": ("import subprocess; subprocess.run('cat', check=True)", "done", ""),
}


BOTH = [(name, engine) for name in FAILS for engine in ("replay", "papermill")]


@pytest.mark.parametrize(("name", "engine"), BOTH)
def test_a_cell_that_failed_stops_the_run_and_nothing_waits(place: Place, name: str, engine: str) -> None:
    cell, status, said = FAILS[name]
    (place.folder / "fails.py").write_text("raise SystemExit(3)\n")
    write(place.folder / "in.ipynb", [cell, "open('ran', 'w').close()"])
    if engine == "replay":
        done = place.command("jupyter", "runbook", "replay", "in.ipynb", "out.ipynb", "--timeout", "20")
    else:
        words = ["--engine", "runbook", "--no-progress-bar", "--execution-timeout", "20"]
        done = place.command("papermill", *words, "in.ipynb", "out.ipynb")
    bad = status != "done"
    assert statuses(place.status("out.ipynb")) == ([status, "not-run"] if bad else ["done", "done"]), done.err
    assert (place.folder / "ran").exists() is not bad
    assert done.code == bad, done.err
    assert said in done.err


def test_a_caught_failure_of_a_step_stops_nothing(place: Place) -> None:
    caught = "try:\n    get_ipython().run_cell_magic('shell', '', 'false')\nexcept Exception:\n    pass"
    write(place.folder / "in.ipynb", [LOAD, caught, "1"])
    place.command("jupyter", "runbook", "replay", "in.ipynb", "out.ipynb")
    assert statuses(place.status("out.ipynb")) == ["done", "failed", "done"]


@pytest.mark.parametrize("engine", ["replay", "papermill"])
@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_no_regular_file_is_not_replaced(
    place: Place, kind: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place.folder / "in.ipynb", ["1"])
    out = place.folder / "out.ipynb"
    if kind == "device":
        if os.geteuid() != 0:
            pytest.skip("a device needs root")
        os.mknod(out, 0o20600, os.makedev(1, 3))
    elif kind == "pipe":
        os.mkfifo(out)
    else:
        monkeypatch.chdir(place.folder)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("out.ipynb")
    before = out.lstat()
    words = (
        ["jupyter", "runbook", "replay", "--overwrite"] if engine == "replay" else ["papermill", "--engine", "runbook"]
    )
    done = place.command(*words, "in.ipynb", "out.ipynb")
    assert done.code != 0
    assert "this is no regular file" in done.err
    assert out.lstat() == before


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_that_json_has_not_is_refused(place: Place, text: str) -> None:
    write(place.folder / "in.ipynb", ["x = None", "1"], {0: ["parameters"]})
    (place.folder / "f.yml").write_text(f"x: {{a: [1, {text.replace('nan', '.nan').replace('inf', '.inf')}]}}\n")
    for words in (["-p", "x", text], ["-f", "f.yml"]):
        done = place.invoke("replay", "in.ipynb", "out.ipynb", *words)
        assert done.code == 2, done.err
        assert "the parameter x can't be kept in a notebook: JSON has no " in done.err
    done = place.command("papermill", "--engine", "runbook", "in.ipynb", "out.ipynb", "-f", "f.yml")
    assert "the parameter x can't be kept in a notebook: JSON has no " in done.err
    assert done.code == 1
    assert not (place.folder / "out.ipynb").exists()


def test_a_text_that_is_no_utf_8_is_refused_and_an_emoji_is_none_of_that(place: Place) -> None:
    write(place.folder / "in.ipynb", ["x = ''", "print(x)"], {0: ["parameters"]})
    done = place.command("jupyter", "runbook", "replay", "in.ipynb", "out.ipynb", "-p", "x", "\udcff\udcfe")
    assert done.code == 2
    assert "the parameter x can't be kept in a notebook: it is no UTF-8" in done.err
    (place.folder / "f.json").write_text('{"x": "\\ud800"}')
    assert place.invoke("replay", "in.ipynb", "out.ipynb", "-f", "f.json").code == 2
    (place.folder / "f.json").write_text('{"x": "\\ud83d\\ude00"}')
    done = place.invoke("replay", "in.ipynb", "out.ipynb", "-f", "f.json")
    assert done.code == 0, done.err
    assert place.load("out.ipynb").cells[2].outputs[0].text == "\U0001f600\n"


def test_a_source_that_is_no_unicode_is_refused(place: Place) -> None:
    path = write(place.folder / "in.ipynb", ["1", "print('@')"])
    path.write_text(path.read_text().replace("@", "\\ud800"))
    done = place.invoke("replay", "in.ipynb", "out.ipynb")
    assert done.code == 2
    assert "in.ipynb, cell 2: its source can't be written as UTF-8" in done.err


def test_a_kernel_that_is_not_there_and_paths_that_lead_nowhere(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = place.folder / "share/kernels/broken"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(
        json.dumps({"argv": ["/no/such/python", "{connection_file}"], "display_name": "x"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(place.folder / "share"))
    sockets = place.folder / "tmp"
    sockets.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(sockets))
    path = write(place.folder / "in.ipynb", ["1"])
    path.write_text(path.read_text().replace('"python3"', '"broken"'))
    done = place.invoke("replay", "in.ipynb", "out.ipynb")
    gc.collect()  # what was not closed is told then
    assert list(sockets.iterdir()) == []
    assert done.code == 2, done.err
    assert "the kernel broken can't be started: No such file or directory: /no/such/python" in done.err
    assert not (place.folder / "out.ipynb").exists()
    (place.folder / "loop.ipynb").symlink_to("loop.ipynb")
    for name in ("loop.ipynb", "no\udcff.ipynb"):
        done = place.command("jupyter", "runbook", "replay", name, "out.ipynb")
        assert done.code == 2, done.err
        assert "please report it" not in done.err
