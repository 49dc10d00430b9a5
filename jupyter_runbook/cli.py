"""The command ``jupyter runbook``: options only, no logic. What a command needs is imported when it runs."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from jupyter_runbook import __version__
from jupyter_runbook.sandbox import NAMES

if TYPE_CHECKING:
    from jupyter_runbook.replay.run import Outcome
    from jupyter_runbook.sandbox.base import Sandbox

#: Set to 1, an error of our own making shows where it came from.
DEBUG = "JUPYTER_RUNBOOK_DEBUG"


class Commands(click.Group):
    """Ends each command with the exit code of the contract, and an error in one to three lines."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        from jupyter_runbook.errors import RunbookError

        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except RunbookError as error:
            _fail(ctx, error.lines(), error.exit_code)
        except KeyboardInterrupt:
            _fail(ctx, ["interrupted"], 130)
        except Exception as error:
            if os.environ.get(DEBUG) or isinstance(error, BrokenPipeError):
                raise
            text = " ".join(str(error).split())
            _fail(ctx, [f"{type(error).__name__}: {text}", f"→ {DEBUG}=1 shows where; please report it"], 1)


def _fail(ctx: click.Context, lines: list[str], code: int) -> NoReturn:
    click.echo("\n".join([f"error: {lines[0]}", *lines[1:]]), err=True)
    ctx.exit(code)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: jupyter runbook replay site.ipynb -p site berlin",
)
@click.version_option(__version__, prog_name="jupyter-runbook")
def main() -> None:
    """Replay runbooks, and read what they left.

    Exit codes: 0 done; 1 a step failed; 2 bad input, nothing ran; 3 not approved or stale plan; 130 interrupted.
    """
    # A process that ends need not look through all that it imported for what could be freed: a twentieth of a replay.
    atexit.register(gc.freeze)


@main.command(epilog="Example: jupyter runbook demo")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default="worklogs", show_default=True)
def demo(folder: Path) -> None:
    """Replay the quick-start runbook here.

    It needs no outside service. FOLDER keeps the work logs, their reports, and what the runbook makes.
    """
    from jupyter_runbook.replay.demo import run_demo

    outcome, report = run_demo(folder, _watch())
    _end(outcome, report)


@main.command(
    epilog="Example: jupyter runbook replay site.ipynb berlin.ipynb -p site berlin -p replicas 3",
)
@click.argument("runbook", type=click.Path(path_type=Path))
@click.argument("worklog", type=click.Path(path_type=Path), required=False)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter; checked against the runbook's parameters cell.",
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Time limit of each cell.")
@click.option("--overwrite", is_flag=True, help="Write the work log anew though it is there already.")
def replay(
    runbook: Path,
    worklog: Path | None,
    parameters: tuple[tuple[str, str], ...],
    timeout: float | None,
    *,
    overwrite: bool,
) -> None:
    """Run RUNBOOK unattended, and write WORKLOG.

    It runs in its own folder; WORKLOG is the executed notebook. Without a name that goes to
    worklogs/RUNBOOK-TIME.ipynb. A work log that is there already is never overwritten unasked. Ctrl-C stops the step
    at work, which still writes its record.
    """
    from jupyter_runbook.errors import BadInput
    from jupyter_runbook.replay.run import replay as run

    given = dict(parameters)
    if len(given) < len(parameters):
        names = [name for name, _ in parameters]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"the parameter {twice} is given twice")
    _end(run(runbook, worklog, given, overwrite=overwrite, timeout=timeout, watch=_watch()))


@main.command(epilog="Example: jupyter runbook status worklogs/site-20261124T224255Z.ipynb")
@click.argument("worklog", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON: status, run, steps, cells.")
def status(worklog: Path, *, as_json: bool) -> None:
    """Show every step of WORKLOG with its status.

    Also while it is being written, and after any crash.
    """
    import json

    from jupyter_runbook.audit.status import status_json, status_text
    from jupyter_runbook.registry import providers
    from jupyter_runbook.worklog import read

    log = read(worklog, providers=providers())
    click.echo(json.dumps(status_json(log), ensure_ascii=False, indent=2) if as_json else status_text(log))


@main.command(epilog="Example: jupyter runbook report worklogs/site-20261124T224255Z.ipynb -o site.html")
@click.argument("worklog", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.html", help="The page; - is standard output."
)
def report(worklog: Path, output: Path | None) -> None:
    """Make one static page of WORKLOG.

    Any browser shows it: how the run ended, what went wrong, every step, all cells. It has no script and loads
    nothing. Without -o it goes beside WORKLOG.
    """
    from jupyter_runbook.audit.page import write_report
    from jupyter_runbook.audit.report import report_html
    from jupyter_runbook.registry import providers
    from jupyter_runbook.worklog import read

    log = read(worklog, providers=providers())
    if output == Path("-"):
        click.echo(report_html(log), nl=False)
        return
    path = output or worklog.with_suffix(".html")
    write_report(log, path)
    click.echo(f"report: {path}")


@main.group(
    "sandbox", epilog='Example: jupyter runbook sandbox up docker && eval "$(jupyter runbook sandbox env docker)"'
)
def sandbox_group() -> None:
    """Start a real service here, to try runbooks on.

    A sandbox is disposable, listens on loopback only, and touches nothing that it did not start.
    """


_NAMES = click.argument("names", nargs=-1, required=True, type=click.Choice(NAMES), metavar=f"[{'|'.join(NAMES)}]...")


@sandbox_group.command(epilog="Example: jupyter runbook sandbox up hosts --count 3")
@_NAMES
@click.option("--count", type=int, metavar="N", help="How many hosts there shall be; 3 where none are up.")
def up(names: tuple[str, ...], count: int | None) -> None:
    """Bring sandboxes up; one that is up stays as it is, and a host that was stopped starts again."""
    if count is not None and "hosts" not in names:
        raise click.UsageError("--count is for hosts: jupyter runbook sandbox up hosts --count 3")
    for name in names:
        one = _sandbox(name, count)
        one.up()
        click.echo(f'{name}: up; eval "$(jupyter runbook sandbox env {name})" points this shell at it')


@sandbox_group.command(epilog="Example: jupyter runbook sandbox down docker")
@_NAMES
def down(names: tuple[str, ...]) -> None:
    """Take sandboxes away with all that is in them, also what a killed up left."""
    for name in names:
        _sandbox(name).down()
        click.echo(f"{name}: down")


@sandbox_group.command("status", epilog="Example: jupyter runbook sandbox status docker")
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar=f"[{'|'.join(NAMES)}]...")
def sandbox_status(names: tuple[str, ...]) -> None:
    """Show what is up; all of them without a name."""
    for name in names or NAMES:
        known = _sandbox(name).status()
        click.echo(f"{name}: {'down' if known is None else 'up'}")
        for key, value in (known or {}).items():
            click.echo(f"  {key}: {value}")


@sandbox_group.command(epilog='Example: eval "$(jupyter runbook sandbox env docker)"')
@_NAMES
def env(names: tuple[str, ...]) -> None:
    """Print export lines for the shell."""
    import shlex

    for name in names:
        for key, value in _sandbox(name).env().items():
            click.echo(f"export {key}={shlex.quote(value)}")


def _sandbox(name: str, count: int | None = None) -> Sandbox:
    from jupyter_runbook.sandbox import sandbox

    return sandbox(name, lambda line: click.echo(f"{name}: {line}", err=True), count)


def _watch() -> Any:
    from jupyter_runbook.replay.progress import Lines

    return Lines(sys.stderr)


def _end(outcome: Outcome, report: Path | None = None) -> NoReturn:
    from jupyter_runbook.audit.status import counts

    log = outcome.log
    steps = counts(step.status for cell in log.cells for step in cell.steps)
    click.echo(f"{log.status}: {steps or 'no steps'}; cells: {counts(cell.status for cell in log.cells)}")
    click.echo(f"work log: {outcome.path}")
    if report:
        click.echo(f"report: {report}")
    if outcome.broken:
        click.echo(f"error: {outcome.path}: {outcome.broken}", err=True)
    click.get_current_context().exit(outcome.exit_code)
