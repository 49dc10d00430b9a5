"""Fill a new Keystone: the service's and the member's account, and the catalogue.

``python -m runbook_cloud.accounts`` reads JSON: the cloud's settings, the accounts' passwords, and each service's
type and address.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import openstack


def main() -> None:
    given = json.load(sys.stdin)
    with openstack.connect(**given["settings"], load_yaml_config=False, load_envvars=False) as cloud:
        identity: Any = cloud.identity
        roles = {role.name: role for role in identity.roles()}
        for user, names in (("service", ("admin", "service")), ("demo", ("member",))):
            project = identity.create_project(name=user, domain_id="default")
            made = identity.create_user(
                name=user,
                password=given["passwords"][user],
                domain_id="default",
                default_project_id=project.id,
            )
            for name in names:
                identity.assign_project_role_to_user(project, made, roles[name])
        for name, (kind, address) in given["services"].items():
            _offer(identity, name, kind, address)


def _offer(identity: Any, name: str, kind: str, address: str) -> None:
    service = identity.create_service(name=name, type=kind)
    for interface in ("public", "internal", "admin"):
        identity.create_endpoint(service_id=service.id, interface=interface, url=address, region_id="RegionOne")


if __name__ == "__main__":
    main()
