"""Runbooks from elsewhere and work logs that go elsewhere; and files as other programs write them."""

from __future__ import annotations

import json
import subprocess
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from jupyter_runbook.replay.places import is_place, named
from tests.replay.runs import BIN, LOAD, Place, statuses, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "site").mkdir()
    with HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "site")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_standard_output_is_the_work_log_and_nothing_else(place: Place) -> None:
    write(place.folder / "in.ipynb", ["print(1)\n!echo program", LOAD, "%%shell --name a\ntrue"])
    done = place.command("jupyter", "runbook", "replay", "in.ipynb", "-")
    assert done.code == 0
    notebook = nbformat.reads(done.out, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert notebook.cells[0].outputs[0].text == "1\nprogram\n"
    assert (notebook.metadata.runbook.status, notebook.metadata.papermill.output_path) == ("done", "-")
    assert "done: 1 changed; cells: 3 done\nwork log: -\n" in done.err
    assert sorted(one.name for one in place.folder.iterdir()) == [".runbook", "in.ipynb", "ipython"]
    theirs = place.command("papermill", "--engine", "runbook", "--no-progress-bar", "in.ipynb", "-")
    assert json.loads(theirs.out)["metadata"]["runbook"]["status"] == "done"


def test_a_runbook_of_standard_input(place: Place) -> None:
    path = write(place.folder / "in.ipynb", ["1"])
    words = [str(BIN / "jupyter-runbook"), "replay", "-", "out.ipynb"]
    with path.open() as file:
        done = subprocess.run(words, stdin=file, cwd=place.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert place.load("out.ipynb").metadata.papermill.input_path == "-"


def test_a_runbook_of_a_web_server(place: Place, site: str) -> None:
    write(place.folder / "site" / "in.ipynb", ["1"])
    done = place.invoke("replay", f"{site}/in.ipynb?signed=hunter2hunter2", "out.ipynb")
    assert done.code == 0, done.err
    assert statuses(place.status("out.ipynb")) == ["done"]
    assert "hunter2" not in (place.folder / "out.ipynb").read_text() + done.err
    done = place.invoke("replay", f"{site}/none.ipynb?signed=hunter2hunter2", "out2.ipynb")
    assert (done.code, done.out) == (2, "")
    assert f"error: {site}/none.ipynb: it can't be read: there is no such file, or nobody answers" in done.err
    assert "hunter2" not in done.err


def test_a_work_log_in_a_place_of_fsspec(place: Place) -> None:
    write(place.folder / "in.ipynb", ["1", "1/0", "2"])
    url = f"file://{place.folder}/out.ipynb"
    assert place.invoke("replay", f"file://{place.folder}/in.ipynb", url).code == 1
    status = place.status("out.ipynb")
    assert (status["status"], statuses(status)) == ("failed", ["done", "failed", "not-run"])
    done = place.invoke("replay", "in.ipynb", url)
    assert done.code == 2
    assert "this work log is there already, and is evidence" in done.err
    assert place.invoke("replay", "in.ipynb", url, "--overwrite").code == 1
    done = place.invoke("replay", "in.ipynb", f"file://{place.folder}/none/out.ipynb")
    assert (done.code, done.out) == (2, "")
    assert f"file://{place.folder}/none/out.ipynb: the work log can't be written: there is no such" in done.err


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (("in.ipynb", "s3://bucket/out.ipynb"), "s3:// is not installed: Install s3fs", "jupyter-runbook[s3]"),
        (("gs://bucket/in.ipynb",), "gs:// is not installed: Please install gcsfs", "jupyter-runbook[gs]"),
        (("in.ipynb", "https://host/out.ipynb"), "nothing can be written to https://", "name a file"),
        (("nope://host/in.ipynb",), "there is no kind of place called nope://", "there are s3://"),
    ],
)
def test_what_can_not_be_said_so(place: Place, words: tuple[str, ...], said: str, hint: str) -> None:
    write(place.folder / "in.ipynb", ["1"])
    done = place.invoke("replay", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert hint in done.err
    assert len(done.err.splitlines()) <= 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-", "-"),
        ("a/b.ipynb", None),
        ("https://user:pass@host:1/a.ipynb?sig=x#y", "https://host:1/a.ipynb"),
        ("s3://bucket/a.ipynb", "s3://bucket/a.ipynb"),
    ],
)
def test_names(text: str, shown: str | None) -> None:
    assert is_place(text) is (shown is not None)
    assert shown is None or named(text) == shown


def test_a_byte_order_mark_is_read(place: Place) -> None:
    path = write(place.folder / "in.ipynb", ["x = 1"], {0: ["parameters"]})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (place.folder / "p.yaml").write_bytes(b"\xef\xbb\xbfx: 2\n")
    done = place.invoke("replay", "in.ipynb", "out.ipynb", "-f", "p.yaml")
    assert done.code == 0, done.err
    assert place.load("out.ipynb").metadata.runbook.parameters == {"x": 2}
    assert place.invoke("params", "in.ipynb").code == 0


def test_magics_in_the_parameters_cell_and_a_second_one(place: Place) -> None:
    cell = "home = %env HOME\n%pwd\nx = 1\nlist?\nfiles = !ls"
    write(place.folder / "in.ipynb", [cell, "y = 2", "print(x, y)"], {0: ["parameters"], 1: ["parameters"]})
    done = place.invoke("replay", "in.ipynb", "out.ipynb", "-p", "x", "5")
    assert done.code == 0, done.err
    for line in (1, 5):
        assert f"in.ipynb, cell 1, line {line}: this is IPython's own; no parameter is read from it" in done.err
    assert "in.ipynb, cell 2: a second cell is tagged parameters; the first one is taken" in done.err
    assert place.load("out.ipynb").cells[-1].outputs[0].text == "5 2\n"
    write(place.folder / "bad.ipynb", ["x = 1\ny = = 2"], {0: ["parameters"]})
    done = place.invoke("replay", "bad.ipynb", "out2.ipynb", "-p", "x", "5")
    assert done.code == 2
    assert "bad.ipynb, cell 1, line 2: the parameters cell is no Python" in done.err


@pytest.mark.parametrize("where", ["notebook", "cell"])
def test_metadata_that_is_no_json_is_refused(place: Place, where: str) -> None:
    path = write(place.folder / "in.ipynb", ["1"])
    value = json.loads(path.read_text())
    (value if where == "notebook" else value["cells"][0])["metadata"]["x"] = float("nan")
    path.write_text(json.dumps(value))
    done = place.invoke("replay", "in.ipynb", "out.ipynb")
    assert (done.code, done.out) == (2, "")
    assert "metadata can't be written: JSON has no nan" in done.err
    assert not (place.folder / "out.ipynb").exists()
