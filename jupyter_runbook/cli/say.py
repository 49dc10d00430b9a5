"""What the commands print: the one way to the terminal, for texts that anybody may have written."""

from __future__ import annotations

from typing import Any

import click

from jupyter_runbook.printable import json_text, readable

__all__ = ["say", "say_json"]


def say(text: str, *, err: bool = False) -> None:
    """Print lines that act on no terminal."""
    click.echo(readable(text), err=err)


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json_text(value))
