"""What is there: asked of an engine in a few calls side by side, and only read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import Conflict
from jupyter_runbook.providers.docker.busy import busy_ports
from jupyter_runbook.providers.docker.engine import NotFound
from jupyter_runbook.providers.docker.labels import NUMBER, PROJECT, SERVICE
from jupyter_runbook.providers.docker.lock import left_behind, lock_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.providers.docker.archives import Offer
    from jupyter_runbook.providers.docker.engine import Engine
    from jupyter_runbook.providers.docker.model import DockerSpec
    from jupyter_runbook.providers.docker.ports import Port
    from jupyter_runbook.stop import Stop

__all__ = ["NEXT", "OLD", "HostState", "Local", "container_name", "name_of", "observe", "place", "same_containers"]

#: How the names of a container end that is to replace one, and of one that is replaced, while that is done.
NEXT, OLD = ".next", ".old"
# Requests side by side; more gain nothing, for an engine answers them one after the other.
SIDE_BY_SIDE = 4

Inspected = dict[str, Any]


@dataclass(frozen=True)
class Local:
    """What images can be made of, or come from, whichever engine they are for.

    Parameters
    ----------
    builds
        What the image of each service would be built from, as a digest.
    offers
        Where images can be had without a registry, by name.
    saved
        What the archive has that the images are to be saved in, by their familiar names; None where there is none.
    """

    builds: Mapping[str, str] = field(default_factory=dict)
    offers: Mapping[str, Offer] = field(default_factory=dict)
    saved: Mapping[str, frozenset[str]] | None = None


@dataclass(frozen=True)
class HostState:
    """What one engine tells of a project.

    Parameters
    ----------
    containers
        Every container that is ours, as inspected.
    networks, volumes
        Those of the cell by key, None where there is none.
    ours
        The names of the networks and volumes that bear the project's label, by ``network`` and ``volume``.
    images
        Those of the cell by name, and those of the containers by ID; None where there is none.
    duplicates
        Networks of ours that have the name of another one.
    lock
        The lock that a run left which died; None where there is none, or its holder is at work.
    busy
        Who has the ports that the cell wants, of those that somebody else has.
    taken
        The containers that are not ours and have a name that the cell needs, as listed.
    local
        What this machine has to do with it.
    remote
        The digest that the registry has of an image, of those that it was asked for; None where it has none.
    """

    containers: tuple[Inspected, ...] = ()
    networks: Mapping[str, Inspected | None] = field(default_factory=dict)
    volumes: Mapping[str, Inspected | None] = field(default_factory=dict)
    ours: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    images: Mapping[str, Inspected | None] = field(default_factory=dict)
    duplicates: tuple[Inspected, ...] = ()
    lock: Inspected | None = None
    busy: Mapping[Port, str] = field(default_factory=dict)
    taken: tuple[Inspected, ...] = ()
    local: Local = field(default_factory=Local)
    remote: Mapping[str, str | None] = field(default_factory=dict)

    def of(self, service: str, number: int) -> list[Inspected]:
        """Return the containers of one place of a service; several where a replace was broken off."""
        return [one for one in self.containers if place(one) == (service, number)]


def place(container: Inspected) -> tuple[str, int]:
    """Return the service and the number of a container that is ours."""
    labels = container["Config"]["Labels"]
    number = labels.get(NUMBER, "")
    return str(labels.get(SERVICE, "")), int(number) if number.isdigit() else 0


def name_of(container: Inspected) -> str:
    """Return an inspected container's name."""
    return str(container["Name"]).removeprefix("/")


def container_name(spec: DockerSpec, service: str, number: int) -> str:
    """Return what a container is called: ``PROJECT-SERVICE-NUMBER``, or what the cell says."""
    given = spec.services[service].container_name if service in spec.services else None
    return given or f"{spec.project}-{service}-{number}"


def observe(spec: DockerSpec, engine: Engine, stop: Stop, local: Local) -> HostState:
    """Ask an engine for all that a cell is about.

    Parameters
    ----------
    spec, engine, stop
        What the cell says, the engine, and the step's token.
    local
        What `HostState` has of this machine.

    Raises
    ------
    RunbookError
        As `Engine.call`; a `Conflict` where networks of one name are several.
    """
    mine = {"label": [f"{PROJECT}={spec.project}"]}
    names = {
        container_name(spec, service.name, number)
        for service in spec.services.values()
        for number in range(1, service.scale + 1)
    }
    stop.check()
    _ = engine.api  # once, before the others ask side by side
    with ThreadPoolExecutor(SIDE_BY_SIDE, "runbook docker") as pool:
        listed = pool.submit(engine.get, "/containers/json", all=1, filters=mine)
        asked_networks = pool.submit(engine.get, "/networks")
        volumes = pool.submit(engine.get, "/volumes", filters=mine)
        external = {key: pool.submit(_maybe, engine, f"/volumes/{one.name}") for key, one in spec.volumes.items()}
        wanted = {service.image for service in spec.services.values()} if not spec.absent else set()
        found = {image: pool.submit(_maybe, engine, f"/images/{image}/json") for image in sorted(wanted)}
        containers = pool.map(lambda one: _maybe(engine, f"/containers/{one['Id']}/json"), listed.result())
        inspected = tuple(one for one in containers if one is not None)
        images = {image: one.result() for image, one in found.items()}
        known = {one["Id"] for one in images.values() if one}
        others = sorted({one["Image"] for one in inspected} - known)
        images.update(zip(others, pool.map(lambda one: _maybe(engine, f"/images/{one}/json"), others), strict=True))
        images.update({one["Id"]: one for one in list(images.values()) if one})
        free = names - {name_of(one) for one in inspected}
        taken = (
            engine.get("/containers/json", all=1, filters={"name": [f"^/{one}$" for one in sorted(free)]})
            if free
            else []
        )
        networks = sorted(asked_networks.result(), key=lambda one: (one["Created"], one["Id"]))
        ours = {
            "network": tuple(one["Name"] for one in networks if (one["Labels"] or {}).get(PROJECT) == spec.project),
            "volume": tuple(one["Name"] for one in volumes.result()["Volumes"] or ()),
        }
        return HostState(
            containers=inspected,
            networks=_by_name(spec, networks),
            volumes={key: one.result() for key, one in external.items()},
            ours=ours,
            images=images,
            local=local,
            remote=_remote(spec, engine, images, local),
            lock=next((one for one in networks if one["Name"] == lock_name(spec.project) and left_behind(one)), None),
            duplicates=_duplicates(spec, networks),
            busy={} if spec.absent else busy_ports(spec, engine, inspected),
            taken=tuple(one for one in taken if (one.get("Labels") or {}).get(PROJECT) != spec.project),
        )


def same_containers(spec: DockerSpec, engine: Engine, state: HostState) -> bool:
    """Tell whether a project's containers are still those that were seen, and called what they were."""
    listed = engine.get("/containers/json", all=1, filters={"label": [f"{PROJECT}={spec.project}"]})
    now = {(one["Id"], f"/{name_of(one)}") for one in state.containers}
    return {(one["Id"], name) for one in listed for name in one["Names"] if name.count("/") == 1} == now


def _remote(
    spec: DockerSpec, engine: Engine, images: Mapping[str, Inspected | None], local: Local
) -> dict[str, str | None]:
    """Ask the registries for the images that are to be theirs at any time, and for those that are pushed."""
    wanted = {one.image for one in spec.services.values() if one.pull_policy == "always" and not one.build}
    wanted = {image for image in wanted if images.get(image) and image not in local.offers}
    if spec.push:
        wanted |= {name for one in spec.services.values() if one.build for name in one.build.names(one.image)}
    if not wanted or spec.absent:
        return {}
    from jupyter_runbook.providers.docker.images import remote_digest

    return {image: remote_digest(engine, image) for image in sorted(wanted)}


def _by_name(spec: DockerSpec, listed: list[Inspected]) -> dict[str, Inspected | None]:
    return {
        key: next((found for found in listed if found["Name"] == network.name), None)
        for key, network in spec.networks.items()
    }


def _duplicates(spec: DockerSpec, listed: list[Inspected]) -> tuple[Inspected, ...]:
    """Return the networks of ours beyond the first of a name; an engine lets two runs at once make them."""
    found: list[Inspected] = []
    for network in spec.networks.values():
        same = [one for one in listed if one["Name"] == network.name]
        for one in same[1:]:
            if (one["Labels"] or {}).get(PROJECT) != spec.project:
                raise Conflict(
                    f"{len(same)} networks are called {network.name}: {', '.join(one['Id'][:12] for one in same)}",
                    hint="remove those that are not meant: docker network rm ID",
                    resource=f"network {network.name}",
                )
            found.append(one)
    return tuple(found)


def _maybe(engine: Engine, path: str) -> Inspected | None:
    try:
        return dict(engine.get(path))
    except NotFound:
        return None
