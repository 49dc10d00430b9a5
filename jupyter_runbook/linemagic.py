"""``%runbook``: what an engineer asks of the run between two steps."""

from __future__ import annotations

import keyword
import shlex
from typing import TYPE_CHECKING, Any

from jupyter_runbook.canonical import plain
from jupyter_runbook.display.words import STATUSES, one_line
from jupyter_runbook.errors import BadInput
from jupyter_runbook.secret import is_secret_name
from jupyter_runbook.sources import FORMS, read_secret
from jupyter_runbook.spec.options import split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jupyter_runbook.record import StepRecord

__all__ = ["COMMANDS", "HELP", "run_line"]

#: The commands, in the order of the help.
COMMANDS = ("params", "status", "inventory", "secret")

HELP = f"""%runbook COMMAND

  params                  the parameters of this runbook: a form in JupyterLab, their values in a replay
  status                  every step of this session, with its status
  inventory VAR           the hosts of a variable that --out bound, as Ansible's YAML inventory
  secret NAME [SOURCE]    bind a secret to the variable NAME; left out, SOURCE is the environment, else a prompt
                          ({FORMS})

example:
  %runbook secret db_password env:DB_PASSWORD"""


def run_line(
    line: str,
    records: Sequence[StepRecord],
    names: dict[str, Any],
    ask: Callable[[str], str] | None,
    params: Callable[[], str | None],
) -> str | None:
    """Run one ``%runbook`` line, and return what to print.

    Parameters
    ----------
    line
        The line after the magic.
    records
        The session's records so far.
    names
        The notebook's names, to bind in.
    ask
        Asks a person without echo; None where nobody can be asked.
    params
        Shows the runbook's parameters, or returns what to print of them.

    Raises
    ------
    BadInput
        An unknown command, or a secret that can't be had.
    """
    words = split(line, magic="%runbook")
    command, *rest = words or ["--help"]
    if command in ("--help", "-h", "help"):
        return HELP
    if command == "status" and not rest:
        return status_text(records)
    if command == "params" and not rest:
        return params()
    if command == "inventory" and len(rest) == 1:
        return _inventory(rest[0], names)
    if command == "secret" and (len(rest) in (1, 2) or (len(rest) > 1 and rest[1].startswith("cmd:"))):
        name, *source = rest
        if name in ("--help", "-h"):
            return HELP
        if not name.isidentifier() or keyword.iskeyword(name):
            raise BadInput(
                f"%runbook secret: {name!r} can't be the name of a variable", hint="%runbook secret db_password env:PW"
            )
        if len(source) > 1 or (source and source[0].startswith("cmd:")):
            # The words of a program's command line, as they were quoted.
            source = ["cmd:" + shlex.join([source[0].removeprefix("cmd:"), *source[1:]])]
        names[name] = secret = read_secret(name, source[0] if source else None, ask)
        return secret.why_not_masked
    raise BadInput(f"%runbook can't read: {line.strip()}", hint="%runbook --help lists the commands")


def _inventory(name: str, names: Mapping[str, Any]) -> str:
    if name not in names:
        raise BadInput(f"%runbook inventory: there is no variable {name}", hint="--out VAR of a step binds one")
    from jupyter_runbook import inventory
    from jupyter_runbook.inventories import as_yaml

    return as_yaml(_masked(plain(inventory(names[name])))).rstrip()


def _masked(value: Any) -> Any:
    """Return an inventory without the passwords that people may have written in it."""
    if isinstance(value, dict):
        return {
            key: f"[secret {key}]" if isinstance(one, str) and is_secret_name(key) else _masked(one)
            for key, one in value.items()
        }
    return [_masked(one) for one in value] if isinstance(value, list) else value


def status_text(records: Sequence[StepRecord]) -> str:
    """Return one line a step: sign, status, time, name."""
    if not records:
        return "no step has run in this session"
    return "\n".join(
        one_line(f"{STATUSES[one.status]} {one.status:<11} {one.seconds:7.1f} s  {one.name} (%%{one.provider})")
        for one in records
    )
