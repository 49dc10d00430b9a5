"""What a vault holds is secret, from the moment at which Ansible opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret, can_be_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Vaulted"]


class Vaulted:
    """What Ansible decrypts is secret from then on: it is told before it can be printed."""

    def __init__(self) -> None:
        self._pieces: dict[int, str] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Take an event ``vault``: a piece of a text that was decrypted in the process ``p``."""
        text = self._pieces.pop(event["p"], "") + event["text"]
        if event["more"]:
            self._pieces[event["p"]] = text
            return
        for value in _strings(text):
            if can_be_secret(value):
                Secret(value, name="vault")  # known from now on: a later cell may print it, too


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
