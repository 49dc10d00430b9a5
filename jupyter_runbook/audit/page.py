"""Where a report goes: written whole, and never over a file that is no report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_runbook.audit.report import GENERATOR, report_html
from jupyter_runbook.errors import BadInput, Where
from jupyter_runbook.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_runbook.worklog import WorkLog

__all__ = ["write_report"]

# Where a page of ours says that it is one, in characters from its beginning.
HEAD = 2000


def write_report(log: WorkLog, path: Path) -> None:
    """Write a work log's report.

    Parameters
    ----------
    log
        The work log.
    path
        The page's file; an earlier report there is replaced.

    Raises
    ------
    BadInput
        There is something else at the path, or it can't be written; nothing was touched.
    """
    where = Where(str(path))
    try:
        if path.exists() and not _is_report(path):
            raise BadInput("this is there already, and is no report", where=where, hint="name another file with -o")
        write_atomically(path, report_html(log))
    except FileNotFoundError:
        raise BadInput("its folder is not there", where=where, hint=f"mkdir -p {path.parent}") from None
    except OSError as error:
        raise BadInput(f"the report can't be written: {error.strerror}", where=where) from None


def _is_report(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return GENERATOR in file.read(HEAD)
