"""Where tools around Ansible went wrong: each test is one of these, by ansible-core itself."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.display.html import record_html
from jupyter_runbook.display.text import record_text
from jupyter_runbook.providers.ansible.events import Board
from jupyter_runbook.providers.ansible.play import Played, verdict
from jupyter_runbook.record import Status
from jupyter_runbook.secret import Secret
from tests.providers.ansible.helpers import GONE, HERE, facts, hosts, row, tasks

if TYPE_CHECKING:
    from tests.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pipelining")]


def test_what_check_mode_skips_is_unknown_and_so_is_what_needs_its_result(bench: Bench) -> None:
    """Ansible 31113, 84676."""
    record = bench.run(
        "- name: ask\n"
        "  command: echo 7\n"
        "  register: said\n"
        "- name: guarded\n"
        "  command: {cmd: touch made, creates: made}\n"
        "- name: never\n"
        "  command: echo 8\n"
        "  when: false\n"
        "- name: use\n"
        "  assert: {that: said.stdout | int == 7}\n"
        "- name: after\n"
        "  command: echo 9\n",
        "--check",
    ).record
    assert record.status is Status.PLANNED
    assert tasks(record) == {
        "localhost: ask": "unknown",
        "localhost: guarded": "planned",
        "localhost: never": "skipped",
        "localhost: use": "unknown",
    }
    assert (row(record, "localhost: use").reason or "").startswith("it needs said, which check mode does not make: ")
    assert (row(record, "localhost: use").reason or "").endswith("; the tasks after it on this host were not looked at")
    assert not Path("made").exists()


def test_a_register_that_check_mode_could_not_make_is_not_undefined(bench: Bench) -> None:
    record = bench.run(
        "- name: ask\n  command: echo 7\n  register: said\n- name: use\n  debug: msg={{ said.results[0].stdout }}\n",
        "--check",
    ).record
    assert record.status is Status.PLANNED
    assert tasks(record) == {"localhost: ask": "unknown", "localhost: use": "unknown"}


def test_handlers_that_were_notified_and_never_ran_are_named(bench: Bench) -> None:
    """Ansible 10498."""
    play = (
        "- hosts: localhost\n"
        "  gather_facts: false\n"
        "  tasks:\n"
        "  - name: configure\n"
        "    copy: {content: 'new', dest: conf}\n"
        "    notify: restart it\n"
        "  - name: break\n"
        "    command: test -e there\n"
        "  handlers:\n"
        "  - name: restart it\n"
        "    command: touch restarted\n"
    )
    first = bench.run(play).record
    assert first.status is Status.FAILED
    assert tasks(first) == {
        "localhost: configure": "changed",
        "localhost: break": "failed",
        "localhost: restart it": "not-run",
    }
    assert first.error
    assert first.error.hint == "handlers that were notified and did not run: restart it on localhost"
    Path("there").touch()
    second = bench.run(play).record
    # Ansible does not notify it again: the record of the first run is where one can know it.
    assert tasks(second) == {"localhost: configure": "ok", "localhost: break": "changed"}
    assert not Path("restarted").exists()


def test_handlers_by_topic_have_run(bench: Bench) -> None:
    record = bench.run(
        "- hosts: localhost\n"
        "  gather_facts: false\n"
        "  tasks:\n"
        "  - name: configure\n"
        "    copy: {content: 'new', dest: conf}\n"
        "    notify: the service\n"
        "  handlers:\n"
        "  - name: restart it\n"
        "    listen: the service\n"
        "    command: touch restarted\n"
    ).record
    assert record.status is Status.CHANGED
    assert row(record, "localhost: restart it").kind == "handler"
    assert Path("restarted").exists()


def test_an_unreachable_host_fails_and_the_others_go_on(bench: Bench) -> None:
    record = bench.run("- name: touch\n  raw: 'true'\n", "-i inv", inv=hosts(web2=GONE, web1=HERE)).record
    assert record.status is Status.FAILED
    assert record.summary == "1 changed, 1 failed"
    assert tasks(record) == {"web1: touch": "changed", "web2: touch": "failed"}
    assert (row(record, "web2: touch").reason or "").startswith("unreachable: ")
    assert record.error
    assert record.error.message.startswith("web2: touch: unreachable: ")
    alone = bench.run("- name: touch\n  raw: 'true'\n", "-i inv", inv=hosts(web2=GONE)).record
    assert alone.error
    assert alone.error.kind == "unreachable"


def test_an_unreachable_host_that_is_ignored_is_not_ok(bench: Bench) -> None:
    record = bench.run(
        "- name: touch\n  raw: 'true'\n  ignore_unreachable: true\n", "-i inv", inv=hosts(web2=GONE)
    ).record
    assert (record.status, record.summary) == (Status.CHANGED, "1 failed and ignored")
    assert (row(record, "web2: touch").reason or "").startswith("ignored: ")


def test_rescued_and_ignored_are_never_plain_ok(bench: Bench) -> None:
    record = bench.run(
        "- name: try\n"
        "  command: 'false'\n"
        "  ignore_errors: true\n"
        "- block:\n"
        "  - name: break\n"
        "    command: 'false'\n"
        "  rescue:\n"
        "  - name: mend\n"
        "    debug: {msg: mended}\n"
    ).record
    assert (record.status, record.summary) == (Status.CHANGED, "1 ok, 1 failed and ignored, 1 failed and rescued")
    assert row(record, "localhost: try").reason == "ignored: non-zero return code"
    assert row(record, "localhost: break").reason == "rescued: non-zero return code"


def test_tries_are_told(bench: Bench) -> None:
    record = bench.run(
        "- name: count\n  shell: echo x >> tries; test $(wc -l < tries) -ge 3\n  args: {chdir: '{{ playbook_dir }}'}\n"
        "  register: done\n  until: done.rc == 0\n  delay: 0\n"
    ).record
    assert tasks(record)["localhost: count"] == "changed"
    assert row(record, "localhost: count").reason == "after 3 tries"


def test_no_final_stats_is_a_failure(bench: Bench) -> None:
    Path("callback_plugins").mkdir()
    Path("action_plugins").mkdir()
    Path("action_plugins/vanish.py").write_text(
        "import os, signal\n"
        "from ansible.plugins.action import ActionBase\n"
        "class ActionModule(ActionBase):\n"
        "    def run(self, *args, **options):\n"
        "        os.kill(os.getppid(), signal.SIGKILL)\n"
        "        return {}\n"
    )
    record = bench.run("- name: first\n  command: 'true'\n- name: vanish\n  vanish:\n").record
    assert record.status is Status.FAILED
    assert tasks(record) == {"localhost: first": "changed", "localhost: vanish": "interrupted"}
    assert record.error
    assert "without its final stats" in record.error.message


def test_no_host_is_a_failure(bench: Bench) -> None:
    record = bench.run("- hosts: wbe\n  tasks:\n  - ping:\n", "-i inv", inv={"web": {"hosts": {"one": HERE}}}).record
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.message == "line 1: no host matched wbe: nothing ran"
    assert record.error.hint == "did you mean web?"


def test_a_second_play_without_hosts_is_told(bench: Bench) -> None:
    record = bench.run("- hosts: localhost\n  gather_facts: false\n  tasks: [ping: ]\n- name: db\n  hosts: db\n").record
    assert record.status is Status.OK
    assert row(record, "play db").status == "skipped"
    assert row(record, "play db").reason == "no host matched db"


PASSWORD = "Tr0ub4dor&3"  # noqa: S105 -- one that must not be seen


def everything(bench: Bench) -> str:
    """Return all that a step left or showed."""
    record = bench.screen.records[-1]
    kept = [path.read_bytes() for path in bench.root.rglob("*") if path.is_file() and path.name not in ("vault", "key")]
    shown = [json.dumps(record.wire()), record_text(record), record_html(record), repr(bench.screen.shown)]
    return "\n".join([*(one.decode(errors="replace") for one in kept), *shown])


@pytest.mark.parametrize("line", ["", "--check"])
def test_a_secret_is_seen_nowhere(bench: Bench, line: str) -> None:
    """Debug output, a diff, a loop's item, a failure's arguments, a registered result."""
    record = bench.run(
        "- name: debug\n"
        "  debug: {msg: 'it is {{ password }}'}\n"
        "- name: file\n"
        "  copy: {content: 'p={{ password }}', dest: '/dev/shm/test-{{ number }}'}\n"
        "  register: said\n"
        "- name: 'loop {{ password }}'\n"
        "  debug: {msg: '{{ item }}'}\n"
        "  loop: ['{{ password }}', b]\n"
        "- name: away\n"
        "  file: {path: '/dev/shm/test-{{ number }}', state: absent}\n"
        "- name: fail\n"
        "  command: 'false {{ password }}'\n"
        "  check_mode: false\n",
        f"{line} --out out",
        password=Secret(PASSWORD, name="db"),
        number=os.getpid(),
    ).record
    assert tasks(record)["localhost: fail"] == "failed"
    assert "it is [secret db]" in record_text(record)
    assert PASSWORD not in everything(bench)


def test_no_log_hides_and_by_item_too(bench: Bench) -> None:
    record = bench.run(
        "- name: hidden\n"
        "  command: 'false {{ item }}'\n"
        "  no_log: true\n"
        "  ignore_errors: true\n"
        f"  loop: [{PASSWORD!r}, b]\n"
        "- name: one of many\n"
        "  command: 'echo {{ item.text }}'\n"
        "  no_log: '{{ item.secret }}'\n"
        "  loop_control: {label: '{{ item.name }}'}\n"
        f"  loop: [{{name: a, text: {PASSWORD!r}, secret: true}}, {{name: b, text: plain, secret: false}}]\n",
        "--out out",
    ).record
    assert tasks(record)["localhost: hidden"] == "failed"
    kept = everything(bench).replace(f"{PASSWORD!r}", "")  # the cell's own text is kept: its author wrote it there
    assert PASSWORD not in kept
    assert "hidden" in (row(record, "localhost: hidden").reason or "")
    # The whole that Ansible hands on at last lacks items.
    assert "; 2 items: 2 failed" in (row(record, "localhost: hidden").reason or "")
    assert row(record, "localhost: one of many").reason.startswith("2 items: 2 changed (b, …)")  # type: ignore[union-attr]


def test_a_variable_of_a_task_with_no_log_is_not_in_the_plan(bench: Bench) -> None:
    record = bench.run(
        "- block:\n"
        "  - name: hidden\n"
        "    command: 'true {{ word }} {{ deep.one[0] }}'\n"
        "  no_log: true\n"
        "- debug: {msg: 'not hidden by itself: {{ word }} {{ other }} {{ site_password }}'}\n",
        site_password="named-like-one",  # noqa: S106 -- as its author would
        word=PASSWORD,
        deep={"one": ["deep-w0rd"], "flag": "yes"},
        other="shown",
    ).record
    assert record.status is Status.CHANGED
    seen = everything(bench)
    assert PASSWORD not in seen
    assert "deep-w0rd" not in seen
    assert "not hidden by itself: [secret word] shown [secret site_password]" in record_text(record)


def test_what_a_vault_holds_is_secret(bench: Bench) -> None:
    from ansible.constants import DEFAULT_VAULT_ID_MATCH
    from ansible.parsing.vault import VaultLib, VaultSecret

    vault = VaultLib([(DEFAULT_VAULT_ID_MATCH, VaultSecret(b"open sesame"))])
    sealed = vault.encrypt(PASSWORD).decode()
    Path("vars.yml").write_text("word: !vault |\n" + "".join(f"  {line}\n" for line in sealed.splitlines()))
    Path("more.yml").write_bytes(vault.encrypt(b"other: Sw0rdfish!\n"))
    record = bench.run(
        "- include_vars: '{{ item }}'\n"
        "  loop: [vars.yml, more.yml]\n"
        "- name: show\n"
        "  debug: {msg: '{{ word }} and {{ other }}'}\n"
        "- name: fail\n"
        "  command: 'false {{ word }} {{ other }}'\n",
        "--vault-password-file opener",
        opener=Secret("open sesame", name="opener"),
    ).record
    assert tasks(record)["localhost: fail"] == "failed"
    seen = everything(bench)
    assert "[secret vault] and [secret vault]" in seen
    assert PASSWORD not in seen
    assert "Sw0rdfish!" not in seen
    assert "open sesame" not in seen


def test_what_is_handed_over_is_private_and_gone(bench: Bench, private: Path) -> None:
    """ansible-runner 809: the environment in artifacts, and env/passwords left behind."""
    record = bench.run(
        "- name: look\n"
        "  shell: |\n"
        "    ls -laR $XDG_RUNTIME_DIR\n"
        "    stat -c %a .runbook-cell-*.yml\n"
        "    tr '\\0' '\\n' < /proc/self/environ; tr '\\0' ' ' < /proc/$PPID/cmdline\n"
        "    : {{ password | length }}\n"
        "  register: said\n"
        "- debug: {msg: '{{ said.stdout }}'}\n",
        "-i inv --out out",
        password=Secret(PASSWORD, name="db"),
        inv=hosts(here={**HERE, "token": Secret("t0ken-of-mine", name="token")}),
    )
    said = facts(record)["here"]["registered"]["said"]["stdout"]
    assert "drwx------" in said
    assert "extra.json" not in said
    assert "600" in said.split()
    seen = everything(bench) + said
    assert PASSWORD not in seen
    assert "t0ken-of-mine" not in seen
    assert not list(bench.root.glob(".runbook-cell-*"))
    assert not list(private.iterdir())


def test_a_result_of_a_million_characters_comes_whole(bench: Bench) -> None:
    """ansible-runner turns results over 700,000 characters into {} silently."""
    done = bench.run(
        '- name: much\n  command: "{{ python }} -c \'print(1234567 * \\"x\\")\'"\n  register: much\n',
        "--out out",
        python=sys.executable,
    )
    assert done.record.status is Status.CHANGED
    assert len(facts(done)["localhost"]["registered"]["much"]["stdout"]) == 1234567
    assert len(json.dumps(done.record.wire())) < 200_000


def test_this_machine_is_played_with_the_notebooks_own_python(bench: Bench) -> None:
    shim = bench.root / "bin" / "python3"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho a broken shim >&2\nexit 127\n")
    shim.chmod(stat.S_IRWXU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{shim.parent}:{os.environ['PATH']}")
        look = "- setup: {gather_subset: [min]}\n"
        implicit = "- hosts: localhost\n  gather_facts: false\n  tasks:\n  " + look
        saying = implicit.replace("localhost", "all\n  connection: local")
        for line, body in (("", look), ("-i inv", look), ("-i inv", implicit), ("-i me,", saying)):
            done = bench.run(body, f"{line} --out out", inv=hosts(me=HERE))
            assert done.record.status is Status.OK
            (found,) = (host["facts"] for host in facts(done).values())
            assert found["ansible_python"]["executable"] == sys.executable


def test_markup_and_colours_in_names_and_output_are_text(bench: Bench) -> None:
    evil = "<img src=x onerror=alert(1)>"
    record = bench.run(
        f"- name: '{evil}'\n  debug: {{msg: \"\\e[31mred\\e[0m <script>alert(2)</script>\"}}\n", "--name '<b>bold</b>'"
    ).record
    assert tasks(record) == {f"localhost: {evil}": "ok"}
    html = record_html(record)
    assert "<img" not in html
    assert "<script" not in html
    assert "<b>bold" not in html
    assert "&lt;img" in html
    assert "\x1b" not in html + record_text(record)


def test_large_results_and_vaults_of_many_workers_do_not_mix(bench: Bench) -> None:
    from ansible.constants import DEFAULT_VAULT_ID_MATCH
    from ansible.parsing.vault import VaultLib, VaultSecret

    vault = VaultLib([(DEFAULT_VAULT_ID_MATCH, VaultSecret(b"open sesame"))])
    lines = []
    for number in range(6):
        sealed = vault.encrypt(f"{PASSWORD}-{number}" + "\U0001f511" * 2000).decode()
        lines.append(f"word{number}: !vault |\n" + "".join(f"  {line}\n" for line in sealed.splitlines()))
    Path("vars.yml").write_text("".join(lines))
    body = "- hosts: all\n  gather_facts: false\n  vars_files: [vars.yml]\n  tasks:\n"
    for number in range(6):
        much = f"{sys.executable} -c 'print(9 * \\\"{number}\\\" * 20000)'"
        body += f'  - name: much {number}\n    command: "{much}"\n    register: much{number}\n'
        body += f"    environment: {{WORD: '{{{{ word{number} }}}}'}}\n"
    some = {f"h{number}": HERE for number in range(4)}
    opener = Secret("open sesame", name="opener")
    done = bench.run(body, "-i inv --out out --vault-password-file opener", inv=hosts(**some), opener=opener)
    assert done.record.status is Status.CHANGED, done.record.error
    assert set(tasks(done.record).values()) == {"changed"}
    assert len(tasks(done.record)) == 24
    for host in some:
        for number in range(6):
            assert len(facts(done)[host]["registered"][f"much{number}"]["stdout"]) == 180_000
    assert PASSWORD not in everything(bench)


def test_an_event_that_cannot_be_read_is_a_failure(bench: Bench) -> None:
    board = Board(lambda _row: None, lambda _name: None)
    for event in ({"e": "start"}, {"e": "play", "name": "p", "pattern": "all", "hosts": ["h"]}, {"e": "broken"}):
        board.take(event)
    board.take({"e": "stats", "hosts": {}})
    played = Played(board, bench.root, None)
    error = verdict(played, None, [])  # type: ignore[arg-type]
    assert error
    assert error.message.startswith("what the play told could not be read")
