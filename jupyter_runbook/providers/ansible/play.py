"""One run of ``ansible-playbook``: its files, its events, and what became of it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import AuthFailed, InvalidSpec, RunbookError, ToolFailed, Unreachable
from jupyter_runbook.files import expanded
from jupyter_runbook.private import open_file
from jupyter_runbook.providers.ansible.body import LOCAL
from jupyter_runbook.providers.ansible.events import Board, Failure, bare
from jupyter_runbook.providers.ansible.inventory import HERE, Source, revealed
from jupyter_runbook.providers.ansible.launch import Request, private_folder
from jupyter_runbook.providers.ansible.refusal import no_hosts, refusal, said
from jupyter_runbook.providers.ansible.vault import keep_secret
from jupyter_runbook.secret import Secret, weak
from jupyter_runbook.secret.excerpt import Excerpt, redacted_value
from jupyter_runbook.ssh import AUTH, HOST_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.ansible.launch import Launcher
    from jupyter_runbook.providers.ansible.spec import AnsibleSpec, AnsibleState

__all__ = ["play", "verdict"]

CELL = ".runbook-cell-"
# So much of the output's end is looked at for an error's words, in characters.
TAIL = 20_000
# So many hosts are named in an error.
NAMED = 5


class Played:
    """A run that has ended.

    Parameters
    ----------
    board
        What its events told.
    folder
        The folder that it ran in.
    status
        The exit status of ``ansible-playbook``.
    tail
        The end of what it printed.
    cell
        The file that the cell was written to; None for a playbook of its own.
    """

    def __init__(self, board: Board, folder: Path, cell: Path | None) -> None:
        self.board = board
        self.folder = folder
        self.cell = cell
        self.status = 0
        self.tail = ""


def play(spec: AnsibleSpec, state: AnsibleState, ctx: Context, launcher: Launcher, *, check: bool) -> Played:
    """Play a cell; rows and output come through the context as it runs.

    Raises
    ------
    StepTimeout, Interrupted
        It was stopped: nothing of it is left on this machine, and the rows say what had run.
    ToolFailed
        Ansible can't be started, or the folder can't be written.
    """
    with private_folder() as private, _cell_file(spec, state) as cell:
        played = Played(Board(ctx.row, ctx.begun, check=check), state.folder, cell)
        arguments, burn, inventories = _arguments(spec, private)
        arguments += ["--diff", *(["--check"] if check else [])]
        arguments.append(str(cell) if cell else str(expanded(spec.body.values)))
        request = Request(
            arguments=arguments,
            cwd=state.folder,
            env={
                "RUNBOOK_RESULTS": "1" if spec.whole and not check else "",
                "RUNBOOK_LOCAL": "1" if spec.body.local or state.extra.get("ansible_connection") in LOCAL else "",
            },
            folder=private,
            files=[cell] if cell else [],
            burn=burn,
            galaxy=state.galaxy,
            extra=revealed(dict(state.extra)),
            inventories=inventories,
        )

        def take(event: dict[str, Any] | None) -> None:
            if event is None:
                ctx.waiting()
            elif event["e"] == "vault":
                keep_secret(event["text"])
            elif event["e"] == "left":
                # A task that was killed leaves its arguments there.
                ctx.output(f"[not cleared: {event['path']} on {event['host']}]\n")
            else:
                # What follows cuts texts: they are redacted before that.
                event = redacted_value(event)
                played.board.take(bare(event, why, spec.text) if (why := weak.revealed()) else event)

        tail = Excerpt(TAIL, end=True)

        def output(text: str) -> None:
            tail.add(text)
            ctx.output(text.replace(str(cell), "the cell").replace(cell.name, "the cell") if cell else text)

        try:
            played.status = launcher.run(request, ctx.stop, output, take)
        finally:
            played.tail = tail.close()
            played.board.finish()
    return played


def verdict(played: Played, spec: AnsibleSpec, modules: list[Path]) -> RunbookError | None:
    """Return why a run is no success; None where final stats prove that it is one."""
    board = played.board
    if not board.started or (not board.plays and played.status):
        return _refused(played, spec, modules)
    if board.failures:
        return _failed(board, board.failures)
    if board.broken:
        return ToolFailed("what the play told could not be read: the rows are not all there", hint="run it again")
    if board.stats is None:
        last = said(played.tail)
        why = f": {last}" if last else f" (exit status {played.status})"
        return ToolFailed(f"the play broke off without its final stats{why}", hint="the rows say what had run")
    # What could not but fail in check mode is no failure.
    if played.status and not board.blind:
        return ToolFailed(f"ansible-playbook ended with {played.status}: {said(played.tail) or 'it did not say why'}")
    return _nothing_played(board, spec)


def _nothing_played(board: Board, spec: AnsibleSpec) -> InvalidSpec | None:
    """Return why a run that did not fail did nothing that it was asked for; None where it did, or was asked nothing."""
    if not board.hosts:
        patterns = ", ".join(dict.fromkeys(one.pattern for one in board.plays)) or "any pattern"
        return no_hosts(f"no host matched {patterns}", patterns, board.known)
    if spec.tags and all(row.kind == "play" for row in board.rows.values()):
        return InvalidSpec(f"no task ran with {spec.tags}", line=1, hint="see how the tags of the tasks are spelt")
    return None


def _refused(played: Played, spec: AnsibleSpec, modules: list[Path]) -> RunbookError:
    from jupyter_runbook.providers.ansible.modules import module_names

    if played.board.known:
        return no_hosts(f"--limit {spec.limit} leaves no host", spec.limit or "", played.board.known)
    names = module_names(modules) if "module/action" in played.tail else ()
    # People know their files by the paths from the notebook's folder.
    return refusal(played.tail.replace(f"{played.folder}/", ""), played.cell, names)


def _failed(board: Board, failures: list[Failure]) -> RunbookError:
    first = next((one for one in failures if not one.unreachable), failures[0])
    others = [host for host in dict.fromkeys(one.host for one in failures) if host != first.host]
    also = f" (also {', '.join(others[:NAMED])}{', …' if len(others) > NAMED else ''})" if others else ""
    resource = f"{first.host}: {first.task}"
    word = "unreachable" if first.unreachable else "failed"
    what = f"{resource}: {word}{also}: {first.said}"
    kind, hint = _cause(first)
    if board.pending:
        hint = f"handlers that were notified and did not run: {', '.join(board.pending)}"
    return kind(what, hint=hint, resource=resource)


def _cause(failure: Failure) -> tuple[type[RunbookError], str | None]:
    """Return the kind of a failure, and what to do."""
    if not failure.unreachable:
        return ToolFailed, None
    if HOST_KEY.search(failure.said):
        return AuthFailed, "see that it is the right host, then take its old key away: ssh-keygen -R"
    if AUTH.search(failure.said):
        return AuthFailed, "give the right user and key: ansible_user, ansible_ssh_private_key_file"
    return Unreachable, "see that it is up, and its ansible_host and ansible_port"


def _arguments(spec: AnsibleSpec, private: Path) -> tuple[list[str], list[Path], dict[str, str]]:
    """Return the options, the files that Ansible reads at once, and the texts of inventories by their paths."""
    arguments: list[str] = []
    burn: list[Path] = []
    inventories: dict[str, str] = {}
    sources = spec.inventory or (Source("localhost", values=HERE),)
    for number, source in enumerate(sources):
        path, text = source.handed_over(private, number)
        arguments += ["-i", path]
        if text is not None:
            inventories[path] = text
    if isinstance(spec.vault, Secret):
        vault = private / "vault"
        _write(vault, spec.vault.reveal())
        arguments += ["--vault-password-file", str(vault)]
        burn.append(vault)
    elif spec.vault:
        arguments += ["--vault-password-file", str(spec.vault)]
    return [*arguments, *spec.arguments], burn, inventories


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def _cell_file(spec: AnsibleSpec, state: AnsibleState) -> Iterator[Path | None]:
    """Write the cell beside the notebook, where Ansible looks for roles, files and variables; it is gone afterwards."""
    if spec.body.kind == "playbook":
        yield None
        return
    _clear(state.folder)
    path = state.folder / f"{CELL}{os.getpid()}-{os.urandom(4).hex()}.yml"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ToolFailed(
            f"the folder {state.folder} can't be written ({error.strerror}): nothing was done",
            hint="a play lies beside its notebook, where its roles and files are",
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        try:
            # Held as long as it is used: what is not held was left by a kernel that was killed.
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(spec.body.playbook(spec.text, spec.hosts))
            file.flush()
            yield path
        finally:
            path.unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    for path in folder.glob(f"{CELL}*.yml"):
        # What is no file of ours (a pipe, a link) is left alone.
        with suppress(OSError), os.fdopen(open_file(folder, path.name)) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
