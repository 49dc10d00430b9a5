"""The forms that the values of a service's fields have: as they are written, as the engine takes and tells them.

``NAME`` reads what the cell has into the canonical form, ``NAME_write`` makes the engine's of it, and ``NAME_seen``
reads that again.
"""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_runbook.spec.node import Node


def empty_is_none(value: Any) -> Any:
    """Return what the engine tells, None for an empty value."""
    return value or None


def sorted_list(value: Any) -> Any:
    """Return what the engine tells, in order; None for nothing."""
    return sorted(value) or None


def text_list(node: Node) -> list[str] | None:
    """Read texts whose order does not count."""
    return sorted(set(node.texts())) or None


def ordered_list(node: Node) -> list[str] | None:
    """Read texts whose order counts."""
    return list(node.texts()) or None


def command(node: Node) -> list[str]:
    """Read a command: a text is split as a shell would, as Compose does it."""
    if isinstance(node.value, list):
        return [item.text() for item in node.items()]
    if node.value is None:
        return []
    try:
        return shlex.split(node.text())
    except ValueError as error:
        raise node.error(f"{str(error).lower()}: quote it as for a shell, or write a list") from None


def capabilities(node: Node) -> list[str] | None:
    """Read names of capabilities."""
    return capability_names(node.texts())


def capability_names(names: Any) -> list[str] | None:
    """Return capabilities without the prefix that some have."""
    return sorted({name.upper().removeprefix("CAP_") for name in names}) or None


def nano(node: Node) -> int:
    """Read a number of CPUs, as thousand-millionths of one."""
    return round(node.number() * 1_000_000_000)


def microseconds(node: Node) -> int:
    """Read a time of the scheduler's: a number of microseconds, or a duration."""
    text = str(node.value).strip()
    return int(text) if text.isdigit() else round(node.seconds() * 1_000_000)


def grace(node: Node) -> int:
    """Read a time in whole seconds, rounded up."""
    return math.ceil(node.seconds())


def restart(node: Node) -> str:
    """Read a restart policy: its name, or ``on-failure:N``."""
    text = node.text()
    name, colon, count = text.partition(":")
    if name not in {"no", "always", "unless-stopped", "on-failure"} or (
        colon and (name != "on-failure" or not count.isdigit())
    ):
        raise node.wrong("no, always, unless-stopped, on-failure or on-failure:N")
    return text


def restart_write(text: str) -> dict[str, Any]:
    """Return the engine's form of a restart policy."""
    name, _, count = text.partition(":")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def restart_seen(policy: Mapping[str, Any]) -> str:
    """Read the engine's form of a restart policy."""
    count = policy.get("MaximumRetryCount") or 0
    name = policy.get("Name") or "no"
    return f"{name}:{count}" if count and name == "on-failure" else name


def logging(node: Node) -> dict[str, Any]:
    """Read ``logging``: the driver, None for the default one, and its options."""
    found = node.mapping(("driver", "options"), "logging")
    driver = found["driver"].text() if "driver" in found else None
    options = {key: value.text() for key, value in found["options"].mapping().items()} if "options" in found else {}
    return {"driver": driver, "options": options}


def logging_write(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's form of ``logging``."""
    return {"Type": value["driver"] or "", "Config": value["options"]}


def logging_seen(value: Mapping[str, Any]) -> dict[str, Any]:
    """Read the engine's form of ``logging``."""
    return {"driver": value.get("Type") or None, "options": value.get("Config") or {}}


def ulimits(node: Node) -> dict[str, list[int]]:
    """Read ulimits: soft and hard by name."""
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


def ulimits_write(value: Mapping[str, list[int]]) -> list[dict[str, Any]]:
    """Return the engine's form of ulimits."""
    return [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in sorted(value.items())]


def ulimits_seen(value: Any) -> dict[str, list[int]] | None:
    """Read the engine's form of ulimits."""
    return {one["Name"]: [one["Soft"], one["Hard"]] for one in value} or None


def sysctls(node: Node) -> dict[str, str]:
    """Read kernel parameters by name."""
    return {key: str(value) for key, value in node.pairs().items()}


def extra_hosts(node: Node) -> list[str] | None:
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


def devices(node: Node) -> list[str] | None:
    """Read devices: ``SOURCE:TARGET:RIGHTS``."""
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


def devices_write(value: list[str]) -> list[dict[str, str]]:
    """Return the engine's form of devices."""
    parts = [one.split(":") for one in value]
    return [{"PathOnHost": a, "PathInContainer": b, "CgroupPermissions": c} for a, b, c in parts]


def devices_seen(value: Any) -> list[str] | None:
    """Read the engine's form of devices."""
    return sorted(f"{one['PathOnHost']}:{one['PathInContainer']}:{one['CgroupPermissions']}" for one in value) or None


def tmpfs(node: Node) -> dict[str, str]:
    """Read file systems in memory: the options by target."""
    found = {}
    for text in node.texts():
        path, _, options = text.partition(":")
        found[path] = options
    return found


def expose(node: Node) -> list[str]:
    """Read ports and ranges of them: ``PORT/PROTOCOL``."""
    found: set[str] = set()
    for one in node.items():
        ports, _, protocol = one.text().partition("/")
        first, _, last = ports.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise one.wrong("a port or a range of them")
        found |= {f"{port}/{protocol or 'tcp'}" for port in range(int(first), int(last or first) + 1)}
    return sorted(found)


def text_map(node: Node) -> dict[str, str]:
    """Read texts by name."""
    return {key: str(value) for key, value in node.pairs().items()}


def groups(node: Node) -> list[str] | None:
    """Read groups, by name or number."""
    return text_list(node)


_HEALTH = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
_HEALTH["start_interval"] = "StartInterval"


def healthcheck(node: Node) -> dict[str, Any]:
    """Read a healthcheck; its times in nanoseconds."""
    found = node.mapping(("test", "retries", "disable", *_HEALTH), "a healthcheck")
    if "disable" in found and found["disable"].flag():
        return {"test": ["NONE"]}
    value: dict[str, Any] = {}
    if "test" in found:
        value["test"] = test(found["test"])
    if "retries" in found:
        value["retries"] = found["retries"].integer(0)
    # In nanoseconds, as the engine has them.
    value.update({key: round(found[key].seconds() * 1e9) for key in _HEALTH if key in found})
    return value


def test(node: Node) -> list[str]:
    """Read the test of a healthcheck: a text is for the shell."""
    if not isinstance(node.value, list):
        return ["CMD-SHELL", node.text()]
    words = [item.text() for item in node.items()]
    if not words or words[0] not in {"NONE", "CMD", "CMD-SHELL"}:
        raise node.error("a list begins with CMD, CMD-SHELL or NONE", hint=f'["CMD", {", ".join(words[:3])}]')
    return words


def healthcheck_write(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's form of a healthcheck."""
    names = {"test": "Test", "retries": "Retries", **_HEALTH}
    return {names[key]: one for key, one in value.items()}


def healthcheck_seen(value: Mapping[str, Any]) -> dict[str, Any]:
    """Read the engine's form of a healthcheck."""
    names = {"test": "Test", "retries": "Retries", **_HEALTH}
    return {key: value[name] for key, name in names.items() if value.get(name)}


def requests(node: Node) -> list[dict[str, Any]]:
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
                "Options": text_map(parts["options"]) if "options" in parts else {},
            }
        )
    return found


def requests_seen(value: Any) -> Any:
    """Read the engine's form of device requests."""
    return [
        {**one, "DeviceIDs": one.get("DeviceIDs") or [], "Options": one.get("Options") or {}} for one in value
    ] or None


def text(node: Node) -> str:
    """Read a text."""
    return node.text()


def flag(node: Node) -> bool:
    """Read a truth value."""
    return node.flag()


def integer(node: Node) -> int:
    """Read a whole number."""
    return node.integer()


def size(node: Node) -> int:
    """Read a size in bytes."""
    return node.size()


def stop_signal(node: Node) -> str:
    """Read the name of a signal."""
    return signal(node.text())


def signal(value: str) -> str:
    """Return the full name of a signal."""
    text = value.upper()
    return text if text.isdigit() or text.startswith("SIG") else f"SIG{text}"


def volumes_from(node: Node) -> list[str]:
    """Read whose volumes a service has: ``service:NAME`` or ``container:NAME``, and ``:ro`` behind it."""
    found = set()
    for one in node.items():
        text = one.text()
        kind, _, rest = (text if text.startswith("container:") else f"service:{text}").partition(":")
        whose, _, mode = rest.partition(":")
        if not whose or mode not in {"", "ro", "rw"}:
            raise one.wrong("SERVICE[:ro] or container:NAME[:ro]")
        found.add(f"{kind}:{whose}{':ro' if mode == 'ro' else ''}")
    return sorted(found)


def volumes_from_write(value: list[str]) -> list[str]:
    """Return the engine's form of ``volumes_from``; services have been replaced by their containers."""
    return [one.removeprefix("container:") for one in value]


def device_weights(node: Node) -> list[dict[str, Any]]:
    """Read what share of a device's time there is: ``Path`` and ``Weight``."""
    return _device_rows(node, "weight", lambda one: one.integer(0))


def device_bytes(node: Node) -> list[dict[str, Any]]:
    """Read how many bytes a second a device may be used for: ``Path`` and ``Rate``."""
    return _device_rows(node, "rate", lambda one: one.size())


def device_operations(node: Node) -> list[dict[str, Any]]:
    """Read how many operations a second a device may be used for: ``Path`` and ``Rate``."""
    return _device_rows(node, "rate", lambda one: one.integer(0))


def _device_rows(node: Node, what: str, read: Callable[[Node], int]) -> list[dict[str, Any]]:
    found = []
    for one in node.items():
        parts = one.mapping(("path", what), "a device's limit")
        if len(parts) < 2:  # noqa: PLR2004 -- the two of them
            raise one.error(f"path and {what} are needed")
        found.append({"Path": parts["path"].text(), what.capitalize(): read(parts[what])})
    return sorted(found, key=lambda one: str(one["Path"]))


def device_rows_seen(value: Any) -> list[dict[str, Any]] | None:
    """Read the engine's form of devices' limits."""
    return sorted(({**one} for one in value), key=lambda one: str(one["Path"])) or None
