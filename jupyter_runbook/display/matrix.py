"""Tasks by hosts as text and as a table; with many hosts, how many of each status, and which ones failed. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from unicodedata import combining, east_asian_width

from jupyter_runbook.display.words import STATUSES, one_line, safe
from jupyter_runbook.matrix import KINDS, RUNNING, host_and_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jupyter_runbook.matrix import Matrix
    from jupyter_runbook.record import ChangeRecord

__all__ = ["News", "grouped", "matrix_html", "matrix_text", "task_line"]

SIGNS = {**STATUSES, RUNNING: "◌"}
# With more hosts than this, or lines longer than this, hosts are told by number.
HOSTS, WIDTH = 12, 120
NAME = 48  # characters of a task's name
# The hosts of these statuses are named.
NAMED = ("failed", "interrupted", "unknown", "not-run", RUNNING)
NAMES = 6


def matrix_text(matrix: Matrix) -> list[str]:
    """Return a matrix as lines: a task each, a column for each host where they have room."""
    hosts = [one_line(host) for host in matrix.hosts]
    first = max([_width(_short(task)) for task in matrix.tasks] + [4])
    columns = [max(_width(host), 9) for host in hosts]
    if len(hosts) > HOSTS or first + sum(columns) + 2 * len(hosts) > WIDTH:
        return [task_line(matrix, task) for task in matrix.tasks]
    head = _pad("", first) + "".join("  " + _pad(host, wide) for host, wide in zip(hosts, columns, strict=True))
    lines = [head.rstrip()]
    for task, by_host in matrix.tasks.items():
        cells = [
            _pad(_cell(by_host[host]) if host in by_host else "", wide)
            for host, wide in zip(matrix.hosts, columns, strict=True)
        ]
        lines.append((_pad(_short(task), first) + "".join("  " + cell for cell in cells)).rstrip())
    return lines


def task_line(matrix: Matrix, task: str) -> str:
    """Return a task in one line: ``● install nginx: 2 changed, 1 failed (web3)``."""
    counts = matrix.counts(task)
    told = []
    for status in sorted(counts, key=lambda one: list(SIGNS).index(one)):
        named = [host for host, is_so in matrix.tasks[task].items() if is_so == status] if status in NAMED else []
        more = ", …" if len(named) > NAMES else ""
        shown = f" ({', '.join(map(one_line, named[:NAMES]))}{more})" if named else ""
        told.append(f"{counts[status]} {status}{shown}")
    return f"{SIGNS[worst(counts)]} {_short(task)}: {', '.join(told)}"


def matrix_html(matrix: Matrix, cell: str = "") -> str:
    """Return a matrix as a table.

    Parameters
    ----------
    matrix
        The matrix.
    cell
        Attributes of each cell, with a space before them.
    """
    if len(matrix.hosts) > HOSTS:
        rows = "".join(
            f"<tr><td{cell}>{safe(SIGNS[worst(matrix.counts(task))])}</td>"
            f"<td{cell}>{safe(task_line(matrix, task)[2:])}</td></tr>"
            for task in matrix.tasks
        )
        return f"<table><tbody>{rows}</tbody></table>"
    head = "".join(f"<th{cell}>{safe(host)}</th>" for host in matrix.hosts)
    body = ""
    for task, by_host in matrix.tasks.items():
        states = [safe(_cell(by_host[host])) if host in by_host else "" for host in matrix.hosts]
        cells = "".join(f"<td{cell}>{state}</td>" for state in states)
        body += f"<tr><th{cell}>{safe(task)}</th>{cells}</tr>"
    return f"<table><thead><tr><th{cell}>Task</th>{head}</tr></thead><tbody>{body}</tbody></table>"


class News:
    """What is new of a running step, for those who read lines that stay: each task once its turn is over.

    With batches of hosts a task's turn comes again, and it is told again.
    """

    def __init__(self) -> None:
        self._told: dict[int, str] = {}

    def of(self, lines: Sequence[str]) -> list[str]:
        """Return those of a running step's task lines, as `task_line` makes them, that are to be told now."""
        found = []
        for number, line in enumerate(lines[:-1]):  # the last one's turn is not over
            if not line.startswith(SIGNS[RUNNING]) and self._told.get(number) != line:
                self._told[number] = line
                found.append(line)
        return found


def grouped(rows: Iterable[ChangeRecord]) -> list[ChangeRecord]:
    """Return rows with those of a task that say the same of several hosts as one: ``web1, web2: install nginx``."""
    alike: dict[object, list[ChangeRecord]] = {}
    for number, row in enumerate(rows):
        task = host_and_task(row.resource)[1]
        key = (task, row.kind, row.action, row.status, row.reason, row.diff) if row.kind in KINDS else number
        alike.setdefault(key, []).append(row)
    found = []
    for some in alike.values():
        names = [host_and_task(row.resource)[0] for row in some]
        more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
        task = host_and_task(some[0].resource)[1]
        label = f"{', '.join(names[:NAMES])}{more}: {task}"
        found.append(replace(some[0], resource=label) if len(some) > 1 else some[0])
    return found


def worst(counts: dict[str, int]) -> str:
    """Return the status that people must see first."""
    order = ("failed", "interrupted", RUNNING, "unknown", "not-run", "changed", "planned", "ok", "skipped")
    return next(status for status in order if status in counts)


def _cell(status: str) -> str:
    return f"{SIGNS[status]} {status}"


def _short(task: str) -> str:
    text = one_line(task)
    return text if len(text) <= NAME else text[: NAME - 1] + "…"


def _width(text: str) -> int:
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
