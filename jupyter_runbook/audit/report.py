"""``jupyter runbook report``: a work log as one static page, for readers who have no Jupyter at hand. Pure.

The page has no script and loads nothing. Its styles are a help and no need: without them it is plain tables,
``<details>`` and ``<pre>``. What a record shows is made from the record's values; the HTML in the work log is not used.
"""

from __future__ import annotations

from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from jupyter_runbook import __version__
from jupyter_runbook.audit.findings import findings
from jupyter_runbook.audit.status import counts, sign
from jupyter_runbook.display.html import notice_html, record_html, table
from jupyter_runbook.display.markdown import first_heading, markdown_html
from jupyter_runbook.display.outputs import error_line, output_html, stopped
from jupyter_runbook.display.words import safe, short_time, verbatim
from jupyter_runbook.notebook import cell_source
from jupyter_runbook.record import MIME_TYPE
from jupyter_runbook.worklog import data, outputs, record_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jupyter_runbook.worklog import LoggedCell, LoggedStep, WorkLog

__all__ = ["GENERATOR", "report_html"]

#: How a page of ours is told from any other file.
GENERATOR = '<meta name="generator" content="jupyter-runbook'

# Longer code is folded.
OPEN_CODE = 12

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --new: #9a6700; --bad: #cf222e; --calm: #6e7781 }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --new: #d29922; --bad: #f85149; --calm: #8b949e } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0; display: block; overflow-x: auto }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top }
pre { border: 1px solid var(--line); border-radius: 4px; padding: .6rem; margin: .4rem 0 }
pre { font-size: 13px; overflow-x: auto }
summary { cursor: pointer }
section { border-left: 4px solid var(--calm); padding: .1rem 0 .1rem 1rem; margin: 1.5rem 0 }
.done, .ok { border-color: var(--good) } td.done, td.ok { color: var(--good) }
.changed, .planned { border-color: var(--new) } td.changed, td.planned { color: var(--new) }
.failed, .interrupted { border-color: var(--bad) } td.failed, td.interrupted { color: var(--bad) }
td { border-color: var(--line) !important }
section.prose { border: 0; padding: 0 }
section[id] > p:first-child { color: var(--calm) }
@media print { body { max-width: none; margin: 0 } section { break-inside: avoid } }
"""


def report_html(log: WorkLog) -> str:
    """Return the page: how it ended, what went wrong, every step, then the whole work log in its order."""
    title = _title(log)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'{GENERATOR} {escape(__version__)}">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{verbatim(title)}: {verbatim(log.status)}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{safe(title)}</h1>",
        f"<p><b>{sign(log.status)} {safe(log.status)}</b> · {safe(_tally(log))}</p>",
        table(_facts(log)),
        *_trouble(log),
        *_steps(log),
        "<h2>The work log</h2>",
        *_cells(log),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _title(log: WorkLog) -> str:
    for cell in log.notebook["cells"]:
        if cell["cell_type"] == "markdown" and (found := first_heading(cell_source(cell))):
            return found
    return PurePath(log.name).name


def _tally(log: WorkLog) -> str:
    steps = counts(step.status for cell in log.cells for step in cell.steps)
    return f"steps: {steps or 'none'}; cells: {counts(cell.status for cell in log.cells) or 'none'}"


def _facts(log: WorkLog) -> list[tuple[str, str]]:
    rows = [("work log", PurePath(log.name).name)]
    if run := log.run:
        till = f"to {short_time(run.ended)}" if run.ended else "and not ended"
        rows += [
            ("runbook", str(run.runbook or "")),
            ("who", f"{run.user} on {run.host}"),
            ("when", f"{short_time(run.started)} {till}"),
            ("parameters", ", ".join(f"{name} = {value!r}" for name, value in run.parameters.items())),
            ("run", run.run),
            ("versions", ", ".join(f"{tool} {version}" for tool, version in run.versions.items())),
        ]
    else:
        rows.append(("run", "by hand: no replay made this notebook"))
    return [(name, value) for name, value in rows if value]


def _trouble(log: WorkLog) -> Iterator[str]:
    """Yield what went wrong, so that nobody has to look for it."""
    bad = [cell for cell in log.cells if cell.status in ("failed", "interrupted")]
    unfit = findings(log)
    if not (bad or unfit):
        return
    yield "<h2>What went wrong</h2><ul>"
    for cell in bad:
        steps = [step for step in cell.steps if step.status in ("failed", "interrupted")]
        for name, why in [_why(step) for step in steps] or [("", cell.why or _error(log, cell) or "")]:
            head = f"{sign(cell.status)} {_link(cell)} {safe(cell.status)}"
            yield f"<li>{head}{f', <b>{safe(name)}</b>' if name else ''}{f': {safe(why)}' if why else ''}</li>"
    for one in unfit:
        yield f"<li>⚠ {_link(one.cell)}: {safe(one.text)}</li>"
    yield "</ul>"


def _why(step: LoggedStep) -> tuple[str, str]:
    error = step.record.error if step.record else None
    if error is None:
        return step.name, step.why or (step.record.summary if step.record else "")
    named = f"{error.resource}: " if error.resource and error.resource not in error.message else ""
    return step.name, f"{error.kind}: {named}{error.message}" + (f" → {error.hint}" if error.hint else "")


def _error(log: WorkLog, cell: LoggedCell) -> str | None:
    """Return the error that a plain cell ended with, in one line."""
    for output in outputs(log.notebook["cells"][cell.index]):
        if output.get("output_type") == "error":
            return error_line(output)
    return None


def _steps(log: WorkLog) -> Iterator[str]:
    rows = [(cell, step) for cell in log.cells for step in cell.steps]
    if not rows:
        return
    yield "<h2>Steps</h2>"
    head = "".join(f"<th>{name}</th>" for name in ("Cell", "Status", "Step", "Provider", "Time", "What it came to"))
    yield f"<table><thead><tr>{head}</tr></thead><tbody>"
    for cell, step in rows:
        record = step.record
        came = record.summary if record else step.why or ""
        yield (
            f"<tr><td>{_link(cell, short=True)}</td>"
            f'<td class="{escape(step.status)}">{sign(step.status)} {safe(step.status)}</td>'
            f"<td>{safe(step.name)}</td><td>%%{safe(step.provider)}</td>"
            f"<td>{f'{record.seconds:.1f} s' if record else ''}</td><td>{safe(came)}</td></tr>"
        )
    yield "</tbody></table>"


def _cells(log: WorkLog) -> Iterator[str]:
    logged = {cell.index: cell for cell in log.cells}
    for index, cell in enumerate(log.notebook["cells"]):
        if index in logged:
            yield _code(logged[index], cell)
        elif cell["cell_type"] == "markdown":
            yield f'<section class="prose">{markdown_html(cell_source(cell), below=2)}</section>'
        elif cell["cell_type"] == "raw":
            yield f"<pre>{verbatim(cell_source(cell))}</pre>"


def _code(logged: LoggedCell, cell: Mapping[str, Any]) -> str:
    status = logged.steps[0].status if len(logged.steps) == 1 else logged.status
    why = f": {safe(logged.why)}" if logged.why else ""
    source = f"<pre><code>{verbatim(logged.source.rstrip())}</code></pre>"
    lines = logged.source.rstrip().count("\n") + 1
    if lines > OPEN_CODE:
        source = f"<details><summary>Code, {lines} lines</summary>{source}</details>"
    parts = [
        f'<section id="cell-{logged.index + 1}" class="{escape(status)}">',
        f"<p>Cell {logged.index + 1} · {sign(logged.status)} {safe(logged.status)}{why}</p>",
        source,
        *(_shown(_over(output, logged)) for output in outputs(cell)),
        "</section>",
    ]
    return "".join(parts)


def _over(output: Mapping[str, Any], logged: LoggedCell) -> Mapping[str, Any]:
    """Return an output as it is true now: a file that was saved while a step was at work says so for ever."""
    if logged.status in ("running", "done"):
        return output
    return stopped(output, logged.status, logged.why) or output


def _shown(output: Mapping[str, Any]) -> str:
    record = record_of(output)
    if record:
        return record_html(record)
    broken = (
        notice_html("a record that can't be read: of another version, or edited") if MIME_TYPE in data(output) else ""
    )
    return broken + output_html(output)


def _link(cell: LoggedCell, *, short: bool = False) -> str:
    return f'<a href="#cell-{cell.index + 1}">{"" if short else "cell "}{cell.index + 1}</a>'
