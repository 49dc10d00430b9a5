"""The magics in a real kernel, as a front end sees them."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from jupyter_runbook.record import schema
from tests.kernel import Kernel, kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

MIME = "application/vnd.jupyter-runbook.step.v1+json"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kernel, Path]]:
    folder = tmp_path_factory.mktemp("notebooks")
    with kernel(folder, tmp_path_factory.mktemp("ipython")) as started:
        assert started.run("%load_ext jupyter_runbook").status == "ok"
        yield started, folder


@pytest.fixture
def lab(shared: tuple[Kernel, Path]) -> Kernel:
    return shared[0]


def test_loading_imports_no_provider_and_no_sdk(tmp_path: Path) -> None:
    code = """
import sys
%load_ext jupyter_runbook
heavy = ["jupyter_runbook.providers", "jinja2", "yaml", "tree_sitter", "rfc8785", "openstack", "docker", "kubernetes"]
print([name for name in heavy if name in sys.modules])
"""
    with kernel(tmp_path, tmp_path / "ipython") as fresh:
        assert fresh.run(code).text == "[]\n"


def test_a_step_runs_and_its_record_is_shown_last_in_one_place(lab: Kernel, shared: tuple[Kernel, Path]) -> None:
    cell = "%%shell --creates made --name make-it\necho out; touch made"
    first = lab.run(cell, {"cellId": "c-1"})
    assert first.status == "ok"
    assert {
        message["content"]["transient"]["display_id"] for message in first.messages if "display" in message["msg_type"]
    }
    assert len({m["content"]["transient"]["display_id"] for m in first.messages if "display" in m["msg_type"]}) == 1
    assert set(first.shown[-1]) == {MIME, "text/html", "text/plain"}
    jsonschema.validate(first.record, schema(), cls=jsonschema.Draft202012Validator)
    assert (first.record["status"], first.record["name"], first.record["cell_id"]) == ("changed", "make-it", "c-1")
    assert first.record["source_digest"] == hashlib.sha256(cell.encode()).hexdigest()
    assert first.record["log"]["head"] == "out\n"
    second = lab.run(cell)
    assert second.record["status"] == "ok"
    assert second.record["prev"] == first.record["digest"]
    journal = shared[1] / ".runbook" / "journal.jsonl"
    last = json.loads(journal.read_text().splitlines()[-1])
    assert last["record"] == second.record


def test_output_is_shown_before_the_step_ends(lab: Kernel, shared: tuple[Kernel, Path]) -> None:
    flag = shared[1] / "go-on"

    def seen(message: dict[str, Any]) -> None:
        if "first line" in message["content"].get("data", {}).get("text/html", ""):
            flag.touch()

    script = "%%shell\necho first line; for i in $(seq 300); do [ -e go-on ] && exit 0; sleep 0.1; done; exit 1"
    assert lab.run(script, seen=seen).record["status"] == "changed"


def test_live_progress_comes_at_most_five_times_a_second(lab: Kernel) -> None:
    reply = lab.run("%%shell\nfor i in $(seq 300); do echo line $i; sleep 0.01; done")
    updates = [one["header"]["date"] for one in reply.messages if one["msg_type"] == "update_display_data"]
    running = [one for one in reply.shown if MIME not in one]
    assert 3 <= len(running) <= 5 * reply.record["seconds"] + 2
    # The record itself comes at once.
    for earlier, later in pairwise(updates[:-1]):
        assert (later - earlier).total_seconds() > 0.15


def test_a_failure_is_a_few_lines_and_stops_the_queue(lab: Kernel) -> None:
    reply = lab.run("%%shell --name break-it\ntrue\nls /no/such/path")
    assert reply.status == "error"
    assert reply.traceback == [
        "StepFailed (tool): break-it: script break-it: exit status 2 at line 3: ls /no/such/path",
        "→ its last line was: ls: cannot access '/no/such/path': No such file or directory",
    ]
    assert reply.record["status"] == "failed"


BAD = [
    ("%%shell --chek\ntrue", "there is no option --chek"),
    ("%%shell\necho {{ nobody }}", "line 2: 'nobody' is undefined"),
    ("%%shell\n", "line 2: the script is empty"),
    ("%%shell", "line 2: the script is empty"),
    ("%%shell\nif true", "line 3: syntax error"),
    ("%runbook", None),
    ("%runbook nonsense", "%runbook can't read: nonsense"),
    ("%runbook secret no_such_variable", "nobody can be asked here"),
    ("%runbook secret 1a", "can't be the name of a variable"),
    ("%runbook params", "the notebook's file is not known here"),
    ("%runbook params all", "%runbook can't read: params all"),
    ("%runbook inventory nothing", "there is no variable nothing"),
]


@pytest.mark.parametrize(("cell", "message"), BAD)
def test_bad_input_is_one_to_three_lines_and_no_traceback(lab: Kernel, cell: str, message: str | None) -> None:
    reply = lab.run(cell)
    if message is None:
        assert reply.text.startswith("%runbook COMMAND")
        return
    assert reply.status == "error"
    assert 1 <= len(reply.traceback) <= 3
    assert message in reply.traceback[0]
    assert "Traceback" not in reply.text + "".join(reply.traceback)


def test_help_and_tab(lab: Kernel) -> None:
    assert "--creates P" in lab.run("%%shell --help").text
    assert "--creates P" in lab.run("%%shell -h\n").text
    assert lab.complete("%%shell --c") == ["--check", "--confirm", "--creates", "--cwd"]
    assert "--unless" in lab.complete("%%shell --creates x --")
    assert "--creates" not in lab.complete("x = 3\nx.--c")
    assert "--creates" not in lab.complete("%%shell\necho --c")
    assert lab.complete("x = 3\n%runbook p") == ["params"]
    assert set(lab.complete("%runbook ")) == {"params", "status", "inventory", "secret"}
    assert "status" not in lab.complete("%runbook secret s")
    assert lab.complete("%%os --check\nnetworks:\n  - {name: a, mt") == ["mtu:"]
    assert lab.complete("%%shell\nnetworks:\n  - {name: a, mt") == []


def test_names_of_the_notebook_are_values_of_the_script(lab: Kernel) -> None:
    lab.run("who = \"it's $(id) 'me'\"")
    reply = lab.run("%%shell --out done\nprintf %s '{{ who }}'")
    assert reply.record["log"]["head"] == "it's $(id) 'me'"
    assert lab.run("print(done.facts['exit_code'], done.facts['output'])").text == "0 it's $(id) 'me'\n"


def test_a_dollar_or_a_brace_on_the_line_is_not_expanded_by_ipython(lab: Kernel) -> None:
    lab.run("HOME = 'wrong'")
    assert lab.run("%%shell --name '$HOME {HOME}'\ntrue").record["name"] == "$HOME {HOME}"


def test_who_is_asked_answers_in_the_front_end(lab: Kernel, shared: tuple[Kernel, Path]) -> None:
    cell = "%%shell --confirm --creates asked\ntouch asked"
    nobody = lab.run(cell)
    assert nobody.record["approval"]["answer"] == "nobody"
    refused = lab.run(cell, answer="no, it is Friday")
    assert refused.record["error"]["kind"] == "not-approved"
    assert refused.record["approval"]["reason"] == "it is Friday"
    assert not (shared[1] / "asked").exists()
    assert any("run script touch asked [planned]" in one["text/plain"] for one in refused.shown[:-1])
    agreed = lab.run(cell, answer="yes go on")
    assert (agreed.record["status"], agreed.record["approval"]["answer"]) == ("changed", "yes")
    assert (shared[1] / "asked").exists()


def test_a_secret_comes_from_the_environment_and_is_shown_nowhere(lab: Kernel) -> None:
    lab.run("import os; os.environ['db_password'] = 'hunter2-secret'")
    assert lab.run("%runbook secret db_password").status == "ok"
    reply = lab.run("%%shell\necho {{ db_password }}; env | grep -c db_password; false")
    assert reply.record["log"]["head"] == "[secret db_password]\n1\n"
    assert "hunter2-secret" not in str(reply.messages[1:])
    typed = lab.run("%runbook secret typed prompt", answer="typed-secret")
    assert typed.status == "ok"
    assert lab.run("print(typed)").text == "[secret typed]\n"


def test_parameters_are_a_form_where_somebody_can_fill_it_in(tmp_path: Path) -> None:
    cell = "site = 'berlin'  # where\nreplicas: int = 3\n"
    # Its own: a kernel remembers its parameters cell.
    with kernel(tmp_path, tmp_path / "ipython") as lab:
        lab.run("%load_ext jupyter_runbook")
        lab.run(cell, {"tags": ["parameters"]})
        lab.run("site = 'paris'")
        form, values = lab.run("%runbook params", answer="").shown
        assert "application/vnd.jupyter.widget-view+json" in form
        assert values["text/plain"] == "parameters\n  site     = paris  # where\n  replicas = 3"
        # Where nobody can answer there are the values alone.
        [alone] = lab.run("%runbook params").shown
        assert alone == values


def test_the_stop_button_ends_a_step_within_seconds(lab: Kernel) -> None:
    presses = iter([lab.manager.interrupt_kernel])

    def seen(message: dict[str, Any]) -> None:
        if "up and running" in message["content"].get("data", {}).get("text/html", ""):
            next(presses, lambda: None)()

    reply = lab.run("%%shell --name long\necho up and running; sleep 300", seen=seen)
    assert reply.status == "error"
    assert reply.record["status"] == "interrupted"
    assert reply.traceback == ["StepFailed (interrupted): long: interrupted: it was stopped"]
    assert lab.run("%%shell\ntrue").record["status"] == "changed"


def test_status_lists_the_steps(tmp_path: Path) -> None:
    with kernel(tmp_path, tmp_path / "ipython") as fresh:
        fresh.run("%load_ext jupyter_runbook")
        assert fresh.run("%runbook status").text == "no step has run in this session\n"
        fresh.run("%%shell --name one\ntrue")
        fresh.run("%%shell --name two\nfalse")
        fresh.run("%reload_ext jupyter_runbook")
        lines = fresh.run("%runbook status").text.splitlines()
    assert [line.split()[:2] for line in lines] == [["●", "changed"], ["✗", "failed"]]
    assert lines[1].endswith("two (%%shell)")


def test_what_a_killed_kernel_left_is_said_first(tmp_path: Path) -> None:
    with kernel(tmp_path, tmp_path / "ipython") as first:
        first.run("%load_ext jupyter_runbook")
        first.client.execute("%%shell --name killed\ntouch begun; sleep 300")
        while not (tmp_path / "begun").exists():
            first.client.get_iopub_msg(timeout=60)
        first.manager.signal_kernel(9)
    with kernel(tmp_path, tmp_path / "ipython2") as second:
        second.run("%load_ext jupyter_runbook")
        reply = second.run("%%shell --creates begun\ntouch begun")
    assert reply.shown[0]["text/plain"].startswith("⚠ interrupted: the step killed (%%shell), begun 2")
    assert reply.record["status"] == "ok"
