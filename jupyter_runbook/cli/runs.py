"""Commands that run a runbook: ``demo``, ``replay``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from jupyter_runbook.cli.say import say_if_heard
from jupyter_runbook.files import expanded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

    from jupyter_runbook.replay.run import Outcome
    from jupyter_runbook.replay.signals import Stops
    from jupyter_runbook.secret import Secret

__all__ = ["demo", "replay"]


class _Place(click.Path):
    """A file's path; or a text that is none, see `jupyter_runbook.replay.places`."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or the text."""
        if isinstance(value, str) and (value == "-" or "://" in value):
            return value
        return super().convert(value, param, ctx)


_PLACE = _Place()


class _Seconds(click.FloatRange):
    """More than none, and no more than there are: float() reads nan and 1e400, too."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=10**9)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the seconds."""
        found = super().convert(value, param, ctx)
        if found != found:  # noqa: PLR0124 -- nan is no number
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return found


def _names(_ctx: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the name of a parameter, where the runbook is typed already; click itself has not read that far."""
    import os
    import shlex

    from click.shell_completion import CompletionItem

    from jupyter_runbook.errors import RunbookError
    from jupyter_runbook.notebook import read_notebook
    from jupyter_runbook.parameters import declared
    from jupyter_runbook.printable import one_line

    try:
        words, at = shlex.split(os.environ.get("COMP_WORDS", "")), os.environ.get("COMP_CWORD", "")
        # fish hands over the word that is typed in place of its number.
        words = words[: int(at)] if at.isdecimal() else words[:-1] if typed else words
        runbook = next(word for word in words if word.endswith(".ipynb"))
        known = (declared(read_notebook(expanded(runbook)), "") or {}) if words[-1].startswith("-") else {}
    except (RunbookError, ValueError, IndexError, StopIteration):
        return []
    return [
        CompletionItem(one_line(name), help=one_line(one.description or ""))
        for name, one in known.items()
        if name.startswith(typed)
    ]


@click.command(epilog="Example: jupyter runbook demo")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default="worklogs", show_default=True)
def demo(folder: Path) -> None:
    """Replay the quick-start runbook here.

    It needs no outside service. FOLDER keeps the work logs, their reports, and what the runbook makes.
    """
    from jupyter_runbook.replay.demo import run_demo
    from jupyter_runbook.replay.imports import without_iri_parsers
    from jupyter_runbook.replay.signals import Stops

    without_iri_parsers()
    stops = click.get_current_context().with_resource(Stops())
    outcome, report = run_demo(folder, _watch())
    _over(stops)
    _end(outcome, report)


@click.command(
    epilog="Example: jupyter runbook replay site.ipynb berlin.ipynb -p site berlin -p replicas 3",
)
@click.argument("runbook", type=_PLACE)
@click.argument("worklog", type=_PLACE, required=False)
@click.option(
    "-p",
    "--parameter",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter; checked against the runbook's parameters cell.",
    shell_complete=_names,
)
@click.option(
    "-f",
    "--parameters-file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Parameters as YAML or JSON; a later FILE, and -p, go before.",
)
@click.option(
    "-s",
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME[=SOURCE]",
    help="A parameter that is secret: from env[:VARIABLE], file:PATH, keyring:SERVICE/USER, "
    "cmd:PROGRAM ARGS or prompt; left out, from the environment where that has NAME, else a prompt. "
    "It goes before a FILE.",
)
@click.option("--check", is_flag=True, help="Dry run: every step shows its plan and changes nothing; plain cells run.")
@click.option("--timeout", type=_Seconds(), metavar="S", help="Time limit of each cell, in seconds.")
@click.option("--overwrite", is_flag=True, help="Write the work log anew though it is there already.")
def replay(
    runbook: Path | str,
    worklog: Path | str | None,
    *,
    parameters: Sequence[tuple[str, str]],
    files: Sequence[Path],
    secrets: Sequence[str],
    check: bool,
    timeout: float | None,
    overwrite: bool,
) -> None:
    """Run RUNBOOK unattended, and write WORKLOG.

    It runs in its own folder; WORKLOG is the executed notebook. Without a name that goes to
    worklogs/RUNBOOK-TIME.ipynb. A work log that is there already is never overwritten unasked. Ctrl-C stops the step
    at work, which still writes its record.

    Both may also be - for standard input and output, s3:// or gs:// where the extra of that name is installed (pip
    install 'jupyter-runbook[s3]'), and RUNBOOK https:// with the extra http. A runbook that is no file runs here.
    """
    from jupyter_runbook.replay.imports import without_iri_parsers
    from jupyter_runbook.replay.run import replay as run
    from jupyter_runbook.replay.signals import Stops

    given = _given(parameters)
    without_iri_parsers()
    stops = click.get_current_context().with_resource(Stops())
    outcome = run(
        runbook,
        worklog,
        given,
        files=files,
        secrets=_sources(secrets, given),
        check=check,
        overwrite=overwrite,
        timeout=timeout,
        watch=_watch(),
    )
    _over(stops)
    _end(outcome)


def _given(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    from jupyter_runbook.errors import BadInput

    given = dict(pairs)
    if len(given) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"the parameter {twice} is given twice")
    return given


def _sources(texts: Sequence[str], given: dict[str, str]) -> dict[str, Callable[[], Secret]]:
    """Return what reads each secret: not before it is known that the runbook takes it."""
    from functools import partial
    from getpass import getpass

    from jupyter_runbook.errors import BadInput
    from jupyter_runbook.sources import FORMS, read_secret

    found: dict[str, Callable[[], Secret]] = {}
    for text in texts:
        name, equals, source = text.partition("=")
        if not name.isidentifier() or (equals and not source):
            what = f"{name}= names no source" if name.isidentifier() else "this begins with no parameter's name"
            raise BadInput(f"-s takes NAME=SOURCE: {what}", hint=f"a source is one of {FORMS}")
        if name in found or name in given:
            raise BadInput(f"the parameter {name} is given twice")
        found[name] = partial(read_secret, name, source or None, getpass if sys.stdin.isatty() else None)
    return found


def _watch() -> Any:
    from jupyter_runbook.replay.progress import Lines

    if sys.stderr is None:  # it was closed before we began
        return None
    if sys.stderr.isatty():
        from jupyter_runbook.replay.terminal import Board, is_capable

        if is_capable(sys.stderr):
            return Board(sys.stderr)
    return Lines(sys.stderr)


def _over(stops: Stops) -> None:
    """Have no signal change the exit code of a run that is over, until the process is gone."""
    import atexit
    import signal

    from jupyter_runbook.replay.signals import STOPPING

    stops.over()
    for number in STOPPING:
        atexit.register(signal.signal, number, signal.SIG_IGN)


def _end(outcome: Outcome, report: Path | None = None) -> NoReturn:
    from jupyter_runbook.audit.status import counts

    log = outcome.log
    steps = counts(step.status for cell in log.cells for step in cell.steps)
    lines = [f"{log.status}: {steps or 'no steps'}; cells: {counts(cell.status for cell in log.cells)}"]
    place = log.name
    lines += [f"work log: {place}", *([f"report: {report}"] if report else [])]
    for line in lines:
        # Standard output is the work log itself where that is what was asked for.
        say_if_heard(line, err=place == "-")
    if outcome.broken:
        say_if_heard(f"error: {place}: {outcome.broken}", err=True)
    click.get_current_context().exit(outcome.exit_code)
