"""The images' part of a plan: built, loaded, pulled or left; pushed to their registry, and saved. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.plan import Action
from jupyter_runbook.providers.docker.images import familiar
from jupyter_runbook.providers.docker.labels import BUILD
from jupyter_runbook.providers.docker.shown import shown

if TYPE_CHECKING:
    from jupyter_runbook.providers.docker.archives import Offer
    from jupyter_runbook.providers.docker.model import Build, Service
    from jupyter_runbook.providers.docker.planning import Planner

__all__ = ["plan_images"]


def plan_images(planner: Planner) -> None:
    """Add to a plan what is to be done for each image that the services are made from.

    Raises
    ------
    ToolFailed
        An image that has to be there is not.
    """
    spec = planner.spec
    images: dict[str, Service] = {}
    for service in spec.services.values():
        images.setdefault(service.image, service)
    for name, service in images.items():
        if offer := planner.state.local.offers.get(name):
            _offered(planner, service, offer)
        elif service.build:
            _built(planner, service, service.build)
        else:
            _pulled(planner, service)
    if spec.push:
        for service in images.values():
            _pushed(planner, service)
    if spec.save is not None:
        _saved(planner, spec.save, list(images))


def _now(planner: Planner, name: str) -> tuple[str, dict[str, Any] | None]:
    """Return the short ID of the image that has a name now, and how a plan shows it; empty and None for none."""
    now = planner.state.images.get(name)
    short = now["Id"].removeprefix("sha256:")[:12] if now else ""
    return short, {"id": short} if now else None


def _offered(planner: Planner, service: Service, offer: Offer) -> None:
    name = service.image
    now = planner.state.images.get(name)
    short, before = _now(planner, name)
    if now and now["Id"] in offer.ids:
        planner.add("image", name, Action.NO_OP, f"is there ({short}), as {offer.source} has it")
        return
    action = Action.UPDATE if now else Action.CREATE
    reason = f"{offer.source} has another: load" if now else f"is not there: load from {offer.source}"
    # An archive is loaded as a whole: whoever comes second finds its image there.
    needs = tuple(one.change.resource for one in planner.found.values() if one.task == "load")
    planner.add("image", name, action, reason, before=before, needs=needs, service=service, task="load", target=offer)


def _built(planner: Planner, service: Service, build: Build) -> None:
    name = service.image
    now = planner.state.images.get(name)
    short, before = _now(planner, name)
    labels = ((now or {}).get("Config") or {}).get("Labels") or {}
    if now and labels.get(BUILD) == planner.state.local.builds.get(service.name):
        planner.add("image", name, Action.NO_OP, f"is built ({short})")
        return
    action, why = (Action.CREATE, "is not there") if now is None else (Action.UPDATE, "its source was changed")
    planner.add(
        "image", name, action, f"{why}: build", before=before, after=shown(build), service=service, task="build"
    )


def _pulled(planner: Planner, service: Service) -> None:
    name = service.image
    now = planner.state.images.get(name)
    short, before = _now(planner, name)
    if now is None and service.pull_policy == "never":
        raise ToolFailed(
            f"the image {name} is not there, and pull_policy is never",
            hint="build, load or tag it in a step above",
            resource=planner.called("image", name),
        )
    remote = planner.state.remote.get(name)
    stale = bool(remote) and not any(one.endswith(f"@{remote}") for one in (now or {}).get("RepoDigests") or ())
    if now and not stale:
        planner.add("image", name, Action.NO_OP, f"is there ({short})")
        return
    action, why = (Action.CREATE, "is not there") if now is None else (Action.UPDATE, "the registry has another")
    after = {"digest": remote} if remote else None
    planner.add("image", name, action, f"{why}: pull", before=before, after=after, service=service, task="pull")


def _pushed(planner: Planner, service: Service) -> None:
    """Push what is built, under each of its names, where the registry has another one."""
    built = planner.found[planner.called("image", service.image)]
    # One name after the other: a registry may fail where the same layers come twice at once.
    needs: tuple[str, ...] = (built.change.resource,)
    for name in service.build.names(service.image) if service.build else ():
        remote = planner.state.remote.get(name)
        digests = (planner.state.images.get(service.image) or {}).get("RepoDigests") or ()
        if built.change.action is Action.NO_OP and remote and any(one.endswith(f"@{remote}") for one in digests):
            planner.add("push", name, Action.NO_OP, "the registry has it")
            continue
        planner.add(
            "push",
            name,
            Action.UPDATE if remote else Action.CREATE,
            f"the registry has {'another' if remote else 'none'}: push",
            before={"digest": remote} if remote else None,
            needs=needs,
            task="push",
        )
        needs = (*needs, planner.called("push", name))


def _saved(planner: Planner, archive: str, images: list[str]) -> None:
    """Save the images of all services where the archive does not hold just these."""
    saved = planner.state.local.saved
    rows = [planner.found[planner.called("image", one)] for one in images]
    held = {familiar(one): (planner.state.images.get(one) or {}).get("Id") for one in images}
    new = [familiar(one.name) for one in rows if one.change.action is not Action.NO_OP]
    new += [name for name, known in held.items() if known not in (saved or {}).get(name, ())]
    surplus = [name for name in saved or () if name not in held]
    if saved is not None and not new and not surplus:
        planner.add("archive", archive, Action.NO_OP, "holds the images as they are")
        return
    why = "is not there" if saved is None else f"does not hold {', '.join(dict.fromkeys(new))} as it is"
    if saved is not None and not new:
        why = f"holds {', '.join(surplus)} too"
    planner.add(
        "archive",
        archive,
        Action.CREATE if saved is None else Action.UPDATE,
        f"{why}: save",
        before=None if saved is None else {"images": sorted(saved)},
        after={"images": sorted(held)},
        needs=tuple(one.change.resource for one in rows),
        task="save",
        target=tuple(held),
    )
