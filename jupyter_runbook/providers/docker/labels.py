"""The labels by which what is ours is found again, and what a container was made from is known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.providers.docker.model import File, Service

__all__ = [
    "BUILD",
    "FIELDS",
    "NUMBER",
    "OURS",
    "PROJECT",
    "SERVICE",
    "VERSION",
    "digest_of",
    "fields_label",
    "fields_of",
    "fingerprints",
    "foreign",
    "identity",
]

_PREFIX = "org.jupyter-runbook."
#: What is ours in a project, on a container, a network or a volume.
PROJECT = f"{_PREFIX}project"
SERVICE = f"{_PREFIX}service"
NUMBER = f"{_PREFIX}number"
#: Of each field that a container was made with, a digest; and the version of how they are made.
FIELDS = f"{_PREFIX}fields"
#: Of an image: a digest of all that it was built from.
BUILD = f"{_PREFIX}build"
#: The key of a network or a volume.
OURS = f"{_PREFIX}key"

# How the digests are made. One of another version tells nothing: then the comparison alone decides.
VERSION = 1
# Compose's own: by these, its commands and the tools around it show a project.
_COMPOSE = "com.docker.compose."


def identity(project: str, service: str, number: int) -> dict[str, str]:
    """Return the labels of one container."""
    return {
        PROJECT: project,
        SERVICE: service,
        NUMBER: str(number),
        f"{_COMPOSE}project": project,
        f"{_COMPOSE}service": service,
        f"{_COMPOSE}container-number": str(number),
        f"{_COMPOSE}oneoff": "False",
    }


def foreign(labels: Mapping[str, str] | None) -> dict[str, str]:
    """Return the labels that are neither ours nor Compose's."""
    return {key: value for key, value in (labels or {}).items() if not key.startswith((_PREFIX, _COMPOSE))}


def fingerprints(service: Service) -> dict[str, str]:
    """Return a digest of each field that a service gives, secrets and the contents of files included."""
    given = {
        **service.settings,
        "environment": service.environment,
        "labels": service.labels,
        "ports": service.ports,
        "volumes": service.mounts,
        "networks": service.networks,
        "network_mode": service.network_mode,
        "files": [_file(one) for one in service.files] or None,
        "links": (service.links, service.external_links) if service.links or service.external_links else None,
        "platform": service.platform,
    }
    return {key: digest_of(value) for key, value in sorted(given.items()) if value is not None}


def _file(file: File) -> dict[str, Any]:
    """Return what counts of a file; where it is, only if it is mounted from there."""
    values = {one.name: getattr(file, one.name) for one in fields(file)}
    return values if file.path else {key: value for key, value in values.items() if key != "path"}


def fields_label(service: Service) -> str:
    """Return the label that tells what a container was made from."""
    return json.dumps({"version": VERSION, **fingerprints(service)}, separators=(",", ":"))


def fields_of(labels: Mapping[str, str] | None) -> dict[str, str] | None:
    """Read `FIELDS`; None where there is none, or one of another version."""
    try:
        found = dict(json.loads((labels or {}).get(FIELDS, "")))
    except (ValueError, TypeError):
        return None
    return found if found.pop("version", None) == VERSION else None


def digest_of(value: Any) -> str:
    """Return a digest of a field's canonical value, secrets included."""
    text = json.dumps(_revealed(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _revealed(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _revealed(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_revealed(one) for one in value]
    return value
