"""The routers, where no agent is: a floating IP is ACTIVE while it leads to a port, and DOWN otherwise."""

from __future__ import annotations

from typing import Any

from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants
from neutron_lib.callbacks import events, registry, resources


class Router(l3_router_plugin.L3RouterPlugin):
    """Neutron's own plugin for routers, with what its agent would do."""

    def __init__(self) -> None:
        super().__init__()
        # A port that goes away under its address is told of by an update, too.
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE):
            registry.subscribe(self._float, resources.FLOATING_IP, event)

    def _float(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        floating = payload.latest_state  # the very mapping that the API answers with
        status = constants.FLOATINGIP_STATUS_ACTIVE if floating["port_id"] else constants.FLOATINGIP_STATUS_DOWN
        if floating["status"] != status:
            self.update_floatingip_status(payload.context.elevated(), floating["id"], status)
            floating["status"] = status
