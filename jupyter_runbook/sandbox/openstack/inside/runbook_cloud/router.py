"""The routers, where no agent is: this process does at once what it would tell an agent."""

from __future__ import annotations

import subprocess
from typing import Any

from neutron.api.rpc.agentnotifiers import l3_rpc_agent_api
from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants, context
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import constants as plugins
from neutron_lib.plugins import directory
from oslo_log import log

from runbook_cloud import wiring

LOG = log.getLogger(__name__)


class Router(l3_router_plugin.L3RouterPlugin):
    """Neutron's own plugin for routers, with what its agent would do."""

    def __init__(self) -> None:
        super().__init__()
        # A port that goes away under its address is told of by an update, too.
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE):
            registry.subscribe(self._float, resources.FLOATING_IP, event)

    @property
    def l3_rpc_notifier(self) -> Agent:
        """Who is told of routers that changed."""
        return Agent()

    def _float(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        """Note that a floating IP is ACTIVE while it leads to a port, and DOWN otherwise."""
        floating = payload.latest_state  # the very mapping that the API answers with
        status = constants.FLOATINGIP_STATUS_ACTIVE if floating["port_id"] else constants.FLOATINGIP_STATUS_DOWN
        if floating["status"] != status:
            self.update_floatingip_status(payload.context.elevated(), floating["id"], status)
            floating["status"] = status


class Agent(l3_rpc_agent_api.L3AgentNotifyAPI):
    """What stands where messages to agents are sent."""

    def __init__(self) -> None:
        """Open no channel: nobody listens."""

    def routers_updated(self, context: Any, router_ids: list[str], *_of_the_message: Any, **_more: Any) -> None:
        """See `L3AgentNotifyAPI.routers_updated`."""
        converge(context.elevated(), router_ids)

    def router_deleted(self, _context: Any, router_id: str) -> None:
        """See `L3AgentNotifyAPI.router_deleted`."""
        wiring.remove(router_id)


def converge_all() -> None:
    """Make all routers what they shall be: after a start."""
    converge(context.get_admin_context(), None)


def converge(context: Any, router_ids: list[str] | None) -> None:
    """Make some routers what they shall be, or all of them (None)."""
    plugin = directory.get_plugin(plugins.L3)
    for known in plugin.get_sync_data(context, router_ids):
        try:
            if known["admin_state_up"]:
                wiring.converge(_router(known))
            else:
                wiring.remove(known["id"])
        except (OSError, subprocess.SubprocessError):
            LOG.exception("router %s", known["id"])


def _router(known: dict[str, Any]) -> wiring.Router:
    gateway = known.get("gw_port")
    defaults = [("default", one["gateway_ip"]) for one in _subnets(gateway or {}) if one["gateway_ip"]]
    routes = [(one["destination"], one["nexthop"]) for one in known.get("routes", ())]
    return wiring.Router(
        router=known["id"],
        inner=tuple(_port(one) for one in known.get(constants.INTERFACE_KEY, ())),
        outer=_port(gateway) if gateway else None,
        hides=bool(known.get("enable_snat", True)),
        floating=tuple(
            (one["floating_ip_address"], one["fixed_ip_address"])
            for one in known.get(constants.FLOATINGIP_KEY, ())
            if one.get("fixed_ip_address")
        ),
        routes=(*defaults, *routes),
    )


def _port(port: dict[str, Any]) -> wiring.Port:
    return wiring.Port(
        port=port["id"],
        network=port["network_id"],
        mac=port["mac_address"],
        addresses=tuple(f"{one['ip_address']}/{one['prefixlen']}" for one in port["fixed_ips"]),
        ranges=tuple(one["cidr"] for one in _subnets(port)),
    )


def _subnets(port: dict[str, Any]) -> list[dict[str, Any]]:
    return [*port.get("subnets", ()), *port.get("extra_subnets", ())]
