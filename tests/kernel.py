"""A real kernel for the tests: started by jupyter_client, asked as a front end asks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TIMEOUT = 120  # seconds: what only a broken test waits out


@dataclass
class Reply:
    """What a kernel answered to one cell."""

    status: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The MIME bundles, in order, updates too."""
        kinds = ("display_data", "update_display_data", "execute_result")
        return [one["content"]["data"] for one in self.messages if one["msg_type"] in kinds]

    @property
    def text(self) -> str:
        """What went to the streams."""
        return "".join(one["content"]["text"] for one in self.messages if one["msg_type"] == "stream")

    @property
    def traceback(self) -> list[str]:
        """The error as the front end shows it."""
        return [line for one in self.messages if one["msg_type"] == "error" for line in one["content"]["traceback"]]

    @property
    def record(self) -> dict[str, Any]:
        """The last step record."""
        return self.shown[-1]["application/vnd.jupyter-runbook.step.v1+json"]  # type: ignore[no-any-return]


class Kernel:
    """One kernel and its client."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager = manager
        self.client = client

    def run(
        self,
        code: str,
        metadata: dict[str, Any] | None = None,
        answer: str | None = None,
        seen: Callable[[dict[str, Any]], object] = lambda _message: None,
    ) -> Reply:
        """Run a cell as a front end does.

        Parameters
        ----------
        code, metadata
            The cell's source and metadata.
        answer
            What a person types when asked; None where nobody can be asked.
        seen
            Called with each message as it comes.
        """
        reply = Reply("")

        def take(message: dict[str, Any]) -> None:
            reply.messages.append(message)
            seen(message)

        plain = self.client.session.msg

        def msg(kind: str, content: Any = None, **options: Any) -> Any:
            return plain(kind, content, **options, metadata=metadata or {})

        self.client.session.msg = msg
        try:
            said = self.client.execute_interactive(
                code,
                allow_stdin=answer is not None,
                output_hook=take,
                stdin_hook=lambda _: self.client.input(answer),
                timeout=TIMEOUT,
            )
        finally:
            self.client.session.msg = plain
        reply.status = said["content"]["status"]
        return reply

    def complete(self, code: str) -> list[str]:
        """Return what Tab offers at the end of a text."""
        return list(self.client.complete(code, len(code), reply=True, timeout=TIMEOUT)["content"]["matches"])


@contextmanager
def kernel(folder: Path, ipython: Path) -> Iterator[Kernel]:
    """Start a kernel in a folder, on IPC sockets, with an IPython profile of its own."""
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(ipython / "sock"))
    manager.start_kernel(cwd=str(folder), env=_environment(ipython))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=TIMEOUT)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def _environment(ipython: Path) -> dict[str, str]:
    import os

    return {**os.environ, "IPYTHONDIR": str(ipython), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
