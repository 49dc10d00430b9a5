"""Values are data: whatever is written in them, Ansible gets it as it is, and none of it is a template or a program."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jupyter_runbook.linemagic import run_line
from jupyter_runbook.provider import Result
from jupyter_runbook.record import Status
from jupyter_runbook.secret import Secret
from tests.providers.ansible.helpers import HERE, hosts

if TYPE_CHECKING:
    from tests.bench import Bench

#: What would leave a file called ``made``, each in a way of its own.
RUNS = (
    "{{ lookup('pipe', 'touch made') }}",
    "{{ query('ansible.builtin.pipe', 'touch made') }}",
    "{% for one in [lookup('pipe', 'touch made')] %}{% endfor %}",
    "{% set x = lookup('pipe', 'touch made') %}",
    "{{ cycler.__init__.__globals__.os.system('touch made') }}",
    "{{ lookup('file', '/etc/passwd') | length and lookup('pipe', 'touch made') }}",
    "a {{ 'b' }} {{ lookup('pipe', 'touch made') }} c",
    "{{lookup('pipe','touch made')}}",
    "{{ lookup('template', 'evil.j2') }}",
    "'{{' lookup('pipe', 'touch made') '}}'",
)
#: What a reader of templates, YAML, INI or JSON might change or break at.
ODD = (
    "{{ 1 }}",
    "{{ undefined }}",
    "{# gone #}left",
    "{% raw %}x{% endraw %}",
    "{{",
    "}}",
    "{%",
    "!unsafe x",
    "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162",
    "$ANSIBLE_VAULT;1.1;AES256\n6162",
    "#jinja2: variable_start_string: '[['",
    "[[ lookup('pipe', 'touch made') ]]",
    "- a: b\n- c",
    "key: value # comment",
    "yes",
    "null",
    "123",
    "1_000",
    "2026-11-30",
    "0x1f",
    "~",
    "",
    " ",
    "'quoted'",
    '"quoted"',
    "it''s",
    "a\\nb",
    "a\nb\r\nc",
    "tab\there",
    "ümlaut €",
    "emoji 🙂",
    "line\u2028separator\x85",
    "\x7f\x1b[31mred\x1b[0m",
    "&anchor *alias",
    "%YAML 1.1",
    "@file",
    "`x`",
    "$(touch made)",
    "; touch made",
    "__ansible_unsafe",
    "omit",
)
VALUES = [*RUNS, *ODD]
# Ansible's words for the ways to use a value; each would fill one that holds a template once more.
USES = """
- name: "{{ values[0] }}"
  debug: {msg: "{{ item }}"}
  loop: "{{ values }}"
- set_fact:
    again: "{{ values }}"
    keys: "{{ deep.keys() | list }}"
- copy: {content: "{{ {'values': values, 'again': again, 'deep': deep, 'keys': keys} | to_json }}", dest: out.json}
- copy: {content: "{{ values | join }}", dest: joined}
- template: {src: page.j2, dest: page}
- debug: {var: values}
- debug: {msg: "{{ hostvars[inventory_hostname]['values'] }}"}
- include_tasks: more.yml
  vars: {passed: "{{ values }}"}
- command: "echo {{ values[0] | quote }}"
- assert: {that: "values[0] != ''"}
"""
MORE = """
- debug: {msg: "{{ passed }} {{ values[0] }}"}
- assert: {that: passed == values}
"""


@pytest.fixture(autouse=True)
def files(bench: Bench) -> Path:
    (bench.root / "page.j2").write_text("{{ values[0] }}\n{% for one in values %}{{ one }}\n{% endfor %}")
    (bench.root / "more.yml").write_text(MORE)
    (bench.root / "evil.j2").write_text("{{ lookup('pipe', 'touch made') }}")
    return bench.root


def untouched() -> bool:
    return not any(Path.cwd().rglob("made"))


def arrived(bench: Bench, line: str = "", **names: Any) -> dict[str, Any]:
    """Return what came of the values, after they were used in every way."""
    record = bench.run(USES, line, **names).record
    assert record.status is Status.CHANGED, record.error
    assert untouched()
    assert RUNS[0] in Path("page").read_text()
    assert Path("joined").read_bytes().decode() == "".join(VALUES)
    return dict(json.loads(Path("out.json").read_text()))


DEEP = {one: [{"in": {one: one}}] for one in VALUES}


@pytest.mark.slow
def test_a_variable_of_the_notebook(bench: Bench) -> None:
    came = arrived(bench, values=VALUES, deep=DEEP)
    assert came == {"values": VALUES, "again": VALUES, "deep": DEEP, "keys": list(DEEP)}


@pytest.mark.slow
def test_a_secret_and_what_a_step_bound(bench: Bench) -> None:
    """A secret with braces in it comes as it is: filled, it would be another text, which nobody masks."""
    word = "pass{{ 1 }}word{# x #}"
    bound = Result([{"stdout": one} for one in VALUES], {"values": VALUES})
    body = (
        "- copy: {content: '{{ token }}', dest: token}\n"
        "- copy: {content: '{{ bound | to_json }}', dest: bound}\n"
        "- debug: {msg: '{{ token }}'}\n"
    )
    record = bench.run(body, token=Secret(word, name="token"), bound=bound).record
    assert record.status is Status.CHANGED, record.error
    assert Path("token").read_text() == word
    came = json.loads(Path("bound").read_text())
    assert came == {"resources": bound.resources, "facts": bound.facts}
    assert untouched()
    assert "pass1word" not in str(record.wire())


@pytest.mark.slow
@pytest.mark.parametrize("form", ["yaml", "groups"])
def test_an_inventory_of_a_variable(bench: Bench, form: str) -> None:
    known = {**HERE, "ansible_python_interpreter": sys.executable, "values": VALUES, "deep": DEEP}
    inventory: Any = hosts(me=known)
    if form == "yaml":
        # The text has no braces, and its values do.
        inventory = yaml.safe_dump(inventory, width=10_000, default_style='"').replace("{{", "\\x7b\\x7b")
    else:
        inventory = {"web": {"hosts": {"me": HERE}, "vars": known}}
    assert arrived(bench, "-i inv", inv=inventory)["values"] == VALUES


@pytest.mark.slow
def test_an_inventory_of_inis_form(bench: Bench) -> None:
    """Ansible reads what follows ``=`` as Python writes it: braces may come of an escape."""
    hidden = repr("\\x7b{ lookup('pipe', 'touch made') }}").replace("\\\\", "\\")
    inventory = f"me ansible_connection=local ansible_python_interpreter={sys.executable}\n[all:vars]\nword={hidden}\n"
    record = bench.run("- copy: {content: '{{ word }}', dest: word}\n", "-i inv", inv=inventory).record
    assert record.status is Status.CHANGED, record.error
    assert Path("word").read_text() == RUNS[0]
    assert untouched()


@pytest.mark.parametrize("value", RUNS)
@pytest.mark.parametrize("option", ["--hosts", "--limit", "--tags", "--skip-tags", "--vault-password-file", "-i"])
def test_an_option_takes_no_template_from_a_value(bench: Bench, option: str, value: str) -> None:
    inventory = "" if option == "-i" else "-i inv "
    record = bench.run("- ping:\n", f"{inventory}{option} {{{{ x }}}}", x=value, inv=hosts(me=HERE)).record
    assert record.status is Status.FAILED
    assert record.error
    assert "braces" in record.error.message
    assert record.error.message.startswith(f"line 1: {option} ")
    assert untouched()


REFUSED = {
    "a file of hosts": ("-i inv --limit {{ x }}", "@names", "--limit can't begin with the @ of a value"),
    "an option": ("-i inv --limit {{ x }}", "-eansible_host=x", "--limit can't begin with the hyphen"),
    "a program": ("-i {{ x }}", "program", "-i x names the program program by a value"),
    "a program, by a variable": ("-i x", "program", "-i x names the program program by a value"),
    "a folder with one": ("-i {{ x }}", "folder", "-i x names the program folder/deep/program by a value"),
    "a vault's program": ("-i inv --vault-password-file {{ x }}", "program", "--vault-password-file names the program"),
    "names of hosts": ("-i x", [RUNS[0]], "has the braces of a template"),
    "names with commas": ("-i x", f"a,{RUNS[0]},", "can't have braces from a value"),
    "a host's name": ("-i x", hosts(**{RUNS[1]: HERE}), "has the braces of a template"),
    "a group's name": ("-i x", {RUNS[0]: {"hosts": {"me": HERE}}}, "has the braces of a template"),
    "a name in a text": ("-i x", f'all:\n hosts:\n  "{RUNS[0]}":\n', "has the braces of a template"),
    "an option as a host": ("-i x", {"-oProxyCommand=touch made": {}}, "begins with a hyphen"),
    "an option as an address": (
        "-i x",
        hosts(me={"ansible_host": "-oProxyCommand=touch made"}),
        "begins with a hyphen",
    ),
    "a text that names a plugin": ("-i x", "plugin: ansible.builtin.generator\nhosts: {name: a}\n", "inventory"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_value_may_not_bring(bench: Bench, case: str) -> None:
    line, value, why = REFUSED[case]
    deep = bench.root / "folder" / "deep"
    deep.mkdir(parents=True)
    for path in (bench.root / "program", deep / "program"):
        path.write_text("#!/bin/sh\ntouch made\n")
        path.chmod(0o755)
    (bench.root / "names").write_text("me\n")
    record = bench.run("- command: touch touched\n", line, x=value, inv=hosts(me=HERE)).record
    assert record.status is Status.FAILED
    assert record.error
    assert why in record.error.message
    assert untouched()
    assert not (bench.root / "touched").exists()


def test_an_address_of_the_notebook_is_no_option(bench: Bench) -> None:
    record = bench.run("- ping:\n", "-i you,", ansible_host="-oProxyCommand=touch made").record
    assert record.status is Status.FAILED
    assert record.error
    assert "ansible_host begins with a hyphen" in record.error.message
    assert untouched()


@pytest.mark.slow
def test_what_the_author_wrote_stays_a_template(bench: Bench) -> None:
    (bench.root / "program").write_text('#!/bin/sh\necho \'{"all": {"hosts": ["me"]}}\'\n')
    (bench.root / "program").chmod(0o755)
    body = "- debug: {msg: \"{{ lookup('pipe', 'touch made') }}\"}\n"
    record = bench.run(body, "-i program", ansible_connection="local").record
    assert record.status is Status.OK, record.error
    assert not untouched()


@pytest.mark.slow
def test_an_inventory_of_a_variable_is_read_anew_by_the_play(bench: Bench, private: Path) -> None:
    """It lies nowhere once it is read, and a play may ask for it again."""
    body = (
        "- meta: refresh_inventory\n- command: find {{ place }} -type f\n  register: said\n"
        "- assert: {that: [not said.stdout, word == 'x']}\n"
    )
    inventory = hosts(me={**HERE, "ansible_python_interpreter": sys.executable, "word": "x"})
    record = bench.run(body, "-i inv", inv=inventory, place=str(private)).record
    assert record.status is not Status.FAILED, record.error


@pytest.mark.slow
def test_an_inventory_that_is_shown_stays_data_as_a_file(bench: Bench) -> None:
    """As people copy it into a file, where braces are a template."""
    known = {**HERE, "ansible_python_interpreter": sys.executable, "values": VALUES, "deep": DEEP}
    shown = run_line("inventory inv", (), {"inv": hosts(me=known)}, None, lambda: None)
    assert shown
    (bench.root / "hosts.yml").write_bytes(shown.encode())
    assert arrived(bench, "-i hosts.yml")["values"] == VALUES
