"""``deploy`` of a service (the Compose Deploy Specification): another spelling of what an engine has by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.docker.settings import SETTINGS

if TYPE_CHECKING:
    from jupyter_runbook.spec.node import Node

__all__ = ["read_deploy"]

_SWARM = ("endpoint_mode", "placement", "rollback_config", "update_config")


def read_deploy(node: Node, settings: dict[str, Any]) -> int | None:
    """Read ``deploy`` into the settings that it is another spelling of; return ``replicas``.

    Raises
    ------
    InvalidSpec
        What an engine by itself can't do, or what is said otherwise in the service itself.
    """
    for key in _SWARM:
        if isinstance(node.value, dict) and key in node.value:
            raise node.child(key).error(f"{key} is Swarm's own", hint="take it out")
    parts = node.mapping(("mode", "replicas", "resources", "restart_policy", "labels"), "deploy")
    if "mode" in parts:
        parts["mode"].choice("replicated")
    if "resources" in parts:
        _resources(parts["resources"], settings)
    if "restart_policy" in parts:
        _also(settings, "restart", parts["restart_policy"], _policy(parts["restart_policy"]))
    return parts["replicas"].integer(0) if "replicas" in parts else None


def _also(settings: dict[str, Any], key: str, node: Node, value: Any) -> None:
    if settings.setdefault(key, value) != value:
        raise node.error(f"{key} says otherwise", hint="keep one of the two")


def _resources(node: Node, settings: dict[str, Any]) -> None:
    names = {
        "limits": {"cpus": "cpus", "memory": "mem_limit", "pids": "pids_limit"},
        "reservations": {"memory": "mem_reservation", "devices": "gpus", "cpus": ""},
    }
    for half, inner in node.mapping(names, "resources").items():
        for key, one in inner.mapping(names[half], half).items():
            setting = SETTINGS.get(names[half][key])
            if setting is None:
                raise one.error(f"an engine by itself reserves no {key}", hint="take it out, or use cpu_shares")
            _also(settings, setting.key, one, setting.read(one))


def _policy(node: Node) -> str:
    inner = node.mapping(("condition", "max_attempts", "delay", "window"), "restart_policy")
    for key in ("delay", "window"):
        if key in inner:
            raise inner[key].error(f"{key} is Swarm's own", hint="take it out")
    names = {"none": "no", "on-failure": "on-failure", "any": "unless-stopped"}
    condition = names[inner["condition"].choice(*names)] if "condition" in inner else "unless-stopped"
    if "max_attempts" in inner and condition == "on-failure":
        return f"on-failure:{inner['max_attempts'].integer(0)}"
    return condition
