"""Commands about this machine: ``sandbox``, ``doctor``, ``completion``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jupyter_runbook.cli.say import say, say_json
from jupyter_runbook.completion import SHELLS
from jupyter_runbook.sandbox import NAMES

if TYPE_CHECKING:
    from jupyter_runbook.sandbox.base import Sandbox

__all__ = ["completion", "doctor", "sandbox_group"]


@click.group(
    "sandbox", epilog='Example: jupyter runbook sandbox up docker && eval "$(jupyter runbook sandbox env docker)"'
)
def sandbox_group() -> None:
    """Start a real service here, to try runbooks on.

    A sandbox is disposable, listens on loopback only, and touches nothing that it did not start.
    """


_NAMES = click.argument("names", nargs=-1, required=True, type=click.Choice(NAMES), metavar=f"[{'|'.join(NAMES)}]...")


@sandbox_group.command(epilog="Example: jupyter runbook sandbox up openstack docker")
@_NAMES
@click.option("--count", type=int, metavar="N", help="How many hosts there shall be; 3 where none are up.")
def up(names: tuple[str, ...], count: int | None) -> None:
    """Bring sandboxes up; one that is up stays as it is, and what died of it starts again.

    With docker, the servers of openstack are reached by SSH; hosts are counted: up hosts --count 3.
    """
    if count is not None and "hosts" not in names:
        raise click.UsageError("--count is for hosts: jupyter runbook sandbox up hosts --count 3")
    for name in sorted(set(names), key=NAMES.index):
        one = _sandbox(name, count)
        one.up()
        say(f'{name}: up; eval "$(jupyter runbook sandbox env {name})" points this shell at it')


@sandbox_group.command(epilog="Example: jupyter runbook sandbox down docker")
@_NAMES
def down(names: tuple[str, ...]) -> None:
    """Take sandboxes away with all that is in them, also what a killed up left."""
    for name in sorted(set(names), key=NAMES.index, reverse=True):
        _sandbox(name).down()
        say(f"{name}: down")


@sandbox_group.command("status", epilog="Example: jupyter runbook sandbox status docker")
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar=f"[{'|'.join(NAMES)}]...")
def sandbox_status(names: tuple[str, ...]) -> None:
    """Show what is up; all of them without a name."""
    for name in names or NAMES:
        known = _sandbox(name).status()
        say(f"{name}: {'down' if known is None else 'up'}")
        for key, value in (known or {}).items():
            say(f"  {key}: {value}")


@sandbox_group.command(epilog='Example: eval "$(jupyter runbook sandbox env docker)"')
@_NAMES
def env(names: tuple[str, ...]) -> None:
    """Print export lines for the shell."""
    import shlex

    for name in names:
        for key, value in _sandbox(name).env().items():
            say(f"export {key}={shlex.quote(value)}")


def _sandbox(name: str, count: int | None = None) -> Sandbox:
    from jupyter_runbook.sandbox import sandbox

    return sandbox(name, lambda line: say(f"{name}: {line}", err=True), count)


@click.command(epilog="Example: jupyter runbook doctor")
@click.option("--json", "as_json", is_flag=True, help="As JSON: a list of name, status, found, use, hint.")
def doctor(*, as_json: bool) -> None:
    """Show what is here of what runbooks use, and what brings the rest.

    It ends with 1 where something is missing without which nothing works.
    """
    from jupyter_runbook.doctor import doctor as look
    from jupyter_runbook.doctor import doctor_json, doctor_text

    found = look()
    say_json(doctor_json(found)) if as_json else say(doctor_text(found))
    click.get_current_context().exit(any(one.status == "missing" for one in found))


@click.command(epilog='Example: eval "$(jupyter runbook completion bash)"   # in ~/.bashrc')
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and parameters in a shell."""
    from jupyter_runbook.completion import completion_script

    click.echo(completion_script(click.get_current_context().find_root().command, shell))
