"""Plans of plays: a dry run, the plan that is applied and no other, what is played again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.record import Status
from tests.providers.ansible.helpers import HERE, facts, hosts, row, tasks

if TYPE_CHECKING:
    from tests.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pipelining")]

CELL = "- name: page\n  template: {src: page.j2, dest: '{{ playbook_dir }}/page', mode: '0644'}\n"


def test_the_plan_that_was_shown_is_played_and_no_other(bench: Bench) -> None:
    Path("page.j2").write_text("{{ word }}\n")
    shown = bench.run(CELL, "--check", word="one").record
    assert (shown.status, tasks(shown)["localhost: page"]) == (Status.PLANNED, "planned")
    assert row(shown, "localhost: page").diff == "page.j2\n+one"
    assert not Path("page").exists()
    assert shown.plan_digest
    for other in ({"word": "two"}, {"word": "one"}):
        if other["word"] == "one":
            Path("page.j2").write_text("{{ word }}, changed\n")
        stale = bench.run(CELL, f"--plan {shown.plan_digest}", **other).record
        assert stale.status is Status.FAILED
        assert stale.error
        assert stale.error.kind == "stale-plan"
        assert not Path("page").exists()
    Path("page.j2").write_text("{{ word }}\n")
    done = bench.run(CELL, f"--plan {shown.plan_digest}", word="one").record
    assert done.status is Status.CHANGED
    assert tasks(done) == {"localhost: Gathering Facts": "ok", "localhost: page": "changed"}
    assert Path("page").read_text() == "one\n"


def test_a_dry_run_that_foresees_nothing_is_ok_and_its_plan_plays_nothing(bench: Bench) -> None:
    Path("page.j2").write_text("a\n")
    assert bench.run(CELL).record.status is Status.CHANGED
    shown = bench.run(CELL, "--check").record
    assert (shown.status, shown.summary) == (Status.OK, "2 ok")
    done = bench.run(CELL, f"--plan {shown.plan_digest}").record
    assert done.status is Status.OK


def test_a_retry_plays_again_and_what_was_changed_stays_so(bench: Bench) -> None:
    record = bench.run(
        "- name: made\n  copy: {content: a, dest: made}\n"
        "- name: counted\n  shell: echo x >> count; test $(wc -l < count) -ge 2\n",
        "--retries 2 --delay 0.1",
    ).record
    assert record.status is Status.CHANGED
    assert tasks(record) == {"localhost: made": "changed", "localhost: counted": "changed"}
    assert len(record.attempts) == 2


def test_expect_failed(bench: Bench) -> None:
    assert bench.run("- fail: {msg: as it should}\n", "--expect failed").record.status is Status.OK


def test_batches_of_hosts_are_rows_of_one_task(bench: Bench) -> None:
    inventory = hosts(**{f"web{number}": HERE for number in (1, 2, 10)})
    play = (
        "- hosts: all\n  serial: 1\n  gather_facts: false\n  tasks:\n"
        "  - name: touch\n    copy: {content: a, dest: '{{ inventory_hostname }}'}\n"
        "  - name: look\n    command: 'test {{ inventory_hostname }} != {{ bad }}'\n    changed_when: false\n"
    )
    record = bench.run(play, "-i inv", inv=inventory, bad="none").record
    assert list(tasks(record)) == [f"web{n}: {task}" for task in ("touch", "look") for n in (1, 2, 10)]
    for number in (1, 2, 10):
        Path(f"web{number}").unlink()
    broken = bench.run(play, "-i inv", inv=inventory, bad="web2").record
    assert broken.status is Status.FAILED
    assert tasks(broken) == {
        "web1: touch": "changed",
        "web1: look": "ok",
        "web2: touch": "changed",
        "web2: look": "failed",
    }
    assert not Path("web10").exists(), "a rolling change stops at the batch that fails"


def test_tags_limits_and_forks(bench: Bench) -> None:
    inventory = {"web": {"hosts": {"web1": HERE, "web2": HERE}}, "db": {"hosts": {"db1": HERE}}}
    body = "- name: a\n  ping:\n  tags: [one]\n- name: b\n  ping:\n  tags: [two]\n"
    found = [
        set(tasks(bench.run(body, f"-i inv {line}", inv=inventory).record))
        for line in ("--hosts web --tags one", "--limit db1 --skip-tags one", "--hosts all:!web2 --tags two --forks 1")
    ]
    assert found == [{"web1: a", "web2: a"}, {"db1: b"}, {"web1: b", "db1: b"}]
    none = bench.run(body, "-i inv --tags three", inv=inventory).record
    assert none.error
    assert none.error.message == "line 1: no task ran with --tags three"
    empty = bench.run("- hosts: all\n  gather_facts: false\n", "-i inv", inv=inventory).record
    assert (empty.status, empty.summary) == (Status.OK, "1 skipped")
    assert row(empty, "play all").reason == "no task ran"


def test_what_out_binds(bench: Bench) -> None:
    done = bench.run(
        "- name: ask\n  command: echo {{ item }}\n  loop: [1, 2]\n  register: said\n"
        "- set_fact: {mine: '{{ said.results | map(attribute=\"stdout\") | list }}'}\n",
        "--out out",
    )
    found = facts(done)["localhost"]
    assert found["facts"] == {"mine": ["1", "2"]}
    assert [one["stdout"] for one in found["registered"]["said"]["results"]] == ["1", "2"]
    assert found["stats"]["changed"] == 1
    assert done.result
    assert [(one["host"], one["task"], one["status"]) for one in done.result.resources] == [
        ("localhost", "ask", "changed"),
        ("localhost", "set_fact", "ok"),
    ]
    assert row(done.record, "localhost: ask").reason == "2 items: 2 changed (1, 2)"
