"""Why a kernel is gone: what its process left, and what the machine's memory tells."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.replay.died import cause, memory_events, out_of_memory

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("code", "killed", "said"),
    [
        (0, 0, "the kernel died: its process exited with 0"),
        (3, None, "the kernel died: its process exited with 3"),
        (-11, 0, "the kernel died of SIGSEGV"),
        (-9, 1, "the kernel died: it was killed (SIGKILL) for want of memory, as its control group counts"),
        (-9, 0, "the kernel died: it was killed (SIGKILL); if nobody did it, see dmesg: memory may have been short"),
        (-15, 1, "the kernel died of SIGTERM"),
        (-99, None, "the kernel died of signal 99"),
        (None, None, "the kernel died"),
    ],
)
def test_causes(code: int | None, killed: int | None, said: str) -> None:
    assert cause(code, killed) == said


@pytest.mark.parametrize(
    ("text", "count"),
    [("low 0\noom 3\noom_kill 2\n", 2), ("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1), ("oom 1\n", None),
     ("oom_kill many\n", None)],
)  # fmt: skip
def test_what_the_kernel_of_the_machine_counts(tmp_path: Path, text: str, count: int | None) -> None:
    (tmp_path / "memory.events").write_text(text)
    assert out_of_memory(tmp_path / "memory.events") == count
    assert out_of_memory(tmp_path / "none") is None
    assert out_of_memory(None) is None


def test_this_process_has_a_control_group() -> None:
    path = memory_events(os.getpid())
    if path is None:
        pytest.skip("this machine counts no memory by control group")
    assert isinstance(out_of_memory(path), int)
    assert memory_events(1 << 30) is None
