"""What became of a cell that has ended by itself: it may have failed without an error of its own. Pure.

The table of docs/replay.md says it for people, and tests/replay/test_endings.py runs each of its lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.display.outputs import error_line
from jupyter_runbook.notebook import Verdict
from jupyter_runbook.registry import providers
from jupyter_runbook.replay.channels import LOST
from jupyter_runbook.secret.excerpt import one_line_of
from jupyter_runbook.worklog import judge, records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbclient.exceptions import CellExecutionError

__all__ = ["ASKED", "CellFailed", "after_error", "after_success"]

#: What a kernel that our launcher has not started is asked with a cell's code, in the same request
#: (``user_expressions``); it answers with texts.
ASKED = {
    # The exit status of the cell's last `!command`, which IPython leaves in `_exit_code`. What was seen is marked by
    # its type, so that a later cell is not blamed for it and may still read it. (ipython/ipython#12264: a shell line
    # that fails does not fail its cell.)
    "exit_code": (
        "(lambda names: (lambda code: "
        "[names.update(_exit_code=type('ExitCode', (int,), {})(code)), code][1] if type(code) is int else 0)"
        "(names.get('_exit_code')))(get_ipython().user_ns)"
    ),
    # The class of an error that the cell has shown and not raised; see `jupyter_runbook.replay.launcher`.
    "shown": "get_ipython().__dict__.pop('_runbook_shown', None)",
}


class CellFailed(Exception):
    """A cell failed that raised nothing, or raised what papermill takes for an end that is well."""


def after_success(cell: Any, reply: Mapping[str, Any], *, may_fail: bool) -> tuple[Verdict, CellFailed | None]:
    """Return what became of a cell that raised nothing, and what ends the run, if anything does.

    Parameters
    ----------
    cell
        The cell with its outputs.
    reply
        The content of its reply.
    may_fail
        Whether it is one of those that may: ``raises-exception``.
    """
    if reply.get("status") == "aborted":
        return _failed("the kernel did not run it")
    if reply.get("status") == LOST:
        return _failed("the kernel's reply can't be read: nobody knows how it ended")
    if any(isinstance(one, dict) and one.get("source") == "ask_exit" for one in reply.get("payload") or ()):
        # The kernel ends, whatever the cell may do.
        return _failed("it asked the kernel to exit")
    if not may_fail:
        if (code := _answer(reply, "exit_code")) not in (None, "0"):
            return _failed(f"a shell line in it exited with {code}")
        if text := _shown(cell, reply):
            return _failed(text)
    return judge(cell), None


def after_error(cell: Any, error: CellExecutionError) -> tuple[Verdict, BaseException]:
    """Return what became of a cell that raised, and what ends the run."""
    verdict = judge(cell)
    if verdict.status == "done":
        verdict = _no_magic(error)
    if error.ename == "SystemExit" and verdict.status == "failed" and not records(cell):
        # papermill calls a run done that a cell has left with sys.exit(0): here cells below it did not run.
        text = f"it left the run: SystemExit: {one_line_of(str(error.evalue))}".removesuffix(": ")
        return _failed(text)
    return verdict, error


def _failed(text: str) -> tuple[Verdict, CellFailed]:
    return Verdict("failed", text), CellFailed(text)


def _shown(cell: Any, reply: Mapping[str, Any]) -> str | None:
    """Return the error that a cell has shown and not raised; None where there is none."""
    if records(cell):
        return None
    shown = next((error_line(one) for one in cell.outputs if one.output_type == "error"), None)
    if shown is None and (name := _answer(reply, "shown")) not in (None, "None"):
        return f"it has caught and not shown an error: {str(name).strip(chr(39))}"
    return shown


def _answer(reply: Mapping[str, Any], name: str) -> str | None:
    ours = reply.get("runbook")
    if isinstance(ours, dict):
        return str(ours.get(name))
    # Another kernel than those of our launcher.
    said = (reply.get("user_expressions") or {}).get(name) or {}
    text = (said.get("data") or {}).get("text/plain")
    return text if isinstance(text, str) else None


def _no_magic(error: CellExecutionError) -> Verdict:
    """Return the verdict on an error that is in no output: IPython tells of a magic that it lacks on stderr alone."""
    known = any(f"`%%{name}`" in error.evalue for name in providers())
    hint = "; a cell above it needs %load_ext jupyter_runbook" if known else ""
    return Verdict("failed", f"{error.ename}: {error.evalue.rstrip('.')}{hint}")
