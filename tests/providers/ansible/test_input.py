"""Bad input: one to three lines that name the line and say what to do; nothing is touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.record import Status
from tests.providers.ansible.helpers import HERE, hosts
from tests.test_reading import bomb

if TYPE_CHECKING:
    from tests.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pipelining")]

TOUCH = "- name: touch\n  command: touch touched\n"

#: What is typed after the magic, the cell, and what the error says.
CASES: dict[str, tuple[str, str, str]] = {
    "broken YAML": ("", TOUCH + "- name: {{ it }}\n  ping:\n", "line 4: broken YAML: "),
    "broken YAML, unclosed": ("", TOUCH + "- debug: {msg: 'a}\n", "line 5: broken YAML: "),
    "empty": ("", "# nothing\n", "line 2: the cell is empty"),
    "no list": ("", "name: touch\ncommand: touch touched\n", "line 2: this is no list"),
    "a text in the list": ("", TOUCH + "- touch\n", "line 4: 'touch' is no task"),
    "a play among tasks": ("", TOUCH + "- hosts: all\n  tasks: []\n", "line 4: a play stands in a list of tasks"),
    "a missing playbook": ("", "sites.yml\n", "the playbook sites.yml is not there\n→ did you mean site.yml?"),
    "a missing inventory": (
        "-i hsts.yml",
        TOUCH,
        "line 1: the inventory hsts.yml is not there\n→ did you mean hosts.yml?",
    ),
    "no such host": ("-i inv --hosts wbe1", TOUCH, "line 1: no host matched wbe1: nothing ran\n→ did you mean web1?"),
    "no such host in a limit": (
        "-i inv --limit wbe1",
        TOUCH,
        "--limit wbe1 leaves no host: nothing ran\n→ did you mean web1?",
    ),
    "no inventory": ("-i number", TOUCH, "line 1: -i number: a int is no inventory"),
    "no group": ("-i odd", TOUCH, "line 1: -i odd: web is no group of hosts"),
    "a broken inventory": ("-i text", TOUCH, "line 1: -i text: broken YAML: "),
    "a broken inventory's file": ("-i broken.ini", TOUCH, "Completely failed to parse inventory source broken.ini"),
    "an unknown option": ("--bcome", TOUCH, "did you mean --become?"),
    "forks": ("--forks many", TOUCH, "line 1: --forks is a number of hosts, not 'many'"),
    "absent": ("--absent", TOUCH, "--absent"),
    "hosts of plays": ("--hosts web1", "- hosts: all\n  tasks: []\n", "line 1: --hosts is for a list of tasks"),
    "a misspelt module": ("", "- nginx:\n" + TOUCH + "- ansible.builtin.coppy:\n", "line 2: "),
    "a misspelt module, near": (
        "",
        TOUCH + "- ansible.builtin.coppy:\n",
        "line 4: |did you mean ansible.builtin.copy?",
    ),
    "a misspelt module, short": ("", TOUCH + "- coppy:\n", "line 4: |did you mean copy?"),
    "two modules in a task": ("", TOUCH + "- copy:\n  ping:\n", "line 4: |conflicting action statements: copy, ping"),
    "an unknown key of a play": (
        "",
        "- hosts: all\n  taks: []\n",
        "line 3: |'taks' is not a valid attribute for a Play",
    ),
    "a question": (
        "",
        "- hosts: all\n  vars_prompt: [{name: word, prompt: which}]\n  tasks: [{command: touch touched}]\n",
        "the play would ask for word (vars_prompt)",
    ),
    "a missing role": ("", "- include_role: {name: wbe}\n- import_role: {name: web}\n", "the role 'web' was not found"),
    "a missing vault's password": ("--vault-password-file gone.txt", TOUCH, "gone.txt"),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_and_nothing_is_touched(bench: Bench, name: str) -> None:
    Path("site.yml").write_text("- hosts: all\n")
    Path("hosts.yml").write_text("all:\n")
    Path("broken.ini").write_text("[web\nme word={{ a }}\n")
    line, body, expected = CASES[name]
    names: dict[str, Any] = {
        "inv": {"web": {"hosts": {"web1": HERE}}},
        "number": 7,
        "odd": {"web": ["web1"]},
        "text": "web:\n  hosts: [\n",
    }
    if "-i" not in line:
        line += " -i inv"
    record = bench.run(body, line, **names).record
    assert record.status is Status.FAILED
    error = record.error
    assert error
    shown = f"{error.message}\n→ {error.hint}"
    for part in expected.split("|"):
        assert part in shown
    assert error.kind == "invalid-spec", shown
    assert len(error.message.splitlines()) == 1
    assert "/" not in error.message.replace("module/action", ""), "a path of the machine"
    assert not Path("touched").exists()
    assert not list(Path().glob(".runbook-cell-*"))


def test_a_folder_that_cant_be_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/proc")
    record = bench.run(TOUCH, "-i inv", inv=hosts(me=HERE)).record
    assert record.error
    assert "can't be written" in record.error.message


BOMBS = ("vars/main.yml", "group_vars/all", "roles/web/defaults/main.yml", "tasks/more.yml")


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_ansible_would_read_for_ever_is_named(bench: Bench, name: str) -> None:
    path = bench.root / name
    path.parent.mkdir(parents=True)
    path.write_text(bomb())
    (bench.root / "inventory").write_text("localhost ansible_connection=local\n")
    record = bench.run("- ping:\n", "-i inventory").record
    assert record.error
    assert record.error.kind == "invalid-spec"
    assert record.error.message.startswith(f"the file {name} has aliases that stand for more than 1,000,000 values")
    assert record.seconds < 5
