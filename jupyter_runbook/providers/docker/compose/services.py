"""One service of a Compose file, read into its canonical form."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.docker.compose.builds import read_build
from jupyter_runbook.providers.docker.compose.deploy import read_deploy
from jupyter_runbook.providers.docker.compose.surroundings import given, read_environment, read_labels
from jupyter_runbook.providers.docker.model import Dependency, File, Service
from jupyter_runbook.providers.docker.mounts import read_mounts
from jupyter_runbook.providers.docker.ports import read_ports
from jupyter_runbook.providers.docker.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jupyter_runbook.providers.docker.compose.surroundings import Surroundings
    from jupyter_runbook.providers.docker.model import Build
    from jupyter_runbook.spec.node import Node

__all__ = ["read_service"]

# What concerns other commands than the one that brings a project up; it says nothing of what should be.
IGNORED = ("develop", "attach", "profiles")
OWN = (
    "image",
    "build",
    "pull_policy",
    "platform",
    "environment",
    "env_file",
    "labels",
    "label_file",
    "ports",
    "volumes",
    "networks",
    "network_mode",
    "configs",
    "secrets",
    "depends_on",
    "deploy",
    "scale",
    "container_name",
    "mac_address",
    "links",
    "external_links",
    "blkio_config",
)
#: Every key of a service.
KEYS = tuple(sorted({*OWN, *IGNORED, *(key for key in SETTINGS if "." not in key)}))

#: What the specification has and an engine by itself, or this provider, has not: why.
UNSUPPORTED = {
    "credential_spec": "is Windows' own",
    "models": "needs Docker's model runner",
    "provider": "needs a plugin of Compose",
    "use_api_socket": "would hand the engine to the container: mount its socket where you mean that",
    "post_start": "is not supported: write a %%shell step that waits for this one",
    "pre_stop": "is not supported: write a %%shell step",
}
_PULL = {"if_not_present": "missing", "missing": "missing", "always": "always", "never": "never", "build": "build"}
_CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def read_service(node: Node, around: Surroundings) -> Service:
    """Read one service.

    Raises
    ------
    InvalidSpec
        With the line of what can't be read or is not known.
    """
    name = str(node.path[-1])
    for key, why in UNSUPPORTED.items():
        if isinstance(node.value, dict) and key in node.value:
            raise node.child(key).error(f"{key} {why}")
    parts = node.mapping(KEYS, "a service")
    build = read_build(parts["build"], around) if given(parts, "build") else None
    if "image" not in parts and build is None:
        raise node.error(f"the service {name} has neither image nor build")
    settings = {key: setting.read(parts[key]) for key, setting in SETTINGS.items() if given(parts, key)}
    replicas = read_deploy(parts["deploy"], settings) if given(parts, "deploy") else None
    if given(parts, "blkio_config"):
        settings.update(_blkio(parts["blkio_config"]))
    scale = parts["scale"].integer(0) if given(parts, "scale") else 1 if replicas is None else replicas
    mode = parts["network_mode"].text() if given(parts, "network_mode") else None
    if mode is not None and "networks" in parts:
        raise parts["network_mode"].error("a service with networks has no network_mode", hint="keep one of the two")
    for key in ("links", "external_links"):
        if mode is not None and given(parts, key):
            raise parts[key].error(f"a service with network_mode has no {key}", hint="join a network in its place")
    ports, volumes = given(parts, "ports"), given(parts, "volumes")
    links, external_links = _links(parts, "links"), _links(parts, "external_links")
    service = Service(
        name=name,
        image=_image(parts, around, name),
        build=build,
        pull_policy=_pull_policy(parts, build),
        platform=parts["platform"].text() if given(parts, "platform") else None,
        settings=settings,
        environment=read_environment(parts, around),
        labels=read_labels(parts, around),
        ports=tuple(read_ports(parts["ports"])) if ports else None,
        mounts=tuple(read_mounts(parts["volumes"], around.folder, around.volumes)) if volumes else None,
        networks=None if mode is not None else _networks(parts, around),
        network_mode=mode,
        files=_files(parts, around, mounted=bool(settings.get("read_only"))),
        scale=scale,
        container_name=_container_name(parts, scale),
        links=links,
        external_links=external_links,
    )
    return replace(service, depends=_depends(parts, [*service.shares, *(key for key, _ in links)]))


def _blkio(node: Node) -> dict[str, Any]:
    known = {key.partition(".")[2]: key for key in SETTINGS if key.startswith("blkio_config.")}
    return {known[key]: SETTINGS[known[key]].read(one) for key, one in node.mapping(known, "blkio_config").items()}


def _links(parts: Mapping[str, Node], key: str) -> tuple[tuple[str, str], ...]:
    """Read what a service finds by which name: ``NAME[:ALIAS]``."""
    found = []
    for one in parts[key].items() if given(parts, key) else ():
        name, _, alias = one.text().partition(":")
        if not name or ":" in alias:
            raise one.wrong("NAME[:ALIAS]")
        found.append((name, alias or name))
    return tuple(sorted(set(found)))


def _container_name(parts: Mapping[str, Node], scale: int) -> str | None:
    if not given(parts, "container_name"):
        return None
    node = parts["container_name"]
    text = node.text()
    if not _NAME.fullmatch(text):
        raise node.error(f"{text!r} can't be a container's name")
    if scale > 1:
        raise node.error(f"{scale} containers can't have one name", hint="take container_name out")
    return text


def _pull_policy(parts: Mapping[str, Node], build: Build | None) -> str:
    if not given(parts, "pull_policy"):
        return "missing"
    policy = _PULL[parts["pull_policy"].choice(*_PULL)]
    if policy == "build" and build is None:
        raise parts["pull_policy"].error("there is no build here")
    return policy


def _image(parts: Mapping[str, Node], around: Surroundings, name: str) -> str:
    if "image" not in parts:
        return f"{around.project}-{name}"
    text = parts["image"].text()
    if not text or any(mark in text for mark in " \t\n"):
        raise parts["image"].wrong("an image's name")
    return text


_NETWORK = ("aliases", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address", "priority", "driver_opts")


def _networks(parts: Mapping[str, Node], around: Surroundings) -> dict[str, dict[str, Any]]:
    """Read ``networks``: a list of keys, or a mapping with what the service is called and has in each."""
    found: dict[str, dict[str, Any]] = {}
    if not given(parts, "networks"):
        found["default"] = {}
    elif isinstance(parts["networks"].value, list):
        for one in parts["networks"].items():
            found[_declared(one, one.text(), around)] = {}
    else:
        for key, one in parts["networks"].mapping().items():
            found[_declared(one, key, around)] = {} if one.value is None else _attachment(one)
    if "mac_address" in parts:
        next(iter(found.values()))["mac_address"] = parts["mac_address"].text().lower()
    # As the specification has it, the one of the highest priority comes first.
    return dict(sorted(found.items(), key=lambda item: -int(item[1].get("priority", 0))))


def _declared(node: Node, key: str, around: Surroundings) -> str:
    if key != "default" and key not in around.networks:
        raise node.error(f"the network {key} is not declared", hint=f"networks:\n  {key}:")
    return key


def _attachment(node: Node) -> dict[str, Any]:
    readers: dict[str, Callable[[Node], Any]] = {
        "aliases": lambda one: sorted(set(one.texts())),
        "link_local_ips": lambda one: sorted(one.texts()),
        "priority": lambda one: one.integer(),
        "mac_address": lambda one: one.text().lower(),
        "driver_opts": lambda one: {key: str(value) for key, value in one.pairs().items()},
    }
    return {
        key: readers[key](one) if key in readers else one.text() for key, one in node.mapping(_NETWORK, "it").items()
    }


def _files(parts: Mapping[str, Node], around: Surroundings, *, mounted: bool) -> tuple[File, ...]:
    found: dict[str, File] = {}
    for kind, folder in (("configs", "/"), ("secrets", "/run/secrets/")):
        for one in parts[kind].items() if given(parts, kind) else ():
            inner = (
                one.mapping(("source", "target", "uid", "gid", "mode"), f"one of the {kind}")
                if isinstance(one.value, dict)
                else {"source": one}
            )
            if "source" not in inner:
                raise one.error("source is needed")
            source = inner["source"].text()
            if (kind, source) not in around.files:
                raise one.error(f"{source} is not declared", hint=f"{kind}:\n  {source}:\n    file: ./{source}")
            target = inner["target"].text() if "target" in inner else source
            target = target if target.startswith("/") else folder + target
            numbers = {key: inner[key].integer(0) for key in ("uid", "gid", "mode") if key in inner}
            text, path = around.files[kind, source]
            if mounted and (path is None or numbers):
                raise one.error(
                    f"no engine copies {source} into a read_only container; it can only be mounted, as the file is",
                    hint="declare it with file:, and without uid, gid and mode; or take read_only out",
                )
            found[target] = File(target, text, **numbers, path=path if mounted else None)
    return tuple(found[target] for target in sorted(found))


def _depends(parts: Mapping[str, Node], others: Iterable[str]) -> dict[str, Dependency]:
    """Read ``depends_on``; those that a service shares something with, or is linked to, have to be there as well."""
    found = dict.fromkeys(others, Dependency())
    if not given(parts, "depends_on"):
        return found
    node = parts["depends_on"]
    if isinstance(node.value, list):
        return {**found, **{one.text(): Dependency() for one in node.items()}}
    for name, one in node.mapping().items():
        inner = one.mapping(("condition", "required", "restart"), "a dependency") if one.value is not None else {}
        found[name] = Dependency(
            _CONDITIONS[inner["condition"].choice(*_CONDITIONS)] if "condition" in inner else "started",
            inner["required"].flag() if "required" in inner else True,
            "restart" in inner and inner["restart"].flag(),
        )
    return found
