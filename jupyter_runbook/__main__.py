"""``jupyter-runbook`` as a program, also ``python -m jupyter_runbook``: the commands are in `jupyter_runbook.cli`."""

from __future__ import annotations

import signal
import threading

__all__ = ["main"]


def main() -> None:
    """Run a command; whoever stops it while it is imported sees no traceback."""
    if ours := threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from jupyter_runbook.cli import main as run

    if ours:
        signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
