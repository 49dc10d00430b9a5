"""What a vault holds is secret, from the moment at which Ansible opens it."""

from __future__ import annotations

from jupyter_runbook.secret import Secret, can_be_secret, is_secret_name

__all__ = ["keep_secret"]


def keep_secret(text: str) -> None:
    """Take what Ansible has decrypted: all in it is secret from now on, also for cells to come."""
    for key, value in _strings(text):
        if can_be_secret(value):
            secret = Secret(value, name="vault")  # known to the redactor by having been
            # A user's name in a vault that the runbook has, too, is no reason to keep nothing of what the play prints.
            if key is None or is_secret_name(str(key)):
                secret.reveal()


def _strings(text: str) -> list[tuple[object, str]]:
    """Return the strings in a vaulted text, each with its key: it is one, or YAML of many."""
    import yaml

    whole = text.strip()
    found: list[tuple[object, str]] = [("", whole)]
    left: list[tuple[object, object]]
    try:
        left = [(None, yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))]  # noqa: S506 -- a safe one
    except yaml.YAMLError:
        return [(None, whole)]
    while left:
        key, one = left.pop()
        if isinstance(one, dict):
            left += one.items()
        elif isinstance(one, list):
            left += [(key, item) for item in one]
        elif isinstance(one, str):
            found.append((key, one))
    return found
