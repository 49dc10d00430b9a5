"""What registries ask for, as the Docker CLI's configuration has it."""

from __future__ import annotations

import os
import re
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import AuthFailed, BadInput, ToolFailed
from jupyter_runbook.files import expanded
from jupyter_runbook.secret import secret_by_name
from jupyter_runbook.secret.excerpt import one_line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jupyter_runbook.errors import StepError

__all__ = ["credentials", "every_credential", "refused"]

# How engines say that a registry does not know us.
_WHO = re.compile(r"unauthorized|no basic auth|authentication required|incorrect username", re.IGNORECASE)
# What of a registry's credentials is secret, and what masks call it.
_SECRETS = {"password": "registry_password", "identitytoken": "registry_token"}


def credentials(repository: str) -> dict[str, str]:
    """Return the header with what the Docker CLI's configuration has for an image's registry; empty for nothing.

    Raises
    ------
    BadInput
        The configuration is broken, or the program that it names for credentials fails.
    """
    from docker.auth import encode_header, load_config, resolve_authconfig, resolve_repository_name

    registry, _ = resolve_repository_name(repository)
    with _reading_config():
        found = resolve_authconfig(load_config(), registry)
    _keep_secret(found)
    return {"X-Registry-Auth": _text(encode_header(found))} if found else {}


def every_credential() -> dict[str, str]:
    """Return the header with the credentials for every registry that a Dockerfile might name; see `credentials`."""
    from docker.auth import encode_header, load_config
    from docker.credentials.errors import StoreError

    found: dict[str, Any] = {}
    # Most builds need none: as for the Docker CLI, a store whose program is not there has none.
    with _reading_config(), suppress(StoreError):
        found = load_config().get_all_credentials() if _config_file().is_file() else {}  # type: ignore[no-untyped-call]
    for one in found.values():
        _keep_secret(one)
    return {"X-Registry-Config": _text(encode_header(found))} if found else {}


def refused(message: str, repository: str, hint: str) -> StepError:
    """Return the error for what a registry said no to: one that wants to know who we are is told from any other.

    Parameters
    ----------
    message
        What could not be done, and the registry's own words.
    repository
        The image's name without its tag.
    hint
        What to do about any other.
    """
    if not _WHO.search(message):
        return ToolFailed(message, hint=hint)
    from docker.auth import resolve_repository_name

    registry, _ = resolve_repository_name(repository)
    return AuthFailed(message, hint=f"docker login {registry} writes what it asks for into {_config_file()}")


@contextmanager
def _reading_config() -> Iterator[None]:
    from docker.errors import DockerException

    try:
        # What a store's program lacks is in the error, too.
        with warnings.catch_warnings(action="ignore"):
            yield
    except (DockerException, ValueError, AttributeError, TypeError) as error:
        raise BadInput(
            f"the credentials of {_config_file()} can't be had: {one_line_of(str(error))}",
            hint="docker login writes them anew, for the registry that an image's name begins with",
        ) from None


def _keep_secret(credentials: Mapping[str, Any] | None) -> None:
    """Take what proves to a registry who we are for secrets: an engine's error may say it."""
    for name, value in (credentials or {}).items():
        if isinstance(value, str):
            secret_by_name(_SECRETS.get(name.lower(), name), value)


def _config_file() -> Path:
    return expanded(Path(os.environ.get("DOCKER_CONFIG") or "~/.docker", "config.json"))


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value
