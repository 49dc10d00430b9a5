"""The command ``jupyter runbook``: options only, no logic. What a command needs is imported when it runs."""

from __future__ import annotations

import atexit
import gc
import os
from typing import Any, NoReturn

import click

from jupyter_runbook import __version__
from jupyter_runbook.cli import machine, reading, runs
from jupyter_runbook.cli.say import say

#: Set to 1, an error of our own making shows where it came from.
DEBUG = "JUPYTER_RUNBOOK_DEBUG"


class Commands(click.Group):
    """Ends each command with the exit code of the contract, and an error in one to three lines."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        from jupyter_runbook.errors import RunbookError
        from jupyter_runbook.printable import one_line

        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = one_line(error.message)  # the name of a file, as a pattern found it
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except RunbookError as error:
            _fail(ctx, error.lines(), error.exit_code)
        except KeyboardInterrupt:
            _fail(ctx, ["interrupted"], 130)
        except Exception as error:
            if os.environ.get(DEBUG) or isinstance(error, BrokenPipeError):
                raise
            from jupyter_runbook.secret.excerpt import one_line_of

            text = one_line_of(str(error))
            _fail(ctx, [f"{type(error).__name__}: {text}", f"→ {DEBUG}=1 shows where; please report it"], 1)


def _fail(ctx: click.Context, lines: list[str], code: int) -> NoReturn:
    say("\n".join([f"error: {lines[0]}", *lines[1:]]), err=True)
    ctx.exit(code)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: jupyter runbook replay site.ipynb -p site berlin",
)
@click.version_option(__version__, prog_name="jupyter-runbook")
def main() -> None:
    """Replay runbooks, and read what they left.

    Exit codes: 0 done; 1 a cell or step failed, or the kernel died; 2 bad input, nothing ran; 3 not approved or stale
    plan; 130 somebody stopped it.
    """
    # A process that ends need not look through all that it imported for what could be freed: a twentieth of a replay.
    atexit.register(gc.freeze)


for command in (
    runs.demo,
    runs.replay,
    reading.status,
    reading.report,
    reading.params,
    reading.history,
    machine.sandbox_group,
    machine.doctor,
    machine.completion,
):
    main.add_command(command)
