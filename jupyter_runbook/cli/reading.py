"""Commands that read what runs left: ``status``, ``report``, ``params``, ``history``."""

from __future__ import annotations

from pathlib import Path

import click

from jupyter_runbook.cli.say import say, say_json

__all__ = ["history", "params", "report", "status"]


@click.command(epilog="Example: jupyter runbook status worklogs/site-20261124T224255Z.ipynb")
@click.argument("worklog", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON: status, run, steps, cells.")
def status(worklog: Path, *, as_json: bool) -> None:
    """Show every step of WORKLOG with its status.

    Also while it is being written, and after any crash.
    """
    from jupyter_runbook.audit.status import status_json, status_text
    from jupyter_runbook.registry import providers
    from jupyter_runbook.worklog import read

    log = read(worklog, providers=providers())
    say_json(status_json(log)) if as_json else say(status_text(log))


@click.command(epilog="Example: jupyter runbook report worklogs/site-20261124T224255Z.ipynb -o site.html")
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
    say(f"report: {path}")


@click.command(epilog="Example: jupyter runbook params site.ipynb")
@click.argument("runbook", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON: a list of name, types, required, default, description.")
def params(runbook: Path, *, as_json: bool) -> None:
    """Show what RUNBOOK can be given: names, types, defaults.

    They are what its cell tagged parameters declares; a comment at the end of a line, or above it, describes one.
    """
    from jupyter_runbook.notebook import read_notebook
    from jupyter_runbook.parameters import declared
    from jupyter_runbook.replay.described import params_json, params_text

    known = declared(read_notebook(runbook), str(runbook))
    if as_json:
        say_json(params_json(known))
    else:
        say(params_text(known, str(runbook)))


@click.command(epilog="Example: jupyter runbook history -n 5")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[FOLDER]...")
@click.option("-n", "--number", type=click.IntRange(min=1), default=20, show_default=True, help="So many, the newest.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: a list, with status, who, when, and the steps.")
def history(folders: tuple[Path, ...], number: int, *, as_json: bool) -> None:
    """Show the runs that the journals here know.

    When, how it ended, who, what, and its steps; the newest comes last. FOLDER is where to look, this folder and those
    below it if left out.
    """
    from jupyter_runbook.audit.history import history as runs
    from jupyter_runbook.audit.history import history_json, history_text, journals

    found = runs(path for folder in folders or (Path(),) for path in journals(folder))[-number:]
    say_json(history_json(found)) if as_json else say(history_text(found))
