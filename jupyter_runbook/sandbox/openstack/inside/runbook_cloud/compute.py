"""The servers: Nova's own fake hypervisor, with the little that it lacks."""

from __future__ import annotations

import io
from typing import Any

from nova.compute import task_states
from nova.image import glance
from nova.virt import fake


class Servers(fake.FakeDriverWithoutFakeNodes):
    """A driver of Nova's: servers that are there for Nova alone."""

    # What the scheduler sees; memory in mebibytes, disk in gibibytes.
    vcpus = 64
    memory_mb = 262144
    local_gb = 2000

    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        """See `nova.virt.driver.ComputeDriver.snapshot`; the fake's own leaves the image queued for ever."""
        super().snapshot(context, instance, image_id, update_task_state)
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_UPLOADING)
        glance.API().update(
            context, image_id, {"disk_format": "raw", "container_format": "bare"}, io.BytesIO(bytes(512))
        )

    def get_host_uptime(self) -> str:
        """See `nova.virt.driver.ComputeDriver.get_host_uptime`: asked for below microversion 2.88."""
        return "00:00:00 up 1 day,  0:00,  0 users,  load average: 0, 0, 0"
