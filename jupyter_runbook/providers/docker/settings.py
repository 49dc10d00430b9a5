"""The fields of a service, each in Compose's words and in the engine's: one table.

A `Setting` reads a field from the cell, writes it into what a container is created from, and finds it again in what the
engine tells of the container. Both sides come to one canonical form, so that two spellings of a value are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.docker import forms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_runbook.spec.node import Node

__all__ = ["SETTINGS", "Setting", "dig", "put"]


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Setting:
    """One field.

    Parameters
    ----------
    key
        What Compose calls it.
    path
        Where it is in what the engine takes and tells: ``HostConfig.ShmSize``.
    read
        The cell's value → the canonical one.
    write, seen
        The canonical value → the engine's, and back; None is what the engine tells where nothing is set.
    inherited
        Whether a container takes it from its image where it is not given.
    update
        Whether a running container can be given another value (``POST /containers/ID/update``).
    since
        The version of the API that has it first.
    """

    key: str
    path: str
    read: Callable[[Node], Any]
    write: Callable[[Any], Any] = _same
    seen: Callable[[Any], Any] = _same
    inherited: bool = False
    update: bool = False
    since: tuple[int, int] = (1, 41)

    def found(self, inspected: Mapping[str, Any]) -> Any:
        """Return the canonical value that an inspected container or image has; None where it has none."""
        value = dig(inspected, self.path)
        return None if value is None else self.seen(value)


def dig(values: Mapping[str, Any], path: str) -> Any:
    """Return what is at a dotted path, None where there is nothing."""
    found: Any = values
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set what is at a dotted path; a container is created from ``Config`` at the top, ``HostConfig`` below it."""
    *above, last = path.removeprefix("Config.").split(".")
    for part in above:
        values = values.setdefault(part, {})
    values[last] = value


def _table(*settings: Setting) -> dict[str, Setting]:
    return {setting.key: setting for setting in settings}


def _host(key: str, name: str, read: Callable[[Node], Any], **more: Any) -> Setting:
    return Setting(key, f"HostConfig.{name}", read, **{"seen": forms.empty_is_none, **more})


def _list(key: str, name: str, **more: Any) -> Setting:
    return _host(key, name, forms.text_list, **{"seen": forms.sorted_list, **more})


#: Every field that is one value of the engine's; ports, volumes, networks and files have rooms of their own.
SETTINGS = _table(
    Setting("command", "Config.Cmd", forms.command, seen=list, inherited=True),
    Setting("entrypoint", "Config.Entrypoint", forms.command, seen=list, inherited=True),
    Setting("hostname", "Config.Hostname", forms.text),
    Setting("domainname", "Config.Domainname", forms.text),
    Setting("user", "Config.User", forms.text, inherited=True),
    Setting("working_dir", "Config.WorkingDir", forms.text, inherited=True),
    Setting("tty", "Config.Tty", forms.flag),
    Setting("stdin_open", "Config.OpenStdin", forms.flag),
    Setting("stop_signal", "Config.StopSignal", forms.stop_signal, seen=forms.signal, inherited=True),
    Setting("stop_grace_period", "Config.StopTimeout", forms.grace),
    Setting(
        "healthcheck",
        "Config.Healthcheck",
        forms.healthcheck,
        write=forms.healthcheck_write,
        seen=forms.healthcheck_seen,
        inherited=True,
    ),
    Setting(
        "expose",
        "Config.ExposedPorts",
        forms.expose,
        write=lambda value: {port: {} for port in value},
        seen=sorted,
        inherited=True,
    ),
    _host("annotations", "Annotations", forms.text_map, since=(1, 43)),
    # `blkio_config` of a service; its weights of devices, no engine changes on a running container.
    _host("blkio_config.weight", "BlkioWeight", forms.integer, update=True),
    _host("blkio_config.weight_device", "BlkioWeightDevice", forms.device_weights, seen=forms.device_rows_seen),
    _host("blkio_config.device_read_bps", "BlkioDeviceReadBps", forms.device_bytes, seen=forms.device_rows_seen),
    _host("blkio_config.device_write_bps", "BlkioDeviceWriteBps", forms.device_bytes, seen=forms.device_rows_seen),
    _host("blkio_config.device_read_iops", "BlkioDeviceReadIOps", forms.device_operations, seen=forms.device_rows_seen),
    _host(
        "blkio_config.device_write_iops", "BlkioDeviceWriteIOps", forms.device_operations, seen=forms.device_rows_seen
    ),
    _host("cap_add", "CapAdd", forms.capabilities, seen=forms.capability_names),
    _host("cap_drop", "CapDrop", forms.capabilities, seen=forms.capability_names),
    _host("cgroup", "CgroupnsMode", forms.text),
    _host("cgroup_parent", "CgroupParent", forms.text),
    _host("cpu_count", "CpuCount", forms.integer),
    _host("cpu_percent", "CpuPercent", forms.integer),
    _host("cpu_period", "CpuPeriod", forms.microseconds, update=True),
    _host("cpu_quota", "CpuQuota", forms.microseconds, update=True),
    _host("cpu_rt_period", "CpuRealtimePeriod", forms.microseconds, update=True),
    _host("cpu_rt_runtime", "CpuRealtimeRuntime", forms.microseconds, update=True),
    _host("cpu_shares", "CpuShares", forms.integer, update=True),
    _host("cpus", "NanoCpus", forms.nano, update=True),
    _host("cpuset", "CpusetCpus", forms.text, update=True),
    _list("device_cgroup_rules", "DeviceCgroupRules"),
    _host("devices", "Devices", forms.devices, write=forms.devices_write, seen=forms.devices_seen),
    _host("dns", "Dns", forms.ordered_list),
    _list("dns_opt", "DnsOptions"),
    _host("dns_search", "DnsSearch", forms.ordered_list),
    _host("extra_hosts", "ExtraHosts", forms.extra_hosts, seen=forms.sorted_list),
    _host("gpus", "DeviceRequests", forms.requests, seen=forms.requests_seen),
    _list("group_add", "GroupAdd"),
    _host("init", "Init", forms.flag),
    _host("ipc", "IpcMode", forms.text),
    _host("isolation", "Isolation", forms.text),
    _host("logging", "LogConfig", forms.logging, write=forms.logging_write, seen=forms.logging_seen),
    _host("mem_limit", "Memory", forms.size, update=True),
    _host("mem_reservation", "MemoryReservation", forms.size, update=True),
    _host("mem_swappiness", "MemorySwappiness", forms.integer, seen=_same),
    _host("memswap_limit", "MemorySwap", forms.size, update=True),
    _host("oom_kill_disable", "OomKillDisable", forms.flag),
    _host("oom_score_adj", "OomScoreAdj", forms.integer),
    _host("pid", "PidMode", forms.text),
    _host("pids_limit", "PidsLimit", forms.integer, update=True),
    _host("privileged", "Privileged", forms.flag),
    _host("read_only", "ReadonlyRootfs", forms.flag),
    _host("restart", "RestartPolicy", forms.restart, write=forms.restart_write, seen=forms.restart_seen, update=True),
    _host("runtime", "Runtime", forms.text),
    _list("security_opt", "SecurityOpt"),
    _host("shm_size", "ShmSize", forms.size),
    _host("storage_opt", "StorageOpt", forms.text_map),
    _host("sysctls", "Sysctls", forms.sysctls),
    _host("tmpfs", "Tmpfs", forms.tmpfs),
    _host("ulimits", "Ulimits", forms.ulimits, write=forms.ulimits_write, seen=forms.ulimits_seen),
    _host("userns_mode", "UsernsMode", forms.text),
    _host("uts", "UTSMode", forms.text),
    _host("volumes_from", "VolumesFrom", forms.volumes_from, write=forms.volumes_from_write, seen=forms.sorted_list),
)
