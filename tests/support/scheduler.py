"""pytest-xdist's scheduler, by the groups that its workers wrote down.

pytest-xdist reads a group from a test's id in ``loadgroup``. With pytest 9.2 its workers can no longer write it there,
and it splits every group without a word (seen with pytest-xdist 3.8).
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from xdist.scheduler import LoadScopeScheduling

from jupyter_runbook.files import write_atomically
from tests.support.groups import MACHINE, with_sandboxes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["GroupScheduling", "write_groups"]


class GroupScheduling(LoadScopeScheduling):
    """See the module.

    Parameters
    ----------
    config, log
        See pytest-xdist's ``pytest_xdist_make_scheduler``.
    path
        Where each worker writes the groups of the tests.
    """

    def __init__(self, config: Any, log: Any, path: Path) -> None:
        super().__init__(config, log)
        # The tests are in order already; pytest-xdist would begin with the largest groups.
        config.option.loadscopereorder = False
        self._path = path

    @cached_property
    def _groups(self) -> dict[str, str]:
        return dict(json.loads(self._path.read_text("utf-8")))

    def _split_scope(self, nodeid: str) -> str:
        return self._groups.get(nodeid, nodeid)

    def remove_node(self, node: Any) -> str | None:
        """Give back what a worker that died had to do, but for the test that it died of, and return that one.

        pytest-xdist would run it again, and end the workers one after the other.
        """
        units: dict[str, dict[str, bool]] = self.assigned_work.pop(node)
        left = [(unit, test) for unit in units.values() for test, done in unit.items() if not done]
        if not left:
            return None
        unit, died = left[0]
        unit[died] = True
        self.workqueue.update({scope: unit for scope, unit in units.items() if not all(unit.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return died

    def _assign_work_unit(self, node: Any) -> None:
        """Hand out what can begin: a worker with sandboxes would wait for the one that has `MACHINE`."""
        others = [work[MACHINE] for other, work in self.assigned_work.items() if other is not node and MACHINE in work]
        if not all(done for work in others for done in work.values()):
            ready = next((one for one in self.workqueue if not with_sandboxes(one)), None)
            if ready:
                self.workqueue.move_to_end(ready, last=False)
        super()._assign_work_unit(node)


def write_groups(path: Path, groups: Mapping[str, str]) -> None:
    """Write down the groups of tests, by the tests' ids."""
    write_atomically(path, json.dumps(dict(groups)))
