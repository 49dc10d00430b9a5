"""What lies beside a notebook and is found: playbooks, roles, collections, templates, variables; and --galaxy."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from jupyter_runbook.record import Status
from jupyter_runbook.secret import Secret
from tests.providers.ansible.helpers import facts, row, tasks

if TYPE_CHECKING:
    from tests.bench import Bench

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("pipelining")]


def write(files: dict[str, str], root: Path = Path()) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


ROLE = {
    "roles/web/tasks/main.yml": (
        "- name: page\n  template: {src: page.j2, dest: '{{ playbook_dir }}/page'}\n  notify: told\n"
    ),
    "roles/web/handlers/main.yml": "- name: told\n  debug: {msg: it is told}\n",
    "roles/web/templates/page.j2": "{{ owner }} on {{ port | default(80) }} {% if shiny %}shines{% endif %}\n",
    "roles/web/defaults/main.yml": "shiny: false\n",
}


def test_a_role_gets_the_notebooks_variables_that_its_files_refer_to(bench: Bench) -> None:
    write(ROLE)
    done = bench.run(
        "- include_role: {name: web}\n", owner="me", shiny=True, port=8080, other=object(), unused="not handed over"
    )
    assert tasks(done.record) == {
        "localhost: Gathering Facts": "ok",
        "localhost: include_role : web": "ok",
        "localhost: web : page": "changed",
        "localhost: web : told": "ok",
    }
    assert Path("page").read_text() == "me on 8080 shines\n"
    run = row(done.record, "tasks include_role")
    assert run.diff
    assert "owner: me" in run.diff
    assert "unused" not in run.diff


def test_roles_of_plays_and_a_playbook_with_its_own_folder(bench: Bench) -> None:
    play = "- hosts: localhost\n  gather_facts: false\n  roles: [web]\n"
    write(ROLE)
    assert bench.run(play, owner="me").record.status is Status.CHANGED
    write({**ROLE, "site.yml": play}, Path("else"))
    done = bench.run("else/site.yml", owner="you")
    assert done.record.status is Status.CHANGED
    assert done.record.name == "else/site.yml"
    assert Path("else/page").read_text() == "you on 80 \n"
    assert bench.run("else/site.yml", owner="you").record.status is Status.OK
    first = bench.run("else/site.yml", "--check", owner="you").record
    Path("else/site.yml").write_text(play + "  # changed\n")
    assert bench.run("else/site.yml", "--check", owner="you").record.plan_digest != first.plan_digest


def test_collections_templates_and_variables_beside_it(bench: Bench) -> None:
    write(
        {
            "collections/ansible_collections/our/own/plugins/modules/greet.py": (
                "from ansible.module_utils.basic import AnsibleModule\n"
                "module = AnsibleModule({'name': {'type': 'str'}}, supports_check_mode=True)\n"
                "module.exit_json(changed=False, greeting='hello ' + module.params['name'])\n"
            ),
            "templates/page.j2": "{{ owner }}\n",
            "group_vars/all.yml": "greeted: '{{ owner }} and all'\n",
        }
    )
    done = bench.run(
        "- our.own.greet: {name: '{{ greeted }}'}\n"
        "  register: said\n"
        "- template: {src: page.j2, dest: '{{ playbook_dir }}/page'}\n",
        "--out out",
        owner="me",
    )
    assert done.record.status is Status.CHANGED, done.record.error
    assert facts(done)["localhost"]["registered"]["said"]["greeting"] == "hello me and all"


def test_files_that_a_task_names_are_read_for_names_and_what_they_name_too(bench: Bench) -> None:
    write(
        {
            "page.j2": "{{ one }}\n",
            "more.yml": "- include_tasks: site/deep.yml\n- debug: {msg: '{{ two }}'}\n",
            "site/deep.yml": "- template: src=site/other.txt.j2 dest={{ playbook_dir }}/other\n",
            "site/other.txt.j2": "{{ three }}\n",
        }
    )
    record = bench.run(
        "- template: {src: page.j2, dest: '{{ playbook_dir }}/page'}\n- include_tasks: more.yml\n",
        one="1",
        two="2",
        three="3",
    ).record
    assert record.status is Status.CHANGED, record.error
    assert (Path("page").read_text(), Path("other").read_text()) == ("1\n", "3\n")


def test_what_the_play_sets_itself_is_not_hidden_by_a_variable_of_the_notebook(bench: Bench) -> None:
    done = bench.run(
        "- command: echo theirs\n"
        "  register: said\n"
        "- set_fact: {made: theirs}\n"
        "- assert: {that: [said.stdout == 'theirs', made == 'theirs', item == 'theirs', given == 'ours']}\n"
        "  loop: [theirs]\n",
        said="ours",
        made="ours",
        item="ours",
        given="ours",
    )
    assert done.record.status is Status.CHANGED, done.record.error


def test_what_a_play_would_ask_for_is_given(bench: Bench) -> None:
    record = bench.run(
        "- hosts: localhost\n"
        "  gather_facts: false\n"
        "  vars_prompt:\n"
        "  - {name: release, prompt: which release}\n"
        "  tasks:\n"
        "  - assert: {that: release == '2'}\n",
        "--timeout 30",
        release="2",
    ).record
    assert record.status is Status.OK, record.error


def test_a_variable_that_is_missing_is_told(bench: Bench) -> None:
    record = bench.run("- debug: {msg: '{{ ownr }}'}\n", owner="me").record
    assert record.error
    assert "'ownr' is undefined" in record.error.message


def galaxy(folder: Path) -> None:
    """Make a role and a collection as they come from a server, and a file that asks for them."""
    source = folder / "role"
    write(
        {"tasks/main.yml": "- name: from galaxy\n  debug: {msg: '{{ owner }}'}\n", "meta/main.yml": ROLE_META}, source
    )
    with tarfile.open(folder / "far.tar.gz", "w:gz") as archive:
        archive.add(source, "far")
    made = folder / "collection"
    write(
        {
            "galaxy.yml": "namespace: far\nname: away\nversion: 1.0.0\nauthors: [me]\nreadme: README.md\n",
            "README.md": "far away\n",
            "plugins/filter/shout.py": (
                "class FilterModule:\n    def filters(self):\n        return {'shout': str.upper}\n"
            ),
        },
        made,
    )
    command = [
        sys.executable,
        "-m",
        "ansible",
        "galaxy",
        "collection",
        "build",
        str(made),
        "--output-path",
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True)
    wanted = {
        "roles": [{"name": "far", "src": f"file://{folder}/far.tar.gz"}],
        "collections": [{"name": f"{folder}/far-away-1.0.0.tar.gz", "type": "file"}],
    }
    Path("requirements.yml").write_text(yaml.safe_dump(wanted))


ROLE_META = "galaxy_info: {author: me, description: far, license: MIT, min_ansible_version: '2.17', platforms: []}\n"


def test_galaxy_installs_once_and_for_this_notebook_alone(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    galaxy(tmp_path_factory.mktemp("server"))
    body = "- include_role: {name: far}\n- debug: {msg: \"{{ 'quiet' | far.away.shout }}\"}\n"
    first = bench.run(body, "--galaxy requirements.yml", owner=Secret("w0rd-of-mine", name="owner")).record
    assert first.status is Status.OK, first.error
    assert first.log
    assert "was installed successfully" in first.log.head
    assert "QUIET" in first.log.head
    assert '"msg": "[secret owner]"' in first.log.head
    second = bench.run(body, "--galaxy requirements.yml --check", owner="me").record
    assert second.status is Status.OK
    assert second.log
    assert "was installed successfully" not in second.log.head
    assert not (home / ".ansible/roles").exists()
    assert not (home / ".ansible/collections/ansible_collections").exists()
    without = bench.run(body, owner="me").record
    assert without.status is Status.FAILED


def test_what_galaxy_did_not_install_is_not_played(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone may bring a folder of the right name; see also test_proof."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    galaxy(tmp_path_factory.mktemp("server"))
    body = "- include_role: {name: far}\n"
    assert bench.run(body, "--galaxy requirements.yml", owner="me").record.status is Status.OK
    (tasks_file,) = Path(".runbook/galaxy").glob("*/roles/far/tasks/main.yml")
    tasks_file.write_text("- name: from somebody\n  command: touch touched\n")
    record = bench.run(body, "--galaxy requirements.yml", owner="me").record
    assert record.status is Status.OK, record.error
    assert record.log
    assert record.log.head.startswith("[.runbook/galaxy/")
    assert "is not as it was installed here: it is installed again]" in record.log.head
    assert "from galaxy" in record.log.head
    assert not Path("touched").exists()
    assert len(list(Path(".runbook/galaxy").iterdir())) == 1
    again = bench.run(body, "--galaxy requirements.yml", owner="me").record
    assert again.log
    assert "installed" not in again.log.head


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "line 1: the file requirements.yml of --galaxy can't be read: No such file or directory"),
        ("roles: [{name: far, src: 'file:///nowhere/far.tar.gz'}]\n", "ansible-galaxy failed: "),
        ("roles: [\n", "ansible-galaxy failed: "),
    ],
)
def test_galaxy_that_fails_plays_nothing(bench: Bench, text: str | None, message: str) -> None:
    if text:
        Path("requirements.yml").write_text(text)
    for _ in range(2):
        record = bench.run("- copy: {content: a, dest: touched}\n", "--galaxy requirements.yml").record
        assert record.status is Status.FAILED
        assert record.error
        assert record.error.message.startswith(message)
        assert not Path("touched").exists()
