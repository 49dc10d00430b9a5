"""What a server has beside itself, each by calls of its own: floating IPs, volumes, security groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import Conflict, ToolFailed
from jupyter_runbook.providers.openstack.views import INTERFACES, MADE, made_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jupyter_runbook.providers.openstack.cloud import Cloud
    from jupyter_runbook.providers.openstack.state import Listed
    from jupyter_runbook.providers.openstack.watch import Watch

__all__ = ["Servers"]


class Servers:
    """What is done to a server that is there.

    Parameters
    ----------
    cloud
        Where.
    watch
        Who looks, where something takes its time.
    """

    def __init__(self, cloud: Cloud, watch: Watch) -> None:
        self.cloud = cloud
        self.watch = watch

    def volumes(self, server: str, before: list[str] | None, after: list[str]) -> None:
        """Attach and detach volumes, by their IDs."""
        compute = self.cloud.connection.compute
        for volume in set(before or ()) - set(after):
            compute.delete_volume_attachment(server, volume)
            self._volume(volume, "available")
        for volume in after:
            if volume not in (before or ()):
                self._volume(volume, "available", "in-use")
                compute.create_volume_attachment(server, volume_id=volume)
                self._volume(volume, "in-use")

    def security_groups(self, server: str, _before: Any, after: list[str]) -> None:
        """Give all ports of a server these groups, by their IDs."""
        network = self.cloud.connection.network
        for port in network.ports(device_id=server):
            network.update_port(port, security_groups=after)

    def metadata(self, server: str, _before: Any, after: dict[str, str]) -> None:
        """Set some of a server's metadata."""
        self.cloud.connection.compute.set_server_metadata(server, **after)

    def tags(self, server: str, _before: Any, after: list[str]) -> None:
        """Set a server's tags."""
        compute = self.cloud.connection.compute
        compute.get_server(server).set_tags(compute, after)

    def floating_ip(self, server: str, before: str | None, after: Any) -> None:
        """Give a server a floating IP: a certain one, any (True), or none (False)."""
        network = self.cloud.connection.network
        # One that this run has made is told by its ID, any other by its address.
        made = isinstance(after, str) and not re.search(r"[.:]", after)
        wanted = network.get_ip(after).floating_ip_address if made else after if isinstance(after, str) else None
        if before and before != wanted and after is not True:
            for one in network.ips(floating_ip_address=before):
                self._let_go(one)
        if not after or (before and (after is True or before == wanted)):
            return
        if wanted:
            self._take(wanted, server)
        else:
            port, outside = self._way_out(server)
            told = made_for(str(self.watch.find("servers", lambda one: bool(one["id"] == server))[0]["name"]))
            # One that a run which died had made, or had taken from the server before this one.
            own = network.ips(description=told, project_id=self.cloud.connection.current_project_id)
            left = next((one for one in own if not one.port_id), None)
            if left:
                self.move(left, server)
            else:
                network.create_ip(floating_network_id=outside, port_id=port["id"], description=told)

    def let_go(self, floating: Iterable[Listed]) -> None:
        """Release those of a server's floating IPs that were made for it."""
        for one in floating:
            if str(one.get("description")).startswith(MADE):
                self.cloud.connection.network.delete_ip(one["id"])

    def move(self, floating: Listed, server: str) -> None:
        """Lead a floating IP to another server."""
        port, _ = self._way_out(server, floating["floating_network_id"])
        self.cloud.connection.network.update_ip(floating["id"], port_id=port["id"])

    def _let_go(self, floating: Any) -> None:
        network = self.cloud.connection.network
        if str(floating.description).startswith(MADE):
            network.delete_ip(floating)
        else:
            network.update_ip(floating, port_id=None)

    def _take(self, address: str, server: str) -> None:
        network = self.cloud.connection.network
        found = next(iter(network.ips(floating_ip_address=address)), None)
        if found is None:
            port, outside = self._way_out(server)
            network.create_ip(floating_network_id=outside, floating_ip_address=address, port_id=port["id"])
        elif found.port_id is None:
            self.move(found, server)
        elif found.port_id not in {one["id"] for one in self._ports(server)}:
            # TRAPS, OpenStack 7: never another server's.
            raise Conflict(
                f"the floating IP {address} is in use by another port, {found.port_id}",
                hint="floating_ip: true gives the server one of its own",
            )

    def _ports(self, server: str) -> list[Listed]:
        found = self.watch.find("ports", lambda one: bool(one["device_id"] == server))
        if not found:
            raise ToolFailed("it has no port to give a floating IP to", hint="networks: [NAME] gives it one")
        return sorted(found, key=lambda one: str(one.get("created_at")))

    def _way_out(self, server: str, outside: str | None = None) -> tuple[Listed, str]:
        """Return the port of a server from which a router leads outside, and the network there.

        Parameters
        ----------
        server
            The server's ID.
        outside
            The network outside that it has to be; None is any.
        """
        ports = self._ports(server)
        ways = [(port, network) for port in ports for network in self._outside(port)]
        for port, network in ways:
            if outside in {None, network}:
                return port, network
        if not ways and (known := outside or self._shared(ports)):
            # A router of another project's is not listed: Neutron knows whether there is one.
            return ports[0], known
        raise ToolFailed(
            "no router leads from its network outside",
            hint="routers: [{name: out, external_gateway: …, interfaces: […]}]",
        )

    def _shared(self, ports: list[Listed]) -> str | None:
        """Return the one network outside that there is, where a port is on a network that several projects share."""
        on = {port["network_id"] for port in ports}
        shared = self.watch.find("networks", lambda one: one["id"] in on and bool(one["is_shared"]))
        there = self.watch.find("networks", lambda one: bool(one["is_router_external"]))
        return str(there[0]["id"]) if shared and len(there) == 1 else None

    def _outside(self, port: Listed) -> Iterator[str]:
        """Yield the networks outside that a port's routers lead to."""
        subnets = {one["subnet_id"] for one in port["fixed_ips"]}

        def leads(one: Listed) -> bool:
            on = {fixed["subnet_id"] for fixed in one["fixed_ips"]}
            return str(one["device_owner"]).startswith(INTERFACES) and bool(on & subnets)

        routers = {one["device_id"] for one in self.watch.find("ports", leads)}
        for router in self.watch.find(
            "routers", lambda one: one["id"] in routers and bool(one["external_gateway_info"])
        ):
            yield str(router["external_gateway_info"]["network_id"])

    def _volume(self, volume: str, *statuses: str) -> None:
        def settled(found: Listed | None) -> bool:
            status = str((found or {}).get("status"))
            if status.startswith("error"):
                raise ToolFailed(f"the volume {volume} is in {status}")
            return status in statuses

        self.watch.until("volumes", volume, settled, f"the volume {volume} does not become {' or '.join(statuses)}")
