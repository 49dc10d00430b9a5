"""Where tools for OpenStack go wrong (TRAPS, OpenStack), on the sandbox; the rest is where it is by its subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import yaml
from requests import Session as Requests

from jupyter_runbook.record import Status
from jupyter_runbook.sandbox.openstack import OpenStackSandbox
from jupyter_runbook.secret import Secret
from tests.providers.openstack.lab import told
from tests.providers.openstack.test_converge import NETWORKS, SERVERS

if TYPE_CHECKING:
    import pytest

    from tests.providers.openstack.lab import Lab

# Glance gives so many images at once, where nobody asks for more.
PAGE = 25


def test_forms_of_one_rule_are_one(lab: Lab) -> None:
    """5 and 6: whatever form a rule is written in, and the service reports it in, a second run has nothing to do."""
    rules = """
security_groups:
  - name: forms
    rules:
      - {protocol: tcp, port_range_min: 22, port_range_max: 22, remote_ip_prefix: 10.1.2.3}
      - {protocol: TCP, port_range_min: 80, port_range_max: 80, remote_ip_prefix: 0.0.0.0/0}
      - {protocol: 17, port_range_min: 1, port_range_max: 65535}
      - {protocol: icmp, port_range_min: 8, port_range_max: 0}
      - {protocol: 58, ether_type: IPv6}
      - {protocol: vrrp}
      - {protocol: tcp, port_range_min: 443, remote_group: forms}
      - {protocol: any, direction: egress, ether_type: IPv4}
"""
    lab.up(rules)
    [group] = lab.cloud.network.security_groups(name="forms")
    assert len(group.security_group_rules) == 8, "the way out for IPv6 was there from the first, and is not wanted"
    other = rules.replace("10.1.2.3}", "10.1.2.3/32}").replace("TCP", "6").replace(", remote_ip_prefix: 0.0.0.0/0", "")
    other = other.replace("protocol: 17, port_range_min: 1, port_range_max: 65535", "protocol: udp")
    other = other.replace("protocol: any", "protocol: -1")
    assert lab.run(other).status is Status.OK
    # Without a rule for the way out, the group's own stay.
    lab.up(NETWORKS)
    [group] = lab.cloud.network.security_groups(name="web")
    assert sorted(one["direction"] for one in group.security_group_rules) == ["egress", "egress", "ingress", "ingress"]


def test_an_identical_rule_that_somebody_made_meanwhile(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """5: 409 on an identical rule."""
    body = "security_groups: [{name: web, rules: [{protocol: tcp, port_range_min: 22, port_range_max: 22}]}]"
    send = Requests.send

    def raced(session: Requests, request: Any, **more: Any) -> Any:
        if request.method == "POST" and "security-group-rules" in request.url:
            assert send(session, request, **more).status_code == 201
        return send(session, request, **more)

    monkeypatch.setattr(Requests, "send", raced)
    assert lab.run(body).status is Status.CHANGED
    monkeypatch.undo()
    [group] = lab.cloud.network.security_groups(name="web")
    assert len(group.security_group_rules) == 3


def test_what_is_on_a_later_page_is_there(lab: Lab) -> None:
    """9: a listing has pages."""
    images, word = lab.cloud.image, f"page-{uuid4().hex[:6]}"
    made = [
        images.post(
            "/images", json={"name": f"{word}-{number}", "disk_format": "raw", "container_format": "bare"}
        ).json()
        for number in range(PAGE + 5)
    ]
    try:
        listed = lab.run(f"images: [{word}-0, {word}-29]")
        assert listed.status is Status.OK, listed.error
        assert [row.resource for row in listed.changes] == [f"image {word}-0", f"image {word}-29"]
    finally:
        for one in made:
            images.delete_image(one["id"])


def test_what_a_microversion_lacks_is_unknown(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """9: a server's tags came with 2.26, its description with 2.19, a keypair's type with 2.2, a policy with 2.64."""
    body = f"""{NETWORKS}
keypairs: [{{name: lab, private_key_file: key, type: ssh}}]
server_groups: [{{name: apart, policy: soft-anti-affinity}}]
servers:
  - name: a
    image: debian
    flavor: m1.tiny
    networks: [back]
    key_name: lab
    server_group: apart
    description: the first
    tags: [x]
    metadata: {{a: b}}
"""
    lab.up(body)
    known = yaml.safe_load(OpenStackSandbox().clouds.read_text())["clouds"]["sandbox"]
    clouds = lab.bench.root / "clouds.yaml"
    clouds.write_text(yaml.safe_dump({"clouds": {"old": {**known, "compute_default_microversion": "2.1"}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    record = lab.run(body, "--cloud old")
    assert record.status is Status.OK, told(record)
    # What it does report is compared.
    planned = lab.run(body.replace("{a: b}", "{a: c}"), "--cloud old --check")
    assert told(planned)["server a"] == ("update", "metadata")


def test_nothing_is_written_by_a_dry_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where everything is to be made, or replaced, or removed."""
    lab.up(NETWORKS)
    asked: list[str] = []
    send = Requests.send

    def listening(session: Requests, request: Any, **more: Any) -> Any:
        if "/auth/tokens" not in request.url:
            asked.append(request.method)
        return send(session, request, **more)

    monkeypatch.setattr(Requests, "send", listening)
    changed = NETWORKS.replace("10.9.0.0/24", "10.10.0.0/24").replace("mtu: 1400", "mtu: 1300")
    for body, line in ((SERVERS, "--check"), (changed, "--check"), (NETWORKS, "--check --absent")):
        assert lab.run(body, line).status is Status.PLANNED
    assert set(asked) == {"GET"}
    assert not (lab.bench.root / "key").exists()


def test_a_dry_run_knows_what_earlier_cells_would_have_made(lab: Lab) -> None:
    servers = """
servers: [{name: a, image: debian, flavor: m1.tiny, networks: [dry-back]}]
"""
    assert lab.run(servers, "--check").status is Status.FAILED
    assert lab.run("networks: [{name: dry-back, mtu: 1400}]", "--check").status is Status.PLANNED
    assert lab.run(servers, "--check").status is Status.PLANNED
    # For real, nothing is there yet.
    error = lab.run(servers).error
    assert error
    assert error.message == "line 3: there is no network dry-back in sandbox"


def test_user_data_may_be_a_secret(lab: Lab) -> None:
    before = lab.there()
    body = f"""{NETWORKS}
servers:
  - name: a
    image: debian
    flavor: m1.tiny
    networks: [back]
    user_data: "{{{{ SCRIPT }}}}"
    has_config_drive: true
    availability_zone: nova
"""
    word = "hunter2-hunter2"
    record = lab.up(body, SCRIPT=Secret(f"#!/bin/sh\necho {word}", name="SCRIPT"))
    assert record.status is Status.CHANGED
    assert word not in lab.bench.session.journal.path.read_text()
    assert word not in str(record.wire())
    assert not any(word in path.read_text() for path in (lab.bench.root / ".runbook").rglob("*") if path.is_file())
    lab.up(body, "--absent", SCRIPT=Secret(word, name="SCRIPT"))
    assert lab.there() == before


def test_what_a_server_is_made_of_is_compared(lab: Lab) -> None:
    """8: another flavor, image, key or network is never ok; what is omitted is not empty."""
    (lab.bench.root / "other.img").write_bytes(b"x" * 1000)
    whole = {"image": "debian", "flavor": "m1.tiny", "key_name": "one", "networks": ["back"], "metadata": {"a": "b"}}
    around = {
        "keypairs": [{"name": name, "private_key_file": name} for name in ("one", "two")],
        "images": [{"name": "other", "file": "other.img", "disk_format": "raw"}],
        "networks": [{"name": name, "mtu": 1400} for name in ("back", "front")],
        "subnets": [
            {"name": name, "network": name, "cidr": f"10.9.{number}.0/24"}
            for number, name in enumerate(("back", "front"))
        ],
    }

    def cell(values: dict[str, Any]) -> str:
        return str(yaml.safe_dump({**around, "servers": [{"name": "web", **values}]}, sort_keys=False))

    lab.up(cell(whole))
    other = {"image": "other", "flavor": "m1.small", "key_name": "two", "networks": ["front"]}
    for field, value in other.items():
        action, reason = told(lab.run(cell({**whole, field: value}), "--check"))["server web"]
        assert (action, reason.split(";")[0]) == ("replace", field)
    for field in whole:
        left = {key: value for key, value in whole.items() if key != field}
        assert told(lab.run(cell(left), "--check"))["server web"] == ("no-op", "")
    empty = told(lab.run(cell({**whole, "networks": []}), "--check"))["server web"]
    assert empty[0] == "replace"
