"""Files of ours beside a notebook of somebody else's: links, pipes and foreign files are refused, and untouched."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from jupyter_runbook.cli import main
from jupyter_runbook.files import held, lock
from jupyter_runbook.journal import Journal
from jupyter_runbook.private import NotOurs, open_file, own_folder
from jupyter_runbook.record import Status
from jupyter_runbook.running import Step
from jupyter_runbook.session import Session
from jupyter_runbook.step import run
from tests.bench import FILES, Bench
from tests.test_record import DRAFT

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_runbook.record import StepRecord

OWNER = os.O_RDWR | os.O_CREAT


def link(path: Path, target: Path) -> None:
    """Put a symbolic link to somebody's file."""
    target.write_text("mine\n")
    path.symlink_to(target)


def folder_link(path: Path, target: Path) -> None:
    """Put a symbolic link to somebody's folder in place of the folder of a file of ours."""
    target.mkdir()
    path.parent.rmdir()
    path.parent.symlink_to(target)


def dangling(path: Path, target: Path) -> None:
    path.symlink_to(target)


def hard_link(path: Path, target: Path) -> None:
    target.write_text("mine\n")
    path.hardlink_to(target)


def pipe(path: Path, _target: Path) -> None:
    os.mkfifo(path)


def zero(path: Path, _target: Path) -> None:
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))


def folder(path: Path, _target: Path) -> None:
    path.mkdir()


def writable(path: Path, _target: Path) -> None:
    path.write_text("")
    path.chmod(0o666)


def another_users(path: Path, _target: Path) -> None:
    path.write_text("")
    os.chown(path, 12345, 12345)


NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes them")
PLANTS = [
    link,
    folder_link,
    dangling,
    hard_link,
    pipe,
    pytest.param(zero, marks=NEEDS_ROOT),
    folder,
    writable,
    pytest.param(another_users, marks=NEEDS_ROOT),
]


def attempt(bench: Bench, body: str) -> StepRecord:
    """Run a cell of the tests' provider, wherever its journal is."""
    step = Step(FILES, f"--folder {bench.root}", body, {}, f"%%files\n{body}", "cell-1")
    return run(step, bench.session, bench.screen).record


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a notebook's folder, with a folder of ours."""
    home = tmp_path / "home"
    (home / ".runbook").mkdir(parents=True, mode=0o700)
    return home


def planted(plant: Callable[[Path, Path], None], home: Path, name: str) -> tuple[Path, Path]:
    """Plant something in place of a file of ours; return the path, and what must stay as it is."""
    path, target = home / ".runbook" / name, home.parent / "theirs"
    path.parent.mkdir(exist_ok=True)
    plant(path, target)
    return path, target


def untouched(target: Path) -> bool:
    if target.is_dir():
        return not list(target.iterdir())
    return not target.exists() or target.read_text() == "mine\n"


@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_not_ours_is_not_opened(home: Path, plant: Callable[[Path, Path], None]) -> None:
    path, target = planted(plant, home, "journal.jsonl")
    for flags in (OWNER, os.O_RDONLY):
        if plant is folder_link and flags == os.O_RDONLY:
            path = path.parent
        with pytest.raises(NotOurs) as caught:
            open_file(home, ".runbook", "journal.jsonl", flags=flags)
        assert str(home / ".runbook") in str(caught.value.strerror)
        assert "take it away" in str(caught.value.strerror)
    assert untouched(target)


@pytest.mark.parametrize("plant", PLANTS)
def test_a_journal_that_is_none_stops_every_step(home: Path, plant: Callable[[Path, Path], None]) -> None:
    """The step fails before it does anything, and says which file is in the way."""
    _, target = planted(plant, home, "journal.jsonl")
    bench = Bench(home, Session(home))
    for _ in range(2):
        step = attempt(bench, "a: one")
        assert step.status is Status.FAILED
        assert step.error is not None
        assert ".runbook" in step.error.message
        assert not (home / "a").exists()
    assert untouched(target)


@pytest.mark.parametrize("plant", PLANTS)
def test_a_journal_that_is_none_stops_a_replay(home: Path, plant: Callable[[Path, Path], None]) -> None:
    _, target = planted(plant, home, "journal.jsonl")
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "a",
        "source": "1",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (home / "site.ipynb").write_text(json.dumps(notebook))
    done = CliRunner().invoke(main, ["replay", str(home / "site.ipynb"), str(home / "out.ipynb")])
    assert done.exit_code == 2, done.output
    assert ".runbook" in done.output
    assert not (home / "out.ipynb").exists()
    assert untouched(target)


@pytest.mark.parametrize("plant", PLANTS)
def test_what_only_reads_a_journal_names_it(home: Path, plant: Callable[[Path, Path], None]) -> None:
    _, target = planted(plant, home, "journal.jsonl")
    done = CliRunner().invoke(main, ["history", str(home)])
    assert done.exit_code in (0, 2)
    assert "Traceback" not in done.output
    assert untouched(target)


@pytest.mark.parametrize("plant", [one for one in PLANTS if one is not folder])
def test_a_lock_that_is_none_is_not_taken(home: Path, plant: Callable[[Path, Path], None]) -> None:
    path, target = planted(plant, home, "out.ipynb.lock")
    with pytest.raises(NotOurs), lock(path):
        pass
    assert not held(path)
    assert untouched(target)


def test_logs_go_into_no_folder_of_somebody_elses(home: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (home / ".runbook" / "logs").symlink_to(theirs)
    bench = Bench(home, Session(home))
    record = attempt(bench, "a: one")
    assert record.status is not None
    assert not list(theirs.iterdir())


def test_a_work_log_goes_through_no_link(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    theirs = tmp_path / "theirs"
    Path("site.ipynb").write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    Path("out.ipynb").symlink_to(theirs)
    done = CliRunner().invoke(main, ["replay", "site.ipynb", "out.ipynb"])
    assert (done.exit_code, theirs.exists()) == (2, False), done.output
    assert "out.ipynb: this is a symbolic link" in done.output
    theirs.mkdir()
    Path("worklogs").symlink_to(theirs)
    done = CliRunner().invoke(main, ["replay", "site.ipynb"])
    assert (done.exit_code, list(theirs.iterdir())) == (2, []), done.output
    assert "worklogs is a symbolic link" in done.output


def test_what_is_made_is_for_the_user_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        descriptor = open_file(tmp_path, ".runbook", "logs", "a.log", flags=OWNER | os.O_EXCL)
        os.close(descriptor)
        (tmp_path / "other").mkdir(mode=0o755)
        assert own_folder(tmp_path, "other", "galaxy") == tmp_path / "other/galaxy"
    finally:
        os.umask(mask)
    for path in (".runbook", ".runbook/logs", "other", "other/galaxy"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o700, path
    assert stat.S_IMODE((tmp_path / ".runbook/logs/a.log").stat().st_mode) == 0o600


def test_a_folder_without_modes_is_one_all_the_same(tmp_path: Path) -> None:
    """As a share of another system has it: everything there may be written by everybody."""
    tmp_path.chmod(0o777)
    path = tmp_path / ".runbook" / "journal.jsonl"
    Journal(path).begin(DRAFT)
    path.chmod(0o777)
    Journal(path).begin(DRAFT)
    assert len(Journal(path).open()) == 1


FOREIGN = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep, as an entry": '{"event":"begin","id":"9","x":' + "[" * 100_000 + "]" * 100_000 + "}",
    "torn": '{"event":"begin","id":"9"',
    "no JSON": "\x00\xff\x1b[2J",
    "a number of many digits": '{"event":"begin","id":"9","pid":' + "9" * 5000 + "}",
    "no record": '{"event":"end","id":"9","record":[1]}',
    "no actor": '{"event":"end","id":"9","record":{"actor":"me"}}',
    "no mapping": "[1]",
    "an odd pid": '{"event":"begin","id":"9","host":"HOST","pid":1e400,"process_started":"x"}',
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_line_of_somebody_elses_is_left_out(home: Path, case: str) -> None:
    import socket

    path = home / ".runbook" / "journal.jsonl"
    Journal(path).begin(DRAFT)
    line = FOREIGN[case].replace("HOST", socket.gethostname())
    with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(line + "\n")
    bench = Bench(home, Session(home))
    assert attempt(bench, "a: one").status is Status.CHANGED
    for words in (["history", str(home)], ["history", str(home), "--json"]):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
    left = Journal(path)
    left.open()
    if case in ("deep", "deep, as an entry", "torn", "no JSON", "a number of many digits", "no mapping"):
        assert left.left_out == [2]
        assert any("can't be read: line 2" in one for one in bench.screen.notices)


def test_a_journal_that_another_process_holds_holds_up_nobody_for_ever(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_runbook.journal.PATIENCE", 0.3)
    path = home / ".runbook" / "journal.jsonl"
    path.touch(mode=0o600)
    script = "import fcntl, sys\nfile = open(sys.argv[1], 'a')\n"
    script += "fcntl.flock(file, fcntl.LOCK_EX)\nprint(flush=True)\ninput()\n"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(OSError, match="another process has held it"):
            Journal(path).begin(DRAFT)
        late = Journal(path)
        began = time.monotonic()
        for number in range(30):
            with pytest.raises(OSError, match="another process has held it"):
                late.turn("r", ended=("b", "done") if number else None, begun=("b", "sha256:0"))
        # It is waited for once, and not for each cell of a run.
        assert time.monotonic() - began < 30 * 0.3 / 2
        holder.communicate(b"\n")
    Journal(path).begin(DRAFT)
    # Nothing of the run is lost, and its order is kept.
    late.run_end("r", "done")
    told = [entry["event"] for entry in late.events("cell", "cell-end", "run-end")]
    assert told == [*(["cell", "cell-end"] * 30)[:-1], "run-end"]


def test_a_journal_that_is_too_large_is_refused(home: Path) -> None:
    path = home / ".runbook" / "journal.jsonl"
    path.touch(mode=0o600)
    os.truncate(path, 5 << 30)  # a hole: it takes no room
    with pytest.raises(OSError, match="larger than 4 GiB"):
        Journal(path).open()
