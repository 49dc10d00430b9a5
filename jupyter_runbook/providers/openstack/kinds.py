"""What there is in an OpenStack: each kind of resource as a declaration, from which all else follows.

A kind says what it is called, which service has it, and its fields: what each one holds, whether a change of it is made
in place or takes a new resource, and what it refers to. Names of fields are openstacksdk's own; a reference is written
with ``_id`` left off. Adding a kind is adding an entry here. Pure: nothing of openstacksdk is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KINDS", "QUOTAS", "Field", "Kind"]

#: ``items`` is a list of mappings with fields of their own, ``item`` one such mapping; ``names`` is a list of texts, or
#: of references; ``switch`` is true, false or a text.
Form = Literal["text", "integer", "flag", "mapping", "names", "items", "item", "switch"]
#: What a difference asks for: a call that changes the resource; a new resource; the one where it grows, and the other
#: where it shrinks; or nothing, where it counts at creation alone and the service does not report it.
Change = Literal["update", "replace", "grow", "once"]


@dataclass(frozen=True)
class Field:
    """One attribute of a kind.

    Parameters
    ----------
    form
        What it holds.
    change
        What a difference asks for.
    refers
        The kind whose resource it names; empty for none. It takes a name or an ID, of the cell's own or of the cloud's.
    sends, reads
        What the service calls it when it is written, and when it is read; empty for the field's own name.
    fields
        Of ``items`` and ``item``: what each may have; a text alone is the first.
    required
        Whether there is no resource without it.
    secret
        Whether it may be a secret, which is never shown.
    plain
        Whether a text that is no secret may stand there.
    local
        Whether it is a file of this machine, told apart by what is in it.
    ordered
        Of ``names`` and ``items``: whether their order counts.
    """

    form: Form = "text"
    change: Change = "update"
    refers: str = ""
    sends: str = ""
    reads: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)
    required: bool = False
    secret: bool = False
    plain: bool = True
    local: bool = False
    ordered: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    Parameters
    ----------
    title
        What one of it is called.
    service
        The attribute of openstacksdk's connection that has it.
    fields
        What it may have, beside its name.
    identity
        The field that tells one from another in a project; where the service has no names, what people tell them by.
    also
        Fields that a resource may be named by as well.
    lists, one
        What openstacksdk's calls for it end in: ``networks()`` lists all, ``create_network()`` makes one; empty for the
        kind's own name, and for its title.
    either
        Fields of which it needs one.
    ready, broken
        The statuses in which it can be used, and in which it never will be; empty where it can be at once.
    status
        The attribute that has the status.
    after
        The kinds whose resources in a cell come first, though nothing refers to them: a server on a network wants
        the network's subnets to be there, and its floating IP the router.
    told_by
        The kinds that have to be listed as well to know one of this: a router's interfaces are ports.
    held
        Whether replacing it takes an approval of its own: what it holds can't be had again.
    columns
        What a table of it shows beside its name and its ID: its fields, or what else is listed of it.
    wire
        Whether it is listed by the service's own names for its attributes, not by openstacksdk's: an image has any.
    hidden
        Whether it only tells of others, and no cell may name it.
    """

    title: str
    service: str
    fields: Mapping[str, Field]
    identity: str = "name"
    also: tuple[str, ...] = ()
    lists: str = ""
    one: str = ""
    either: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    status: str = "status"
    after: tuple[str, ...] = ()
    told_by: tuple[str, ...] = ()
    held: bool = False
    columns: tuple[str, ...] = ()
    wire: bool = False
    hidden: bool = False


_TEXT, _FLAG, _NUMBER = Field(), Field("flag"), Field("integer")
_FIXED, _FIXED_NUMBER, _FIXED_FLAG = (Field(form, "replace") for form in ("text", "integer", "flag"))
_TAGS = Field("names")
_MAPPING = Field("mapping")

_RULE = {
    "direction": _TEXT,
    "ether_type": _TEXT,
    "protocol": _TEXT,
    "port_range_min": _NUMBER,
    "port_range_max": _NUMBER,
    "remote_ip_prefix": _TEXT,
    "remote_group": Field(refers="security_groups", sends="remote_group_id", reads="remote_group_id"),
    "description": _TEXT,
}

# What each service counts, by openstacksdk's names for it.
QUOTAS = {
    "compute": ("cores", "instances", "ram", "key_pairs", "server_groups", "server_group_members"),
    "block_storage": ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes", "per_volume_gigabytes"),
    "network": (
        *("networks", "subnets", "routers", "ports", "floating_ips", "security_groups", "security_group_rules"),
        *("rbac_policies", "subnet_pools"),
    ),
}

KINDS: dict[str, Kind] = {
    "projects": Kind(
        "project",
        "identity",
        {"description": _TEXT, "is_enabled": _FLAG, "domain_id": _FIXED, "tags": _TAGS},
        columns=("description", "is_enabled"),
    ),
    # Referred to alone.
    "roles": Kind("role", "identity", {}),
    "role_assignments": Kind("role assignment", "identity", {}, identity="id", hidden=True),
    "users": Kind(
        "user",
        "identity",
        {
            "description": _TEXT,
            "email": _TEXT,
            "is_enabled": _FLAG,
            "domain_id": _FIXED,
            "default_project": Field(refers="projects", sends="default_project_id", reads="default_project_id"),
            # Set once: no service tells it.
            "password": Field(change="once", secret=True, plain=False),
            "roles": Field(
                "items",
                fields={
                    "role": Field(refers="roles", required=True),
                    "project": Field(refers="projects", required=True),
                },
            ),
        },
        told_by=("role_assignments",),
        columns=("email", "default_project", "is_enabled"),
    ),
    "quotas": Kind(
        "quota",
        "identity",
        {name: _NUMBER for names in QUOTAS.values() for name in names},
        identity="project",
        after=("projects",),
        told_by=("projects",),
    ),
    "keypairs": Kind(
        "keypair",
        "compute",
        {
            "public_key": Field(change="replace"),
            "type": _FIXED,
            # A key of this machine, which is made where there is none; the cloud sees its public half alone.
            "private_key_file": Field(change="replace", local=True),
        },
        either=("public_key", "private_key_file"),
        columns=("type", "fingerprint"),
    ),
    "flavors": Kind(
        "flavor",
        "compute",
        {
            "ram": Field("integer", "replace", required=True),
            "vcpus": Field("integer", "replace", required=True),
            "disk": _FIXED_NUMBER,
            "ephemeral": _FIXED_NUMBER,
            "swap": _FIXED_NUMBER,
            "is_public": _FIXED_FLAG,
            "description": _TEXT,
            "extra_specs": _MAPPING,
        },
        columns=("vcpus", "ram", "disk", "ephemeral", "is_public"),
    ),
    "images": Kind(
        "image",
        "image",
        {
            "file": Field(change="replace", local=True, required=True),
            "disk_format": Field(change="replace", required=True),
            "container_format": _FIXED,
            "visibility": _TEXT,
            "min_disk": _NUMBER,
            "min_ram": _NUMBER,
            "is_protected": Field("flag", sends="protected", reads="protected"),
            "properties": _MAPPING,
            "tags": _TAGS,
        },
        ready=("active",),
        broken=("killed", "deactivated"),
        columns=("status", "size", "disk_format", "visibility", "min_disk", "min_ram"),
        wire=True,
    ),
    "security_groups": Kind(
        "security group",
        "network",
        {"description": _TEXT, "stateful": _FLAG, "rules": Field("items", fields=_RULE), "tags": _TAGS},
        one="security_group",
        columns=("description",),
    ),
    "networks": Kind(
        "network",
        "network",
        {
            "description": _TEXT,
            "is_admin_state_up": _FLAG,
            "is_shared": _FLAG,
            "is_router_external": _FLAG,
            "is_port_security_enabled": _FLAG,
            "mtu": _NUMBER,
            "dns_domain": _TEXT,
            "availability_zone_hints": Field("names", "replace"),
            "provider_network_type": _FIXED,
            "provider_physical_network": _FIXED,
            "provider_segmentation_id": _FIXED_NUMBER,
            "tags": _TAGS,
        },
        columns=("status", "mtu", "is_router_external", "is_shared"),
    ),
    "subnets": Kind(
        "subnet",
        "network",
        {
            "network": Field(
                change="replace", refers="networks", sends="network_id", reads="network_id", required=True
            ),
            "cidr": Field(change="replace", required=True),
            "ip_version": _FIXED_NUMBER,
            "description": _TEXT,
            "gateway_ip": _TEXT,
            "is_dhcp_enabled": _FLAG,
            "dns_nameservers": Field("names", ordered=True),
            "allocation_pools": Field("items", fields={"start": _TEXT, "end": _TEXT}),
            "host_routes": Field("items", fields={"destination": _TEXT, "nexthop": _TEXT}),
            "ipv6_address_mode": _FIXED,
            "ipv6_ra_mode": _FIXED,
            "tags": _TAGS,
        },
        columns=("network", "cidr", "gateway_ip", "dns_nameservers"),
    ),
    "routers": Kind(
        "router",
        "network",
        {
            "description": _TEXT,
            "is_admin_state_up": _FLAG,
            "external_gateway": Field(refers="networks"),
            "enable_snat": _FLAG,
            "interfaces": Field("names", refers="subnets"),
            "routes": Field("items", fields={"destination": _TEXT, "nexthop": _TEXT}),
            "availability_zone_hints": Field("names", "replace"),
            "tags": _TAGS,
        },
        told_by=("ports",),
        columns=("status", "external_gateway", "interfaces"),
    ),
    "ports": Kind(
        "port",
        "network",
        {
            "network": Field(
                change="replace", refers="networks", sends="network_id", reads="network_id", required=True
            ),
            "description": _TEXT,
            "is_admin_state_up": _FLAG,
            "is_port_security_enabled": _FLAG,
            "mac_address": _FIXED,
            "fixed_ips": Field(
                "items",
                fields={
                    "subnet": Field(refers="subnets", sends="subnet_id", reads="subnet_id"),
                    "ip_address": _TEXT,
                },
            ),
            "security_groups": Field(
                "names", refers="security_groups", sends="security_group_ids", reads="security_group_ids"
            ),
            "allowed_address_pairs": Field("items", fields={"ip_address": _TEXT, "mac_address": _TEXT}),
            "binding_vnic_type": _TEXT,
            "tags": _TAGS,
        },
        after=("subnets",),
        columns=("status", "network", "fixed_ips", "security_groups", "device_owner"),
    ),
    # The service has no name for one: people tell it by its description, or by its address, which only an
    # administrator may choose. A server is given one of its own by its field.
    "floating_ips": Kind(
        "floating IP",
        "network",
        {
            "floating_network": Field(
                change="replace",
                refers="networks",
                sends="floating_network_id",
                reads="floating_network_id",
                required=True,
            ),
            "floating_ip_address": _FIXED,
            "port": Field(refers="ports", sends="port_id", reads="port_id"),
            "fixed_ip_address": _TEXT,
            "dns_name": _FIXED,
            "dns_domain": _FIXED,
            "tags": _TAGS,
        },
        identity="description",
        also=("floating_ip_address",),
        lists="ips",
        one="ip",
        after=("routers",),
        columns=("floating_ip_address", "fixed_ip_address", "floating_network", "status"),
        # Another one may not get the address again.
        held=True,
    ),
    "server_groups": Kind(
        "server group",
        "compute",
        {"policy": Field(change="replace", required=True)},
        columns=("policy", "member_ids"),
    ),
    "volumes": Kind(
        "volume",
        "block_storage",
        {
            "size": Field("integer", "grow", required=True),
            "description": _TEXT,
            "volume_type": _FIXED,
            "availability_zone": _FIXED,
            "image": Field(change="once", refers="images", sends="image_id"),
            "snapshot_id": _FIXED,
            "source_volume": Field(
                change="replace", refers="volumes", sends="source_volume_id", reads="source_volume_id"
            ),
            "is_bootable": _FLAG,
            "is_multiattach": _FIXED_FLAG,
            "metadata": _MAPPING,
        },
        ready=("available", "in-use"),
        broken=("error", "error_extending", "error_restoring", "error_deleting"),
        held=True,
        columns=("status", "size", "volume_type", "is_bootable"),
    ),
    "servers": Kind(
        "server",
        "compute",
        {
            "image": Field(change="replace", refers="images"),
            "flavor": Field(change="replace", refers="flavors", required=True),
            "key_name": Field(change="replace", refers="keypairs"),
            "networks": Field(
                "items",
                "replace",
                fields={
                    "network": Field(refers="networks"),
                    "port": Field(refers="ports"),
                    "fixed_ip": _TEXT,
                },
            ),
            "security_groups": Field("names", refers="security_groups"),
            "volumes": Field("names", refers="volumes"),
            # A volume to boot from; without its name, one that is made of the image and goes with the server.
            "boot_volume": Field(
                "item",
                "replace",
                fields={
                    "volume": Field(refers="volumes"),
                    "size": _NUMBER,
                    "volume_type": _TEXT,
                    "delete_on_termination": _FLAG,
                },
            ),
            "floating_ip": Field("switch", refers="floating_ips"),
            "metadata": _MAPPING,
            "tags": _TAGS,
            "description": _TEXT,
            "user_data": Field(change="once", secret=True),
            "server_group": Field(change="once", refers="server_groups"),
            "has_config_drive": Field("flag", "replace"),
            "availability_zone": _FIXED,
        },
        either=("image", "boot_volume"),
        ready=("ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "SHELVED_OFFLOADED", "VERIFY_RESIZE"),
        broken=("ERROR",),
        after=("subnets", "routers"),
        told_by=("images", "flavors", "networks", "ports", "floating_ips", "volumes"),
        held=True,
        columns=("status", "flavor", "image", "key_name"),
    ),
    # Not tried against the service, which the sandbox does not have.
    "dns_zones": Kind(
        "DNS zone",
        "dns",
        {"email": Field(required=True), "ttl": _NUMBER, "description": _TEXT, "type": _FIXED},
        lists="zones",
        one="zone",
        ready=("ACTIVE",),
        broken=("ERROR",),
    ),
    "dns_recordsets": Kind(
        "DNS record set",
        "dns",
        {
            "zone": Field(change="replace", refers="dns_zones", sends="zone", reads="zone_id", required=True),
            "type": Field(change="replace", required=True),
            "records": Field("names", required=True),
            "ttl": _NUMBER,
            "description": _TEXT,
        },
        lists="recordsets",
        one="recordset",
        ready=("ACTIVE",),
        broken=("ERROR",),
    ),
    "load_balancers": Kind(
        "load balancer",
        "load_balancer",
        {
            "description": _TEXT,
            "is_admin_state_up": _FLAG,
            "vip_subnet": Field(change="replace", refers="subnets", sends="vip_subnet_id", reads="vip_subnet_id"),
            "vip_address": _FIXED,
            "provider": _FIXED,
            "tags": _TAGS,
        },
        ready=("ACTIVE",),
        broken=("ERROR",),
        status="provisioning_status",
    ),
}
