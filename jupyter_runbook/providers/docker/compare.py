"""Field by field: what a container is against what the cell says. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.docker.body import with_containers
from jupyter_runbook.providers.docker.difference import Difference, masked
from jupyter_runbook.providers.docker.labels import fields_of, fingerprints, foreign, made_with
from jupyter_runbook.providers.docker.mounts import seen_mounts
from jupyter_runbook.providers.docker.ports import seen_ports
from jupyter_runbook.providers.docker.settings import SETTINGS
from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jupyter_runbook.providers.docker.difference import Scene
    from jupyter_runbook.providers.docker.labels import Fingerprint
    from jupyter_runbook.providers.docker.model import Service
    from jupyter_runbook.providers.docker.settings import Setting

__all__ = ["compare"]

Inspected = dict[str, Any]


def compare(service: Service, container: Inspected, scene: Scene) -> list[Difference]:
    """Return what differs; empty where the container is what the cell says.

    What the cell does not say is not compared, but for what it said when the container was made, and for limits that
    only a hand could have set.
    """
    known = fields_of(container["Config"]["Labels"])
    wanted = fingerprints(service)
    one = _Comparison(service, container, scene, known, wanted)
    return [
        *one.image(),
        *one.settings(),
        *one.environment(),
        *one.labels(),
        *one.ports(),
        *one.mounts(),
        *one.networks(),
        *one.hidden(),
    ]


class _Comparison:
    def __init__(
        self,
        service: Service,
        container: Inspected,
        scene: Scene,
        known: Mapping[str, str] | None,
        wanted: Mapping[str, Fingerprint],
    ) -> None:
        self.service = service
        self.container = container
        self.scene = scene
        self.known = known
        self.wanted = wanted
        self.made_from: Inspected = scene.made_from or {}

    def cause(self, field: str) -> str:
        """Say where a difference comes from: what the container was made with tells."""
        if self.known is None:
            return "differs"
        if self.same(field):
            return "changed by hand"
        return "changed in the cell" if field in self.wanted else "taken out of the cell"

    def same(self, field: str) -> bool:
        """Tell whether a container was made from the same, as far as its labels tell here."""
        made, wanted = (self.known or {}).get(field), self.wanted.get(field)
        if made is None or wanted is None:
            return made is None and wanted is None
        return wanted.fits(made)

    def cause_of_setting(self, setting: Setting, seen: Any) -> str:
        """Say where a difference of a setting comes from.

        What was updated since leaves no trace in a container's labels: what it is now may be an earlier cell's doing or
        a hand's, where it is not what the container was made with.
        """
        cause = self.cause(setting.key)
        if not setting.update or not cause.endswith("the cell"):
            return cause
        made = (self.known or {}).get(setting.key)
        untouched = self._no_limit(setting.key, seen) if made is None else made_with(seen, made)
        return cause if untouched else "differs from the cell"

    def cause_of_share(self, field: str) -> str:
        """Say why what is shared with another service is another one's: no hand changes that."""
        cause, names = self.cause(field), self.service.shared_by(field)
        if cause != "changed by hand" or not names:
            return cause
        gone = [name for name in names if f"service:{name}" not in self.scene.containers]
        return f"{', '.join(gone)} is made anew" if gone else f"{', '.join(names)} is another container now"

    def cause_of_network(self, field: str = "networks") -> str:
        """Say where a difference in the networks comes from; see `cause_of_setting`."""
        cause = self.cause(field)
        return "differs from the cell" if cause.endswith("the cell") else cause

    def dropped(self, field: str) -> bool:
        return self.known is not None and field in self.known and field not in self.wanted

    def image(self) -> Iterator[Difference]:
        now, wanted = self.container["Image"], (self.scene.image or {}).get("Id")
        if now != wanted:
            name = self.service.image
            cause = f"{name} is another image now" if wanted else f"{name} is built or pulled first"
            if self.container["Config"]["Image"] != name:
                cause = "changed in the cell"
            yield Difference("image", _image(self.container["Config"]["Image"], now), _image(name, wanted), cause)
        if self.service.platform and self.scene.image:
            built = platform_of(self.scene.image)
            if not built.startswith(self.service.platform):
                yield Difference("platform", built, self.service.platform, self.cause("platform"))

    def settings(self) -> Iterator[Difference]:
        for key, setting in SETTINGS.items():
            seen = setting.found(self.container)
            if key in self.service.settings:
                wanted = self.service.settings[key]
                if not self._fits(setting, wanted, seen):
                    shared = key in {"ipc", "pid", "volumes_from"}
                    cause = self.cause_of_share(key) if shared else self.cause_of_setting(setting, seen)
                    yield Difference(key, seen, wanted, cause, setting.update)
            elif self.dropped(key):
                default = setting.found(self.made_from) if setting.inherited else _default(setting)
                if seen != default:
                    yield Difference(key, seen, default, self.cause_of_setting(setting, seen), key == "restart")
            elif setting.update and self.known is not None and not self._no_limit(key, seen):
                # Where nothing is said there is no limit: no engine sets one of these by itself.
                yield Difference(key, seen, _default(setting), _UNASKED, key in _RESETTABLE)

    def _fits(self, setting: Setting, wanted: Any, seen: Any) -> bool:
        key = setting.key
        wanted = with_containers(key, wanted, self.scene.containers)
        canonical = setting.seen(setting.write(wanted)) if wanted is not None else None
        if isinstance(canonical, bool):
            return bool(seen) is canonical
        if key in {"expose", "security_opt"}:
            return set(canonical or ()) <= set(seen or ())
        if key == "healthcheck":
            return all((seen or {}).get(name) == value for name, value in (canonical or {}).items() if value)
        if key == "logging":
            seen = seen or {}
            same = wanted["driver"] in {None, seen.get("driver")}
            return bool(same and (wanted["options"] == seen.get("options") or not wanted["options"]))
        return bool(canonical == seen or (not canonical and not seen))

    def _no_limit(self, key: str, seen: Any) -> bool:
        if key == "restart":
            return seen in {None, "no"}
        if key == "memswap_limit":
            # Without one of its own, the engine makes it twice the other; which, another row compares.
            limit = self.service.settings.get("mem_limit", 0)
            return seen in {None, 0, -1, 2 * limit, 2 * (self.container["HostConfig"].get("Memory") or 0)}
        return seen in {None, 0, -1, ""}

    def environment(self) -> Iterator[Difference]:
        seen = environment_of(self.container)
        inherited = environment_of(self.made_from)
        wanted = {**inherited, **(self.service.environment or {})}
        for name in sorted(seen.keys() | wanted.keys()):
            now, then = seen.get(name), wanted.get(name)
            plain = then.reveal() if isinstance(then, Secret) else then
            if now != plain:
                before, after = masked(name, now, then), masked(name, then, then)
                if before == after:
                    before = f"{before} (another value)"
                yield Difference(f"environment.{name}", before, after, self.cause("environment"))

    def labels(self) -> Iterator[Difference]:
        seen = foreign(self.container["Config"]["Labels"])
        inherited = foreign((self.made_from.get("Config") or {}).get("Labels"))
        wanted = {**inherited, **(self.service.labels or {})}
        for name in sorted(seen.keys() | wanted.keys()):
            if seen.get(name) != wanted.get(name):
                yield Difference(f"labels.{name}", seen.get(name), wanted.get(name), self.cause("labels"))

    def ports(self) -> Iterator[Difference]:
        seen = seen_ports(self.container["HostConfig"].get("PortBindings"))
        wanted = list(self.service.ports or ())
        if seen != wanted:
            yield Difference("ports", [str(one) for one in seen], [str(one) for one in wanted], self.cause("ports"))

    def mounts(self) -> Iterator[Difference]:
        keys = {name: key for key, name in self.scene.volumes.items()}
        seen = seen_mounts(self.container, keys)
        wanted = {mount.target: mount for mount in self.service.all_mounts}
        for target, mount in wanted.items():
            now = seen.get(target)
            if now is None or (now.type, now.source, now.read_only) != (mount.type, mount.source, mount.read_only):
                yield Difference(f"volumes.{target}", now and str(now), str(mount), self.cause("volumes"))
        tmpfs = self.service.settings.get("tmpfs") or {}
        if self.service.settings.get("volumes_from"):
            return  # what else there is, the other container has
        for target, now in seen.items():
            # What has no name of its own comes from the image, or from the container that this one took over from.
            if target not in wanted and target not in tmpfs and not (now.type == "volume" and not now.source):
                yield Difference(f"volumes.{target}", str(now), None, self.cause("volumes"))

    def networks(self) -> Iterator[Difference]:
        mode = self.container["HostConfig"].get("NetworkMode")
        if self.service.networks is None:
            wanted = str(self.service.network_mode)
            if wanted.startswith("service:"):
                wanted = f"container:{self.scene.containers.get(wanted)}"
            if mode != wanted and {mode, wanted} != {"default", "bridge"}:
                yield Difference("network_mode", mode, self.service.network_mode, self.cause_of_share("network_mode"))
            return
        if mode in {"host", "none"} or str(mode).startswith("container:"):
            yield Difference("network_mode", mode, None, self.cause("network_mode"))
            return
        attached: dict[str, Inspected] = dict(self.container["NetworkSettings"].get("Networks") or {})
        for key, how in self.service.networks.items():
            name = self.scene.networks[key]
            now = attached.pop(name, None)
            yield from self._attachment(key, name, how, now)
        for name in attached:
            yield Difference(f"networks.{name}", "joined", None, self.cause_of_network(), update=True, network=name)

    def _attachment(self, key: str, name: str, how: Mapping[str, Any], now: Inspected | None) -> Iterator[Difference]:
        there = self.scene.network_ids.get(name)
        if now is None or there is None or (now.get("NetworkID") and now["NetworkID"] != there):
            cause = self.cause_of_network() if there else f"the network {name} is to come"
            if now is not None and there:
                cause = f"the network {name} was made anew"
            yield Difference(f"networks.{key}", None, "joined", cause, update=True, network=name)
            return
        ipam = now.get("IPAMConfig") or {}
        for field, given in (("ipv4_address", ipam.get("IPv4Address")), ("ipv6_address", ipam.get("IPv6Address"))):
            if field in how and (given or None) != how[field]:
                yield Difference(
                    f"networks.{key}.{field}", given, how[field], self.cause_of_network(), update=True, network=name
                )
        if sorted(now.get("Links") or ()) != list(self.scene.links):
            links = sorted(now.get("Links") or ())
            yield Difference(
                "links", links, list(self.scene.links), self.cause_of_network("links"), update=True, network=name
            )
        missing = {self.service.name, *how.get("aliases", ())} - set(now.get("Aliases") or ())
        if missing:
            yield Difference(
                f"networks.{key}.aliases",
                sorted(set(now.get("Aliases") or ()) - {self.container["Id"][:12]}),
                sorted({self.service.name, *how.get("aliases", ())}),
                self.cause_of_network(),
                update=True,
                network=name,
            )

    def hidden(self) -> Iterator[Difference]:
        """Compare what the engine does not tell: by what the container was made with."""
        if self.known is None:
            if self.service.files:
                yield Difference("files", None, [one.target for one in self.service.files], "what it holds is unknown")
            return
        if not self.same("files"):
            targets = [one.target for one in self.service.files]
            cause = "what a config or a secret holds was changed"
            yield Difference("files", "files" in self.known and "(other content)", targets, cause)
        if not self.same("volumes") and not list(self.mounts()):
            yield Difference("volumes", None, [str(one) for one in self.service.mounts or ()], "other options")


def environment_of(inspected: Inspected) -> dict[str, str]:
    """Return the environment of an inspected container or image."""
    lines = (inspected.get("Config") or {}).get("Env") or ()
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def platform_of(image: Inspected) -> str:
    """Return an inspected image's platform: ``linux/amd64``."""
    return "/".join(filter(None, (image.get("Os"), image.get("Architecture"), image.get("Variant"))))


def _image(name: str, identifier: str | None) -> str:
    return f"{name} ({identifier.removeprefix('sha256:')[:12]})" if identifier else name


def _default(setting: Setting) -> Any:
    return "no" if setting.key == "restart" else None


# Why a limit is a difference of which the cell says nothing.
_UNASKED = "set by hand, or by an earlier cell"

# What `update` can set back to nothing; what it can't takes another container.
_RESETTABLE = ("restart", "pids_limit")
