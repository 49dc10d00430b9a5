"""What a cell says, in canonical form: services, networks, volumes. Values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_runbook.canonical import LOCAL
from jupyter_runbook.providers.docker.mounts import Mount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_runbook.providers.docker.ports import Port
    from jupyter_runbook.secret import Secret

__all__ = ["Build", "Dependency", "DockerSpec", "File", "Network", "Service", "Volume"]


@dataclass(frozen=True)
class Build:
    """How an image is built; see the Compose Build Specification.

    ``written`` is the context as it is written, which is the same on every machine. ``apart`` are the files that have
    nothing to do with it, wherever they are: the archives of the cell.
    """

    context: str = field(metadata=LOCAL)
    dockerfile: str = "Dockerfile"
    inline: str | None = None
    args: Mapping[str, str | Secret] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    network: str | None = None
    shm_size: int | None = None
    extra_hosts: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    platform: str | None = None
    pull: bool = False
    no_cache: bool = False
    apart: frozenset[str] = field(default=frozenset(), metadata=LOCAL)
    written: str = ""

    def names(self, image: str) -> tuple[str, ...]:
        """Return all that the image of a service is called."""
        return tuple(dict.fromkeys((image, *self.tags)))


@dataclass(frozen=True)
class Dependency:
    """What a service waits for in another one: ``started``, ``healthy`` or ``completed``."""

    condition: str = "started"
    required: bool = True
    restart: bool = False


@dataclass(frozen=True)
class File:
    """A config or a secret as a file of a container; who reads it, by the numbers of users and groups.

    It is copied into the container; one that may not write its own files has it mounted from ``path``.
    """

    target: str
    content: str | Secret
    uid: int = 0
    gid: int = 0
    mode: int = 0o444
    path: str | None = None


@dataclass(frozen=True)
class Service:
    """One service.

    Parameters
    ----------
    name
        Its key.
    image
        The image's name; made up of project and service where it is built and has none.
    build
        How the image is built; None where it is not.
    pull_policy
        ``always``, ``never``, ``missing`` or ``build``.
    platform
        The image's platform, None for the engine's own.
    settings
        The values of `SETTINGS`, by their keys.
    environment, labels
        By name.
    ports, mounts
        In order.
    networks
        What the service is called and has in each network, by the network's key; None where ``network_mode`` is given.
    network_mode
        ``host``, ``none``, ``service:NAME``, ``container:NAME``, None for networks.
    files
        Configs and secrets, in the order of their targets.
    depends
        By the other service's key.
    scale
        How many containers.
    container_name
        Their name, where it is not to be made up.
    links
        Other services that it finds by another name too: the services' keys, and the names.
    external_links
        The same for containers of other projects, by their names.
    """

    name: str
    image: str
    build: Build | None = None
    pull_policy: str = "missing"
    platform: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str | Secret] | None = None
    labels: Mapping[str, str] | None = None
    ports: tuple[Port, ...] | None = None
    mounts: tuple[Mount, ...] | None = None
    networks: Mapping[str, Mapping[str, Any]] | None = None
    network_mode: str | None = None
    files: tuple[File, ...] = ()
    depends: Mapping[str, Dependency] = field(default_factory=dict)
    scale: int = 1
    container_name: str | None = None
    links: tuple[tuple[str, str], ...] = ()
    external_links: tuple[tuple[str, str], ...] = ()

    @property
    def all_mounts(self) -> tuple[Mount, ...]:
        """Its mounts, and the files that are mounted."""
        files = [Mount(one.target, "bind", one.path, read_only=True) for one in self.files if one.path]
        return (*(self.mounts or ()), *files)

    @property
    def shares(self) -> tuple[str, ...]:
        """The services of which it shares the network, the processes or the volumes."""
        fields = ("network_mode", "ipc", "pid", "volumes_from")
        return tuple(dict.fromkeys(name for key in fields for name in self.shared_by(key)))

    def shared_by(self, key: str) -> tuple[str, ...]:
        """Return the services that a field names of which something is shared."""
        value = self.network_mode if key == "network_mode" else self.settings.get(key)
        parts = [str(one).split(":") for one in (value if isinstance(value, list) else [value])]
        return tuple(part[1] for part in parts if part[0] == "service" and len(part) > 1)

    @property
    def one_shot(self) -> bool:
        """Whether it may end by itself: an engine would start it again otherwise."""
        return str(self.settings.get("restart", "no")).partition(":")[0] in {"no", "on-failure"}


@dataclass(frozen=True)
class Network:
    """One network; ``name`` is the engine's."""

    key: str
    name: str
    external: bool = False
    driver: str | None = None
    options: Mapping[str, str] | None = None
    ipam: Mapping[str, Any] | None = None
    internal: bool | None = None
    attachable: bool | None = None
    ipv6: bool | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Volume:
    """One volume; ``name`` is the engine's."""

    key: str
    name: str
    external: bool = False
    driver: str | None = None
    options: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True)
class DockerSpec:
    """One cell.

    Parameters
    ----------
    project
        The project's name: what containers, networks and volumes are named and found by.
    hosts
        The engines' addresses, by what people call them.
    services, networks, volumes
        By key; services that no active profile asks for are left out.
    asleep
        The services that are left out.
    absent
        Whether all of it is to be removed, with ``remove_volumes`` the volumes too.
    remove_orphans
        Whether containers of services that the cell does not have are removed.
    push
        Whether what is built is pushed to its registry.
    load
        The archives, and the engines' addresses, that images are taken from where these have them.
    save
        The archive that the images are kept in; None for none.
    notices
        What people should know about how the cell was read.
    """

    project: str
    hosts: Mapping[str, str]
    services: Mapping[str, Service]
    networks: Mapping[str, Network]
    volumes: Mapping[str, Volume]
    asleep: tuple[str, ...] = ()
    absent: bool = False
    remove_volumes: bool = False
    remove_orphans: bool = False
    push: bool = False
    load: tuple[str, ...] = ()
    save: str | None = None
    notices: tuple[str, ...] = ()
