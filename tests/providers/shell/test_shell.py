"""``%%shell`` by real bash: guards, values, output, failures, stops."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.record import ChangeRecord, Status
from jupyter_runbook.registry import providers
from jupyter_runbook.secret import Secret
from tests.bench import Bench, descriptors, gone

if TYPE_CHECKING:
    from pathlib import Path


def make(script: str, folder: Path) -> None:
    subprocess.run(["/bin/bash", "-c", script], check=True, cwd=folder)


def row(record: object) -> ChangeRecord:
    (one,) = record.changes  # type: ignore[attr-defined]
    return one  # type: ignore[no-any-return]


def test_it_is_installed_as_any_provider() -> None:
    assert providers()["shell"].value == "jupyter_runbook.providers.shell:Shell"


def test_a_guarded_script_runs_once(bench: Bench) -> None:
    first = bench.run("echo made > key", "--creates key --name make-key").record
    assert (first.status, first.name, first.summary) == (Status.CHANGED, "make-key", "1 changed")
    assert row(first).diff == ("@@ -1 +1,2 @@\n-creates key: not there\n+creates key: there\n+script: echo made > key")
    assert row(first).after == {"exit_code": 0}
    assert row(first).reason == "creates: key is not there"
    assert first.versions["bash"].startswith("5.")
    second = bench.run("echo made > key", "--creates key --name make-key").record
    assert (second.status, row(second).action, row(second).reason) == (Status.OK, "no-op", "creates: key is there")
    assert bench.events() == ["begin", "end", "end"]


def test_without_a_guard_it_is_changed_each_time(bench: Bench) -> None:
    for _ in range(2):
        record = bench.run("true").record
        assert record.status is Status.CHANGED
        assert row(record).reason == "no guard: it runs each time"


GUARDS = [
    ("--creates key", "touch key", "touch key", "creates: key is not there"),
    ("--creates 'k*y'", "touch kxy", "touch kxy", "creates: k*y is not there"),
    ("--creates a --creates b", "touch a", "touch a b", "creates: a is not there; creates: b is not there"),
    ("--creates link", "ln -s nowhere link", "true", "creates: link is not there"),
    ("--removes key", "true", "rm key", "removes: key is there"),
    ("--unless 'test -e key'", "touch key", "touch key", "unless: the command ends with 1"),
    ("--onlyif 'test -e key'", "true", "rm key", "onlyif: the command succeeds"),
    (
        "--onlyif true --creates key",
        "touch key",
        "touch key",
        "creates: key is not there; onlyif: the command succeeds",
    ),
    ("--cwd {{ folder }} --creates key", "touch sub/key", "touch key", "creates: key is not there"),
]


@pytest.mark.parametrize(("guards", "satisfy", "script", "reason"), GUARDS)
def test_guards(bench: Bench, guards: str, satisfy: str, script: str, reason: str) -> None:
    prepare = {"--removes key": "touch key", "--onlyif 'test -e key'": "touch key"}
    (bench.root / "sub").mkdir()
    make(prepare.get(guards, "true"), bench.root)
    planned = bench.run(script, f"{guards} --check", folder="sub").record
    assert (planned.status, row(planned).reason) == (Status.PLANNED, reason)
    done = bench.run(script, guards, folder="sub").record
    if script != "true":
        assert done.status is Status.CHANGED
    make(satisfy, bench.root)
    assert bench.run(script, guards, folder="sub").record.status is Status.OK


@pytest.mark.parametrize("guard", ["--creates key", "--removes bench.txt", "--unless 'test -e key'"])
def test_a_script_that_does_not_do_what_its_guard_says_fails(bench: Bench, guard: str) -> None:
    (bench.root / "bench.txt").touch()
    record = bench.run("true", guard).record
    assert record.error is not None
    assert (record.status, record.error.kind) == (Status.FAILED, "not-converged")


def test_a_condition_alone_is_not_judged(bench: Bench) -> None:
    assert bench.run("true", "--onlyif true").record.status is Status.CHANGED
    idle = bench.run("true", "--onlyif false").record
    assert (idle.status, row(idle).reason) == (Status.OK, "onlyif: the command ends with 1")


def test_paths_are_asked_before_commands(bench: Bench) -> None:
    (bench.root / "key").touch()
    assert bench.run("true", "--creates key --unless 'touch asked'").record.status is Status.OK
    assert not (bench.root / "asked").exists()


FAILED = [
    ("true\nfalse\ntrue", "tool", "exit status 1 at line 3: false"),
    ("exit 7", "tool", "exit status 7"),
    ("echo a\nfalse | cat", "tool", "exit status 1 at line 3: false | cat"),
    ("echo $nobody", "tool", "exit status 1"),
    ("f() {\n  false\n}\nf", "tool", "exit status 1 at line 3: false"),
    ("x=$(false; echo no)\nexit 1", "tool", "exit status 1"),
    ("x=$(false; echo no)\n(exit 4)", "tool", "exit status 4 at line 3: (exit 4)"),
    ("false || true\nif false; then :; fi\n[ a = b ]", "tool", "exit status 1 at line 4: [ a = b ]"),
    ("no-such-program-9", "tool", "exit status 127 at line 2: no-such-program-9"),
    ("kill -9 $$", "tool", "was killed by SIGKILL"),
    ("bash -c 'kill -9 $$'", "tool", "exit status 137 (SIGKILL) at line 2: bash -c 'kill -9 $$'"),
    ("echo a\nif true; then", "invalid-spec", "line 4: syntax error: unexpected end of file"),
    ("echo a\necho )", "invalid-spec", "line 3: syntax error near unexpected token `)'"),
    ("", "invalid-spec", "line 2: the script is empty"),
    ("# only this", "invalid-spec", "line 2: the script is empty"),
    ("echo\necho {{ nobody }}", "invalid-spec", "line 3: 'nobody' is undefined in the template '{{ nobody }}'"),
]


@pytest.mark.parametrize(("script", "kind", "message"), FAILED)
def test_failures_name_the_line(bench: Bench, script: str, kind: str, message: str) -> None:
    record = bench.run(script).record
    assert record.error is not None
    assert (record.status, record.error.kind, record.error.message) == (Status.FAILED, kind, message)


def test_a_script_that_bash_can_not_read_does_not_begin(bench: Bench) -> None:
    bench.run("touch ran\nif true; then")
    assert not (bench.root / "ran").exists()
    assert bench.events() == ["end"]


def test_the_hint_is_the_last_line_of_the_output(bench: Bench) -> None:
    error = bench.run("echo one\nls /no/such/path").record.error
    assert error is not None
    assert error.hint == "its last line was: ls: cannot access '/no/such/path': No such file or directory"


BAD_LINES = [
    ("--absent", "a script has no opposite"),
    ("--cwd /no/such", "--cwd: the folder /no/such is not there"),
    ("--unless no-such-program-9", "the guard --unless exit status 127"),
    ("--onlyif 'kill -9 $$'", "the guard --onlyif was killed by SIGKILL"),
    ("--on {{ [] }}", "--on names no host"),
    ("--on=-oProxyCommand=x", "is no host"),
    ("--on none.yml", "the inventory none.yml can't be read"),
    ("--on {{ 3 }}", "--on: a int names no hosts"),
    ("--on '{{ dict(a=dict(ansible_password=1)) }}'", "a is reached with a password"),
    ("--on '{{ dict(a=dict(ansible_connection=\"winrm\")) }}'", "a is reached by the connection winrm"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_bad_lines(bench: Bench, line: str, message: str) -> None:
    record = bench.run("touch ran", line).record
    assert record.error is not None
    assert message in record.error.message
    assert not (bench.root / "ran").exists()


def test_a_dry_run_shows_the_script_and_its_values(bench: Bench) -> None:
    record = bench.run("echo {{ who }} '{{ pw }}'", "--check", who="web", pw=Secret("hunter2", name="db")).record
    assert row(record).diff == ("+script: echo {{ who }} '{{ pw }}'\n+values:\n+  pw: '[secret db]'\n+  who: web")
    assert bench.events() == ["end"]


def test_a_value_is_in_no_process_list_and_in_no_environment(bench: Bench) -> None:
    script = """
ps -ewwo args > args
cat /proc/self/environ > environ
cat /proc/$$/environ /proc/$$/cmdline > own
printf %s {{ pw }} > value
sh -c 'set' > child
"""
    # The name is what $0 is.
    record = bench.run(script, "--name look", pw=Secret("s3cret-value-77", name="db")).record
    assert record.status is Status.CHANGED
    assert (bench.root / "value").read_text() == "s3cret-value-77"
    for name in ("args", "environ", "own", "child"):
        text = (bench.root / name).read_text()
        assert text, name
        assert "s3cret-value-77" not in text
    assert "> args" not in (bench.root / "args").read_text()


def test_a_secret_that_is_printed_is_masked(bench: Bench) -> None:
    done = bench.run("echo {{ pw }}; printf {{ pw }} | base64; false", pw=Secret("s3cret-value-77", name="db"))
    assert done.record.log is not None
    assert done.record.log.head == "[secret db]\n[secret db]\n"
    assert "s3cret" not in repr(done)


def test_a_secret_that_is_printed_is_masked_in_what_out_binds(bench: Bench) -> None:
    done = bench.run("echo {{ pw }}", pw=Secret("s3cret-value-77", name="db"))
    assert done.result is not None
    assert done.result.facts["output"] == "[secret db]\n"


def test_long_output_is_kept_whole_beside_the_notebook(bench: Bench) -> None:
    record = bench.run("seq 200000").record
    assert record.log is not None
    assert record.log.path == f".runbook/logs/{record.id}.log"
    assert (bench.root / record.log.path).read_text() == "".join(f"{i}\n" for i in range(1, 200001))
    assert record.log.lines == 200_000
    assert record.log.tail is not None
    assert record.log.tail.endswith("\n199999\n200000\n")


def test_output_is_shown_while_the_script_runs(bench: Bench) -> None:
    flag = bench.root / "flag"
    show = bench.screen.progress

    def progress(progress: object) -> None:
        show(progress)  # type: ignore[arg-type]
        if progress.tail == "first\n":  # type: ignore[attr-defined]
            flag.touch()

    bench.screen.progress = progress  # type: ignore[method-assign]
    script = "echo first; for i in $(seq 300); do [ -e flag ] && exit 0; sleep 0.1; done; exit 1"
    assert bench.run(script).record.status is Status.CHANGED


def test_a_time_limit_ends_it_and_its_children(bench: Bench) -> None:
    record = bench.run("sleep 300 & echo $! > pid; wait", "--timeout 0.5").record
    assert record.error is not None
    assert record.error.kind == "timeout"
    assert gone(int((bench.root / "pid").read_text()))
    assert record.seconds < 60


def test_a_guard_heeds_the_time_limit(bench: Bench) -> None:
    record = bench.run("true", "--unless 'sleep 300' --timeout 0.3").record
    assert record.error is not None
    assert record.error.kind == "timeout"


def test_what_out_binds(bench: Bench) -> None:
    done = bench.run("echo hello; touch key", "--creates key --out made")
    assert done.result is not None
    assert done.result.facts == {"exit_code": 0, "output": "hello\n", "script": "script echo hello; touch key"}
    assert list(done.result.resources) == [{"path": "key", "exists": True}]


def test_scripts_are_plain_bash(bench: Bench) -> None:
    script = """
echo "$0 $# $-"
cat <<'EOF'
{% raw %}{{ as it is }}{% endraw %} $HOME
EOF
a=(1 2 3); echo "${#a[@]}"
trap 'echo bye' EXIT
read -r line || echo "nothing to read"
"""
    record = bench.run(script, "--name plain").record
    assert record.log is not None
    assert record.status is Status.CHANGED
    lines = record.log.head.splitlines()
    assert lines[0].startswith("plain 0 ")
    assert lines[1:] == ["{{ as it is }} $HOME", "3", "nothing to read", "bye"]


def test_it_leaves_no_descriptor_open(bench: Bench) -> None:
    bench.run("true")
    before = descriptors()
    for _ in range(10):
        bench.run("true", "--unless false --expect failed")
    assert descriptors() == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("runbook")]
