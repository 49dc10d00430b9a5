"""``jupyter runbook history`` and ``params``: as a user types them, and what journals of all kinds tell."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from jupyter_runbook.audit.history import Entry, history, history_text, journals
from tests.replay.runs import LOAD, Place, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

HERE = "import os, signal, time\nreplay = os.getppid()"
KILLED = "%%shell --name slow\nkill -s KILL {{ replay }}; sleep 1"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def runs(place: Place, *words: str) -> list[dict[str, Any]]:
    done = place.invoke("history", "--json", *words)
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def test_the_runs_of_a_folder(place: Place) -> None:
    write(place.folder / "good.ipynb", [LOAD, "%%shell\ntrue", "%%shell --unless true\nx"])
    write(place.folder / "bad.ipynb", [LOAD, "%%shell\nfalse", "%%shell\ntrue"])
    write(place.folder / "killed.ipynb", [HERE, LOAD, KILLED])
    (place.folder / "logs").mkdir()
    assert place.invoke("replay", "good.ipynb", "logs/good.ipynb").code == 0
    assert place.invoke("replay", "good.ipynb", "logs/dry.ipynb", "--check").code == 0
    assert place.invoke("replay", "bad.ipynb", "logs/bad.ipynb").code == 1
    assert place.replay("killed.ipynb", "killed-log.ipynb").code == -9
    found = runs(place)
    keys = ("runbook", "notebook", "mode", "status", "steps")
    assert [tuple(one[key] for key in keys) for one in found] == [
        ("good.ipynb", "good.ipynb", "replay", "done", {"changed": 1, "ok": 1}),
        ("good.ipynb", "dry.ipynb", "check", "done", {"planned": 1, "ok": 1}),
        ("bad.ipynb", "bad.ipynb", "replay", "failed", {"failed": 1}),
        ("killed.ipynb", "killed-log.ipynb", "replay", "interrupted", {"interrupted": 1}),
    ]
    assert all((one["ended"] is None) == (one["status"] == "interrupted") for one in found)
    assert {one["host"] for one in found} == {socket.gethostname()}
    assert [one["runbook"] for one in runs(place, "logs", "-n", "1")] == ["bad.ipynb"]
    text = place.invoke("history").out.splitlines()
    assert len(text) == 4
    assert text[1].endswith("good.ipynb → logs/dry.ipynb (dry run)  1 planned, 1 ok")
    assert "■ interrupted" in text[3]


def test_a_folder_without_runs(place: Place) -> None:
    done = place.invoke("history")
    assert (done.code, done.out) == (0, "no journal here knows a run\n")
    done = place.invoke("history", "nowhere")
    assert done.code == 2
    assert "'nowhere' does not exist" in done.err


def journal(folder: Path, *entries: dict[str, Any]) -> Path:
    """Write a journal of these entries, and one line that is none."""
    path = folder / ".runbook" / "journal.jsonl"
    path.parent.mkdir(parents=True)
    lines = [json.dumps(entry, separators=(",", ":")) for entry in entries]
    path.write_text("\n".join([*lines, '{"event":"run","id":"x']) + "\n")
    return path


def ours() -> dict[str, Any]:
    created = psutil.Process().create_time()
    return {"user": "me", "host": socket.gethostname(), "pid": os.getpid(), "process_started": created}


def test_runs_at_work_elsewhere_and_of_an_older_version(tmp_path: Path) -> None:
    ended = {"event": "end", "id": "s1", "at": "2026-01-01T00:00:01Z"}
    actor = {"user": "you", "host": "there", "session": "1"}
    path = journal(
        tmp_path,
        {"event": "run", "id": "r1", "at": "2026-01-02T00:00:00Z", "notebook": "a.ipynb", **ours()},
        {"event": "run", "id": "r2", "at": "2026-01-03T00:00:00Z", "notebook": "b.ipynb", **ours(), "host": "there"},
        {**ended, "record": {"run": "r0", "status": "ok", "started": "2026-01-01T00:00:00Z", "actor": actor}},
        {"event": "run", "id": "r3", "at": "2026-01-04T00:00:00Z", "notebook": "\x1b[2Jc.ipynb", **ours(), "pid": 1},
    )
    found = history([path])
    assert [(one.run, one.status, one.user) for one in found] == [
        ("r0", "done", "you"), ("r1", "running", "me"), ("r2", "unknown", "me"), ("r3", "interrupted", "me"),
    ]  # fmt: skip
    assert "\x1b" not in history_text(found)
    assert list(journals(tmp_path)) == [path]


def test_hidden_folders_are_passed_by(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    journal(tmp_path / ".venv" / "lib")
    kept = journal(tmp_path / "a" / "b")
    assert list(journals(tmp_path)) == [kept]
    assert history_text([Entry("r", str(tmp_path))]).strip()


DECLARED = """# parameters
site = 'berlin'  # the site's name
# who is called
# when it fails
owner: str

count: int | None = None
db_password = 'hunter2hunter2'
made = open
"""


def test_params(place: Place) -> None:
    write(place.folder / "a.ipynb", [DECLARED], {0: ["parameters"]})
    done = place.invoke("params", "a.ipynb")
    assert done.code == 0
    assert done.out.splitlines() == [
        "a.ipynb",
        "  site         str          = 'berlin'              the site's name",
        "  owner        str          has to be given         who is called when it fails",
        "  count        int or None  = None",
        "  db_password  str          = [secret db_password]",
        "  made         any          = open",
    ]
    found = json.loads(place.invoke("params", "a.ipynb", "--json").out)
    assert found[1] == {
        "name": "owner", "types": ["str"], "required": True, "default": None,
        "choices": None, "description": "who is called when it fails",
    }  # fmt: skip
    assert [one["default"] for one in found] == ["berlin", None, None, "[secret db_password]", "open"]
    assert "hunter2" not in done.out


def test_params_of_what_takes_none(place: Place) -> None:
    write(place.folder / "a.ipynb", ["1"])
    done = place.invoke("params", "a.ipynb")
    assert done.code == 0
    assert done.out.startswith("a.ipynb takes no parameters: tag the cell that declares them with parameters")
    assert place.invoke("params", "a.ipynb", "--json").out == "[]\n"
    assert place.invoke("params", "no.ipynb").code == 2
