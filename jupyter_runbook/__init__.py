"""Executable runbooks in Jupyter: plan, apply, observe again, and a record that cannot lie."""

__version__ = "0.1.0.dev0"
