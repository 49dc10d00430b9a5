"""The only place that knows notebooks' metadata keys, how their files are read, and where a kernel finds its own.

Our key is ``runbook``: in a work log's metadata it holds the run (`RunInfo`), in a cell's its end (`Verdict`).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from jupyter_runbook.errors import NotANotebook, Where
from jupyter_runbook.files import read_bytes, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FOLDER",
    "INJECTED",
    "KEY",
    "PARAMETERS",
    "CellInfo",
    "CellStatus",
    "RunInfo",
    "Verdict",
    "cell_info",
    "cell_source",
    "first_line",
    "lock_path",
    "notebook_folder",
    "notebook_path",
    "parse_notebook",
    "ran",
    "read_notebook",
    "source_digest",
    "tags",
]

# A notebook with pictures and long outputs has fewer.
MOST_BYTES = 1 << 30

#: Our key in a cell's and a notebook's metadata.
KEY = "runbook"

#: The tag of the cell that declares the parameters, and of the cell that a replay puts behind it (papermill's).
PARAMETERS = "parameters"
INJECTED = "injected-parameters"

#: The folder beside a notebook for the journal, the logs and the locks.
FOLDER = ".runbook"

#: What became of a cell: it is exactly one of these, or is at work right now.
CellStatus = Literal["done", "failed", "interrupted", "skipped", "not-run", "running"]


@dataclass(frozen=True)
class Verdict:
    """What became of one cell in a replay.

    Parameters
    ----------
    status
        Its status.
    why
        One line where the status alone does not tell: the time limit, the tag that skipped it.
    """

    status: CellStatus
    why: str | None = None

    def write(self, cell: Any) -> None:
        """Put it into a cell's metadata, in the place of an earlier one."""
        cell["metadata"][KEY] = {**_ours(cell), **asdict(self)}

    @classmethod
    def read(cls, cell: Mapping[str, Any]) -> Self | None:
        """Return what a cell's metadata holds, or None; what no replay wrote is not taken for one."""
        found = _ours(cell)
        status, why = found.get("status"), found.get("why")
        if not (isinstance(status, str) and status in get_args(CellStatus)):
            return None
        return cls(status, why if isinstance(why, str) else None)  # type: ignore[arg-type]  # one of them, as was asked

    @staticmethod
    def clear(cell: Any) -> None:
        """Take an earlier run's away."""
        left = {name: value for name, value in _ours(cell).items() if name not in ("status", "why")}
        cell["metadata"].pop(KEY, None)
        if left:
            cell["metadata"][KEY] = left


@dataclass
class RunInfo:
    """One replay: what, who, where, when, with which parameters, how it ended. Times are UTC, as a record's.

    Parameters
    ----------
    run
        The run's id, which is that of its records too.
    runbook
        The runbook's file as the user named it.
    parameters
        What was given, by name.
    user, host
        Who replayed it, and where.
    started, ended
        When; ``ended`` is None while it runs, and for ever if the replay itself was killed.
    status
        ``done``, ``failed`` or ``interrupted``; None until it has ended.
    versions
        The versions of what ran it.
    check
        Whether every step was a dry run.
    lost
        What of its progress nobody could be shown, and why; None where all of it was.
    died
        Why its kernel was gone before the run had ended; None where it was not, or where somebody stopped the run.
    cells
        Its code cells as they were when it began, in order: each one's id, and the SHA-256 of its source; see `ran`.
    """

    run: str
    runbook: str | None
    user: str
    host: str
    started: str
    ended: str | None = None
    status: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    check: bool = False
    lost: str | None = None
    died: str | None = None
    cells: list[list[str]] = field(default_factory=list)

    def write(self, notebook: Any) -> None:
        """Put it into a notebook's metadata."""
        notebook["metadata"][KEY] = {**_ours(notebook), **asdict(self)}

    @classmethod
    def read(cls, notebook: Mapping[str, Any]) -> Self | None:
        """Return what a notebook's metadata holds; None where no replay made it."""
        found = _ours(notebook)
        texts = {
            name: found.get(name)
            for name in ("run", "user", "host", "started", "runbook", "ended", "status", "lost", "died")
        }
        given: dict[str, Any] = {name: value for name, value in texts.items() if isinstance(value, str)}
        if not {"run", "user", "host", "started"} <= set(given):
            return None
        more = {name: found.get(name) for name in ("parameters", "versions")}
        given |= {name: one for name, one in more.items() if isinstance(one, dict)}
        cells = found.get("cells")
        if isinstance(cells, list) and all(isinstance(one, list) and [*map(type, one)] == [str, str] for one in cells):
            given["cells"] = cells
        return cls(**{"runbook": None, **given, "check": found.get("check") is True})


@dataclass(frozen=True)
class CellInfo:
    """What a request tells of the cell that it runs.

    Parameters
    ----------
    cell_id
        The cell's id (nbformat 4.5); JupyterLab and our engine send it.
    source
        The cell's whole source.
    metadata
        The cell's metadata.
    handed
        What our engine hands over: ``notebook`` (the work log's path), ``run``, ``timeout``, ``check``, and for the
        cell of the parameters ``secrets``.
    """

    cell_id: str | None = None
    source: str | None = None
    metadata: Mapping[str, Any] | None = None
    handed: Mapping[str, Any] | None = None


def cell_info(shell: Any) -> CellInfo:
    """Return what the request at work tells; nothing in a shell without a kernel.

    Parameters
    ----------
    shell
        IPython's shell: ``get_ipython()``.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return CellInfo()
    parent = kernel.get_parent("shell") or {}
    metadata = parent.get("metadata") or {}
    content = parent.get("content") or {}
    handed = metadata.get(KEY)
    return CellInfo(
        cell_id=metadata.get("cellId"),
        source=content.get("code"),
        metadata=metadata,
        handed=handed if isinstance(handed, dict) else None,
    )


def notebook_folder(shell: Any, info: CellInfo) -> Path:
    """Return the folder of the notebook that a kernel runs, or where the kernel works if it can't be known."""
    path = notebook_path(shell, info)
    return path.parent if path else Path.cwd()


def notebook_path(shell: Any, info: CellInfo) -> Path | None:
    """Return the path of the notebook that a kernel runs; None if it can't be known.

    Our engine hands the path over; a Jupyter server sets ``JPY_SESSION_NAME``, VS Code ``__vsc_ipynb_file__``.
    """
    names = shell.user_ns
    said = [
        (info.handed or {}).get("notebook"),
        names.get("__vsc_ipynb_file__"),
        names.get("__session__"),
        os.environ.get("JPY_SESSION_NAME"),
    ]
    for path in said:
        if isinstance(path, str) and path.endswith(".ipynb") and (found := Path(path).absolute()).parent.is_dir():
            return found
    return None


def read_notebook(path: Path, name: str | None = None) -> dict[str, Any]:
    """Read a notebook's file as plain JSON; its cells and metadata are there, and no more is checked.

    Parameters
    ----------
    path
        The file.
    name
        How errors name it; left out, its path.

    Raises
    ------
    NotANotebook
        It is not there, can't be read, is no JSON (with the line), or no notebook of nbformat 4.
    """
    where = Where(name or str(path))
    try:
        data = read_bytes(path, largest=MOST_BYTES)
    except FileNotFoundError:
        hint = "only replay reads other places: fetch it first" if _URL.match(str(path)) else None
        raise NotANotebook("there is no such file", where=where, hint=hint) from None
    except OSError as error:
        raise NotANotebook(f"it can't be read: {error.strerror}", where=where) from None
    return parse_notebook(data, str(where))


def parse_notebook(data: bytes, name: str) -> dict[str, Any]:
    """Return the notebook that a file's bytes are; see `read_notebook`.

    Parameters
    ----------
    data
        The bytes.
    name
        How errors name the file.

    Raises
    ------
    NotANotebook
        They are no JSON (with the line), or no notebook of nbformat 4.
    """
    where = Where(name)
    if len(data) > MOST_BYTES:
        raise NotANotebook(f"it is larger than {MOST_BYTES >> 20} MiB", where=where)
    if not data.strip():
        raise NotANotebook("this is no notebook: it is empty", where=where)
    try:
        value = json.loads(text_of(data))
    except UnicodeDecodeError as error:
        raise NotANotebook(f"this is no notebook: no UTF-8 at byte {error.start}", where=where) from None
    except json.JSONDecodeError as error:
        raise NotANotebook(
            f"this is no notebook: {error.msg}", where=Where(where.file, line=error.lineno), hint=_CONFLICT
        ) from None
    except RecursionError:
        raise NotANotebook("this is no notebook: it is nested too deeply", where=where) from None
    except ValueError:
        raise NotANotebook("this is no notebook: it has a number of thousands of digits", where=where) from None
    return _checked(value, where)


def _checked(value: Any, where: Where) -> dict[str, Any]:
    """Return a notebook whose parts are there, or say which is not."""
    if not isinstance(value, dict) or not isinstance(value.get("cells"), list) or "nbformat" not in value:
        raise NotANotebook("this is JSON, but no notebook of nbformat 4", where=where, hint=_UPGRADE)
    if not isinstance(value.setdefault("metadata", {}), dict):
        raise NotANotebook("its metadata is no mapping", where=where)
    for number, cell in enumerate(value["cells"], 1):
        place = Where(where.file, str(number))
        source = cell.get("source") if isinstance(cell, dict) else None
        if not isinstance(cell, dict) or not isinstance(source, (str, list)) or "cell_type" not in cell:
            raise NotANotebook("it has no type or no source", where=place)
        if not all(isinstance(line, str) for line in source):
            raise NotANotebook("its source has a line that is no text", where=place)
        if not isinstance(cell.setdefault("metadata", {}), dict):
            raise NotANotebook("its metadata is no mapping", where=place)
    return value


# What pathlib leaves of s3://bucket/a.ipynb.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

_CONFLICT = "if a merge left conflict marks in it, nbdime mergetool settles them"
_UPGRADE = "jupyter nbconvert --to notebook --inplace FILE brings an older one up to date"


def cell_source(cell: Mapping[str, Any]) -> str:
    """Return a cell's source; a file holds it as a text or as a list of lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def source_digest(source: str) -> str:
    """Return the SHA-256 of a cell's source as saved."""
    import hashlib

    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()


def ran(notebook: Mapping[str, Any]) -> list[list[str]]:
    """Return a notebook's code cells that say something, in order: each one's id, and the SHA-256 of its source."""
    return [
        [str(cell.get("id")), source_digest(source)]
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and (source := cell_source(cell)).strip()
    ]


def first_line(source: str) -> str:
    """Return the first line of a cell that says something, as IPython looks for a magic."""
    return next((line.strip() for line in source.splitlines() if line.strip()), "")


def tags(cell: Mapping[str, Any]) -> list[str]:
    """Return a cell's tags."""
    found = cell["metadata"].get("tags")
    return [str(tag) for tag in found] if isinstance(found, list) else []


def _ours(thing: Mapping[str, Any]) -> dict[str, Any]:
    found = thing["metadata"].get(KEY)
    return dict(found) if isinstance(found, dict) else {}


def lock_path(worklog: Path) -> Path:
    """Return the lock file that a replay holds while it writes a work log."""
    worklog = worklog.resolve()
    return worklog.parent / FOLDER / f"{worklog.name}.lock"
