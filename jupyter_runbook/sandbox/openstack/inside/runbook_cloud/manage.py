"""Run a service's own command: ``python -m runbook_cloud.manage SERVICE WORD...``.

The scripts that bring these commands name the folder that they were installed in, which is not where they stay.
"""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = {
    "keystone": ("keystone-manage", "keystone.cmd.manage"),
    "placement": ("placement-manage", "placement.cmd.manage"),
    "glance": ("glance-manage", "glance.cmd.manage"),
    "neutron": ("neutron-db-manage", "neutron.db.migration.cli"),
    "cinder": ("cinder-manage", "cinder.cmd.manage"),
    "nova": ("nova-manage", "nova.cmd.manage"),
}

if __name__ == "__main__":
    command, module = COMMANDS[sys.argv[1]]
    sys.argv = [command, *sys.argv[2:]]
    sys.exit(import_module(module).main())
