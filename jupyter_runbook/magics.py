"""The magics: one generic cell magic for every installed provider, and ``%runbook``."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Any

from jupyter_runbook.byhand import ByHand
from jupyter_runbook.errors import NotANotebook, StepFailed
from jupyter_runbook.linemagic import HELP, run_line
from jupyter_runbook.matcher import matcher
from jupyter_runbook.notebook import (
    PARAMETERS,
    cell_info,
    cell_source,
    notebook_folder,
    notebook_path,
    read_notebook,
    tags,
)
from jupyter_runbook.record import Approval, Status, utc
from jupyter_runbook.registry import load, providers
from jupyter_runbook.running import Step
from jupyter_runbook.secret import take_environment, weak
from jupyter_runbook.secret.messages import watch_kernel
from jupyter_runbook.session import Session, new_run, nobody, user
from jupyter_runbook.spec.options import help_text
from jupyter_runbook.step import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from jupyter_runbook.notebook import CellInfo
    from jupyter_runbook.parameters import Parameter
    from jupyter_runbook.record import StepRecord
    from jupyter_runbook.session import Live

__all__ = ["Magics", "register"]


class Magics:
    """The magics of one shell, and the session that their steps belong to.

    Parameters
    ----------
    shell
        IPython's shell: ``get_ipython()``.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.records: list[StepRecord] = []
        self.points: dict[str, EntryPoint] = {}
        self._session: Session | None = None
        self._by_hand: ByHand | None = None
        self._hooked = False
        self._parameters_cell: str | None = None
        self._typed: dict[Parameter, Any] = {}

    def register(self) -> None:
        """Make a cell magic of each provider that is installed; none is imported.

        Raises
        ------
        BadInput
            Two packages register one name.
        """
        self.points = providers()
        for name, point in self.points.items():
            self.shell.register_magic_function(self._cell_magic(point), "cell", name)
        self.shell.register_magic_function(self._line_magic(), "line", "runbook")
        if not self._hooked:
            self._hooked = True
            weak.read_later(self._sources)
            take_environment()
            if (kernel := getattr(self.shell, "kernel", None)) is not None:
                watch_kernel(kernel)
            self.shell.events.register("pre_run_cell", self._cell_begins)
            self.shell.events.register("post_run_cell", self._cell_ended)
            self.shell.input_transformers_cleanup.append(self._give_body)
            self.shell.Completer.custom_matchers.append(matcher(self._point))

    def session(self, info: CellInfo) -> Session:
        """Return the kernel's session, begun with its first step."""
        if self._session is None:
            run_id = str((info.handed or {}).get("run") or new_run())
            self._session = Session(notebook_folder(self.shell, info), run_id, self.ask)
            if info.handed is None:
                self._begin_by_hand(self._session, info)
        return self._session

    def _begin_by_hand(self, session: Session, info: CellInfo) -> None:
        """Note in the journal that a notebook is run by hand; the cell at work is its first."""
        self._by_hand = ByHand(session, notebook_path(self.shell, info))
        self._by_hand.cell_begins(info.cell_id, info.source)

    def _sources(self) -> list[str]:
        """Return the sources of the notebook's cells, as its file has them; none where it can't be read."""
        path = notebook_path(self.shell, cell_info(self.shell))
        try:
            found = [cell_source(cell) for cell in read_notebook(path)["cells"]] if path else []
        except NotANotebook:
            found = []
        return [str(path), *found] if path else found

    def _cell_begins(self, info: Any) -> None:
        if weak.revealed() is not None:
            # What the cell before has printed goes out while it is known what that had.
            sys.stdout.flush()
            sys.stderr.flush()
        weak.read(info.raw_cell)
        weak.begin(info.raw_cell)
        if PARAMETERS in tags({"metadata": cell_info(self.shell).metadata or {}}):
            self._parameters_cell = info.raw_cell
        if self._by_hand and getattr(info, "store_history", True):
            self._by_hand.cell_begins(info.cell_id, info.raw_cell)

    def _cell_ended(self, result: Any) -> None:
        if self._by_hand and result.info is not None:
            self._by_hand.cell_ended(result.info.cell_id, result.error_before_exec or result.error_in_exec)

    def ask(self, planned: StepRecord) -> Approval:
        """Show a plan in the output, and ask by the front end's own prompt; see `Approver`."""
        kernel = getattr(self.shell, "kernel", None)
        if kernel is not None and not getattr(kernel, "_allow_stdin", False):
            return nobody(planned)
        from jupyter_runbook.display.live import TerminalLive

        TerminalLive().done(planned)
        try:
            said = input("Apply this plan? yes or no, and a reason: ").strip()
        except EOFError:
            return nobody(planned)
        word, _, reason = said.partition(" ")
        yes = word.strip(",.:;").lower() in ("y", "yes")
        shown = planned.plan_digest or ""
        return Approval(user(), utc(), shown, "yes" if yes else "no", reason.strip() or None)

    def _cell_magic(self, point: EntryPoint) -> Callable[..., None]:
        from IPython.core.magic import no_var_expand

        @no_var_expand
        def magic(line: str, cell: str | None = None) -> None:
            if line.split()[:1] in (["--help"], ["-h"]):
                provider = load(point)
                # What a person asked for at the prompt goes to the output as it is.
                print(help_text(point.name, [provider.summary, provider.body], provider.options, provider.example))  # noqa: T201
                return
            self._run(point, line, cell or "")

        magic.__doc__ = f"Run a step by the provider {point.name}: %%{point.name} --help lists its options."
        return magic

    def _line_magic(self) -> Callable[[str], None]:
        from IPython.core.magic import no_var_expand

        @no_var_expand
        def magic(line: str) -> None:
            text = run_line(line, self.records, self.shell.user_ns, self._asks_secretly(), self._params)
            if text is not None:
                print(text)  # noqa: T201 -- the answer to what was typed

        magic.__doc__ = HELP
        return magic

    def _asks_secretly(self) -> Callable[[str], str] | None:
        """Return what asks without echo (a kernel puts its own function there); None where nobody can answer."""
        kernel = getattr(self.shell, "kernel", None)
        if kernel is not None and not getattr(kernel, "_allow_stdin", False):
            return None
        return getpass.getpass

    def _params(self) -> str | None:
        from jupyter_runbook.widgets import show_parameters

        return show_parameters(self.shell, self._parameters_cell, self._typed)

    def _run(self, point: EntryPoint, line: str, body: str) -> None:
        info = cell_info(self.shell)
        source = info.source if info.source is not None else f"%%{point.name} {line}\n{body}"
        handed = info.handed or {}
        check = handed.get("check") is True
        step = Step(point, line, body, self.shell.user_ns, source, info.cell_id, handed.get("timeout"), check)
        done = run(step, self.session(info), self._live())
        self.records.append(done.record)
        if done.result is not None and done.options is not None and done.options.out:
            self.shell.push({done.options.out: done.result})
        if done.record.status in (Status.FAILED, Status.INTERRUPTED):
            raise StepFailed(done.record)

    def _live(self) -> Live:
        from jupyter_runbook.display.live import NotebookLive, TerminalLive

        return NotebookLive() if getattr(self.shell, "kernel", None) is not None else TerminalLive()

    def _point(self, line: str) -> EntryPoint | None:
        """Return the provider whose magic a line begins with."""
        word = line.split(maxsplit=1)[0] if line.startswith("%%") else ""
        return self.points.get(word[2:])

    def _give_body(self, lines: list[str]) -> list[str]:
        """Give a cell of the magic's line alone an empty body: IPython refuses it otherwise, ``--help`` too."""
        if lines and self._point(lines[0]) and not "".join(lines[1:]):
            return [lines[0].rstrip("\n") + "\n", "\n"]
        return lines


def register(shell: Any) -> Magics:
    """Register the magics in a shell; a second time registers anew and keeps the session."""
    magics: Magics | None = getattr(shell, "_jupyter_runbook", None)
    if magics is None:
        magics = shell._jupyter_runbook = Magics(shell)  # noqa: SLF001 -- the shell is where a kernel's state belongs
    magics.register()
    return magics
