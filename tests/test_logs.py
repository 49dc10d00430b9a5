"""A step's log: head, tail and digest of all; the file only where it is needed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.display.words import log_text
from jupyter_runbook.logs import HEAD_CHARS, TAIL_CHARS, StepLog


@pytest.fixture
def log(tmp_path: Path) -> StepLog:
    return StepLog(tmp_path / ".runbook" / "logs" / "1.log", tmp_path)


def test_no_output_is_no_log(log: StepLog) -> None:
    log.write("")
    assert log.close() is None
    assert not log.path.parent.exists()


def test_a_short_output_is_whole_in_the_record(log: StepLog) -> None:
    log.write("one\ntw")
    assert log.path.read_text() == "one\ntw"  # while the step runs, a killed kernel leaves this
    log.write("o")
    said = log.close()
    assert said is not None
    assert (said.path, said.head, said.tail, said.lines, said.bytes) == (None, "one\ntwo", None, 2, 7)
    assert said.sha256 == hashlib.sha256(b"one\ntwo").hexdigest()
    assert not log.path.exists()


def test_a_long_output_is_whole_in_the_file(log: StepLog) -> None:
    lines = [f"line {i} ü\n" for i in range(100_000)]
    for line in lines:
        log.write(line)
    said = log.close()
    assert said is not None
    assert said.path == ".runbook/logs/1.log"
    whole = log.path.read_bytes()
    assert whole == "".join(lines).encode()
    assert (said.sha256, said.bytes, said.lines) == (hashlib.sha256(whole).hexdigest(), len(whole), 100_000)
    assert said.head.startswith("line 0 ü\nline 1 ü\n")
    assert HEAD_CHARS - 20 < len(said.head) <= HEAD_CHARS
    assert said.tail is not None
    assert said.tail.startswith("line ")
    assert said.tail.endswith("line 99999 ü\n")
    assert TAIL_CHARS - 20 < len(said.tail) <= TAIL_CHARS


def test_one_endless_line_has_a_head_and_a_tail(log: StepLog) -> None:
    for _ in range(10):
        log.write("x" * 5000)
    said = log.close()
    assert said is not None
    assert (len(said.head), len(said.tail or ""), said.lines) == (HEAD_CHARS, TAIL_CHARS, 1)


def test_a_log_that_can_not_be_kept_does_not_stop_the_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    log = StepLog(tmp_path / "file" / "1.log", tmp_path)
    log.write("x\n" * TAIL_CHARS)
    said = log.close()
    assert isinstance(log.broken, OSError)
    assert said is not None
    assert (said.path, said.lines) == (None, TAIL_CHARS)
    assert said.tail


def test_a_full_disk_does_not_stop_the_step(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "1.log", tmp_path)
    log._file = Path("/dev/full").open("wb")  # noqa: SIM115 -- the log closes it
    log.write("x\n" * HEAD_CHARS)
    assert log.broken is not None
    assert "No space left" in str(log.broken)
    said = log.close()
    assert said is not None
    assert said.path is None


@given(st.lists(st.text(), max_size=30))
def test_any_output_is_digested_whole(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = StepLog(folder / "1.log", folder)
    for piece in pieces:
        log.write(piece)
    whole = "".join(pieces).encode("utf-8", "backslashreplace")
    said = log.close()
    assert (said.sha256 if said else None) == (hashlib.sha256(whole).hexdigest() if whole else None)
    assert said is None or said.head == "".join(pieces) or said.path


@given(st.lists(st.integers(0, 3000), max_size=12))
def test_the_first_and_the_last_lines_never_tell_a_line_twice(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    log = StepLog(folder / "1.log", folder)
    lines = [f"{number} {'x' * length}\n" for number, length in enumerate(lengths)]
    for line in lines:
        log.write(line)
    whole = "".join(lines)
    said = log.close()
    if said is None:
        assert whole == ""
    elif said.tail is None:
        assert (said.head, said.path) == (whole, None)
        assert len(whole) <= HEAD_CHARS + TAIL_CHARS
    else:
        assert whole.startswith(said.head)
        assert whole.endswith(said.tail)
        between = whole[len(said.head) : len(whole) - len(said.tail)]
        assert len(said.head) + len(between) + len(said.tail) == len(whole)
        assert f"… {between.count(chr(10))} lines more in " in log_text(said)
