"""What a comparison needs to know, and what it finds. Values alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Difference", "Scene", "masked"]

Inspected = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One field that differs.

    Parameters
    ----------
    field
        As people call it: ``mem_limit``, ``environment.LOG_LEVEL``.
    before, after
        What is there, and what the cell says; None for nothing.
    cause
        Where it comes from: ``changed in the cell``, ``changed by hand``, or what else there is to say.
    update
        Whether the container that is there can be given it: by ``update``, or by joining or leaving a network.
    network
        The network that is joined or left, by the engine's name.
    """

    field: str
    before: Any
    after: Any
    cause: str
    update: bool = False
    network: str | None = None

    def __str__(self) -> str:
        return f"{self.field}: {self.cause}"


@dataclass(frozen=True)
class Scene:
    """What a comparison needs to know beside the container.

    Parameters
    ----------
    image
        The image that the cell names, as inspected; None where it is not there yet.
    made_from
        The image that the container was made from.
    networks
        The engine's names of the cell's networks, by key.
    network_ids
        The IDs of the networks that are there, by the engine's names.
    volumes
        The engine's names of the cell's volumes, by key.
    containers
        The IDs of the containers that others share something with, by ``service:NAME``.
    links
        What is found by which name: ``CONTAINER:NAME``.
    """

    image: Inspected | None
    made_from: Inspected | None
    networks: Mapping[str, str]
    network_ids: Mapping[str, str]
    volumes: Mapping[str, str]
    containers: Mapping[str, str]
    links: Sequence[str] = ()


def masked(name: str, value: str | Secret | None, like: str | Secret | None) -> str | None:
    """Return a variable's value as it may be shown: not where its name, or what should be there, says a secret.

    What is there may be an old password, which nobody has declared as a secret.
    """
    if value is None:
        return None
    if isinstance(value, Secret):
        return value.mask
    if isinstance(like, Secret):
        return like.mask
    return f"[secret {name}]" if is_secret_name(name) and value else value
