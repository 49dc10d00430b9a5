"""What a cell of %%os may say, and the line in every error."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.providers.openstack.body import OpenStackSpec, Wanted, read_body
from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.spec.cell import Cell
from jupyter_runbook.spec.options import StepOptions

WHOLE = """networks:
  - name: back
    is_admin_state_up: true
  - public
subnets:
  - {name: back, network: back, cidr: 10.0.0.0/24, dns_nameservers: [9.9.9.9], gateway_ip: null}
security_groups:
  - name: web
    rules:
      - {protocol: tcp, port_range_min: 22, port_range_max: 22}
servers:
  - name: "{{ name }}"
    image: debian
    flavor: m1.small
    networks: [back, {port: front}]
    metadata: {tier: 1}
    floating_ip: true
flavors:
"""


def read(body: str, *, absent: bool = False, **names: Any) -> OpenStackSpec:
    return read_body(Cell("%%os", body, StepOptions(absent=absent, own={"cloud": "lab"}), names))


def test_a_whole_cell() -> None:
    spec = read(WHOLE, name="web1")
    assert spec.cloud == "lab"
    assert spec.resources == (
        Wanted("networks", "back", {"is_admin_state_up": True}),
        Wanted("networks", "public"),
        Wanted(
            "subnets",
            "back",
            {"network": "back", "cidr": "10.0.0.0/24", "dns_nameservers": ["9.9.9.9"], "gateway_ip": None},
        ),
        Wanted("security_groups", "web", {"rules": [{"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}]}),
        Wanted(
            "servers",
            "web1",
            {
                "image": "debian",
                "flavor": "m1.small",
                "networks": [{"network": "back"}, {"port": "front"}],
                "metadata": {"tier": "1"},
                "floating_ip": True,
            },
        ),
    )
    assert spec.shown == ("flavors",)
    # In the order of the table, whatever the cell's.
    assert spec.kinds == ("flavors", "security_groups", "networks", "subnets", "servers")
    assert [one.title for one in spec.resources][-1] == "server web1"


ERRORS = {
    "": (2, "nothing is wanted"),
    "network: []": (2, "a cloud has no network"),
    "networks: back": (2, "networks: a list is needed, not 'back'"),
    "networks:\n  - {name: back, mtv: 9}": (3, "networks[0].mtv: a network has no mtv"),
    "networks:\n  - {name: back}\n  - name: back": (4, "networks[1]: the network back is there twice"),
    "networks:\n  - mtu: 1400": (3, "networks[0]: a network needs name"),
    "networks:\n  - {name: back, mtu: big}": (3, "networks[0].mtu: a whole number is needed, not 'big'"),
    "networks:\n  - name: back\n    is_shared: maybe": (
        4,
        "networks[0].is_shared: true or false is needed, not 'maybe'",
    ),
    "subnets:\n  - {name: back, network_id: x, cidr: 10.0.0.0/24}": (3, "a subnet has no network_id"),
    "security_groups:\n  - name: web\n    rules:\n      - {port: 22}": (
        5,
        "security_groups[0].rules[0].port: it has no port",
    ),
    "floating_ips:\n  - {floating_network: x}": (3, "a floating IP needs description or floating_ip_address"),
    "users:\n  - {name: a, password: x}": (3, "users[0].password: a secret is needed"),
    "role_assignments: []": (2, "a cloud has no role_assignments"),
    "servers:\n  - {name: a, floating_ip: [x]}": (3, "servers[0].floating_ip: true or false is needed"),
    "servers:\n  - {name: a, boot_volume: {gigabytes: 1}}": (3, "it has no gigabytes"),
    "servers:\n  - {name: a, flavor: [x]}": (3, "servers[0].flavor: a text is needed"),
}


@pytest.mark.parametrize("body", ERRORS)
def test_what_can_not_be_read_is_told_with_its_line(body: str) -> None:
    line, message = ERRORS[body]
    with pytest.raises(InvalidSpec) as caught:
        read(body)
    assert message in caught.value.message
    assert caught.value.where.line == line


def test_a_field_that_is_nearly_right_is_offered() -> None:
    with pytest.raises(InvalidSpec) as caught:
        read("servers:\n  - {name: a, flavour: x}")
    assert caught.value.hint == "did you mean flavor?"


def test_a_floating_ip_is_told_by_its_address_as_well() -> None:
    [one] = read("floating_ips: [{floating_ip_address: 172.30.0.9, floating_network: public}]").resources
    assert (one.name, one.values) == ("172.30.0.9", {"floating_ip_address": "172.30.0.9", "floating_network": "public"})


def test_a_volume_to_boot_from_has_two_forms() -> None:
    one, other = read("servers: [{name: a, boot_volume: root}, {name: b, boot_volume: {size: 8}}]").resources
    assert (one.values, other.values) == ({"boot_volume": {"volume": "root"}}, {"boot_volume": {"size": 8}})


def test_what_shall_be_gone_needs_its_name_alone() -> None:
    spec = read("subnets:\n  - {name: back, cidr: 10.0.0.0/24}\n  - other", absent=True)
    assert [one.name for one in spec.resources] == ["back", "other"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refers_to_kinds_that_there_are(kind: str) -> None:
    fields = list(KINDS[kind].fields.values())
    for field in [*fields, *(inner for one in fields for inner in one.fields.values())]:
        assert not field.refers or field.refers in KINDS
        assert bool(field.fields) == (field.form in {"item", "items"})
