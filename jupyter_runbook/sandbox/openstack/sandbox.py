"""OpenStack's own control plane on loopback, of its own packages: for Debian as root.

Keystone, Placement, Glance, Neutron, Cinder and Nova are a process each, with a database of their own; there are no
agents, no broker and no hypervisor. The network that leads outside takes a range of addresses that was looked for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import BadInput, ToolFailed
from jupyter_runbook.files import replacing
from jupyter_runbook.sandbox import leftovers, switch
from jupyter_runbook.sandbox.addresses import choose
from jupyter_runbook.sandbox.base import Sandbox
from jupyter_runbook.sandbox.debian import unpacked
from jupyter_runbook.sandbox.openstack import config, database, install, processes, servers
from jupyter_runbook.sandbox.openstack.config import ADMIN, CLOUD, HOST, LINK, PORTS, Layout
from jupyter_runbook.secret.excerpt import last_line

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Mapping

__all__ = ["OpenStackSandbox"]

RELEASE = "2026.1"
# Seconds that the services have to answer.
READY = 120.0
IMAGE = {
    "name": "debian",
    "text": "A server's disk is none of Glance's here.\n",
    "properties": {"os_distro": "debian", "os_admin_user": "debian"},
}


class OpenStackSandbox(Sandbox):
    """See the module."""

    name = "openstack"
    summary = "OpenStack's control plane on loopback, and a clouds.yaml; on Debian as root."

    @property
    def clouds(self) -> Path:
        """The path of clouds.yaml."""
        return self.folder / "clouds.yaml"

    def up(self) -> None:
        """See `Sandbox.up`; a service that died is started again, with all that the cloud had."""
        with self.alone():
            if not self.clouds.exists():
                self._clear()
                self._make()
            if not switch.connected(LINK):  # the machine was started again
                leftovers.clear_mounts(self.folder)
                shutil.rmtree(self.folder / "routers", ignore_errors=True)
                switch.connect(LINK, IPv4Network(self.state["network"]), self.folder / "net")
            if missing := self._missing():
                self.tell(f"starting {', '.join(missing)} again")
                self._start(missing)
            servers.give_bodies(self.tell)
            servers.lead_out(self._layout())

    def down(self) -> None:
        """See `Sandbox.down`."""
        if self.folder.exists():
            with self.alone():
                self._clear()

    def status(self) -> Mapping[str, str] | None:
        """See `Sandbox.status`."""
        if not self.clouds.exists():
            return None
        missing = self._missing()
        known = {
            "release": RELEASE,
            "clouds": f"{CLOUD} (a project's member) and {ADMIN}, in {self.clouds}",
            "identity": self._layout().identity,
            "addresses": f"{self.state['network']} for the network that leads outside",
            "servers": servers.told(self.folder),
        }
        if missing:
            known["not running"] = f"{', '.join(missing)}; sandbox up openstack starts them"
        return known

    def env(self) -> Mapping[str, str]:
        """See `Sandbox.env`."""
        if not self.clouds.exists():
            raise BadInput("the openstack sandbox is down", hint="jupyter runbook sandbox up openstack")
        return {"OS_CLIENT_CONFIG_FILE": str(self.clouds), "OS_CLOUD": CLOUD}

    def _make(self) -> None:
        root = unpacked(f"{self.name}-database", database.PACKAGES, self.tell)
        translator = unpacked("iptables", servers.TRANSLATOR, self.tell)
        python = install.interpreter(self.tell)
        kept = install.pristine(python, root, self.tell)
        switch.refuse_anothers(LINK, self.name)
        database.refuse_long(Layout(self.folder, python, PORTS, {}))
        network = next(choose().subnets(new_prefix=24))
        self.folder.mkdir(mode=0o700, parents=True)
        try:
            state = {"network": str(network), "ports": PORTS, "python": str(python), "root": str(root)}
            state["passwords"] = json.loads((kept / "passwords").read_text())
            _write(self.folder / "state.json", json.dumps(state))
            self.tell(f"starting the services; floating IPs are of {network}")
            switch.connect(LINK, network, self.folder / "net")
            servers.write_translator(self.folder, translator)
            for name in ("database", "keys"):
                shutil.copytree(kept / name, self.folder / name)
            self._start(["database", *PORTS])
            # Last: who finds it finds a cloud that is whole.
            _write(self.clouds, config.clouds(self._layout()))
        except BaseException:
            self._clear()
            raise

    def _start(self, names: list[str]) -> None:
        """Start the database and the services of some names, and wait until they answer.

        Where a port of theirs is somebody else's by now, all are started again: each has the addresses of the others.
        """
        state = self.state
        fresh = not self.clouds.exists()
        listening = _listen(state["ports"], names)
        ports = {name: one.getsockname()[1] for name, one in listening.items()}
        if moved := [name for name in listening if not fresh and ports[name] != state["ports"][name]]:
            self.tell(f"the port of {', '.join(moved)} is taken by something else: every service starts again")
            names = ["database", *PORTS]
            processes.end(self.folder)
            listening |= _listen(state["ports"], set(PORTS) - set(listening))
        services = list(listening)
        try:
            state["ports"] |= {name: one.getsockname()[1] for name, one in listening.items()}
            _write(self.folder / "state.json", json.dumps(state))
            layout = self._layout()
            install.furnish(layout)
            if "database" in names:
                database.start(layout, Path(state["root"]))
            database.ask(layout, config.catalogue(layout))
            pids = {name: processes.serve(layout, name, one) for name, one in listening.items()}
        finally:
            # A service that dies takes its port along, for nobody else holds it.
            for one in listening.values():
                one.close()
        with ThreadPoolExecutor() as pool:
            seeded = pool.submit(self._seed, layout) if fresh else None
            list(pool.map(lambda name: self._await(layout, name, pids[name]), services))
            if seeded:
                seeded.result()
        if not fresh:
            _write(self.clouds, config.clouds(layout))

    def _await(self, layout: Layout, name: str, pid: int) -> None:
        """Wait for a service's first answer: whoever asks early waits in its queue."""
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(HOST, layout.ports[name], timeout=READY)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except (OSError, HTTPException):
            said = processes.last_words(self.folder / f"log/{name}.out")
            raise ToolFailed(f"{name} did not come up (pid {pid}): {said}") from None
        finally:
            connection.close()

    def _seed(self, layout: Layout) -> None:
        """Furnish the cloud; it may be asked before the services answer."""
        given = {"settings": config.cloud(layout, "admin"), "network": self.state["network"], "image": IMAGE}
        done = subprocess.run(
            [layout.interpreter / "bin/python", "-m", "runbook_cloud.seed"],
            env=processes.environment(layout),
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolFailed(f"the cloud came up, but could not be furnished: {last_line(done.stderr)}")
        # Which of the networks is the one that this machine's link leads to: see inside/runbook_cloud/wiring.py.
        (self.folder / "outside").write_text(done.stdout)

    def _missing(self) -> list[str]:
        running = processes.running(self.folder)
        return [name for name in ("database", *PORTS) if name not in running]

    def _layout(self) -> Layout:
        state = self.state
        return Layout(self.folder, Path(state["python"]), state["ports"], state["passwords"], state["network"])

    def _clear(self) -> None:
        """Take everything away, whoever left it, in whatever state."""
        if not self.folder.exists():
            return
        processes.end(self.folder)
        if self.state:
            servers.clear(self._layout())
        leftovers.clear_mounts(self.folder)
        if self.state:
            leftovers.clear_bridges([LINK], os.environ)
        shutil.rmtree(self.folder)


def _listen(ports: Mapping[str, int], names: Collection[str]) -> dict[str, socket.socket]:
    """Listen for the services of some names: on the ports that they had, where those are free."""
    return {name: processes.listen(port) for name, port in ports.items() if name in names}


def _write(path: Path, text: str) -> None:
    """Write a file for the user alone: passwords are in it."""
    with replacing(path, mode=0o600) as file:
        file.write(text.encode())
