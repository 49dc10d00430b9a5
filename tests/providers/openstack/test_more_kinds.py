"""Kinds of %%os beside a tenant's networks and servers: images, accounts, floating IPs, volumes to boot from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import openstack
import pytest

from jupyter_runbook.record import Status
from jupyter_runbook.secret import Secret
from tests.openstack import connect
from tests.providers.openstack.lab import told
from tests.providers.openstack.test_converge import NETWORKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.openstack import Cloud
    from tests.providers.openstack.lab import Lab

ADMIN = "--cloud sandbox-admin"


@pytest.fixture
def admin(sandbox_cloud: Cloud) -> Iterator[Any]:
    with connect(sandbox_cloud.up(machines=False), "sandbox-admin") as known:
        connection: Any = known
        yield connection
        for some, delete in (
            (connection.identity.users(), connection.identity.delete_user),
            (connection.identity.projects(), connection.identity.delete_project),
            (connection.compute.flavors(), connection.compute.delete_flavor),
        ):
            for one in some:
                if one.name.startswith("lab"):
                    delete(one)


def test_an_image_is_told_by_what_is_in_its_file(lab: Lab) -> None:
    file = lab.bench.root / "small.img"
    file.write_bytes(os.urandom(1 << 20))
    body = """images:
  - {name: small, file: small.img, disk_format: raw, min_disk: 1, properties: {os_distro: debian, sandbox_fake: "true"}}
"""
    before = {one.id for one in lab.cloud.image.images()}
    lab.up(body)
    [image] = [one for one in lab.cloud.image.images() if one.id not in before]
    assert (image.status, image.size, image.min_disk, image.os_distro) == ("active", 1 << 20, 1, "debian")
    lab.up(body.replace("min_disk: 1", "min_disk: 2").replace("debian", "alpine"))
    again = lab.cloud.image.get_image(image.id)
    assert (again.min_disk, again.os_distro) == (2, "alpine")
    body = body.replace("min_disk: 1", "min_disk: 2").replace("debian", "alpine")
    file.write_bytes(os.urandom(1 << 20))
    assert told(lab.run(body, "--check")) == {"image small": ("replace", "file")}
    file.unlink()
    # One that is there needs no file.
    assert lab.run(body).status is Status.OK
    lab.up(body, "--absent")
    missing = lab.run(body)
    assert missing.error
    assert (missing.error.kind, missing.error.message) == (
        "invalid-spec",
        "line 3: the image small has no file: there is no small.img",
    )
    assert {one.id for one in lab.cloud.image.images()} == before


def test_an_image_that_a_run_left_empty_is_made_anew(lab: Lab) -> None:
    (lab.bench.root / "small.img").write_bytes(b"x" * 1000)
    lab.cloud.image.post("/images", json={"name": "small", "disk_format": "raw", "container_format": "bare"})
    record = lab.up("images: [{name: small, file: small.img, disk_format: raw}]")
    assert told(record) == {"image small": ("replace", "file")}
    [image] = lab.cloud.image.images(name="small")
    assert (image.status, image.size) == ("active", 1000)
    lab.up("images: [small]", "--absent")


ACCOUNTS = """projects:
  - {name: lab-site, description: a site, tags: [lab]}
users:
  - name: lab-operator
    password: "{{ PASSWORD }}"
    email: operator@example.org
    default_project: lab-site
    roles:
      - {role: member, project: lab-site}
quotas:
  - {project: lab-site, cores: 12, ram: 4096, volumes: 3, gigabytes: 30, networks: 2, floating_ips: 1}
"""


def test_a_project_with_its_user_and_quotas(lab: Lab, admin: Any) -> None:
    told_to_nobody = "cor4ect-horse"
    record = lab.up(ACCOUNTS, ADMIN, PASSWORD=Secret(told_to_nobody, name="PASSWORD"))
    assert {row: action for row, (action, _) in told(record).items()} == dict.fromkeys(
        ["project lab-site", "user lab-operator", "quota lab-site"], "create"
    )
    assert told_to_nobody not in lab.bench.session.journal.path.read_text()
    [project] = admin.identity.projects(name="lab-site")
    assert (admin.compute.get_quota_set(project).cores, admin.network.get_quota(project.id).networks) == (12, 2)
    known = lab.cloud.config.auth
    login = {"auth_url": known["auth_url"], "username": "lab-operator", "password": told_to_nobody}
    with openstack.connect(
        auth={**login, "project_name": "lab-site", "user_domain_name": "Default", "project_domain_name": "Default"}
    ) as operator:
        assert operator.current_project_id == project.id
    more = ACCOUNTS.replace("cores: 12", "cores: 14").replace("role: member", "role: reader")
    planned = lab.run(more, f"{ADMIN} --check", PASSWORD=Secret(told_to_nobody, name="PASSWORD"))
    assert {row: one for row, one in told(planned).items() if one[0] != "no-op"} == {
        "user lab-operator": ("update", "roles"),
        "quota lab-site": ("update", "cores"),
    }
    lab.up(more, ADMIN, PASSWORD=Secret(told_to_nobody, name="PASSWORD"))
    assert admin.compute.get_quota_set(project).cores == 14
    # Set back alone.
    lab.up("quotas: [{project: lab-site}]", f"{ADMIN} --absent")
    assert admin.compute.get_quota_set(project).cores == admin.compute.get_quota_set_defaults(project).cores
    lab.up(ACCOUNTS, f"{ADMIN} --absent", PASSWORD=Secret(told_to_nobody, name="PASSWORD"))
    assert not list(admin.identity.projects(name="lab-site"))
    assert not list(admin.identity.users(name="lab-operator"))


def test_a_flavor_has_extra_specs(lab: Lab, admin: Any) -> None:
    body = "flavors: [{name: lab.pinned, ram: 128, vcpus: 1, disk: 1, extra_specs: {'hw:cpu_policy': dedicated}}]"
    lab.up(body, ADMIN)
    lab.up(body.replace("dedicated", "shared"), ADMIN)
    [flavor] = [one for one in admin.compute.flavors() if one.name == "lab.pinned"]
    assert flavor.extra_specs == {"hw:cpu_policy": "shared"}
    lab.up(body, f"{ADMIN} --absent")


FLOATING = f"""{NETWORKS}
ports:
  - {{name: front, network: back}}
floating_ips:
  - {{description: entry, floating_network: public, port: front, tags: [lab]}}
  - {{description: spare, floating_network: public}}
servers:
  - {{name: web, image: debian, flavor: m1.tiny, networks: [back], floating_ip: spare}}
"""


def test_a_floating_ip_is_told_by_its_description(lab: Lab) -> None:
    before = lab.there()
    lab.up(FLOATING)
    known = {one.description: one for one in lab.cloud.network.ips()}
    assert set(known) == {"entry", "spare"}
    [server] = lab.cloud.compute.servers()
    [port] = lab.cloud.network.ports(device_id=server.id)
    assert known["spare"].port_id == port.id
    # By its address as well, and let go of again: it was there before the server.
    body = FLOATING.replace("port: front, ", "port: null, ")
    lab.up(body)
    record = lab.run(f"floating_ips: [{{floating_ip_address: {known['entry'].floating_ip_address}, tags: [lab]}}]")
    assert record.status is Status.OK
    lab.up("servers: [web]", "--absent")
    assert {one.description for one in lab.cloud.network.ips()} == {"entry", "spare"}
    lab.up(body, "--absent")
    assert lab.there() == before


def test_a_server_boots_from_a_volume(lab: Lab) -> None:
    before = lab.there()
    body = f"""{NETWORKS}
volumes:
  - {{name: root, size: 1, image: debian}}
  - {{name: data, size: 1}}
servers:
  - {{name: a, boot_volume: root, flavor: m1.tiny, networks: [back], volumes: [data]}}
  - {{name: b, boot_volume: {{size: 2}}, image: debian, flavor: m1.tiny, networks: [back]}}
"""
    lab.up(body)
    volumes = {one.name or "unnamed": one for one in lab.cloud.block_storage.volumes()}
    assert {name: one.size for name, one in volumes.items()} == {"root": 1, "data": 1, "unnamed": 2}
    planned = lab.run(body.replace("boot_volume: root", "boot_volume: data"), "--check")
    assert told(planned)["server a"] == ("replace", "boot_volume; security groups, volumes come along")
    lab.up(body, "--absent")
    assert lab.there() == before


def test_what_is_replaced_is_given_back_to_those_that_had_it(lab: Lab, admin: Any) -> None:
    before = lab.there()
    fast = admin.block_storage.create_type(name="lab-fast")
    try:
        body = """
networks: [{name: back, mtu: 1400}, {name: other, mtu: 1400}]
subnets:
  - {name: back, network: back, cidr: 10.9.0.0/24}
  - {name: other, network: other, cidr: 10.8.0.0/24}
routers: [{name: out, interfaces: [back, other]}]
volumes: [{name: data, size: 1}]
servers: [{name: a, image: debian, flavor: m1.tiny, networks: [other], volumes: [data]}]
"""
        lab.up(body)
        changed = body.replace("size: 1}", "size: 1, volume_type: lab-fast}").replace("10.9.0.0/24", "10.10.0.0/24")
        record = lab.up(changed, "--allow-replace")
        assert {row: one for row, one in told(record).items() if one[0] != "no-op"} == {
            "subnet back": ("replace", "cidr"),
            "volume data": ("replace", "volume_type; attachments come along"),
        }
        [volume] = lab.cloud.block_storage.volumes()
        [server] = lab.cloud.compute.servers()
        assert [one["server_id"] for one in volume.attachments] == [server.id]
        lab.up(changed, "--absent")
        assert lab.there() == before
    finally:
        for one in lab.cloud.compute.servers():
            lab.cloud.compute.delete_server(one)
            lab.cloud.compute.wait_for_delete(one)
        for one in lab.cloud.block_storage.volumes():
            lab.cloud.block_storage.delete_volume(one)
            lab.cloud.block_storage.wait_for_delete(one)
        admin.block_storage.delete_type(fast)


def test_a_full_quota_is_told_before_anything_is_made(lab: Lab, admin: Any) -> None:
    """TRAPS, OpenStack 4."""
    before = lab.there()
    project = lab.cloud.current_project_id
    admin.compute.update_quota_set(project, instances=1)
    admin.network.update_quota(project, networks=0)
    admin.block_storage.update_quota_set(project, gigabytes=5)
    body = f"""{NETWORKS}
volumes: [{{name: data, size: 9}}]
servers:
  - {{name: a, image: debian, flavor: m1.tiny, networks: [back]}}
  - {{name: b, image: debian, flavor: m1.tiny, networks: [back]}}
"""
    try:
        for line in ("", "--check"):
            record = lab.run(body, line)
            assert record.error
            assert record.error.kind == "denied"
            for text in (
                "instances: 2 needed, 1 left",
                "networks: 1 needed, 0 left",
                "gigabytes: 9 GiB needed, 5 GiB left",
            ):
                assert text in record.error.message
            assert lab.there() == before
    finally:
        admin.compute.revert_quota_set(project)
        admin.block_storage.revert_quota_set(project)
        admin.network.delete_quota(project)


def test_a_key_of_this_machine_is_kept(lab: Lab) -> None:
    body = "keypairs: [{name: lab, private_key_file: keys/lab}]"
    lab.up(body)
    key = lab.bench.root / "keys/lab"
    [pair] = lab.cloud.compute.keypairs()
    text = key.read_text()
    # It is used again where the pair is gone, and another key in its place is a difference.
    lab.cloud.compute.delete_keypair(pair)
    lab.up(body)
    assert key.read_text() == text
    assert [one.fingerprint for one in lab.cloud.compute.keypairs()] == [pair.fingerprint]
    key.unlink()
    assert lab.run(body).status is Status.OK
    lab.cloud.compute.delete_keypair("lab")
    lab.up(body)
    other = key.read_text()
    assert other != text
    key.write_text(text)
    assert told(lab.up(body)) == {"keypair lab": ("replace", "private_key_file")}
    key.write_text("no key at all")
    refused = lab.run(body)
    assert refused.error
    assert "the key keys/lab can't be read" in refused.error.message


INSIDE = """networks: [{name: inner, mtu: 1400}]
subnets: [{name: inner, network: inner, cidr: 10.9.1.0/24}]
"""


def test_a_floating_ip_leads_to_the_network_that_has_a_router(lab: Lab) -> None:
    networks = INSIDE.replace("networks: [", "networks: [{name: back, mtu: 1400}, ").replace(
        "subnets: [", "subnets: [{name: back, network: back, cidr: 10.9.0.0/24}, "
    )
    body = f"""{networks}routers: [{{name: out, external_gateway: public, interfaces: [back]}}]
servers:
  - {{name: web, image: debian, flavor: m1.tiny, networks: [inner, back], floating_ip: true}}
"""
    lab.up(body)
    [floating] = lab.cloud.network.ips()
    assert floating.fixed_ip_address.startswith("10.9.0.")
    # It comes along to the server that takes this one's place, and again the way that leads outside.
    lab.up(body.replace("m1.tiny", "m1.small"), "--allow-replace")
    [moved] = lab.cloud.network.ips()
    assert (moved.id, moved.fixed_ip_address[:7]) == (floating.id, "10.9.0.")


@pytest.fixture
def shared(admin: Any) -> Iterator[str]:
    """Return a network of another project that all may use, behind a router that its members do not see."""
    network = admin.network.create_network(name="lab-shared", is_shared=True, mtu=1400)
    subnet = admin.network.create_subnet(network_id=network.id, name="lab-shared", cidr="10.9.2.0/24", ip_version=4)
    outside = {"network_id": admin.network.find_network("public").id}
    router = admin.network.create_router(name="lab-shared", external_gateway_info=outside)
    admin.network.add_interface_to_router(router, subnet_id=subnet.id)
    yield network.name
    admin.network.remove_interface_from_router(router, subnet_id=subnet.id)
    admin.network.delete_router(router)
    admin.network.delete_network(network)


def test_a_floating_ip_by_a_router_of_another_project(shared: str, lab: Lab) -> None:
    """Neutron alone knows that it leads outside."""
    body = f"servers: [{{name: web, image: debian, flavor: m1.tiny, networks: [{shared}], floating_ip: true}}]"
    lab.up(body)
    assert [one.status for one in lab.cloud.network.ips()]
    lab.up(body, "--absent")
    assert not list(lab.cloud.network.ips())


def test_an_administrators_cell_is_about_his_own_project(lab: Lab, admin: Any) -> None:
    """He lists the networks of all projects, and one of the same name there is not his."""
    body = "networks: [{name: back, description: a net}]\nsubnets: [{name: back, network: back, cidr: 10.9.3.0/24}]\n"
    lab.up(body)
    [theirs] = lab.cloud.network.networks(name="back")
    record = lab.up(body.replace("a net", "another"), ADMIN)
    assert {action for action, _ in told(record).values()} == {"create"}
    assert len(list(admin.network.networks(name="back"))) == 2
    lab.up("networks: [back]\nsubnets: [back]", f"{ADMIN} --absent")
    [left] = admin.network.networks(name="back")
    assert (left.id, left.description) == (theirs.id, "a net")
    # By its ID it is meant.
    lab.up(f"networks: [{{name: {theirs.id}, description: mended}}]", ADMIN)
    assert lab.cloud.network.get_network(theirs.id).description == "mended"
