"""What each of OpenStack's services reads: computed from where things are, and written by whoever starts them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "ADMIN",
    "CLOUD",
    "DATABASES",
    "HOST",
    "KINDS",
    "LINK",
    "PORTS",
    "SERVER_IMAGE",
    "Layout",
    "catalogue",
    "cloud",
    "clouds",
    "database_url",
    "endpoint",
    "files",
]

#: The services with the ports that they usually have (OpenStack's installation guide, "Firewalls and default ports").
PORTS = {"keystone": 5000, "placement": 8778, "glance": 9292, "neutron": 9696, "cinder": 8776, "nova": 8774}
#: The services' databases; Nova has three.
DATABASES = ("keystone", "placement", "glance", "neutron", "cinder", "nova", "nova_api", "nova_cell0")
HOST = "127.0.0.1"
#: The type by which a client finds a service (the service types authority).
KINDS = {
    "keystone": "identity",
    "placement": "placement",
    "glance": "image",
    "neutron": "network",
    "cinder": "block-storage",
    "nova": "compute",
}
#: This machine's end of the cable to the network that leads outside.
LINK = "runbook2"
#: What the image of a server is called on the Docker sandbox's engine.
SERVER_IMAGE = "runbook/server:latest"
# Where below its address a service's API is.
PATHS = {"keystone": "/v3", "cinder": "/v3", "nova": "/v2.1"}
#: The clouds of clouds.yaml: an ordinary member of a project, and the administrator.
CLOUD, ADMIN = "sandbox", "sandbox-admin"
#: Keystone's accounts: the administrator, the services' own, and the member.
ACCOUNTS = ("admin", "service", "demo")

Section = dict[str, object]


@dataclass(frozen=True)
class Layout:
    """Where a cloud is, and how its services are reached.

    Parameters
    ----------
    folder
        All that it writes is below it.
    interpreter
        The virtual environment with OpenStack's own packages.
    ports
        Of each service, the port of loopback.
    passwords
        Of each account of `ACCOUNTS`.
    network
        The range of the network that leads outside.
    """

    folder: Path
    interpreter: Path
    ports: Mapping[str, int]
    passwords: Mapping[str, str]
    network: str = ""

    @property
    def socket(self) -> Path:
        """The database's socket."""
        return self.folder / "database.sock"

    @property
    def identity(self) -> str:
        """The address at which a client begins."""
        return endpoint("keystone", self.ports["keystone"])

    def url(self, service: str) -> str:
        """Return a service's address, without the path of its API."""
        return f"http://{HOST}:{self.ports[service]}"


def endpoint(service: str, port: int) -> str:
    """Return the address of a service's API, as the catalogue has it."""
    return f"http://{HOST}:{port}{PATHS.get(service, '')}"


def database_url(layout: Layout, name: str) -> str:
    """Return the address of a database, as SQLAlchemy reads it."""
    return f"mysql+pymysql://root@localhost/{name}?unix_socket={layout.socket}&charset=utf8mb4"


def cloud(layout: Layout, user: str) -> dict[str, Any]:
    """Return how a user gets into the project of its own name, as clouds.yaml and openstacksdk have it."""
    return {
        "region_name": "RegionOne",
        "auth": {
            "auth_url": layout.identity,
            "username": user,
            "password": layout.passwords[user],
            "project_name": user,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
    }


def clouds(layout: Layout) -> str:
    """Return the text of clouds.yaml."""
    import yaml

    return yaml.safe_dump({"clouds": {CLOUD: cloud(layout, "demo"), ADMIN: cloud(layout, "admin")}}, sort_keys=False)


def catalogue(layout: Layout) -> list[str]:
    """Return the statements that write the services' addresses into Keystone's database."""
    return [
        f"update keystone.endpoint, keystone.service set endpoint.url = '{endpoint(name, port)}'"  # noqa: S608 -- our own
        f" where endpoint.service_id = service.id and service.type = '{KINDS[name]}'"
        for name, port in layout.ports.items()
    ]


def files(layout: Layout) -> dict[str, str]:
    """Return the text of each file that the services read, by its path below the cloud's folder.

    They hold a password: they are for the user alone.
    """
    texts = {}
    for name, make in {
        "keystone/keystone.conf": _keystone,
        "placement/placement.conf": _placement,
        "glance/glance-api.conf": _glance,
        "neutron/neutron.conf": _neutron,
        "cinder/cinder.conf": _cinder,
        "nova/nova.conf": _nova,
    }.items():
        texts[f"etc/{name}"] = _ini(make(layout))
    # It is looked for beside nova.conf alone.
    texts["etc/nova/api-paste.ini"] = (layout.interpreter / "etc/nova/api-paste.ini").read_text()
    # Neutron finds a driver of the network's by an installed distribution's entry points, and by nothing else.
    texts["plugins/runbook_cloud-1.dist-info/METADATA"] = "Metadata-Version: 2.1\nName: runbook-cloud\nVersion: 1\n"
    texts["plugins/runbook_cloud-1.dist-info/entry_points.txt"] = _ini(
        {"neutron.ml2.mechanism_drivers": {"runbook": "runbook_cloud.network:Binding"}}
    )
    return texts


def _ini(sections: Mapping[str, Section]) -> str:
    lines = []
    for title, section in sections.items():
        lines += [f"[{title}]", *(f"{key} = {_word(value)}" for key, value in section.items()), ""]
    return "\n".join(lines)


def _word(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _account(layout: Layout) -> Section:
    """Return how one service proves to another who it is."""
    known = cloud(layout, "service")
    return {"auth_type": "password", "region_name": known["region_name"], **known["auth"]}


def _shared(layout: Layout) -> dict[str, Section]:
    return {
        "keystone_authtoken": {
            "www_authenticate_uri": layout.url("keystone"),
            "service_token_roles": "service",
            "service_token_roles_required": True,
            **_account(layout),
        },
        "oslo_concurrency": {"lock_path": layout.folder / "lock"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _keystone(layout: Layout) -> dict[str, Section]:
    return {
        "DEFAULT": {"log_file": layout.folder / "log/keystone.log"},
        "database": {"connection": database_url(layout, "keystone")},
        "token": {"expiration": 86400},
        "fernet_tokens": {"key_repository": layout.folder / "keys/fernet"},
        "credential": {"key_repository": layout.folder / "keys/credential"},
        # Cheap hashes: a login takes 5 ms, not 250. The passwords are long random ones.
        "identity": {"password_hash_rounds": 4},
        # In the process alone: there is one process.
        "cache": {"enabled": True, "backend": "oslo_cache.dict"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _placement(layout: Layout) -> dict[str, Section]:
    return {
        "DEFAULT": {"log_file": layout.folder / "log/placement.log"},
        "placement_database": {"connection": database_url(layout, "placement")},
        **_shared(layout),
    }


def _glance(layout: Layout) -> dict[str, Section]:
    return {
        "DEFAULT": {
            "log_file": layout.folder / "log/glance.log",
            "enabled_backends": "local:file",
            "worker_self_reference_url": layout.url("glance"),
        },
        "database": {"connection": database_url(layout, "glance")},
        "glance_store": {"default_backend": "local"},
        "local": {"filesystem_store_datadir": layout.folder / "images/data"},
        "os_glance_staging_store": {"filesystem_store_datadir": layout.folder / "images/staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": layout.folder / "images/tasks"},
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": layout.interpreter / "etc/glance/glance-api-paste.ini",
        },
        **_shared(layout),
    }


def _neutron(layout: Layout) -> dict[str, Section]:
    return {
        "DEFAULT": {
            "log_file": layout.folder / "log/neutron.log",
            "state_path": layout.folder / "neutron",
            "api_paste_config": layout.interpreter / "etc/neutron/api-paste.ini",
            # Nobody listens: there are no agents.
            "transport_url": "fake://",
            "core_plugin": "ml2",
            "service_plugins": "runbook_cloud.router.Router",
            "rpc_workers": 0,
            "enable_traditional_dhcp": False,
            "dhcp_agent_notification": False,
            "enable_dvr": False,
            # Nova is told at once that a floating IP came or went, not every two seconds.
            "send_events_interval": 0,
        },
        "nova": _account(layout),
        "database": {"connection": database_url(layout, "neutron")},
        "ml2": {
            "type_drivers": "local,flat,vlan,vxlan",
            "project_network_types": "vxlan",
            "mechanism_drivers": "runbook",
            "extension_drivers": "port_security",
        },
        "ml2_type_vxlan": {"vni_ranges": "1:10000"},
        "ml2_type_flat": {"flat_networks": "*"},
        "ml2_type_vlan": {"network_vlan_ranges": "physnet1:100:999"},
        **_shared(layout),
    }


def _cinder(layout: Layout) -> dict[str, Section]:
    return {
        "DEFAULT": {
            "log_file": layout.folder / "log/cinder.log",
            "state_path": layout.folder / "cinder",
            "api_paste_config": layout.interpreter / "etc/cinder/api-paste.ini",
            # In memory: all its parts are one process.
            "transport_url": "fake://",
            "auth_strategy": "keystone",
            "host": "sandbox",
            "my_ip": HOST,
            "resource_query_filters_file": layout.interpreter / "etc/cinder/resource_filters.json",
            "glance_api_servers": layout.url("glance"),
            "enabled_backends": "files",
            "default_volume_type": "__DEFAULT__",
        },
        "files": {"volume_driver": "runbook_cloud.volume.Files", "volume_backend_name": "files"},
        "database": {"connection": database_url(layout, "cinder")},
        "nova": _account(layout),
        "service_user": {"send_service_user_token": True, **_account(layout)},
        **_shared(layout),
    }


def _nova(layout: Layout) -> dict[str, Section]:
    return {
        "DEFAULT": {
            "log_file": layout.folder / "log/nova.log",
            "state_path": layout.folder / "nova",
            "transport_url": "fake://",
            "host": "sandbox",
            "my_ip": HOST,
            # Looked up below nova.virt: serve.py puts it there.
            "compute_driver": "runbook.Servers",
            "vif_plugging_is_fatal": False,
            "vif_plugging_timeout": 0,
            "allow_resize_to_same_host": True,
            # A server that is switched off from inside is SHUTOFF within so many seconds.
            "sync_power_state_interval": 10,
        },
        "database": {"connection": database_url(layout, "nova")},
        "api_database": {"connection": database_url(layout, "nova_api")},
        "glance": _account(layout),
        "neutron": _account(layout),
        "placement": _account(layout),
        "cinder": _account(layout),
        # Without it Cinder refuses to detach (CVE-2023-2088).
        "service_user": {"send_service_user_token": True, **_account(layout)},
        **_shared(layout),
    }
