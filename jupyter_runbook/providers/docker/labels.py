"""The labels by which what is ours is found again, and what a container was made from is known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_runbook.secret import Secret
from jupyter_runbook.secret.keyed import key_id, keyed_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_runbook.providers.docker.model import File, Service

__all__ = [
    "BUILD",
    "FIELDS",
    "NUMBER",
    "OURS",
    "PROJECT",
    "SERVICE",
    "VERSION",
    "Fingerprint",
    "fields_label",
    "fields_of",
    "fingerprint",
    "fingerprints",
    "foreign",
    "identity",
    "made_with",
    "not_comparable",
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
# What names the machine's key, among the digests; and what stands for a digest that another machine's key made.
KEY = "key"
UNKNOWN = "?"
SHORT = 16
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


class Fingerprint(NamedTuple):
    """The digest of a field.

    Parameters
    ----------
    text
        As it stands in the label: of the value, a secret as its name; after a dot, keyed, of the value with secrets.
    before
        As earlier versions made it, which had no key.
    """

    text: str
    before: str

    def fits(self, made: str) -> bool:
        """Tell whether a container's field was made from the same, as far as this machine's key tells."""
        if "." not in made:
            return made == self.before
        (plain, _, keyed), (ours, _, mine) = made.partition("."), self.text.partition(".")
        return plain == ours and keyed in {mine, UNKNOWN}


def fingerprints(service: Service) -> dict[str, Fingerprint]:
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
    return {key: fingerprint(value) for key, value in sorted(given.items()) if value is not None}


def _file(file: File) -> dict[str, Any]:
    """Return what counts of a file; where it is, only if it is mounted from there."""
    values = {one.name: getattr(file, one.name) for one in fields(file)}
    return values if file.path else {key: value for key, value in values.items() if key != "path"}


def fields_label(service: Service) -> str:
    """Return the label that tells what a container was made from."""
    made = {key: one.text for key, one in fingerprints(service).items()}
    keyed = {KEY: key_id()} if any("." in text for text in made.values()) else {}
    return json.dumps({"version": VERSION, **keyed, **made}, separators=(",", ":"))


def fields_of(labels: Mapping[str, str] | None) -> dict[str, str] | None:
    """Read `FIELDS`; None where there is none, or one of another version.

    A keyed digest that another machine's key made says nothing here, and is `UNKNOWN`.
    """
    try:
        found = {str(key): value for key, value in dict(json.loads((labels or {}).get(FIELDS, ""))).items()}
    except (ValueError, TypeError):
        return None
    if found.pop("version", None) != VERSION:
        return None
    key = found.pop(KEY, None)
    made = {name: str(text) for name, text in found.items()}
    if key is None or key == key_id():
        return made
    return {name: f"{text.partition('.')[0]}.{UNKNOWN}" if "." in text else text for name, text in made.items()}


def not_comparable(labels: Mapping[str, str] | None) -> list[str]:
    """Return the fields with a secret of which nobody can tell here whether it was changed."""
    return [name for name, text in (fields_of(labels) or {}).items() if text.endswith(f".{UNKNOWN}")]


def fingerprint(value: Any) -> Fingerprint:
    """Return the digest of a field's canonical value."""
    revealed = _text(value, lambda secret: secret.reveal())
    named = _text(value, lambda secret: secret.mask)
    before = _short(revealed)
    return Fingerprint(before if named == revealed else f"{_short(named)}.{keyed_digest(revealed)[:SHORT]}", before)


def made_with(seen: Any, made: str) -> bool:
    """Tell whether what a container has, as it was inspected, is what it was made with."""
    _, _, keyed = made.partition(".")
    text = _text(seen, lambda secret: secret.reveal())
    return keyed == keyed_digest(text)[:SHORT] if keyed else made == _short(text)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]


def _text(value: Any, shown: Callable[[Secret], str]) -> str:
    return json.dumps(_plain(value, shown), sort_keys=True, separators=(",", ":"))


def _plain(value: Any, shown: Callable[[Secret], str]) -> Any:
    if isinstance(value, Secret):
        return shown(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(getattr(value, key), shown) for key in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _plain(one, shown) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, shown) for one in value]
    return value
