"""Commands that read what runs left: ``status``, ``report``, ``params``, ``history``."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["report", "status"]


@click.command(epilog="Example: jupyter runbook status worklogs/site-20261124T224255Z.ipynb")
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
    click.echo(f"report: {path}")
