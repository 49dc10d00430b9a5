"""The variables that a Compose file sees, and the other files that it takes something from."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.files import read_text
from jupyter_runbook.providers.docker.compose.interpolate import interpolate, read_env_file
from jupyter_runbook.secret import is_secret_name, secret_by_name
from jupyter_runbook.spec.template import fill_literals
from jupyter_runbook.spec.yamltext import load_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jupyter_runbook.secret import Secret
    from jupyter_runbook.spec.node import Node
    from jupyter_runbook.spec.placed import Placed
    from jupyter_runbook.spec.yamltext import Document

__all__ = ["Lookup", "read_file"]


class Lookup:
    """The variables of a Compose file: read when the first one is asked for, and what was asked for in vain.

    Parameters
    ----------
    folder
        Where ``.env`` is looked for.
    env_files
        What is read in its place; each one's values come over those of the one before.
    above
        The variables of the file that includes this one: they come over its own. None: those of the environment do.
    """

    def __init__(self, folder: Path, env_files: Sequence[Path] | None = None, above: Lookup | None = None) -> None:
        self._files = [path for path in [folder / ".env"] if path.is_file()] if env_files is None else env_files
        self._above = above
        self._variables: dict[str, str] | None = None
        self.unset: set[str] = above.unset if above else set()

    @property
    def variables(self) -> dict[str, str]:
        """What is set, by name.

        Raises
        ------
        InvalidSpec
            An env file that can't be read.
        """
        if self._variables is None:
            outside = self._above.variables if self._above else dict(os.environ)
            found: dict[str, str] = {}
            for path in self._files:
                try:
                    given = read_env_file(read_text(path), {**found, **outside})
                except (OSError, ValueError) as error:
                    why = error.strerror if isinstance(error, OSError) and error.strerror else error
                    raise InvalidSpec(f"{path.parent.name}/{path.name}: {why}", hint="mend that file") from None
                found.update({name: value for name, value in given.items() if value is not None})
            self._variables = {**found, **outside}
        return self._variables

    def fill(self, text: str) -> str | Secret:
        """Fill one scalar; what a variable with a secret's name brings makes a secret of it.

        Raises
        ------
        ValueError
            As `interpolate`.
        """
        if "$" not in text:
            return text
        taken: list[str] = []

        def lookup(name: str) -> str | None:
            value = self.variables.get(name)
            if value is None:
                unset.add(name)
            elif is_secret_name(name):
                taken.append(name)
            return value

        unset: set[str] = set()
        filled = interpolate(text, lookup)
        if not re.search(r"\$\{[A-Za-z0-9_]+:?[-+]", text):
            self.unset |= unset  # of the others it says what is to stand there instead
        return secret_by_name(taken[0], filled) if taken else filled


def read_file(path: Path, place: Node | Placed, lookup: Lookup, shown: str) -> Document:
    """Read another Compose file; braces in it are its own, and no templates.

    Parameters
    ----------
    path, place
        The file, and where it is named.
    lookup
        Its variables.
    shown
        What errors call it.

    Raises
    ------
    InvalidSpec
        It can't be read; with its line, and that of ``place``.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text in UTF-8"
        raise place.error(f"{why}: {shown}", hint="it starts from the folder of the file that names it") from None
    try:
        document = fill_literals(load_yaml(text), lookup.fill)
    except InvalidSpec as error:
        line = f", line {error.where.line}" if error.where and error.where.line else ""
        raise place.error(f"{shown}{line}: {error.message}", hint=error.hint) from None
    document = document.taken_from(shown, place.line)
    if not isinstance(document.data, dict):
        raise document.error((), "it is no Compose file", hint="services:\n  web:\n    image: nginx")
    return document
