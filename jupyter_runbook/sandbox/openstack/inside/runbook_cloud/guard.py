"""The security groups, where no agent is: the firewall hears a moment later what changed, of many changes at once."""

from __future__ import annotations

import threading
import time
from typing import Any

from neutron.db import models_v2
from neutron_lib import constants, context
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api
from neutron_lib.plugins import directory
from oslo_log import log

from runbook_cloud import firewall, wiring

LOG = log.getLogger(__name__)
# Seconds that a change waits for others: a server's start is some of them.
MOMENT = 0.1

_changed = threading.Event()


def start() -> None:
    """Begin to watch, and write what there is."""
    for resource in (resources.PORT, resources.SECURITY_GROUP_RULE, resources.ADDRESS_GROUP):
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE):
            registry.subscribe(_note, resource, event)
    _changed.set()
    threading.Thread(target=_work, daemon=True).start()


def _note(*_of_the_event: object, **_more: object) -> None:
    _changed.set()


def _work() -> None:
    while _changed.wait():
        time.sleep(MOMENT)
        _changed.clear()
        try:
            ports = _ports()
            for version in (4, 6):
                wiring.guard(firewall.tables(ports, version), version)
        except Exception:
            LOG.exception("security groups")


def _ports() -> list[dict[str, Any]]:
    """Return the servers' ports as an agent is told of them."""
    known, plugin = context.get_admin_context(), directory.get_plugin()
    with api.CONTEXT_READER.using(known):
        owner = models_v2.Port.device_owner
        query = known.session.query(models_v2.Port.id)
        found = query.filter(owner.startswith(constants.DEVICE_OWNER_COMPUTE_PREFIX)).all()
    if not found:
        return []
    ports = {port["id"]: port for port in plugin.get_ports_from_devices(known, [port for (port,) in found])}
    return list(plugin.security_group_rules_for_ports(known, ports).values())
