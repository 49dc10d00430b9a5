"""How a resource is made, changed and taken away: by openstacksdk's calls of one form, or by what there is instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.calls import creation, update
from jupyter_runbook.providers.openstack.cloud import said
from jupyter_runbook.providers.openstack.kinds import QUOTAS
from jupyter_runbook.providers.openstack.local import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jupyter_runbook.providers.openstack.cloud import Cloud

__all__ = ["Api", "api_of"]

PATCH = "application/openstack-images-v2.1-json-patch"


class Api:
    """One kind's calls, by their form in openstacksdk: ``create_network``, ``update_network``, ``delete_network``.

    Parameters
    ----------
    cloud
        Where.
    kind
        The kind.
    """

    def __init__(self, cloud: Cloud, kind: str) -> None:
        self.cloud = cloud
        self.kind = kind

    def create(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Make a resource, and return it as soon as the service gave it its ID."""
        made = self.cloud.call("create", self.kind, **creation(self.kind, name, values))
        return dict(made.to_dict(computed=False))

    def update(self, identifier: str, values: Mapping[str, Any]) -> None:
        """Change what one call can change of a resource; its parts have calls of their own."""
        if arguments := update(self.kind, values):
            self.cloud.call("update", self.kind, identifier, **arguments)

    def delete(self, identifier: str) -> None:
        """Take a resource away; one that is gone already is no error."""
        self.cloud.call("delete", self.kind, identifier)


class _Keypairs(Api):
    def create(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give the cloud the public half of a key of this machine, which is there before that: none is ever lost."""
        if "public_key" not in values:
            values = {**values, "public_key": key_of(values["private_key_file"])}
        return super().create(name, values)


class _Images(Api):
    """By the service's own calls: openstacksdk's add properties of their own, and make and fill an image in one."""

    def create(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Make an image that has nothing in it yet."""
        given = creation(self.kind, name, values)
        body = {"container_format": "bare", **given.pop("properties", {}), **given}
        return dict(said(self.cloud.connection.image.post("/images", json=body)).json())

    def update(self, identifier: str, values: Mapping[str, Any]) -> None:
        """Change attributes and properties."""
        given = update(self.kind, values)
        given = {**given.pop("properties", {}), **given}
        body = [{"op": "add", "path": f"/{_pointer(key)}", "value": value} for key, value in given.items()]
        if body:
            path = f"/images/{identifier}"
            said(self.cloud.connection.image.patch(path, json=body, headers={"Content-Type": PATCH}))


class _Quotas(Api):
    """A project has its quotas as long as it is there: they are set, and set back."""

    def create(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Set the quotas of a project that this run has made."""
        [project] = [one for one in self.cloud.list("projects") if name in {one["id"], one["name"]}]
        self.update(project["id"], values)
        return {"id": project["id"]}

    def update(self, identifier: str, values: Mapping[str, Any]) -> None:
        """Set some quotas of a project, one call a service."""
        for service, names in QUOTAS.items():
            if given := {name: value for name, value in values.items() if name in names}:
                self._call(service, "update")(identifier, **given)

    def delete(self, identifier: str) -> None:
        """Set a project's quotas back to what the cloud has for all."""
        for service in QUOTAS:
            self._call(service, "delete" if service == "network" else "revert")(identifier)

    def _call(self, service: str, verb: str) -> Any:
        proxy = getattr(self.cloud.connection, service)
        return getattr(proxy, f"{verb}_quota" if service == "network" else f"{verb}_quota_set")


class _RecordSets(Api):
    def create(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Make a record set in its zone."""
        given = creation(self.kind, name, values)
        made = self.cloud.connection.dns.create_recordset(given.pop("zone"), **given)
        return dict(made.to_dict(computed=False))


def api_of(cloud: Cloud, kind: str) -> Api:
    """Return a kind's calls."""
    return _APIS.get(kind, Api)(cloud, kind)


def _pointer(key: str) -> str:
    # RFC 6901, section 3.
    return key.replace("~", "~0").replace("/", "~1")


_APIS: dict[str, Callable[[Cloud, str], Api]] = {
    "keypairs": _Keypairs,
    "images": _Images,
    "quotas": _Quotas,
    "dns_recordsets": _RecordSets,
}
