"""``jupyter runbook demo``: the quick-start runbook, replayed for real, and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jupyter_runbook
from jupyter_runbook.audit.page import write_report
from jupyter_runbook.errors import BadInput, Where
from jupyter_runbook.replay.run import default_worklog, replay

if TYPE_CHECKING:
    from jupyter_runbook.replay.run import Outcome
    from jupyter_runbook.replay.watch import Watch

__all__ = ["quickstart", "run_demo"]

NAME = "00-quickstart.ipynb"
#: Where the demo's products stay, beside its work logs: a second demo finds them.
PRODUCTS = "quickstart"


def quickstart() -> Path:
    """Return the quick-start runbook: beside the package in a checkout, inside it where it was installed.

    Raises
    ------
    BadInput
        The installation lacks it.
    """
    package = Path(jupyter_runbook.__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / NAME).is_file():
            return folder / NAME
    raise BadInput("this installation lacks the quick-start runbook", where=Where(NAME), hint="install it anew")


def run_demo(folder: Path, watch: Watch | None = None) -> tuple[Outcome, Path | None]:
    """Replay the quick-start runbook, and write the report of its work log beside that.

    Parameters
    ----------
    folder
        Where the work logs go, and beside them what the runbook makes.
    watch
        Who is told of the progress.

    Returns
    -------
    tuple of Outcome and (Path or None)
        How it ended, and the report; None where the work log could not be written to its end.
    """
    runbook = quickstart()
    worklog = default_worklog(runbook, folder)
    outcome = replay(runbook, worklog, {"folder": str((folder / PRODUCTS).absolute())}, watch=watch)
    if outcome.broken:
        return outcome, None
    report = worklog.with_suffix(".html")
    write_report(outcome.log, report)
    return outcome, report
