"""``%%ansible``: tasks, plays and playbooks on real hosts, and what became of each task on each host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.files import expanded, is_file, is_folder
from jupyter_runbook.plan import Action, Change, Plan
from jupyter_runbook.provider import Provider, Result
from jupyter_runbook.providers.ansible.body import read_body
from jupyter_runbook.providers.ansible.files import digest_of, words_of
from jupyter_runbook.providers.ansible.galaxy import installed
from jupyter_runbook.providers.ansible.guard import no_program, plain
from jupyter_runbook.providers.ansible.inventory import read_inventories
from jupyter_runbook.providers.ansible.launch import Launcher
from jupyter_runbook.providers.ansible.play import play, verdict
from jupyter_runbook.providers.ansible.spec import AnsibleSpec, AnsibleState
from jupyter_runbook.providers.ansible.variables import extra_variables
from jupyter_runbook.record import ChangeStatus
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.options import Option
from jupyter_runbook.ssh import NEW_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.ansible.words import Words
    from jupyter_runbook.record import ChangeRecord
    from jupyter_runbook.spec.cell import Cell

__all__ = ["Ansible"]


class Ansible(Provider[AnsibleSpec, AnsibleState]):
    """Play a cell with ansible-core."""

    summary = (
        "A list of tasks, a list of plays, or one line with a playbook's path; roles beside the notebook are found."
    )
    body = (
        "The braces are Ansible's own. The notebook's variables that the play refers to are handed over as extra vars, "
        "and so is each that is called ansible_…; a Secret stays one. What stands in a value is data, braces too: only "
        "the cell and files are templates. Tasks gather facts only where they name one. "
        "--check is --check --diff: a task that can't tell what it would do is unknown."
    )
    example = (
        "%%ansible -i hosts.yml --hosts web --become\n"
        "- name: install nginx\n"
        "  ansible.builtin.apt: {name: nginx, state: present}"
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            ("-i", "--inventory"),
            "a file, a folder, hosts with commas (web1,web2,) or a variable; left out, this machine",
            "INVENTORY",
            many=True,
            template=False,
        ),
        Option(("--hosts",), "the hosts of a list of tasks, as a pattern; left out, all", "PATTERN", guard=plain),
        Option(("--become",), "become root (or ansible_become_user)"),
        Option(("--limit",), "play on these hosts alone", "PATTERN", guard=plain),
        Option(("--tags",), "play what has one of these tags alone", "TAGS", guard=plain),
        Option(("--skip-tags",), "leave out what has one of these tags", "TAGS", guard=plain),
        Option(("--forks",), "how many hosts at once; left out, what ansible.cfg says, or 5", "N"),
        Option(
            ("--galaxy",), "install the roles and collections of this file first: requirements.yml", "FILE", guard=plain
        ),
        Option(
            ("--vault-password-file",),
            "a file, or a variable with a Secret, that opens vaults",
            "FILE",
            guard=no_program,
        ),
    )
    workers = 1

    def __init__(self) -> None:
        self._launcher = Launcher()
        self._played: tuple[ChangeRecord, ...] = ()

    def parse(self, cell: Cell) -> AnsibleSpec:
        """Read the cell; see `read_body`."""
        if cell.options.absent:
            raise cell.refuse("--absent", "a play has no opposite; write tasks with state: absent")
        body = read_body(cell)
        hosts = cell.own("hosts")
        if hosts and body.kind != "tasks":
            raise InvalidSpec(
                "--hosts is for a list of tasks", line=1, hint="a play names its hosts itself; --limit makes them fewer"
            )
        if cell.own("forks") and not str(cell.own("forks")).isdigit():
            raise InvalidSpec(f"--forks is a number of hosts, not {cell.own('forks')!r}", line=1)
        handed = [name for name in ("limit", "tags", "skip_tags", "forks") if cell.own(name)]
        arguments = ["--become"] if cell.own("become") else []
        arguments += [f"--{name.replace('_', '-')}={cell.own(name)}" for name in handed]
        options, tags = cell.options, [("tags", cell.own("tags")), ("skip-tags", cell.own("skip_tags"))]
        return AnsibleSpec(
            body=body,
            inventory=read_inventories(cell),
            hosts=hosts or "all",
            arguments=tuple(arguments),
            limit=cell.own("limit"),
            tags=" ".join(f"--{name} {value}" for name, value in tags if value) or None,
            galaxy=cell.own("galaxy"),
            vault=_vault(cell),
            text=cell.body,
            names=cell.names,
            predict=bool(options.check or options.confirm or options.plan),
            check=options.check,
            whole=bool(options.out),
        )

    def title(self, spec: AnsibleSpec) -> str:
        """Return what the play is called."""
        return spec.body.title

    def observe(self, spec: AnsibleSpec, ctx: Context) -> AnsibleState:
        """See what files there are, and which variables they use; with ``--check``, Ansible tells what it would do."""
        folder = Path.cwd()
        for source in spec.inventory:
            source.there(folder)
        playbook = self._playbook(spec, folder)
        if isinstance(spec.vault, str) and not is_file(folder / expanded(spec.vault)):
            raise InvalidSpec(
                f"the file {spec.vault} of --vault-password-file is not there",
                line=1,
                hint="give a file, or the name of a variable that holds a Secret",
            )
        galaxy = installed(spec.galaxy, folder, ctx) if spec.galaxy else None
        extra = _extra(spec, words_of(spec, folder, playbook, galaxy))
        state = AnsibleState(folder, extra, digest_of(playbook) if playbook else None, galaxy)
        ctx.version("ansible-core", _version())
        if ctx.again:
            return replace(state, played=self._played)
        if not spec.predict:
            return state
        played = play(spec, state, ctx, self._launcher, check=True)
        error = verdict(played, spec, _places(state))
        if error is not None:
            raise error
        return replace(state, predicted=tuple(played.board.rows.values()))

    def plan(self, spec: AnsibleSpec, state: AnsibleState) -> Plan:
        """Plan the one run; nothing to do where a dry run foresees that nothing would change."""
        after: dict[str, Any] = {"inventory": spec.target}
        if spec.body.kind == "tasks":
            after["hosts"] = spec.hosts
        if spec.arguments:
            after["options"] = list(spec.arguments)
        if state.extra:
            after["extra_vars"] = dict(state.extra)
        if any(source.accepts for source in spec.inventory):
            after["host_keys"] = NEW_KEYS
        if state.playbook:
            after["playbook"] = {"path": spec.body.values, "sha256": state.playbook}
        resource = (
            f"{spec.body.kind} {spec.body.title}" if spec.body.kind != "playbook" else f"playbook {spec.body.title}"
        )
        reason = "a play says itself what it changes"
        if state.predicted is not None:
            counts = _counts(state.predicted)
            reason = ", ".join(f"{count} {status}" for status, count in counts.items())
            work = [row for row in state.predicted if row.status not in (ChangeStatus.OK, ChangeStatus.SKIPPED)]
            if not work:
                return Plan(
                    (Change(resource, "play", Action.NO_OP, reason or "nothing would run", after, after),), spec.target
                )
            after["foreseen"] = {row.resource: _foreseen(row) for row in work}
        return Plan((Change(resource, "play", Action.RUN, reason, None, after),), spec.target)

    def apply(self, change: Change, spec: AnsibleSpec, ctx: Context) -> Any:
        """Play it."""
        del change
        played = play(spec, ctx.state, ctx, self._launcher, check=False)
        board = played.board
        hosts = {
            host: {
                "stats": dict((board.stats or {}).get(host, {})),
                "facts": board.facts.get(host, {}),
                "registered": board.registered.get(host, {}),
            }
            for host in board.hosts
        }
        ctx.fact("hosts", hosts)
        self._played = tuple(board.rows.values())
        error = verdict(played, spec, _places(ctx.state))
        if error is not None:
            raise error
        return {host: known["stats"] for host, known in hosts.items()}

    def result(self, spec: AnsibleSpec, state: AnsibleState) -> Result:
        """Return each task on each host; facts and registered results are in the facts, below ``hosts``."""
        del spec
        return Result([_task(row) for row in state.played or state.predicted or ()])

    def _playbook(self, spec: AnsibleSpec, folder: Path) -> Path | None:
        if spec.body.kind != "playbook":
            return None
        path = folder / expanded(spec.body.values)
        if not is_file(path):
            import difflib

            names = [one.name for one in path.parent.glob("*.y*ml")] if is_folder(path.parent) else []
            near = difflib.get_close_matches(path.name, names, n=1)
            hint = f"did you mean {Path(spec.body.values).with_name(near[0])}?" if near else "see how its path is spelt"
            raise InvalidSpec(f"the playbook {spec.body.values} is not there", line=2, hint=hint)
        return path


def _task(row: ChangeRecord) -> dict[str, Any]:
    host, _, task = row.resource.partition(": ")
    return {"host": host, "task": task, "status": str(row.status), "reason": row.reason, "seconds": row.seconds}


def _extra(spec: AnsibleSpec, words: Words) -> Mapping[str, Any]:
    extra = extra_variables(words, spec.names)
    if missing := sorted(words.asked - set(extra)):
        raise InvalidSpec(
            f"the play would ask for {', '.join(missing)} (vars_prompt), and a step asks nobody",
            hint="set a variable of that name in the notebook",
        )
    return extra


def _places(state: AnsibleState) -> list[Path]:
    """Return where collections lie beyond Ansible's own places."""
    found = [state.folder, state.folder / "collections"]
    return [*found, state.galaxy / "collections"] if state.galaxy else found


def _foreseen(row: ChangeRecord) -> str:
    """Return what a dry run foresees, so that another change has another plan.

    There is no diff where the step has a secret that can't be masked: a digest of it would let that be tried out.
    """
    import hashlib

    return f"{row.status} (diff {hashlib.sha256(row.diff.encode()).hexdigest()[:8]})" if row.diff else str(row.status)


def _counts(rows: Iterable[ChangeRecord]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row.status)] = counts.get(str(row.status), 0) + 1
    return counts


def _vault(cell: Cell) -> Any:
    given = cell.own("vault_password_file")
    if given and given in cell.names and isinstance(cell.names[given], Secret):
        return cell.names[given]
    return given


def _version() -> str:
    from importlib.metadata import version

    return version("ansible-core")
