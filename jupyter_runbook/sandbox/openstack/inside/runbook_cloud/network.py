"""The networks, where no agent is: every port of a server is bound, and every port of a router is up."""

from __future__ import annotations

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api


class Binding(api.MechanismDriver):
    """ML2's driver of a mechanism; see the module."""

    def initialize(self) -> None:
        """See `api.MechanismDriver.initialize`."""

    @property
    def connectivity(self) -> str:
        """See `api.MechanismDriver.connectivity`."""
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: Any) -> None:
        """See `api.MechanismDriver.bind_port`."""
        # A type of interface that Nova knows; it plugs none by itself. The port is up at once: nobody reports it later.
        context.set_binding(
            context.segments_to_bind[0][api.ID],
            portbindings.VIF_TYPE_OVS,
            {portbindings.CAP_PORT_FILTER: True},
            status=constants.PORT_STATUS_ACTIVE,
        )

    def create_port_postcommit(self, context: Any) -> None:
        """Report a router's port up: it names no host, so nobody is asked to bind it."""
        port = context.current
        if port["device_owner"] in constants.ROUTER_PORT_OWNERS and port["status"] != constants.PORT_STATUS_ACTIVE:
            directory.get_plugin().update_port_status(context.plugin_context, port["id"], constants.PORT_STATUS_ACTIVE)
