"""Where a script runs: this machine, or a host that is reached with ssh."""

from __future__ import annotations

import glob
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.bash import run_script
from jupyter_runbook.errors import InvalidSpec, ToolFailed
from jupyter_runbook.files import expanded, is_folder, read_text
from jupyter_runbook.inventories import hosts_of, target_of
from jupyter_runbook.remote import NO_FOLDER, run_remote
from jupyter_runbook.secret.excerpt import excerpt
from jupyter_runbook.spec.script import Script, Variable
from jupyter_runbook.spec.template import render_text
from jupyter_runbook.spec.yamltext import load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from jupyter_runbook.spec.cell import Cell
    from jupyter_runbook.ssh import Target
    from jupyter_runbook.stop import Stop

__all__ = ["Here", "Place", "There", "places"]

# Tells of each of its arguments whether it is there: a path or a glob; a dangling link is there.
_PATHS = """runbook_there() {
    local path=$1
    case $path in '~'|'~/'*) path=$HOME${path:1} ;; esac
    if [ -e "$path" ] || [ -L "$path" ] || compgen -G "$path" >/dev/null; then echo 1; else echo 0; fi
}
"""


@dataclass(frozen=True)
class Place(ABC):
    """Where a script runs.

    Parameters
    ----------
    name
        What it is called; empty for this machine, where nobody named it.
    """

    name: str = ""

    @abstractmethod
    def run(
        self, script: Script, name: str, stop: Stop, output: Callable[[str], object], folder: str | None
    ) -> tuple[int, int | None]:
        """Run a script; see `run_script` and `run_remote`."""

    @abstractmethod
    def there(self, paths: Sequence[str], folder: str | None, stop: Stop) -> dict[str, bool]:
        """Tell which paths and globs are there, as seen from a folder.

        Raises
        ------
        InvalidSpec
            The folder is not there.
        """


@dataclass(frozen=True)
class Here(Place):
    """Run on this machine."""

    def run(
        self, script: Script, name: str, stop: Stop, output: Callable[[str], object], folder: str | None
    ) -> tuple[int, int | None]:
        """See `Place.run`."""
        return run_script(script, name, stop, output, _folder(folder))

    def there(self, paths: Sequence[str], folder: str | None, stop: Stop) -> dict[str, bool]:
        """See `Place.there`."""
        del stop
        if not is_folder(_folder(folder)):
            raise _no_folder(folder, self.name)
        return {path: _is_there(_folder(folder), path) for path in paths}


@dataclass(frozen=True)
class There(Place):
    """Run on a host; ``target`` is how it is reached."""

    target: Target | None = None

    def run(
        self, script: Script, name: str, stop: Stop, output: Callable[[str], object], folder: str | None
    ) -> tuple[int, int | None]:
        """See `Place.run`."""
        assert self.target is not None  # noqa: S101 -- a field after one with a default needs a default
        return run_remote(self.target, script, name, stop, output, folder=folder)

    def there(self, paths: Sequence[str], folder: str | None, stop: Stop) -> dict[str, bool]:
        """See `Place.there`; a host is asked in any case, so that one that can't be reached is known before."""
        variables = tuple(Variable(f"runbook_path_{number}", path, path) for number, path in enumerate(paths))
        text = _PATHS + "".join(f'runbook_there "${one.name}"\n' for one in variables)
        said: list[str] = []
        status, _ = self.run(Script(text, variables), "paths", stop, said.append, folder)
        if status == NO_FOLDER:
            raise _no_folder(folder, self.name)
        answers = "".join(said).split()[-len(paths) :] if paths else []
        if status or len(answers) != len(paths):
            raise ToolFailed(f"the paths can't be looked at: {excerpt(''.join(said), 200)}")
        return {path: answer == "1" for path, answer in zip(paths, answers, strict=True)}


def places(cell: Cell, option: str = "on") -> tuple[Place, ...]:
    """Return where a cell's script runs.

    Raises
    ------
    InvalidSpec
        The option names no hosts, or one that can't be reached with ssh alone.
    """
    given = cell.own(option)
    if not given:
        return (Here(),)
    hosts: dict[str, dict[str, Any]] = {}
    for text in given:
        hosts |= hosts_of(_value(text, cell), f"--{option}")
    if not hosts:
        raise InvalidSpec(f"--{option} names no host", line=1, hint="fill the list, or use --when to skip the step")
    found: list[Place] = []
    for name, variables in hosts.items():
        where = target_of(name, variables, f"--{option}")
        found.append(Here(name) if where is None else There(name, where))
    return tuple(found)


def _value(text: str, cell: Cell) -> Any:
    """Return what names the hosts: a variable, an inventory's file, or the text itself."""
    value = render_text(text, cell.names, line=1)
    if value == text and text.isidentifier() and text in cell.names:
        value = cell.names[text]
    if isinstance(value, os.PathLike) or (isinstance(value, str) and value.endswith((".yml", ".yaml"))):
        path = expanded(value)
        try:
            return load_yaml(read_text(path)).data
        except (OSError, UnicodeDecodeError):
            raise InvalidSpec(
                f"the inventory {value} can't be read", line=1, hint="see how its path is spelt"
            ) from None
        except InvalidSpec as error:
            where = f", line {error.where.line}" if error.where else ""
            raise InvalidSpec(f"the inventory {value}{where}: {error.message}", line=1, hint=error.hint) from None
    return value


def _folder(text: str | None) -> Path:
    return expanded(text) if text else Path()


def _no_folder(folder: str | None, host: str) -> InvalidSpec:
    where = f" on {host}" if host else ""
    return InvalidSpec(f"--cwd: the folder {folder} is not there{where}", line=1, hint="make it in a step above")


def _is_there(folder: Path, path: str) -> bool:
    full = folder / expanded(path)
    # A dangling link is there: the script that made it need not make it again.
    if os.path.lexists(full):
        return True
    return glob.has_magic(path) and any(glob.iglob(str(full), recursive=True))  # noqa: PTH207 -- Path's takes no absolute pattern
