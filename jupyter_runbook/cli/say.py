"""What the commands print: the one way to the terminal, for texts that anybody may have written."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from jupyter_runbook.printable import json_text, readable

__all__ = ["say", "say_if_heard", "say_json"]


def say(text: str, *, err: bool = False) -> None:
    """Print lines that act on no terminal."""
    click.echo(readable(text), err=err)


def say_if_heard(text: str, *, err: bool = False) -> None:
    """Print lines where there is somebody to read them: a reader that is gone changes nothing of how a run ended."""
    name = "stderr" if err else "stdout"
    try:
        say(text, err=err)
        if (stream := getattr(sys, name)) is not None:
            stream.flush()
    except (OSError, ValueError):
        # Python would complain of it once more at its end, and end with 120.
        setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 -- until the end


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json_text(value))
