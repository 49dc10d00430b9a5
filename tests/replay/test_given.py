"""What a replay is given: parameters from files, secrets, a dry run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.replay.runs import LOAD, Place, statuses, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

WORD = "s3cret-w0rd-of-mine"
DECLARED = "site = 'berlin'  # where\nn: int = 1\nhosts: list = []\ndb_password = ''\nword: str | None = None"
STEP = "%%shell --name use\nprintf '%s' {{ db_password }} | sha256sum > made\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def everything(folder: Path) -> str:
    """Return all that a run left in files."""
    return "\n".join(path.read_text("utf-8", "replace") for path in folder.rglob("*") if path.is_file())


def test_parameters_of_files_go_before_defaults_and_the_command_line_before_both(place: Place) -> None:
    write(place.folder / "a.ipynb", [DECLARED, "print(site, n, hosts)"], {0: ["parameters"]})
    (place.folder / "one.yml").write_text("site: bonn\nn: 2\nhosts: [a]\n")
    (place.folder / "two.json").write_text(json.dumps({"n": 3, "hosts": ["b"]}))
    done = place.invoke("replay", "a.ipynb", "out.ipynb", "-f", "one.yml", "-f", "two.json", "-p", "hosts", '["c"]')
    assert done.code == 0, done.err
    notebook = place.load("out.ipynb")
    assert notebook.cells[2].outputs[0].text == "bonn 3 ['c']\n"
    assert notebook.metadata.runbook.parameters == {"site": "bonn", "n": 3, "hosts": ["c"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("site: [\n", "error: p.yml, line 2: broken YAML"),
        ("- site\n", "error: p.yml: this is no mapping of parameters\n→ site: berlin"),
        ("n: 1\nsiet: x\n", "error: p.yml, line 2: the runbook a.ipynb has no parameter siet\n→ did you mean site?"),
        ("site: x\nn: many\n", "error: p.yml, line 2: the parameter n takes int, not 'many'"),
        ("db_password: 17\n", "error: p.yml, line 1: the parameter db_password takes str, not [secret db_password]"),
    ],
)
def test_a_file_that_does_not_fit(place: Place, text: str, said: str) -> None:
    write(place.folder / "a.ipynb", [DECLARED, "1"], {0: ["parameters"]})
    (place.folder / "p.yml").write_text(text)
    done = place.invoke("replay", "a.ipynb", "out.ipynb", "-f", "p.yml")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(said)
    assert not (place.folder / "out.ipynb").exists()


def test_a_file_that_is_not_there_or_no_text(place: Place) -> None:
    write(place.folder / "a.ipynb", [DECLARED, "1"], {0: ["parameters"]})
    assert (
        place.invoke("replay", "a.ipynb", "-f", "no.yml").err
        == "error: no.yml: it can't be read: No such file or directory\n"
    )
    (place.folder / "p.yml").write_bytes(b"\xff\xfe\x00")
    assert place.invoke("replay", "a.ipynb", "-f", "p.yml").err == "error: p.yml: it can't be read: it is no UTF-8\n"


def test_what_has_no_default_has_to_be_given(place: Place) -> None:
    write(place.folder / "a.ipynb", ["site: str\nn: int\nm = 1", "print(site, n)"], {0: ["parameters"]})
    done = place.invoke("replay", "a.ipynb", "out.ipynb", "-p", "m", "2")
    assert done.code == 2
    assert done.err.startswith("error: a.ipynb: it needs site, n: they have no default\n→ -p site VALUE")
    done = place.invoke("replay", "a.ipynb", "out.ipynb", "-p", "n", "2")
    assert done.err.startswith("error: a.ipynb: it needs site: it has no default\n")
    assert place.invoke("replay", "a.ipynb", "out.ipynb", "-p", "n", "2", "-p", "site", "bonn").code == 0
    assert place.load("out.ipynb").cells[2].outputs[0].text == "bonn 2\n"


@pytest.mark.parametrize("how", ["by its name", "from a file of parameters", "from the environment", "from a file"])
def test_a_secret_parameter_is_kept_nowhere(place: Place, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    place = Place(folder, {"WORD": WORD})
    write(
        folder / "a.ipynb",
        [LOAD, DECLARED, "print(db_password, f'{db_password}')\ndb_password", STEP],
        {1: ["parameters"]},
    )
    (tmp_path / "given.yml").write_text(f"db_password: {WORD}\n")
    (tmp_path / "word").write_text(f"{WORD}\n")
    words = {
        "by its name": ["-p", "db_password", WORD],
        "from a file of parameters": ["-f", str(tmp_path / "given.yml")],
        "from the environment": ["-s", "db_password=env:WORD"],
        "from a file": ["-s", f"db_password=file:{tmp_path}/word"],
    }[how]
    done = place.invoke("replay", "a.ipynb", "out.ipynb", "-p", "site", "bonn", *words)
    assert done.code == 0, done.err
    notebook = place.load("out.ipynb")
    assert notebook.cells[2].source == (
        "# Parameters\n"
        'site = "bonn"\n'
        "from jupyter_runbook.sources import handed as _handed\n"
        'db_password = _handed("db_password")\n'
    )
    assert notebook.metadata.runbook.parameters == {"site": "bonn", "db_password": "[secret db_password]"}
    assert notebook.metadata.papermill.parameters == notebook.metadata.runbook.parameters
    assert notebook.cells[3].outputs[0].text == "[secret db_password] [secret db_password]\n"
    assert (folder / "made").read_text().startswith("c2d24fbc")
    assert WORD not in everything(folder)
    assert WORD not in done.out + done.err


def test_a_secret_by_papermill_itself(place: Place) -> None:
    write(place.folder / "a.ipynb", [DECLARED, "print(db_password, n)"], {0: ["parameters"]})
    words = ["-p", "db_password", WORD, "-p", "n", "2"]
    done = place.command("papermill", "--engine", "runbook", *words, "a.ipynb", "out.ipynb")
    assert done.code == 0, done.err
    assert place.load("out.ipynb").cells[2].outputs[0].text == "[secret db_password] 2\n"
    assert WORD not in everything(place.folder)


def test_a_secret_of_any_name(place: Place) -> None:
    place = Place(place.folder, {"word": WORD})
    write(place.folder / "a.ipynb", [DECLARED, "print(word)"], {0: ["parameters"]})
    assert place.invoke("replay", "a.ipynb", "out.ipynb", "-s", "word").code == 0
    assert place.load("out.ipynb").cells[2].outputs[0].text == "[secret word]\n"
    assert WORD not in everything(place.folder)


TYPED = """\
needed: str
flag = False
hosts = []
creds = {}
pin = 1
"""


def test_a_secret_of_each_type(place: Place) -> None:
    values = {"F": "true", "H": '["web1-s3cret", 4711]', "C": '{"user": "me-s3cret"}', "P": "908172", "T": "x"}
    place = Place(place.folder, values)
    say = "print(hosts, creds, pin, [one.reveal()[:2] for one in hosts], int(pin.reveal()) % 9)"
    write(place.folder / "a.ipynb", [TYPED, say], {0: ["parameters"]})
    words = ["-s", "needed=env:T", "-s", "hosts=env:H", "-s", "creds=env:C", "-s", "pin=env:P"]
    done = place.command("jupyter", "runbook", "replay", "a.ipynb", "out.ipynb", *words)
    assert done.code == 0, done.err
    said = place.load("out.ipynb").cells[2].outputs[0].text
    assert said == "[[secret hosts.0], [secret hosts.1]] {'user': [secret creds.user]} [secret pin] ['we', '47'] 0\n"
    assert not [one for one in ("s3cret", "4711", "908172") if one in everything(place.folder)]
    for words, why in (
        (["-s", "needed=env:T", "-s", "flag=env:F"], "the parameter flag takes true or false, which no secret can be"),
        (["-s", "needed=env:T", "-s", "hosts=env:T"], "the parameter hosts takes a list (as JSON), not [secret hosts]"),
    ):
        done = place.command("jupyter", "runbook", "replay", "a.ipynb", "no.ipynb", *words)
        assert done.code == 2
        assert why in done.err


def test_what_is_missing_is_asked_for_by_the_way_that_keeps_it_secret(place: Place) -> None:
    write(place.folder / "a.ipynb", ["db_password: str", "1"], {0: ["parameters"]})
    done = place.invoke("replay", "a.ipynb", "out.ipynb")
    assert done.err.splitlines()[1].startswith("→ -s db_password=env:VARIABLE; jupyter runbook params a.ipynb")
    (place.folder / "f.yml").write_text("db_password: 123456\n")
    done = place.invoke("replay", "a.ipynb", "out.ipynb", "-f", "f.yml")
    assert done.err.splitlines() == [
        "error: f.yml, line 1: the parameter db_password takes str, not [secret db_password]",
        "→ a number in quotes is a text",
    ]


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e400", "0", "-1", "x"])
def test_a_time_limit_is_a_number_of_seconds(place: Place, seconds: str) -> None:
    write(place.folder / "a.ipynb", ["1"])
    assert place.invoke("replay", "a.ipynb", "out.ipynb", "--timeout", seconds).code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-s word", "error: the secret word: nobody can be asked here\n→ export word before the run"),
        ("-s word=env:NO_SUCH", "error: the secret word: there is no environment variable NO_SUCH"),
        ("-s word=prompt", "error: the secret word: nobody can be asked here\n→ -s word=env:VARIABLE, or another of"),
        ("-s word=Tr0ub4dor-3", "error: the secret word: this is no source\n→ a source is one of"),
        ("-s word=", "error: -s takes NAME=SOURCE: word= names no source"),
        ("-s =env:HOME", "error: -s takes NAME=SOURCE: this begins with no parameter's name"),
        ("-s nobody=cmd:touch,made", "error: a.ipynb: it has no parameter nobody"),
        ("-s word=cmd:touch,made -p nobody 1", "error: a.ipynb: it has no parameter nobody"),
        ("-s word=cmd:touch,made -p n x", "error: a.ipynb: the parameter n takes int, not 'x'"),
        ("-s word=env:HOME -p word x", "error: the parameter word is given twice"),
        ("-s n=env:HOME", "error: a.ipynb: the parameter n takes int, not [secret n]"),
        ("-p db_passwort geheim1", "error: a.ipynb: it has no parameter db_passwort\n→ did you mean db_password?"),
    ],
)
def test_secrets_that_can_not_be_had(place: Place, words: str, said: str) -> None:
    write(place.folder / "a.ipynb", [DECLARED, "1"], {0: ["parameters"]})
    done = place.invoke("replay", "a.ipynb", "out.ipynb", *(word.replace(",", " ") for word in words.split()))
    assert done.code == 2
    assert not (place.folder / "made").exists(), "a source is read last"
    assert done.err.startswith(said)
    assert "geheim" not in done.err
    assert not (place.folder / "out.ipynb").exists()


def test_the_cell_of_secrets_run_by_hand_says_so(place: Place) -> None:
    cell = "from jupyter_runbook.sources import handed as _handed\na = _handed('a')"
    write(place.folder / "a.ipynb", [cell])
    done = place.invoke("replay", "a.ipynb", "out.ipynb")
    assert done.code == 1
    assert "the secret parameter a was given to a replay, and is kept nowhere" in done.err


def test_a_dry_replay_changes_nothing(place: Place) -> None:
    steps = [
        "%%shell --creates a\ntouch a",
        "%%shell --unless true\ntouch b",
        "%%probe\n- file: a",
        "%%shell --expect failed\nfalse",
    ]
    write(place.folder / "a.ipynb", [LOAD, *steps])
    done = place.invoke("replay", "a.ipynb", "out.ipynb", "--check")
    assert done.code == 0, done.err
    assert not (place.folder / "a").exists()
    status = place.status("out.ipynb")
    assert [step["status"] for step in status["steps"]] == ["planned", "ok", "planned", "planned"]
    assert statuses(status) == ["done"] * 5
    assert place.load("out.ipynb").metadata.runbook.check is True
    assert "dry run" in place.invoke("status", "out.ipynb").out
    assert place.invoke("replay", "a.ipynb", "real.ipynb").code == 0
    assert [step["status"] for step in place.status("real.ipynb")["steps"]] == ["changed", "ok", "ok", "ok"]


def test_the_parameters_are_shown_and_nothing_is_asked(place: Place, tmp_path: Path) -> None:
    write(place.folder / "a.ipynb", [DECLARED, LOAD, "%runbook params"], {0: ["parameters"]})
    (tmp_path / "word").write_text(WORD)
    given = ("-p", "site", "<b>bonn</b>", "-s", "db_password=file:word")
    for command in (("jupyter-runbook", "replay"), ("papermill", "--engine", "runbook", "--no-progress-bar")):
        words = given if command[0] != "papermill" else ("-p", "site", "<b>bonn</b>", "-p", "db_password", WORD)
        done = place.command(*command, *words, "a.ipynb", f"{command[0]}.ipynb")
        assert done.code == 0, done.err
        [shown] = place.load(f"{command[0]}.ipynb").cells[-1].outputs
        assert set(shown.data) == {"text/html", "text/plain"}
        assert "&lt;b&gt;bonn&lt;/b&gt;</td>" in shown.data["text/html"]
        assert "[secret db_password]" in shown.data["text/html"]
        assert "n           = 1\n" in shown.data["text/plain"]
    (tmp_path / "word").unlink()
    assert WORD not in everything(place.folder)
