"""The fields of a service, each in Compose's words and in the engine's: one table.

A `Setting` reads a field from the cell, writes it into what a container is created from, and finds it again in what the
engine tells of the container. Both sides come to one canonical form, so that two spellings of a value are equal.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def _empty_is_none(value: Any) -> Any:
    return value or None


def _sorted(value: Any) -> Any:
    return sorted(value) or None


def _text_list(node: Node) -> list[str] | None:
    return sorted(set(node.texts())) or None


def _ordered_list(node: Node) -> list[str] | None:
    return list(node.texts()) or None


def _command(node: Node) -> list[str]:
    """Read a command: a text is split as a shell would, as Compose does it."""
    if isinstance(node.value, list):
        return [item.text() for item in node.items()]
    if node.value is None:
        return []
    try:
        return shlex.split(node.text())
    except ValueError as error:
        raise node.error(f"{str(error).lower()}: quote it as for a shell, or write a list") from None


def _capabilities(node: Node) -> list[str] | None:
    return _capability_names(node.texts())


def _capability_names(names: Any) -> list[str] | None:
    return sorted({name.upper().removeprefix("CAP_") for name in names}) or None


def _nano(node: Node) -> int:
    return round(node.number() * 1_000_000_000)


def _microseconds(node: Node) -> int:
    """Read a time of the scheduler's: a number of microseconds, or a duration."""
    text = str(node.value).strip()
    return int(text) if text.isdigit() else round(node.seconds() * 1_000_000)


def _grace(node: Node) -> int:
    return math.ceil(node.seconds())


def _restart(node: Node) -> str:
    text = node.text()
    name, colon, count = text.partition(":")
    if name not in {"no", "always", "unless-stopped", "on-failure"} or (
        colon and (name != "on-failure" or not count.isdigit())
    ):
        raise node.wrong("no, always, unless-stopped, on-failure or on-failure:N")
    return text


def _restart_write(text: str) -> dict[str, Any]:
    name, _, count = text.partition(":")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def _restart_seen(policy: Mapping[str, Any]) -> str:
    count = policy.get("MaximumRetryCount") or 0
    name = policy.get("Name") or "no"
    return f"{name}:{count}" if count and name == "on-failure" else name


def _logging(node: Node) -> dict[str, Any]:
    found = node.mapping(("driver", "options"), "logging")
    driver = found["driver"].text() if "driver" in found else None
    options = {key: value.text() for key, value in found["options"].mapping().items()} if "options" in found else {}
    return {"driver": driver, "options": options}


def _logging_write(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": value["driver"] or "", "Config": value["options"]}


def _logging_seen(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"driver": value.get("Type") or None, "options": value.get("Config") or {}}


def _ulimits(node: Node) -> dict[str, list[int]]:
    found = {}
    for name, one in node.mapping().items():
        if isinstance(one.value, dict):
            both = one.mapping(("soft", "hard"), "a ulimit")
            if len(both) < 2:  # noqa: PLR2004 -- the two of them
                raise one.error("soft and hard are needed")
            found[name] = [both["soft"].integer(), both["hard"].integer()]
        else:
            found[name] = [one.integer()] * 2
    return found


def _ulimits_write(value: Mapping[str, list[int]]) -> list[dict[str, Any]]:
    return [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in sorted(value.items())]


def _ulimits_seen(value: Any) -> dict[str, list[int]] | None:
    return {one["Name"]: [one["Soft"], one["Hard"]] for one in value} or None


def _sysctls(node: Node) -> dict[str, str]:
    return {key: str(value) for key, value in node.pairs().items()}


def _extra_hosts(node: Node) -> list[str] | None:
    """Read extra hosts: ``NAME:ADDRESS`` or ``NAME=ADDRESS`` in a list, or a mapping of addresses."""
    found: set[str] = set()
    if isinstance(node.value, dict):
        for name, one in node.mapping().items():
            found |= {f"{name}:{address.strip('[]')}" for address in one.texts()}
    else:
        for one in node.items():
            text = one.text()
            name, mark, address = text.partition("=") if "=" in text else text.partition(":")
            if not mark or not name or not address:
                raise one.wrong("NAME:ADDRESS")
            found.add(f"{name}:{address.strip('[]')}")
    return sorted(found) or None


def _devices(node: Node) -> list[str] | None:
    found = []
    for one in node.items():
        if isinstance(one.value, dict):
            parts = one.mapping(("source", "target", "permissions"), "a device")
            if "source" not in parts:
                raise one.error("source is needed")
            source = parts["source"].text()
            target = parts["target"].text() if "target" in parts else source
            rights = parts["permissions"].text() if "permissions" in parts else "rwm"
        else:
            source, _, rest = one.text().partition(":")
            target, _, rights = rest.partition(":")
        found.append(f"{source}:{target or source}:{rights or 'rwm'}")
    return sorted(found) or None


def _devices_write(value: list[str]) -> list[dict[str, str]]:
    parts = [one.split(":") for one in value]
    return [{"PathOnHost": a, "PathInContainer": b, "CgroupPermissions": c} for a, b, c in parts]


def _devices_seen(value: Any) -> list[str] | None:
    return sorted(f"{one['PathOnHost']}:{one['PathInContainer']}:{one['CgroupPermissions']}" for one in value) or None


def _tmpfs(node: Node) -> dict[str, str]:
    found = {}
    for text in node.texts():
        path, _, options = text.partition(":")
        found[path] = options
    return found


def _expose(node: Node) -> list[str]:
    found: set[str] = set()
    for one in node.items():
        ports, _, protocol = one.text().partition("/")
        first, _, last = ports.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise one.wrong("a port or a range of them")
        found |= {f"{port}/{protocol or 'tcp'}" for port in range(int(first), int(last or first) + 1)}
    return sorted(found)


def _text_map(node: Node) -> dict[str, str]:
    return {key: str(value) for key, value in node.pairs().items()}


def _groups(node: Node) -> list[str] | None:
    return _text_list(node)


_HEALTH = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
_HEALTH["start_interval"] = "StartInterval"


def _healthcheck(node: Node) -> dict[str, Any]:
    found = node.mapping(("test", "retries", "disable", *_HEALTH), "a healthcheck")
    if "disable" in found and found["disable"].flag():
        return {"test": ["NONE"]}
    value: dict[str, Any] = {}
    if "test" in found:
        value["test"] = _test(found["test"])
    if "retries" in found:
        value["retries"] = found["retries"].integer(0)
    # In nanoseconds, as the engine has them.
    value.update({key: round(found[key].seconds() * 1e9) for key in _HEALTH if key in found})
    return value


def _test(node: Node) -> list[str]:
    if not isinstance(node.value, list):
        return ["CMD-SHELL", node.text()]
    words = [item.text() for item in node.items()]
    if not words or words[0] not in {"NONE", "CMD", "CMD-SHELL"}:
        raise node.error("a list begins with CMD, CMD-SHELL or NONE", hint=f'["CMD", {", ".join(words[:3])}]')
    return words


def _healthcheck_write(value: Mapping[str, Any]) -> dict[str, Any]:
    names = {"test": "Test", "retries": "Retries", **_HEALTH}
    return {names[key]: one for key, one in value.items()}


def _healthcheck_seen(value: Mapping[str, Any]) -> dict[str, Any]:
    names = {"test": "Test", "retries": "Retries", **_HEALTH}
    return {key: value[name] for key, name in names.items() if value.get(name)}


def _requests(node: Node) -> list[dict[str, Any]]:
    """Read what devices a service asks for (``deploy.resources.reservations.devices``, ``gpus``)."""
    if node.value == "all":
        return [{"Driver": "", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}]
    found = []
    for one in node.items():
        parts = one.mapping(("driver", "count", "device_ids", "capabilities", "options"), "a device request")
        count = parts.get("count")
        ids = list(parts["device_ids"].texts()) if "device_ids" in parts else []
        found.append(
            {
                "Driver": parts["driver"].text() if "driver" in parts else "",
                "Count": (0 if ids else -1) if count is None else -1 if count.value == "all" else count.integer(),
                "DeviceIDs": ids,
                "Capabilities": [list(parts["capabilities"].texts()) if "capabilities" in parts else ["gpu"]],
                "Options": _text_map(parts["options"]) if "options" in parts else {},
            }
        )
    return found


def _requests_seen(value: Any) -> Any:
    return [
        {**one, "DeviceIDs": one.get("DeviceIDs") or [], "Options": one.get("Options") or {}} for one in value
    ] or None


def _text(node: Node) -> str:
    return node.text()


def _flag(node: Node) -> bool:
    return node.flag()


def _integer(node: Node) -> int:
    return node.integer()


def _size(node: Node) -> int:
    return node.size()


def _stop_signal(node: Node) -> str:
    return _signal(node.text())


def _signal(value: str) -> str:
    text = value.upper()
    return text if text.isdigit() or text.startswith("SIG") else f"SIG{text}"


def _table(*settings: Setting) -> dict[str, Setting]:
    return {setting.key: setting for setting in settings}


def _host(key: str, name: str, read: Callable[[Node], Any], **more: Any) -> Setting:
    return Setting(key, f"HostConfig.{name}", read, **{"seen": _empty_is_none, **more})


def _list(key: str, name: str, **more: Any) -> Setting:
    return _host(key, name, _text_list, **{"seen": _sorted, **more})


#: Every field that is one value of the engine's; ports, volumes, networks and files have rooms of their own.
SETTINGS = _table(
    Setting("command", "Config.Cmd", _command, seen=list, inherited=True),
    Setting("entrypoint", "Config.Entrypoint", _command, seen=list, inherited=True),
    Setting("hostname", "Config.Hostname", _text),
    Setting("domainname", "Config.Domainname", _text),
    Setting("user", "Config.User", _text, inherited=True),
    Setting("working_dir", "Config.WorkingDir", _text, inherited=True),
    Setting("tty", "Config.Tty", _flag),
    Setting("stdin_open", "Config.OpenStdin", _flag),
    Setting("stop_signal", "Config.StopSignal", _stop_signal, seen=_signal, inherited=True),
    Setting("stop_grace_period", "Config.StopTimeout", _grace),
    Setting(
        "healthcheck",
        "Config.Healthcheck",
        _healthcheck,
        write=_healthcheck_write,
        seen=_healthcheck_seen,
        inherited=True,
    ),
    Setting(
        "expose",
        "Config.ExposedPorts",
        _expose,
        write=lambda value: {port: {} for port in value},
        seen=sorted,
        inherited=True,
    ),
    _host("annotations", "Annotations", _text_map, since=(1, 43)),
    _host("cap_add", "CapAdd", _capabilities, seen=_capability_names),
    _host("cap_drop", "CapDrop", _capabilities, seen=_capability_names),
    _host("cgroup", "CgroupnsMode", _text),
    _host("cgroup_parent", "CgroupParent", _text),
    _host("cpu_count", "CpuCount", _integer),
    _host("cpu_percent", "CpuPercent", _integer),
    _host("cpu_period", "CpuPeriod", _microseconds, update=True),
    _host("cpu_quota", "CpuQuota", _microseconds, update=True),
    _host("cpu_rt_period", "CpuRealtimePeriod", _microseconds, update=True),
    _host("cpu_rt_runtime", "CpuRealtimeRuntime", _microseconds, update=True),
    _host("cpu_shares", "CpuShares", _integer, update=True),
    _host("cpus", "NanoCpus", _nano, update=True),
    _host("cpuset", "CpusetCpus", _text, update=True),
    _list("device_cgroup_rules", "DeviceCgroupRules"),
    _host("devices", "Devices", _devices, write=_devices_write, seen=_devices_seen),
    _host("dns", "Dns", _ordered_list),
    _list("dns_opt", "DnsOptions"),
    _host("dns_search", "DnsSearch", _ordered_list),
    _host("extra_hosts", "ExtraHosts", _extra_hosts, seen=_sorted),
    _host("gpus", "DeviceRequests", _requests, seen=_requests_seen),
    _list("group_add", "GroupAdd"),
    _host("init", "Init", _flag),
    _host("ipc", "IpcMode", _text),
    _host("isolation", "Isolation", _text),
    _host("logging", "LogConfig", _logging, write=_logging_write, seen=_logging_seen),
    _host("mem_limit", "Memory", _size, update=True),
    _host("mem_reservation", "MemoryReservation", _size, update=True),
    _host("mem_swappiness", "MemorySwappiness", _integer, seen=_same),
    _host("memswap_limit", "MemorySwap", _size, update=True),
    _host("oom_kill_disable", "OomKillDisable", _flag),
    _host("oom_score_adj", "OomScoreAdj", _integer),
    _host("pid", "PidMode", _text),
    _host("pids_limit", "PidsLimit", _integer, update=True),
    _host("privileged", "Privileged", _flag),
    _host("read_only", "ReadonlyRootfs", _flag),
    _host("restart", "RestartPolicy", _restart, write=_restart_write, seen=_restart_seen, update=True),
    _host("runtime", "Runtime", _text),
    _list("security_opt", "SecurityOpt"),
    _host("shm_size", "ShmSize", _size),
    _host("storage_opt", "StorageOpt", _text_map),
    _host("sysctls", "Sysctls", _sysctls),
    _host("tmpfs", "Tmpfs", _tmpfs),
    _host("ulimits", "Ulimits", _ulimits, write=_ulimits_write, seen=_ulimits_seen),
    _host("userns_mode", "UsernsMode", _text),
    _host("uts", "UTSMode", _text),
)
