"""A real OpenStack: what it is made from, what its services read, and how it comes and goes."""

from jupyter_runbook.sandbox.openstack.sandbox import OpenStackSandbox

__all__ = ["OpenStackSandbox"]
