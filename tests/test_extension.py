"""A provider in a package of its own, installed as users install one, and replayed: nothing of ours knows of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import pip_install
from tests.replay.runs import LOAD, Place, write

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parent / "runbook-tree"
LIMIT = 60  # seconds: what only a broken test waits out

# Ten changes: three copies side by side, a fourth of what is not there, and two links that stand on it.
CELL = """%%tree --root {root} --name tree
site:
site/a:
site/b:
site/a/1: {{copy: {root}/pipe1}}
site/a/2: {{copy: {root}/pipe2}}
site/a/3: {{copy: {root}/pipe3}}
site/a/readme: "{{{{ greeting }}}}, world"
site/b/data: {{copy: {root}/missing}}
site/current: {{link: b/data}}
site/latest: {{link: current}}"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package into a folder of its own; its dependencies are here already."""
    folder = tmp_path_factory.mktemp("installed")
    words = [*pip_install(Path(sys.prefix)), "--quiet", "--no-build-isolation", "--no-deps"]
    subprocess.run([*words, "--target", folder, PACKAGE], check=True)
    return folder


@pytest.fixture
def place(tmp_path: Path, installed: Path) -> Place:
    return Place(tmp_path, {"PYTHONPATH": str(installed)})


def meet(folder: Path) -> list[threading.Thread]:
    """Feed the three pipes once all of them are being read: copies one after the other would wait for ever."""
    barrier = threading.Barrier(3)

    def feed(number: int) -> None:
        with (folder / f"pipe{number}").open("w") as pipe:  # opens when somebody reads
            barrier.wait(LIMIT)
            pipe.write(f"copy {number}")

    threads = [threading.Thread(target=feed, args=[number], daemon=True) for number in (1, 2, 3)]
    for number, thread in enumerate(threads, 1):
        os.mkfifo(folder / f"pipe{number}")
        thread.start()
    return threads


def changes(place: Place, worklog: str) -> tuple[dict[str, Any], dict[str, tuple[str, str]]]:
    [output] = place.load(worklog).cells[-1].outputs[:1]
    record = output.data["application/vnd.jupyter-runbook.step.v1+json"]
    return record, {row["resource"]: (row["action"], row["status"]) for row in record["changes"]}


def test_ten_changes_with_needs(place: Place, tmp_path: Path) -> None:
    runbook = write(tmp_path / "tree.ipynb", [LOAD, "greeting = 'hello'", CELL.format(root=tmp_path)])
    threads = meet(tmp_path)
    done = place.replay(runbook, "first.ipynb", limit=LIMIT)
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()
    assert done.code == 1, done.err
    record, rows = changes(place, "first.ipynb")
    assert record["status"] == "failed"
    assert record["summary"] == "7 changed, 1 failed, 2 not-run"
    assert rows == {
        "folder site": ("create", "changed"),
        "folder site/a": ("create", "changed"),
        "folder site/b": ("create", "changed"),
        "copy site/a/1": ("create", "changed"),
        "copy site/a/2": ("create", "changed"),
        "copy site/a/3": ("create", "changed"),
        "file site/a/readme": ("create", "changed"),
        "copy site/b/data": ("create", "failed"),
        "link site/current": ("create", "not-run"),
        "link site/latest": ("create", "not-run"),
    }
    reasons = {row["resource"]: row["reason"] for row in record["changes"]}
    assert reasons["link site/current"] == "it needs copy site/b/data, which failed"
    assert reasons["link site/latest"] == "it needs link site/current, which did not run"
    assert (record["error"]["kind"], record["error"]["resource"]) == ("partial", "copy site/b/data")
    assert "No such file or directory" in record["error"]["message"]
    assert [(tmp_path / "site" / "a" / name).read_text() for name in ("1", "2", "3", "readme")] == [
        "copy 1",
        "copy 2",
        "copy 3",
        "hello, world",
    ]
    assert not (tmp_path / "site" / "current").is_symlink()

    (tmp_path / "missing").write_text("here now")
    assert place.replay(runbook, "second.ipynb", limit=LIMIT).code == 0
    record, rows = changes(place, "second.ipynb")
    assert record["summary"] == "7 ok, 3 changed"
    assert (tmp_path / "site" / "latest").read_text() == "here now"

    assert place.replay(runbook, "third.ipynb", limit=LIMIT).code == 0
    assert changes(place, "third.ipynb")[0]["summary"] == "10 ok"


def test_status_knows_its_steps_and_a_log_is_read_without_it(place: Place, tmp_path: Path) -> None:
    runbook = write(tmp_path / "a.ipynb", [LOAD, "%%tree\nx: y", "raise SystemExit", "%%tree --name next\nz: y"])
    assert place.replay(runbook, "out.ipynb", limit=LIMIT).code == 1
    for reader in (place, Place(tmp_path)):
        text = reader.command("jupyter-runbook", "status", "out.ipynb").out
        assert "changed" in text
        assert "file x  (%%tree, cell 2)" in text
        # Whose magic it is that never ran is known where the package is.
        assert ("next  (%%tree, cell 4)" in text) == (reader is place)


def test_without_the_package_there_is_no_such_magic(tmp_path: Path) -> None:
    runbook = write(tmp_path / "a.ipynb", [LOAD, "%%tree\nx: y"])
    bare = Place(tmp_path)
    assert bare.replay(runbook, "out.ipynb", limit=LIMIT).code == 1
    assert bare.status("out.ipynb")["cells"][-1]["status"] == "failed"
    assert not (tmp_path / "x").exists()
