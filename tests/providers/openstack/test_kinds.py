"""The table of kinds against openstacksdk: each name that it says is sent or read is one that the SDK knows."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from jupyter_runbook.providers.openstack.calls import LATER, PARTS, call_names
from jupyter_runbook.providers.openstack.kinds import KINDS

PROXIES = {
    "identity": "openstack.identity.v3._proxy",
    "compute": "openstack.compute.v2._proxy",
    "image": "openstack.image.v2._proxy",
    "network": "openstack.network.v2._proxy",
    "block_storage": "openstack.block_storage.v3._proxy",
    "dns": "openstack.dns.v2._proxy",
    "load_balancer": "openstack.load_balancer.v2._proxy",
}
# What is ours alone: the shape of a call is made in calls.py, or the field is a part with a call of its own.
OURS = {
    "keypairs": {"private_key_file"},
    "users": {"roles"},
    "routers": {"external_gateway", "enable_snat", "interfaces"},
    "images": {"file", "is_protected"},
    "security_groups": {"rules"},
    "servers": {"image", "flavor", "server_group", "boot_volume", "floating_ip", "volumes"},
    "volumes": {"image", "source_volume"},
    "dns_recordsets": {"zone"},
}
# Each service has its own calls for quotas.
UNIFORM = [kind for kind in KINDS if kind != "quotas"]


def proxy(kind: str) -> Any:
    return importlib.import_module(PROXIES[KINDS[kind].service]).Proxy


@pytest.mark.parametrize("kind", UNIFORM)
def test_the_sdk_has_the_calls_of_a_kind(kind: str) -> None:
    lists, one = call_names(kind)
    assert hasattr(proxy(kind), lists)
    if KINDS[kind].fields:
        assert all(hasattr(proxy(kind), f"{verb}_{one}") for verb in ("create", "delete"))


@pytest.mark.parametrize("kind", [kind for kind in UNIFORM if KINDS[kind].fields])
def test_the_sdk_knows_a_kinds_fields(kind: str) -> None:
    known = KINDS[kind]
    # The annotation of a listing names the class of what it gives: Generator[Network, None, None].
    resource = inspect.signature(getattr(proxy(kind), call_names(kind)[0])).return_annotation.__args__[0]
    there = set(dir(resource))
    for field, one in known.fields.items():
        if field not in OURS.get(kind, ()):
            assert {one.sends or field, one.reads or field} <= there, field
    assert known.status in there or not known.ready
    assert all(part in known.fields for part in (*PARTS.get(kind, ()), *LATER.get(kind, ())))
