"""Rows of tasks on hosts → a matrix: what became of each task on each host. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jupyter_runbook.record import ChangeRecord

__all__ = ["KINDS", "RUNNING", "Matrix", "host_and_task", "in_order", "matrix"]

_DIGITS = re.compile(r"([0-9]+)")

#: The kinds of rows that are cells of a matrix.
KINDS = ("task", "handler")
#: The status of a cell that is at work.
RUNNING = "running"


@dataclass
class Matrix:
    """Tasks, each with its hosts.

    Parameters
    ----------
    hosts
        The hosts, in the order that they came.
    tasks
        For each task, in the order that they came, its status by host: a `ChangeStatus`, or `RUNNING`.
    """

    hosts: list[str] = field(default_factory=list)
    tasks: dict[str, dict[str, str]] = field(default_factory=dict)

    def counts(self, task: str) -> dict[str, int]:
        """Return on how many hosts a task has each status."""
        found: dict[str, int] = {}
        for status in self.tasks[task].values():
            found[status] = found.get(status, 0) + 1
        return found


def host_and_task(resource: str) -> tuple[str, str]:
    """Split the name of a row: ``web1: install nginx``; no host's name has a colon and a space."""
    host, _, task = resource.partition(": ")
    return host, task


def matrix(
    rows: Iterable[ChangeRecord], running: Iterable[str] = (), clean: Callable[[str], str] = str
) -> Matrix | None:
    """Return rows as a matrix; None where none of them is of a task.

    Parameters
    ----------
    rows
        The rows; those of other kinds are left out.
    running
        The names of rows that are to come.
    clean
        Takes secrets out of a name.
    """
    found = Matrix()
    cells = [(row.resource, str(row.status)) for row in rows if row.kind in KINDS]
    cells += [(resource, RUNNING) for resource in running]
    cleaned: dict[str, str] = {}
    for resource, status in cells:
        host, task = (
            cleaned[one] if one in cleaned else cleaned.setdefault(one, clean(one)) for one in host_and_task(resource)
        )
        found.tasks.setdefault(task, {})[host] = status
    if not found.tasks:
        return None
    found.hosts = sorted({host for by_host in found.tasks.values() for host in by_host}, key=natural)
    return found


def in_order(rows: Iterable[ChangeRecord]) -> list[ChangeRecord]:
    """Return rows so that two runs of the same tasks read alike: tasks as they came, in each its hosts by name.

    Rows of other kinds stay where they are: before the next task.
    """
    tasks: dict[str, list[ChangeRecord]] = {}
    for number, row in enumerate(rows):
        tasks.setdefault(host_and_task(row.resource)[1] if row.kind in KINDS else f"\n{number}", []).append(row)
    return [row for some in tasks.values() for row in sorted(some, key=lambda row: natural(row.resource))]


def natural(text: str) -> list[tuple[int, str]]:
    """Return what sorts web2 before web10."""
    return [(int(part), "") if part.isdecimal() and part.isascii() else (-1, part) for part in _DIGITS.split(text)]
