"""A replay's kernel, from its start to its end."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.replay.kernel import PrivateKernel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_a_kernel_that_still_starts_is_killed_and_not_interrupted(tmp_path: Path) -> None:
    """An interrupted one begins to show a traceback, among what the replay's own user reads."""

    async def signals() -> list[int]:
        kernel = PrivateKernel("python3", tmp_path)
        manager = await kernel.start()
        provisioner: Any = manager.provisioner
        sent, send = [], provisioner.send_signal

        async def noted(number: int) -> None:
            sent.append(number)
            await send(number)

        provisioner.send_signal = noted
        await kernel.end()
        assert not provisioner.has_process
        return sent

    assert asyncio.run(signals())[0] == signal.SIGKILL
