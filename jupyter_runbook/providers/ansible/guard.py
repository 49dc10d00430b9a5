"""What a value may not bring into the line of a cell: what Ansible would run. Pure but for looking at a path."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_runbook.files import expanded
from jupyter_runbook.spec.template import is_template

__all__ = ["no_program", "plain"]

# What is looked at of a folder, in files.
MOST = 10_000


def plain(text: str) -> None:
    """See that Ansible takes a text for what it says: it is no template, no file's name and no option.

    Raises
    ------
    ValueError
        It is; the text begins with a verb.
    """
    if is_template(text):
        raise ValueError("can't have braces from a value: Ansible would fill them as a template of its own")
    if text.lstrip().startswith("@"):
        raise ValueError("can't begin with the @ of a value: Ansible would read a file")
    if text.lstrip().startswith("-"):
        raise ValueError("can't begin with the hyphen of a value: Ansible would take it for an option")


def no_program(text: str) -> None:
    """See that a path leads to no program, and to no folder with one: Ansible would run it.

    Raises
    ------
    ValueError
        It does, or the text is not `plain`.
    """
    plain(text)
    path = expanded(text.strip())
    files = [path]
    if path.is_dir():
        files = []
        for folder, _, names in os.walk(path):
            files += [Path(folder, name) for name in names]
            if len(files) > MOST:
                raise ValueError(f"names a folder of more than {MOST} files by a value: write its path into the cell")
    for one in files:
        if one.is_file() and os.access(one, os.X_OK):
            raise ValueError(
                f"names the program {one} by a value, and Ansible would run it: write its path into the cell"
            )
