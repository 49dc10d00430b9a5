"""Volumes as sparse files. Cinder's own state machine stays what it is: quotas, attachments, transfers."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

from cinder.volume import driver
from oslo_config import cfg

GIBIBYTE = 1 << 30


class Files(driver.VolumeDriver):
    """A back end of Cinder's; an empty volume takes no room."""

    VERSION = "1"

    def do_setup(self, _context: Any) -> None:
        """See `driver.VolumeDriver.do_setup`."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def check_for_setup_error(self) -> None:
        """See `driver.VolumeDriver.check_for_setup_error`."""

    def _update_volume_stats(self) -> None:
        self._stats = {
            "volume_backend_name": self.configuration.volume_backend_name,
            "vendor_name": "jupyter-runbook",
            "driver_version": self.VERSION,
            "storage_protocol": "fake",
            "total_capacity_gb": 10000,
            "free_capacity_gb": 10000,
            "provisioned_capacity_gb": 0,
            "reserved_percentage": 0,
            "thin_provisioning_support": True,
            "max_over_subscription_ratio": 1000.0,
            "multiattach": True,
            "online_extend_support": True,
        }

    @property
    def _folder(self) -> Path:
        return Path(cfg.CONF.state_path, "volumes")

    def _path(self, thing: Any) -> Path:
        return self._folder / str(thing["id"])

    def _grow(self, volume: Any, gibibytes: int) -> None:
        with self._path(volume).open("ab") as file:
            if file.seek(0, io.SEEK_END) < gibibytes * GIBIBYTE:
                file.truncate(gibibytes * GIBIBYTE)

    def _copy(self, source: Any, target: Any) -> None:
        subprocess.run(
            ["/bin/cp", "--sparse=always", "--reflink=auto", self._path(source), self._path(target)], check=True
        )

    def create_volume(self, volume: Any) -> None:
        """See `driver.VolumeDriver.create_volume`."""
        self._grow(volume, volume["size"])

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """See `driver.VolumeDriver.extend_volume`; the size is in gibibytes."""
        self._grow(volume, new_size)

    def delete_volume(self, volume: Any) -> None:
        """See `driver.VolumeDriver.delete_volume`."""
        self._path(volume).unlink(missing_ok=True)

    def create_snapshot(self, snapshot: Any) -> None:
        """See `driver.VolumeDriver.create_snapshot`."""
        self._copy(snapshot["volume"], snapshot)

    def delete_snapshot(self, snapshot: Any) -> None:
        """See `driver.VolumeDriver.delete_snapshot`."""
        self._path(snapshot).unlink(missing_ok=True)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        """See `driver.VolumeDriver.create_volume_from_snapshot`."""
        self._copy(snapshot, volume)
        self._grow(volume, volume["size"])

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        """See `driver.VolumeDriver.create_cloned_volume`."""
        self._copy(src_vref, volume)
        self._grow(volume, volume["size"])

    def clone_image(self, _context: Any, volume: Any, *_of_the_image: Any) -> tuple[dict[str, Any], bool]:
        """Say that the volume is the image already: nothing is fetched, and the volume is empty."""
        self._grow(volume, volume["size"])
        return {}, True

    def copy_image_to_volume(self, *_given: Any, **_more: Any) -> None:
        """Leave the volume empty, as `clone_image` does."""

    def copy_volume_to_image(self, context: Any, _volume: Any, image_service: Any, image_meta: Any) -> None:
        """Upload a block of nothing, so that the image becomes active."""
        image_service.update(context, image_meta["id"], {}, io.BytesIO(bytes(512)))

    def ensure_export(self, *_given: Any) -> None:
        """See `driver.VolumeDriver.ensure_export`: a file of this machine is not exported."""

    create_export = remove_export = ensure_export

    def initialize_connection(self, volume: Any, _connector: Any) -> dict[str, Any]:
        """Tell Nova where the file is."""
        return {
            "driver_volume_type": "fake",
            "data": {
                "volume_id": volume["id"],
                "target_lun": 1,
                "device_path": str(self._path(volume)),
                "access_mode": "rw",
                "discard": False,
            },
        }

    def terminate_connection(self, *_given: Any, **_more: Any) -> None:
        """See `driver.VolumeDriver.terminate_connection`."""

    def accept_transfer(self, *_given: Any) -> None:
        """See `driver.VolumeDriver.accept_transfer`."""
