"""What is pure of ``%%ansible``: the reading of cells, the names that they refer to, events, inventories."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.provider import Result
from jupyter_runbook.providers.ansible.body import Body, read_body
from jupyter_runbook.providers.ansible.events import Board
from jupyter_runbook.providers.ansible.refusal import nearest, no_hosts, refusal
from jupyter_runbook.providers.ansible.variables import extra_variables
from jupyter_runbook.providers.ansible.words import Words, words_of_template, words_of_yaml
from jupyter_runbook.record import ChangeRecord, ChangeStatus
from jupyter_runbook.secret import Secret


class Cell:
    """The part of a cell that is read here."""

    first_line = 2

    def __init__(self, body: str) -> None:
        self.body = body


def body(text: str) -> Body:
    return read_body(Cell(text))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kind", "title"),
    [
        ("- ping:\n", "tasks", "ping"),
        ("- name: a\n  ping:\n- ping:\n", "tasks", "a and 1 more"),
        ("- hosts: web\n  tasks: []\n", "plays", "web"),
        ("- ansible.builtin.import_playbook: a.yml\n", "plays", "ansible.builtin.import_playbook"),
        ("site.yml\n", "playbook", "site.yml"),
        ("# a comment\n\n  'some where/site.yaml'\n", "playbook", "some where/site.yaml"),
        ("- when: x\n  block:\n  - ping:\n", "tasks", "tasks"),
        ("---\n- debug: {msg: !unsafe '{{ no }}'}\n", "tasks", "debug"),
        (f"- name: {'long ' * 30}\n  ping:\n", "tasks", ("long " * 30)[:59] + "…"),
    ],
)
def test_the_three_forms(text: str, kind: str, title: str) -> None:
    found = body(text)
    assert (found.kind, found.title) == (kind, title)


# Not the breaks that only YAML takes for one (1.1, section 5.4): no editor shows a line there.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029"), max_size=30)
TASKS = st.lists(
    st.fixed_dictionaries({"name": TEXT, "debug": st.fixed_dictionaries({"msg": TEXT})}),
    min_size=1,
    max_size=4,
)


@given(TASKS, st.booleans(), st.sampled_from(["web", "all:!db", '"odd" {x}']))
def test_a_task_keeps_its_line_and_its_values(tasks: Any, flow: Any, pattern: str) -> None:
    text = yaml.safe_dump(tasks, default_flow_style=flow, allow_unicode=True)
    if not text.startswith("- "):
        text = yaml.safe_dump(tasks, allow_unicode=True)
    found = body(text)
    made = found.playbook(text, pattern)
    (play,) = yaml.safe_load(made)
    assert play["tasks"] == tasks
    assert play["hosts"] == pattern
    for number, line in enumerate(text.split("\n")[:-1]):
        assert made.split("\n")[number + 1].strip() == line.strip()


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("- debug: {msg: '{{ ansible_distribution }}'}\n", True),
        ("- debug: {msg: x}\n  when: ansible_facts.os_family == 'Debian'\n", True),
        ("- include_role: {name: x}\n", True),
        ("- template: {src: a, dest: b}\n", True),
        ("- debug: {msg: '{{ ansible_check_mode }} {{ ansible_play_hosts }} {{ ansible_host }}'}\n", False),
        ("- ping:\n", False),
    ],
)
def test_facts_are_gathered_where_a_task_needs_them(text: str, facts: object) -> None:
    assert body(text).facts is facts
    assert f"gather_facts: {str(facts).lower()}" in body(text).playbook(text, "all")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- debug: {msg: '{{ a.b[c] | d(e) }}'}\n", {"a", "c", "e"}),
        ("- ping:\n  when: x is defined and y.z\n", {"x", "y"}),
        ("- ping:\n  when: [x, 'y']\n", {"x", "y"}),
        ("- assert: {that: [a == 1, 'b in c']}\n", {"a", "b", "c"}),
        ("- ping:\n  until: a\n  changed_when: b\n  failed_when: c\n", {"a", "b", "c"}),
        ("- debug: {var: a.b}\n", {"a"}),
        ("- debug: var=a\n", {"a"}),
        ("- command: x\n  register: r\n- debug: {msg: '{{ r.stdout }}'}\n", set()),
        ("- set_fact: {r: '{{ a }}'}\n- debug: {msg: '{{ r }}'}\n", {"a"}),
        ("- ping:\n  loop: '{{ l }}'\n  loop_control: {loop_var: one, index_var: n}\n  when: one and n\n", {"l"}),
        ("- ping:\n  loop: [1]\n  when: item and inventory_hostname in groups['web']\n", set()),
        ("- debug: {msg: !unsafe '{{ a }}'}\n", set()),
        ("- debug: {msg: '{{ a'}\n- ping:\n  when: (b\n", {"b"}),
        ("- hosts: '{{ where }}'\n  vars: {x: '{{ y }}'}\n", {"where", "y"}),
        ("- '{{ broken': [\n", set()),
    ],
)
def test_the_names_that_a_text_refers_to(text: str, words: set[str]) -> None:
    assert words_of_yaml(text) == words


@given(st.text(alphabet="ab{}%|.[]()'\" if for in set\n", max_size=60))
def test_any_template_is_read_without_an_error(text: str) -> None:
    assert all(name.isidentifier() for name in words_of_template(text))
    words = Words()
    words.add_yaml(text)


def test_what_is_data_is_handed_over() -> None:
    import datetime as dt
    from pathlib import PurePosixPath

    words = Words()
    words.used |= {"text", "path", "day", "found", "function", "deep", "missing", "_hidden", "In", "secret", "names"}
    names = {
        "text": "a",
        "path": PurePosixPath("/a"),
        "day": dt.date(2026, 1, 2),
        "found": Result([{"a": 1}], {"b": 2}),
        "function": print,
        "deep": {"a": [print]},
        "names": {"b": ("x", {1})},
        "_hidden": 1,
        "In": [],
        "secret": Secret("swordfish", name="secret"),
        "ansible_user": "root",
        "other": 1,
    }
    assert extra_variables(words, names) == {
        "ansible_user": "root",
        "day": "2026-01-02",
        "found": {"resources": [{"a": 1}], "facts": {"b": 2}},
        "names": {"b": ["x", [1]]},
        "path": "/a",
        "secret": names["secret"],
        "text": "a",
    }


def test_nearest_names() -> None:
    known = {"ansible.builtin.copy", "ansible.builtin.pip", "ansible.builtin.cron", "community.docker.docker_container"}
    assert nearest("coppy", known) == ["copy"]
    assert nearest("ansible.builtin.coppy", known) == ["ansible.builtin.copy"]
    assert nearest("community.docker.docker_containr", known) == ["community.docker.docker_container"]
    assert nearest("nothing_like_it", known) == []


def test_no_hosts_names_those_that_there_are() -> None:
    many = [f"host{number}" for number in range(30)]
    assert no_hosts("no host matched x", "x", many).hint.endswith(", …")  # type: ignore[union-attr]
    assert no_hosts("no host matched x", "x", []).hint == "the inventory has no host"
    assert no_hosts("no", "web:!host99", [*many, "web1"]).hint == "did you mean web1 or host9 or host29?"


def test_a_refusal_without_words_is_told() -> None:
    for text in ("", "\n", "Segmentation fault\n"):
        error = refusal(text, None)
        assert error.message.startswith("ansible-playbook did not begin: ")
    assert isinstance(refusal("[ERROR]: no\nOrigin: /x/a.yml:3:1\n", None), InvalidSpec)


STATUSES = st.sampled_from(["ok", "changed", "failed", "unreachable", "skipped", "unknown"])
ENDS = st.lists(st.tuples(st.sampled_from(["h1", "h2"]), st.integers(0, 5), STATUSES, st.booleans()), max_size=30)


@given(ENDS, st.booleans(), st.booleans())
def test_whatever_comes_every_task_that_began_has_a_row_and_no_failure_is_lost(ends: Any, check: Any, cut: Any) -> None:
    rows: dict[str, ChangeRecord] = {}

    def take(row: ChangeRecord) -> None:
        rows[row.resource] = row

    board = Board(take, lambda _name: None, check=check)
    board.take({"e": "start"})
    board.take({"e": "play", "name": "p", "pattern": "all", "hosts": ["h1", "h2"]})
    began = set()
    last: dict[tuple[str, int], tuple[str, bool]] = {}
    for host, number, status, ignored in ends:
        board.take({"e": "task", "t": f"t{number}", "name": f"task {number}", "action": "x", "handler": False})
        board.take({"e": "begin", "h": host, "t": f"t{number}"})
        began.add(f"{host}: task {number}")
        if cut and (host, number, status, ignored) == ends[-1]:
            break
        board.take(json.loads(json.dumps({"e": "end", "h": host, "t": f"t{number}", "s": status, "ignored": ignored})))
        last[host, number] = status, ignored
    if not cut:
        board.take({"e": "stats", "hosts": {}})
    board.finish()
    assert set(rows) == (began if began or cut else {"play p"})
    failed = {host for host, number, status, ignored in ends if status in ("failed", "unreachable") and not ignored}
    if not cut:
        assert {one.host for one in board.failures} == failed
    for (host, number), (status, _) in last.items():
        row = rows[f"{host}: task {number}"]
        if row.status is not ChangeStatus.INTERRUPTED:
            assert (row.status is ChangeStatus.OK) == (status == "ok")
            assert (row.status is ChangeStatus.FAILED) == (status in ("failed", "unreachable"))
    assert not (check and any(row.status is ChangeStatus.CHANGED for row in rows.values()))
