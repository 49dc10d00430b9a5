"""``%%shell --on``: a script on other hosts."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from jupyter_runbook.providers.shell import Guards, ShellState
from jupyter_runbook.record import ChangeRecord, Status
from jupyter_runbook.registry import load, providers
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.cell import Cell
from jupyter_runbook.spec.options import parse_options
from jupyter_runbook.ssh import NEW_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from jupyter_runbook.record import StepRecord
    from tests.bench import Bench


@pytest.fixture
def mark() -> str:
    """Return a word that no other test's processes and files have."""
    return f"m{secrets.token_hex(6)}"


def statuses(record: StepRecord) -> dict[str, str]:
    """Return the status at each host."""
    return {row.resource.partition(":")[0]: str(row.status) for row in record.changes}


def row(record: StepRecord, host: str) -> ChangeRecord:
    return next(one for one in record.changes if one.resource.startswith(f"{host}:"))


def said(record: StepRecord) -> str:
    return record.log.head if record.log else ""


def test_it_runs_where_the_guard_says_so(bench: Bench, inventory: Path, mark: str) -> None:
    line = f"--on {inventory} --creates /root/{mark}/made"
    done = bench.run(f"mkdir -p ~/{mark}; hostname | tee ~/{mark}/made", f"{line} --out found")
    assert done.record.status is Status.CHANGED, done.record.error
    assert statuses(done.record) == {"host1": "changed", "host2": "changed", "host3": "changed"}
    assert done.record.target == "host1, host2, host3"
    assert done.result
    assert {host: facts["output"] for host, facts in done.result.facts["hosts"].items()} == {
        f"host{number}": f"host{number}\n" for number in (1, 2, 3)
    }
    one = yaml.safe_load(inventory.read_text())["all"]
    only = {"all": {"hosts": {"host2": one["hosts"]["host2"]}, "vars": one["vars"]}}
    gone = bench.run("rm made", f"--on inv --cwd ~/{mark} --removes ma*", inv=only).record
    assert statuses(gone) == {"host2": "changed"}
    again = bench.run("exit 1", line + " --check").record
    assert statuses(again) == {"host1": "ok", "host2": "planned", "host3": "ok"}
    assert row(again, "host2").reason == f"creates: /root/{mark}/made is not there"


def test_a_value_is_in_no_process_list_there(bench: Bench, inventory: Path) -> None:
    body = (
        "all=$(ps axwwe; tr '\\0' ' ' < /proc/$$/environ)\n[[ $all == *sshd* && $all != *{{ word }}* ]]\n"
        "echo {{ word }}\n"
    )
    record = bench.run(body, f"--on {inventory} --name look", word=Secret("s3cret-w0rd", name="word")).record
    assert record.status is Status.CHANGED
    assert said(record).count("[secret word]") == 3
    assert "s3cret" not in str(record.wire())


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("true\nfalse\ntrue", "exit status 1 at line 3: false"),
        ("echo a\nfalse | cat", "exit status 1 at line 3: false | cat"),
        ("f() {\n  false\n}\nf", "exit status 1 at line 3: false"),
        ("exit 7", "exit status 7"),
        ("no-such-program-9", "exit status 127 at line 2: no-such-program-9"),
        ("read x || exit 5", "exit status 5"),
        ("kill -9 $PPID; sleep 10", "the connection broke while it ran"),
    ],
)
def test_failures_name_the_line(bench: Bench, inventory: Path, script: str, message: str) -> None:
    host = yaml.safe_load(inventory.read_text())["all"]
    one = {"host1": {**host["vars"], **host["hosts"]["host1"]}}
    error = bench.run(script, "--on {{ one }}", one=one).record.error
    assert error
    assert (error.kind, error.resource) == ("tool", f"host1: script {script.splitlines()[0]}")
    assert message in error.message


def test_where_one_fails_the_others_go_on(bench: Bench, inventory: Path) -> None:
    record = bench.run('[ "$(hostname)" != host2 ]', f"--on {inventory}").record
    assert record.error
    assert record.error.kind == "partial"
    assert statuses(record) == {"host1": "changed", "host2": "failed", "host3": "changed"}
    assert "host2: script" in record.error.message


def test_a_host_that_is_not_reached_is_known_before_anything_runs(bench: Bench, inventory: Path, mark: str) -> None:
    known = yaml.safe_load(inventory.read_text())
    known["all"]["hosts"]["gone"] = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    record = bench.run(f"touch /tmp/{mark}", "--on inv", inv=known).record
    assert record.error
    assert (record.error.kind, record.error.resource) == ("unreachable", f"gone: script touch /tmp/{mark}")
    assert record.error.message.startswith("gone: ")
    there = bench.run("true", f"--on {inventory} --onlyif 'test -e /tmp/{mark}'").record
    assert set(statuses(there).values()) == {"ok"}


def test_a_folder_that_is_not_there(bench: Bench, inventory: Path) -> None:
    error = bench.run("true", f"--on {inventory} --cwd /no/such").record.error
    assert error
    assert error.kind == "invalid-spec"
    assert "--cwd: the folder /no/such is not there on host1" in error.message


def test_this_machine_may_be_among_them(bench: Bench, inventory: Path) -> None:
    known: dict[str, Any] = yaml.safe_load(inventory.read_text())
    known["all"]["hosts"] = {"host1": known["all"]["hosts"]["host1"], "me": {"ansible_connection": "local"}}
    record = bench.run("pwd", "--on inv", inv=known).record
    assert statuses(record) == {"host1": "changed", "me": "changed"}
    assert f"me: script pwd | {bench.root}\n" in said(record)


def test_a_stop_ends_the_script_there_too(bench: Bench, inventory: Path, mark: str) -> None:
    """Its processes are this machine's, too: the hosts are namespaces."""
    body = f"trap '' TERM\nsleep 1000 &\nexec -a {mark} sleep 1000\n"

    def there() -> list[psutil.Process]:
        return [one for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or [])]

    seen: list[int] = []

    def stop() -> None:
        while len(there()) < 3:
            time.sleep(0.05)
        seen.extend(one.pid for one in there())

    thread = threading.Thread(target=stop)
    thread.start()
    record = bench.run(body, f"--on {inventory} --timeout 4 --name long").record
    thread.join()
    assert record.error
    assert record.error.kind == "timeout"
    assert len(seen) == 3
    ends = time.monotonic() + 5
    while there() and time.monotonic() < ends:
        time.sleep(0.05)
    assert not there()


def test_both_outputs_come_in_the_order_of_the_script(bench: Bench, inventory: Path) -> None:
    """Over two channels of a session they would not, and our own marks among them neither."""
    body = "for i in $(seq 0 199); do echo $i >&$((1 + i % 2)); done\n"
    found = bench.run(body, f"--on {inventory} --out found").result
    assert found
    for facts in found.facts["hosts"].values():
        assert facts["output"].split() == [str(number) for number in range(200)]


def test_what_it_leaves_in_the_background_stays(bench: Bench, inventory: Path, mark: str) -> None:
    body = f"nohup bash -c 'sleep 1; touch /tmp/{mark}' >/dev/null 2>&1 &\n"
    assert bench.run(body, f"--on {inventory}").record.status is Status.CHANGED
    probe = f"for i in $(seq 100); do [ -e /tmp/{mark} ] && exit 0; sleep 0.1; done; exit 1\n"
    assert bench.run(probe, f"--on {inventory}").record.status is Status.CHANGED


@pytest.mark.parametrize(("checking", "told"), [("accept-new", True), ("yes", False), ("no", False)])
def test_the_plan_says_whether_a_new_host_key_is_accepted(checking: str, *, told: bool) -> None:
    provider = load(providers()["shell"])
    arguments = f"-o HostKeyAlias=x -o StrictHostKeyChecking={checking}"
    names = {"web": {"all": {"hosts": {"w": {"ansible_host": "10.0.0.1", "ansible_ssh_common_args": arguments}}}}}
    options = parse_options("--on web", provider.options, names, magic="%%shell")
    spec = provider.parse(Cell("%%shell", "echo 1\n", options, names))
    [change] = provider.plan(spec, ShellState({spec.resource(one): Guards({}) for one in spec.places})).changes
    assert (change.after.get("host_keys") == NEW_KEYS) is told
