"""%%os where something breaks on the way: the process dies, a service lags, one of several fails."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.providers.openstack.cloud import Cloud
from jupyter_runbook.record import Status
from tests.providers.openstack.lab import told

if TYPE_CHECKING:
    import pytest

    from tests.providers.openstack.lab import Lab

ROOT = Path(__file__).parents[3]

CELL = """
keypairs: [{name: lab, private_key_file: key}]
security_groups:
  - {name: web, rules: [{protocol: tcp, port_range_min: 22, port_range_max: 22}], tags: [lab]}
networks: [{name: back, mtu: 1400}]
subnets: [{name: back, network: back, cidr: 10.9.0.0/24}]
routers: [{name: out, external_gateway: public, interfaces: [back]}]
volumes: [{name: data, size: 1}]
servers:
  - {name: web1, image: debian, flavor: m1.tiny, networks: [back], floating_ip: true, volumes: [data], key_name: lab}
  - {name: web2, image: debian, flavor: m1.tiny, networks: [back], floating_ip: true, security_groups: [web]}
"""


def deaths(lab: Lab, *cell: str) -> int:
    """Run a cell until no run dies any more, and return how many did."""
    command = [sys.executable, "-m", "tests.providers.openstack.dying", str(lab.bench.root), *cell]
    run = subprocess.run(command, cwd=ROOT, check=True, timeout=240, capture_output=True, text=True)
    died, code = map(int, run.stdout.split()[-2:])
    assert code == 0, run.stderr
    return died


def test_a_run_that_dies_after_each_write_ends_with_no_duplicate(lab: Lab) -> None:
    """TRAPS, OpenStack 3, at every write there is: each run dies once its first one is answered."""
    before = lab.there()
    died = deaths(lab, CELL)
    # As many as there are resources and parts of them, less those that were asked for side by side.
    assert died > len(("router", "interface", "subnet", "server", "volume", "floating IP"))
    assert lab.run(CELL).status is Status.OK
    there = lab.there()
    assert (there["servers"], there["keypairs"], there["volumes"]) == (["web1", "web2"], ["lab"], ["data"])
    assert (there["networks"], there["routers"], len(there["floating IPs"])) == (["back"], ["out"], 2)
    assert there["security groups"] == ["default", "web"]
    lab.up(CELL, "--absent")
    assert lab.there() == before


def test_a_replace_that_dies_after_each_write_ends_as_one_that_lives(lab: Lab) -> None:
    """TRAPS, OpenStack 3 and 10: the floating IP that the server had is on the new one, and none is left."""
    before = lab.there()
    lab.up(CELL)
    [volume] = lab.cloud.block_storage.volumes()
    addresses = {one.floating_ip_address for one in lab.cloud.network.ips()}
    larger = CELL.replace("{name: web1, image: debian, flavor: m1.tiny", "{name: web1, image: debian, flavor: m1.small")
    assert deaths(lab, larger, "--allow-replace") >= len(("delete", "create", "floating IP", "volume"))
    assert lab.run(larger).status is Status.OK
    assert {one.floating_ip_address for one in lab.cloud.network.ips()} == addresses
    servers = {one.name: one for one in lab.cloud.compute.servers()}
    assert servers["web1"].flavor.name == "m1.small"
    [volume] = lab.cloud.block_storage.volumes()
    assert [one["server_id"] for one in volume.attachments] == [servers["web1"].id]
    # A removal that dies on the way is ended by the next one.
    assert deaths(lab, larger, "--absent")
    assert lab.there() == before


NET = """
networks: [{name: back, mtu: 1400}]
subnets: [{name: back, network: back, cidr: 10.9.0.0/24}]
"""


def test_what_fails_stops_what_needs_it_alone(lab: Lab) -> None:
    body = f"""{NET}
server_groups: [{{name: apart, policy: anti-affinity}}]
volumes: [{{name: data, size: 1}}]
ports:
  - {{name: out, network: back, fixed_ips: [{{subnet: back, ip_address: 10.99.0.1}}]}}
servers:
  - {{name: a, image: debian, flavor: m1.tiny, networks: [back]}}
  - {{name: b, image: debian, flavor: m1.tiny, networks: [{{port: out}}], volumes: [data]}}
"""
    record = lab.run(body)
    assert record.error
    assert (record.status, record.error.kind) == (Status.FAILED, "partial")
    assert "IP address 10.99.0.1 is not a valid IP for the specified subnet" in record.error.message
    assert {row.resource: row.status.value for row in record.changes} == {
        **dict.fromkeys(
            ["network back", "subnet back", "server group apart", "volume data", "server a"],
            "changed",
        ),
        "port out": "failed",
        "server b": "not-run",
    }
    there = lab.there()
    assert (there["servers"], there["volumes"], there["networks"]) == (["a"], ["data"], ["back"])
    # What was made is taken away by its cell, as it is.
    lab.up(body, "--absent")
    assert not lab.there()["networks"]


def test_a_server_without_a_host_is_told_with_novas_fault(lab: Lab) -> None:
    """TRAPS, OpenStack 2: it is neither ok nor updated, and a replace is offered."""
    body = f"""{NET}
server_groups: [{{name: apart, policy: anti-affinity}}]
servers:
  - {{name: a, image: debian, flavor: m1.tiny, networks: [back], server_group: apart}}
  - {{name: b, image: debian, flavor: m1.tiny, networks: [back], server_group: apart}}
"""
    record = lab.run(body)
    assert record.error
    assert record.error.kind == "partial"
    # The second reason is Nova's where both were given a host at once.
    fault = "is in ERROR: (No valid host was found|Exceeded maximum number of retries. Exhausted all hosts)"
    assert re.search(fault, record.error.message)
    failed = [row.resource for row in record.changes if row.status == "failed"]
    assert len(failed) == 1, record.error.message
    [broken] = failed
    again = lab.run(body)
    assert again.error
    assert again.error.kind == "not-approved"
    assert re.search(f"{broken} would be replaced: {fault}", again.error.message)
    # Where the cause is gone, it can be.
    repaired = body.replace(", server_group: apart", "")
    record = lab.up(repaired, "--allow-replace")
    assert {row: action for row, (action, _) in told(record).items() if action != "no-op"} == {broken: "replace"}
    lab.up(body, "--absent")


def test_what_a_service_lists_late_is_looked_for_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRAPS, OpenStack 9: the service is real, and its listing is as old as it was two looks ago."""
    seen: list[Any] = []
    listed = Cloud.list

    def late(self: Cloud, kind: str) -> Any:
        if kind != "networks":
            return listed(self, kind)
        seen.append(listed(self, kind))
        return seen[max(0, len(seen) - 3)]

    monkeypatch.setattr(Cloud, "list", late)
    record = lab.run("networks: [{name: back, mtu: 1400}]")
    assert record.status is Status.CHANGED, record.error
    assert [one.name for one in lab.cloud.network.networks(name="back")] == ["back"]


def test_a_token_that_expires_in_the_middle_is_renewed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    call = Cloud.call
    tokens = []

    def expiring(self: Cloud, verb: str, kind: str, *given: Any, **more: Any) -> Any:
        # The services remember a token for a while that they have found to be good: this one never was.
        login = self.connection.session.auth.auth_ref
        tokens.append(login.auth_token)
        login._auth_token = f"expired-{len(tokens)}"
        return call(self, verb, kind, *given, **more)

    monkeypatch.setattr(Cloud, "call", expiring)
    lab.up(NET)
    assert len(set(tokens)) > 1
    assert not any(token.startswith("expired") for token in tokens)
