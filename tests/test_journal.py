"""The journal: whole lines or none, begin before end, and what a killed process left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_runbook.alive import this_process
from jupyter_runbook.journal import Journal
from jupyter_runbook.seal import seal
from tests.test_record import DRAFT, NOTHING

RECORD = seal(DRAFT, NOTHING)

# A process of its own that begins a step, tells an ID, says so, and waits to be killed.
BEGINS = """
import sys
from pathlib import Path
from jupyter_runbook.journal import Journal
from tests.test_record import DRAFT
journal = Journal(Path(sys.argv[1]))
journal.begin(DRAFT)
journal.found(DRAFT.id, "server web", "4711")
print("begun", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / ".runbook" / "journal.jsonl")


def entries(journal: Journal) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.path.read_text().splitlines()]


def test_a_step_is_begun_and_ended(journal: Journal) -> None:
    assert journal.open() == []
    journal.begin(DRAFT)
    (begun,) = journal.open()
    assert (begun.id, begun.name, begun.alive, begun.found) == ("1", "make-key", True, {})
    journal.end(RECORD)
    assert journal.open() == []
    first, second = entries(journal)
    assert (first["event"], first["plan_digest"], first["pid"]) == ("begin", "1" * 64, os.getpid())
    assert second["record"] == json.loads(json.dumps(RECORD.wire()))
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_each_line_is_on_the_disk_before_the_call_returns(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    journal.begin(DRAFT)
    journal.end(RECORD)
    assert synced == [str(journal.path.parent), str(journal.path), str(journal.path)]


def test_what_a_killed_process_left_is_found_and_told_once(journal: Journal) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGINS, str(journal.path)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        (running,) = journal.open()
        assert running.alive is True
        process.kill()
        process.wait()
    (left,) = journal.open()
    assert (left.alive, left.found) == (False, {"server web": "4711"})
    journal.interrupted(left)
    assert journal.open() == []


def test_a_process_on_another_host_can_not_be_judged(journal: Journal) -> None:
    journal.begin(DRAFT)
    text = journal.path.read_text()
    journal.path.write_text(text.replace(str(this_process()["host"]), "elsewhere"))
    (begun,) = journal.open()
    assert (begun.alive, begun.host) == (None, "elsewhere")


def test_a_reused_process_number_is_not_taken_for_the_old_one(journal: Journal) -> None:
    journal.begin(DRAFT)
    entry = entries(journal)[0] | {"process_started": 1.0}
    journal.path.write_text(json.dumps(entry, separators=(",", ":")) + "\n")
    assert [begun.alive for begun in journal.open()] == [False]


@pytest.mark.parametrize("cut", [1, 20, -2])
def test_a_line_that_a_crash_cut_off_hurts_no_other(journal: Journal, cut: int) -> None:
    journal.begin(DRAFT)
    whole = journal.path.read_bytes()
    journal.begin(replace(DRAFT, id="2"))
    both = journal.path.read_bytes()
    journal.path.write_bytes(both[: len(whole) + cut if cut > 0 else cut])
    assert [begun.id for begun in journal.open()] == ["1"]
    journal.begin(replace(DRAFT, id="3"))
    journal.end(RECORD)
    assert [begun.id for begun in journal.open()] == ["3"]


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b"{}\n", b"[]\n", b'{"event":"begin","id":"9"\n', b"\n"])
def test_a_broken_line_hurts_no_other(journal: Journal, line: bytes) -> None:
    journal.begin(DRAFT)
    journal.path.write_bytes(line + journal.path.read_bytes() + line)
    assert [begun.id for begun in journal.open()] == ["1"]


def test_a_full_disk_leaves_nothing_of_the_line(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.begin(DRAFT)
    before = journal.path.read_bytes()
    real = os.write

    def write(descriptor: int, data: memoryview) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: len(data) - 50])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        journal.end(RECORD)
    assert journal.path.read_bytes() == before


def test_threads_do_not_mix_their_lines(journal: Journal) -> None:
    def write(number: int) -> None:
        for i in range(20):
            journal.found(str(number), f"server {i}", "x" * 3000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entries(journal)) == 160
