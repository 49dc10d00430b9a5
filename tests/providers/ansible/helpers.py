"""What tests of plays ask of a record, and hosts that need no machine of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.record import ChangeRecord, StepRecord
    from jupyter_runbook.step import Done

#: A host that refuses connections, at once.
GONE = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=5"}
HERE = {"ansible_connection": "local"}


def tasks(record: StepRecord) -> dict[str, str]:
    """Return the status of each task and handler, by ``HOST: TASK``."""
    return {row.resource: str(row.status) for row in record.changes if row.kind in ("task", "handler")}


def row(record: StepRecord, resource: str) -> ChangeRecord:
    """Return one row."""
    return next(one for one in record.changes if one.resource == resource)


def hosts(**named: Mapping[str, object]) -> dict[str, object]:
    """Return an inventory."""
    return {"all": {"hosts": named}}


def facts(done: Done) -> dict[str, Any]:
    """Return what ``--out`` has of each host."""
    assert done.result
    return done.result.facts["hosts"]  # type: ignore[no-any-return]
