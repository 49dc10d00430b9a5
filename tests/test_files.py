"""A file is whole or untouched, and one process at a time holds a lock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.files import PARTIAL, held, lock, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "log.ipynb"
    write_atomically(path, "one\n")
    path.chmod(0o640)
    write_atomically(path, "twö\n")
    assert path.read_text("utf-8") == "twö\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["log.ipynb"]


def test_a_new_file_gets_the_users_own_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_through_a_link_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    write_atomically(tmp_path / "link", "x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "x"


def test_an_error_at_any_point_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.ipynb"
    write_atomically(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace", "fchmod"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match="No space left"):
                write_atomically(path, "new")
        assert path.read_text() == "old"
        assert [one.name for one in tmp_path.iterdir()] == ["log.ipynb"]


KILLED = """
import os, signal, sys
from pathlib import Path
from jupyter_runbook.files import write_atomically
point, path = sys.argv[1], Path(sys.argv[2])
plain = getattr(os, point)
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, point, die)
write_atomically(path, "new " * 100_000)
"""


@pytest.mark.parametrize("point", ["fdopen", "fchmod", "fsync", "replace"])
def test_killed_at_any_point_the_old_file_is_whole(tmp_path: Path, point: str) -> None:
    path = tmp_path / "log.ipynb"
    write_atomically(path, "old")
    done = subprocess.run([sys.executable, "-c", KILLED, point, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_text() == "old"
    left = sorted(one.name for one in tmp_path.iterdir())
    assert left[0].startswith(PARTIAL)
    assert left[1:] == ["log.ipynb"]


def test_a_lock_is_held_by_one_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.lock"
    assert not held(path)
    with lock(path):
        assert held(path)
        with pytest.raises(BlockingIOError), lock(path):
            pass
        assert held(path)
    assert not path.exists()
    assert not held(path)


def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    code = (
        "import os, sys; from pathlib import Path; from jupyter_runbook.files import lock\n"
        "with lock(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert path.exists()
    assert not held(path)
    with lock(path):
        assert held(path)


def _enter(path: Path, count: list[int]) -> None:
    """Try until it was let in 50 times; how often it is refused in between is the scheduler's affair."""
    mark = path.with_suffix(".inside")
    ends = time.monotonic() + 60
    entered = 0
    while entered < 50:
        assert time.monotonic() < ends, f"let in {entered} times only"
        try:
            with lock(path):
                # Whoever is inside leaves this mark, which only one can make; each call lets another thread run.
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                count[0] += 1
                mark.unlink()
        except BlockingIOError:
            continue
        entered += 1


def test_many_who_try_at_once_are_never_two_inside(tmp_path: Path) -> None:
    count = [0]
    failures: list[threading.ExceptHookArgs] = []
    before, interval = threading.excepthook, sys.getswitchinterval()
    threading.excepthook = failures.append
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=_enter, args=(tmp_path / "a.lock", count)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.excepthook = before
        sys.setswitchinterval(interval)
    assert failures == []
    assert count[0] == 200
