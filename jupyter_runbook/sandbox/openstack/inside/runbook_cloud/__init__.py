"""What runs in OpenStack's own interpreter: its services in a process each, and what stands in for agents and hosts.

It is found by ``PYTHONPATH``, and imports nothing of the project's.
"""
