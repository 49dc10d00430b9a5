"""The servers: Nova's own fake hypervisor, which keeps the books, and a container behind each where there is an engine.

Every method does what the fake one does, and the same to the container. An image with the property
``sandbox_fake=true`` has servers without one.
"""

from __future__ import annotations

import base64
import io
from typing import Any

from nova import exception
from nova.compute import power_state, task_states
from nova.image import glance
from nova.virt import driver, fake

from runbook_cloud import containers, disks, wiring


class Servers(fake.FakeDriverWithoutFakeNodes):
    """A driver of Nova's; see the module."""

    # What the scheduler sees; memory in mebibytes, disk in gibibytes.
    vcpus = 64
    memory_mb = 262144
    local_gb = 2000

    # Life

    def spawn(  # noqa: PLR0917 -- Nova's own
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,  # noqa: FBT001, FBT002 -- Nova's own
        accel_info: Any = None,
    ) -> None:
        try:
            self._boot(instance, network_info, block_device_info, start=power_on)
        except Exception as error:
            containers.remove(instance.uuid)
            raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=str(error)) from error
        super().spawn(
            context,
            instance,
            image_meta,
            injected_files,
            admin_password,
            allocations,
            network_info,
            block_device_info,
            power_on,
            accel_info,
        )

    def destroy(  # noqa: PLR0917 -- Nova's own
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,  # noqa: FBT001, FBT002 -- Nova's own
        destroy_secrets: bool = True,  # noqa: FBT001, FBT002 -- Nova's own
    ) -> None:
        containers.remove(instance.uuid)
        mounted = list(self._mounts.pop(instance.name, {}).values())
        mapped = driver.block_device_info_get_mapping(block_device_info)
        for connection in [*mounted, *(disk["connection_info"] for disk in mapped)]:
            self._release(connection)
        super().destroy(context, instance, network_info, block_device_info, destroy_disks, destroy_secrets)

    def cleanup(self, context: Any, instance: Any, network_info: Any, *given: Any, **more: Any) -> None:
        super().cleanup(context, instance, network_info, *given, **more)
        containers.remove(instance.uuid)

    def power_off(self, instance: Any, *given: Any, **more: Any) -> None:
        super().power_off(instance, *given, **more)
        containers.stop(instance.uuid)

    def power_on(
        self, context: Any, instance: Any, network_info: Any, block_device_info: Any = None, *given: Any, **more: Any
    ) -> None:
        super().power_on(context, instance, network_info, block_device_info, *given, **more)
        self._boot(instance, network_info, block_device_info)

    def reboot(self, context: Any, instance: Any, *given: Any, **more: Any) -> None:
        containers.stop(instance.uuid)
        super().reboot(context, instance, *given, **more)  # which calls power_on

    def migrate_disk_and_power_off(self, context: Any, instance: Any, *given: Any, **more: Any) -> Any:
        containers.stop(instance.uuid)
        return super().migrate_disk_and_power_off(context, instance, *given, **more)

    def finish_revert_migration(
        self, context: Any, instance: Any, network_info: Any, migration: Any, *given: Any, **more: Any
    ) -> None:
        super().finish_revert_migration(context, instance, network_info, migration, *given, **more)
        self._boot(instance, network_info, given[0] if given else more.get("block_device_info"))

    def pause(self, instance: Any) -> None:
        container = containers.find(instance.uuid)
        if container and container.status == "running":
            container.pause()

    def unpause(self, instance: Any) -> None:
        container = containers.find(instance.uuid)
        if container and container.status == "paused":
            container.unpause()

    def suspend(self, _context: Any, instance: Any) -> None:
        self.pause(instance)

    def resume(self, _context: Any, instance: Any, *_given: Any, **_more: Any) -> None:
        self.unpause(instance)

    # Networks

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        super().attach_interface(context, instance, image_meta, vif)
        container = containers.find(instance.uuid)
        process = container and containers.process(container)
        if process:
            wiring.plug(_port(vif), process)

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        super().detach_interface(context, instance, vif)
        wiring.unplug(vif["id"])

    # Disks

    def default_root_device_name(self, *_given: Any) -> str:
        return "/dev/vda"

    def attach_volume(
        self, context: Any, connection_info: Any, instance: Any, mountpoint: str, *given: Any, **more: Any
    ) -> None:
        container = containers.find(instance.uuid)
        if container:
            self._show(container, connection_info, mountpoint)
        super().attach_volume(context, connection_info, instance, mountpoint, *given, **more)

    def detach_volume(
        self, context: Any, connection_info: Any, instance: Any, mountpoint: str, *given: Any, **more: Any
    ) -> None:
        container = containers.find(instance.uuid)
        process = container and containers.process(container)
        if process:
            # A disk that is pulled out takes its file system along; here, that is left in order.
            containers.run(container, _UNMOUNT.format(device=mountpoint))
            disks.hide(process, mountpoint, connection_info["data"]["volume_id"])
        super().detach_volume(context, connection_info, instance, mountpoint, *given, **more)
        self._release(connection_info)

    def extend_volume(self, _context: Any, connection_info: Any, *_given: Any) -> None:
        disks.grow(connection_info["data"]["device_path"])

    # What the control plane asks

    def get_info(self, instance: Any, use_cache: bool = True) -> Any:  # noqa: FBT001, FBT002 -- Nova's own
        if instance.uuid not in self.instances:
            # The books are kept in memory: this process was started again.
            state = power_state.RUNNING if instance.power_state is None else instance.power_state
            self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)
        info = super().get_info(instance, use_cache)
        container = containers.find(instance.uuid)
        # Switched off from inside, or lost with its engine; a start makes a new one then.
        if (container and container.status in {"exited", "dead"}) or containers.lost(instance.uuid):
            info.state = power_state.SHUTDOWN
        return info

    def get_console_output(self, context: Any, instance: Any) -> Any:
        container = containers.find(instance.uuid)
        return container.logs(tail=1000) if container else super().get_console_output(context, instance)

    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        super().snapshot(context, instance, image_id, update_task_state)
        # The fake leaves the image queued for ever.
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_UPLOADING)
        containers.store(instance.uuid, image_id)
        glance.API().update(
            context, image_id, {"disk_format": "raw", "container_format": "bare"}, io.BytesIO(bytes(512))
        )

    def get_host_uptime(self) -> str:
        # Asked for below microversion 2.88.
        return "00:00:00 up 1 day,  0:00,  0 users,  load average: 0, 0, 0"

    def _boot(self, instance: Any, network_info: Any, block_device_info: Any, *, start: bool = True) -> None:
        """Make the server's container where it has none, start it, and lead all its cables and disks into it."""
        if instance.system_metadata.get("image_sandbox_fake") == "true" or not containers.engine():
            return
        container = containers.find(instance.uuid) or containers.create(_server(instance))
        if not start:
            return
        process = containers.start(container, instance.flavor.memory_mb)
        interfaces = list(network_info or instance.get_network_info())
        for number, vif in enumerate(interfaces):
            wiring.plug(_port(vif), process, _routes(vif, first=number == 0))
        for disk in driver.block_device_info_get_mapping(block_device_info):
            self._show(container, disk["connection_info"], disk["mount_device"])
        wiring.announce(process)

    def _show(self, container: Any, connection: Any, device: str) -> None:
        process = containers.process(container)
        path = connection["data"].get("device_path")
        if process and path:
            disks.show(process, device, disks.attach(path), connection["data"]["volume_id"])

    def _release(self, connection: Any) -> None:
        """Give a volume's loop device back, unless another server has the volume, too."""
        path = connection["data"].get("device_path")
        if path and not any(
            other["data"].get("device_path") == path for mounts in self._mounts.values() for other in mounts.values()
        ):
            disks.release(path)


_UNMOUNT = """
if [ -e {device} ]; then
    sync
    if grep -q "^{device} " /proc/mounts; then umount --all-targets {device} || umount --all-targets --lazy {device}; fi
fi
"""


def _server(instance: Any) -> containers.Server:
    user_data = base64.b64decode(instance.user_data or b"").decode(errors="replace")
    return containers.Server(
        server=instance.uuid,
        name=instance.hostname,
        memory=instance.flavor.memory_mb,
        snapshot=instance.image_ref or "",
        files={
            "instance-id": (0o644, instance.uuid),
            "authorized_keys": (0o644, f"{(instance.key_data or '').strip()}\n"),
            "user-data": (0o600, user_data),
        },
    )


def _port(vif: Any) -> wiring.Port:
    addresses, ranges = [], []
    for subnet in vif["network"]["subnets"]:
        length = str(subnet["cidr"]).partition("/")[2]
        addresses += [f"{one['address']}/{length}" for one in subnet["ips"]]
        ranges.append(str(subnet["cidr"]))
    return wiring.Port(
        port=vif["id"],
        network=vif["network"]["id"],
        mac=vif["address"],
        addresses=tuple(addresses),
        ranges=tuple(ranges),
    )


def _routes(vif: Any, *, first: bool) -> list[tuple[str, str]]:
    """Return the routes by an interface; the first one's gateway leads everywhere."""
    found = []
    for subnet in vif["network"]["subnets"]:
        gateway = (subnet.get("gateway") or {}).get("address")
        if first and gateway:
            found.append(("default", gateway))
        found += [(str(route["cidr"]), route["gateway"]["address"]) for route in subnet.get("routes") or ()]
    return found
