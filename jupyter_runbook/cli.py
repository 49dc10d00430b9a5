"""The command ``jupyter runbook``: options only, no logic."""

import click

from jupyter_runbook import __version__


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: jupyter runbook --version",
)
@click.version_option(__version__, prog_name="jupyter-runbook")
def main() -> None:
    """Replay runbooks, and read what they left."""
