"""What a notebook has of a cell of %%os: tables, a variable, an inventory that Ansible plays on. In a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel import kernel
from tests.openstack import connect
from tests.tenant import clear

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine import Engine
    from tests.kernel import Kernel
    from tests.openstack import Cloud

KEY = "keypairs: [{name: web, private_key_file: keys/web}]"
WEB = """
security_groups:
  - name: web
    rules:
      - {protocol: tcp, port_range_min: 22, port_range_max: 22}
networks: [{name: back, mtu: 1400}]
subnets: [{name: back, network: back, cidr: 10.9.0.0/24, dns_nameservers: [9.9.9.9]}]
routers: [{name: out, external_gateway: public, interfaces: [back]}]
servers:
  - &web
    name: web1
    image: debian
    flavor: m1.tiny
    key_name: web
    networks: [back]
    security_groups: [web]
    floating_ip: true
    metadata: {tier: web}
    tags: [front]
  - {<<: *web, name: web2, tags: [back]}
"""


@pytest.fixture
def machines(
    docker_engine: Engine, sandbox_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kernel]:
    """Return a kernel in an empty folder, by a cloud whose servers are containers."""
    docker_engine.up()
    sandbox = sandbox_cloud.up()
    for key, value in sandbox.env().items():
        monkeypatch.setenv(key, value)
    with kernel(tmp_path, tmp_path / "ipython") as one, connect(sandbox) as connection:
        one.run("%load_ext jupyter_runbook")
        yield one
        clear(connection)


def ran(one: Kernel, code: str) -> Any:
    reply = one.run(code)
    assert reply.status == "ok", "\n".join(reply.traceback)
    return reply


def hosts(reply: Any) -> set[str]:
    """Return the hosts that a play's tasks ran on."""
    return {row["resource"].partition(":")[0] for row in reply.record["changes"] if row["kind"] == "task"}


def test_ansible_plays_on_the_servers_just_made(machines: Kernel) -> None:
    # The inventory knows the key's file from another cell.
    ran(machines, f"%%os\n{KEY}")
    assert "changed" in ran(machines, f"%%os --out web\n{WEB}").shown[-1]["text/plain"]
    said = ran(machines, "print(web['web1']['address'], len(web.df('servers')), web.facts['cloud'])").text
    assert said.split()[1:] == ["2", "sandbox"]
    ran(machines, "%%ansible -i web --hosts all\n- ansible.builtin.wait_for_connection: {timeout: 60}")
    played = ran(
        machines,
        "%%ansible -i web --hosts tier_web --become\n"
        "- ansible.builtin.copy: {content: '{{ inventory_hostname }}', dest: /etc/who}",
    )
    assert hosts(played) == {"web1", "web2"}
    only = ran(machines, "%%ansible -i web --hosts front --out facts\n- ansible.builtin.command: hostname")
    assert hosts(only) == {"web1"}
    shell = ran(machines, "%%shell --on web --out said\ncat /etc/who; id -un")
    assert shell.record["status"] == "changed"
    told = ran(machines, "%runbook inventory web").text
    assert "ansible_user: debian" in told
    groups = ran(machines, "from jupyter_runbook import inventory\nprint(sorted(inventory(web)))").text
    assert groups.strip() == "['all', 'back', 'front', 'tier_web']"
    look = ran(machines, "%%os\nservers:\nquotas:")
    tables = look.shown[-1]
    assert "name  status  flavor   image   key_name  back" in tables["text/plain"]
    address = ran(machines, "print(web['web1']['address'])").text.strip()
    assert f", {address}<" in tables["text/html"]
    assert "application/vnd.jupyter-runbook.step.v1+json" in look.shown[-2]
    chart = ran(machines, "%%os --out use\nquotas:")
    assert chart.shown
    said = ran(machines, "print(use.df().set_index('name').loc[['cores', 'ram', 'gigabytes'], 'percent'])").text
    assert "cores        10.0" in said
