"""A project of the sandbox's OpenStack, for %%os: its resources by hand or by cell, and none in the end."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from jupyter_runbook.record import Status, StepRecord
from jupyter_runbook.registry import GROUP

if TYPE_CHECKING:
    from openstack.connection import Connection

    from tests.bench import Bench

OS = EntryPoint("os", "jupyter_runbook.providers.openstack:OpenStack", GROUP)


@dataclass
class Lab:
    """A project, and where its cells run."""

    bench: Bench
    connection: Connection

    @property
    def cloud(self) -> Any:
        """Openstacksdk's connection, which has more than its types tell."""
        return self.connection

    def run(self, body: str, line: str = "", **names: Any) -> StepRecord:
        """Run a cell."""
        return self.bench.run(body, line, **names).record

    def up(self, body: str, line: str = "", **names: Any) -> StepRecord:
        """Run a cell, which must do something, and hold: a second run changes nothing."""
        record = self.run(body, line, **names)
        assert record.status is Status.CHANGED, record.error or told(record)
        again = self.run(body, line, **names)
        assert again.status is Status.OK, again.error or told(again)
        return record

    def there(self) -> dict[str, list[str]]:
        """Return what the project has, by the names of its kinds."""
        cloud = self.cloud
        found = {
            "servers": cloud.compute.servers(),
            "keypairs": cloud.compute.keypairs(),
            "volumes": cloud.block_storage.volumes(),
            "networks": cloud.network.networks(is_router_external=False),
            "routers": cloud.network.routers(),
            "security groups": cloud.network.security_groups(),
            "floating IPs": cloud.network.ips(),
            "ports": cloud.network.ports(),
        }
        return {kind: sorted(str(one.name) for one in some) for kind, some in found.items()}


def told(record: StepRecord) -> dict[str, tuple[str, str]]:
    """Return each row's action and reason."""
    return {row.resource: (str(row.action), row.reason or "") for row in record.changes}
