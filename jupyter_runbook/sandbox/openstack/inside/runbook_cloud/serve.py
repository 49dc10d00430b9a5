"""Run one of OpenStack's services as one process: ``python -m runbook_cloud.serve FOLDER/etc/NAME``.

The listening socket is given as descriptor 3, so that a port is taken once and for all, and a client that is
early waits instead of being refused. Keystone, Placement, Glance and Neutron are their own WSGI applications. Of Nova
and Cinder, the API and all the workers share the process: oslo.messaging's in-memory transport carries their calls, and
no broker is needed (Nova's own functional tests run the same way).
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from pathlib import Path
from typing import Any

LISTENING = 3


def main() -> None:
    gc.disable()  # until `settle`: nothing of what is imported is garbage
    folder = Path(sys.argv[1])
    os.environ[f"OS_{folder.name.upper()}_CONFIG_DIR"] = str(folder)
    os.environ["OS_NEUTRON_CONFIG_FILES"] = "neutron.conf"
    # The services read the command line themselves.
    sys.argv = [folder.name]
    SERVICES[folder.name](folder)


def settle() -> None:
    """Look for garbage from here on, and seldom: among all that is imported, it took a quarter of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def serve(application: Any, threads: int = 8) -> None:
    """Answer requests, each by one of so many threads."""
    import waitress

    settle()
    waitress.serve(
        application,
        sockets=[socket.socket(fileno=LISTENING)],
        threads=threads,
        ident=None,
        connection_limit=500,
        channel_timeout=120,
    )


def keystone(_folder: Path) -> None:
    # The first request reads the rules, and another one that comes meanwhile is forbidden everything. Here, and in the
    # other services that do so, they are read before anybody asks.
    from keystone.common.rbac_enforcer import enforcer
    from keystone.wsgi.api import application

    enforcer.RBACEnforcer()._enforcer.load_rules()
    serve(application)


def glance(_folder: Path) -> None:
    from glance.wsgi.api import application

    serve(application)


def placement(_folder: Path) -> None:
    from placement.wsgi.api import application

    serve(application)


def neutron(_folder: Path) -> None:
    import setproctitle

    # Already asked for the process's name, it changes that, and nobody finds the process to end it.
    setproctitle.getproctitle = lambda: "neutron"
    setproctitle.setproctitle = lambda _title: None
    from neutron import policy
    from neutron.wsgi.api import application

    from runbook_cloud import guard, router

    policy.init()
    guard.start()
    # What a machine that was started again has lost.
    router.converge_all()
    serve(application)


def nova(_folder: Path) -> None:
    from nova import monkey_patch

    monkey_patch.patch(backend="threading")  # before any other import of Nova's

    from nova.api.openstack import wsgi_app

    application = wsgi_app.init_application("osapi_compute", "nova-api")

    # A driver is looked up below nova.virt, wherever it is.
    from runbook_cloud import compute

    sys.modules["nova.virt.runbook"] = compute

    import shlex

    import os_vif
    from nova import context, policy, service, utils
    from nova.compute import rpcapi as compute_calls
    from nova.conductor import rpcapi as conductor_calls
    from nova.objects import host_mapping
    from nova.scheduler import rpcapi as scheduler_calls
    from oslo_privsep import priv_context

    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_vif.initialize()
    # Elsewhere the compute service asks the conductor for what is in the database. Here its own connection leads to the
    # cell's, and so it looks for itself.
    kept = []
    for binary, topic, other in (
        ("nova-conductor", conductor_calls.RPC_TOPIC, None),
        ("nova-scheduler", scheduler_calls.RPC_TOPIC, None),
        ("nova-compute", compute_calls.RPC_TOPIC, compute_calls.RPC_TOPIC_ALT),
    ):
        part = service.Service.create(binary=binary, topic=topic, topic_alt=other)
        part.start()
        kept.append(part)
    host_mapping.discover_hosts(context.get_admin_context())
    policy.init()
    serve(application, threads=12)


def cinder(folder: Path) -> None:
    import eventlet

    eventlet.monkey_patch()
    import threading

    import __original_module_threading as original

    original.current_thread.__globals__["_active"] = vars(threading)["_active"]

    sys.argv += ["--config-file", str(folder / "cinder.conf")]
    from cinder.wsgi import wsgi

    application = wsgi.initialize_application()  # reads the command line
    from cinder import policy, service
    from cinder.common import constants
    from oslo_config import cfg

    class Service(service.Service):
        # The heartbeat reads service_id of the class: with two services in a process, the last one alone would seem to
        # live.
        def report_state(self) -> None:
            service.Service.service_id = self.origin_service_id
            super().report_state()

    # The volumes first: the scheduler's start waits for a first word of theirs.
    kept = [
        Service.create(
            host=f"{cfg.CONF.host}@{name}", service_name=name, binary=constants.VOLUME_BINARY, coordination=True
        )
        for name in cfg.CONF.enabled_backends
    ]
    kept.append(Service.create(binary="cinder-scheduler"))
    for part in kept:
        part.start()
    policy.init()
    import eventlet.wsgi
    from eventlet.greenio import GreenSocket

    settle()
    listening = GreenSocket(socket.socket(fileno=LISTENING))
    eventlet.wsgi.server(listening, application, log_output=False, keepalive=True)


SERVICES = {
    "keystone": keystone,
    "placement": placement,
    "glance": glance,
    "neutron": neutron,
    "cinder": cinder,
    "nova": nova,
}

if __name__ == "__main__":
    main()
