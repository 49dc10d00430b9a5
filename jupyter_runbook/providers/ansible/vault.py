"""What a vault holds is secret, from the moment at which Ansible opens it."""

from __future__ import annotations

from jupyter_runbook.secret import Secret, can_be_secret

__all__ = ["keep_secret"]


def keep_secret(text: str) -> None:
    """Take what Ansible has decrypted: all in it is secret from now on, also for cells to come."""
    for value in _strings(text):
        if can_be_secret(value):
            Secret(value, name="vault")  # known to the redactor by having been


def _strings(text: str) -> list[str]:
    """Return the strings in a vaulted text: it is one, or YAML of many."""
    import yaml

    found = [text.strip()]
    try:
        left = [yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))]  # noqa: S506 -- a safe one
    except yaml.YAMLError:
        return found
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list):
            left += one
        elif isinstance(one, str):
            found.append(one)
    return found
