"""Files that nobody of ours wrote: whatever is in them, a command ends in good order, with an error for people."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from jupyter_runbook.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = "application/vnd.jupyter-runbook.step.v1+json"
OUTPUTS = [
    {"output_type": "display_data", "data": {"text/plain": "x", RECORD: {"schema": "step.v1"}}, "metadata": {}},
    {"output_type": "stream", "name": "stdout", "text": "a"},
    {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]},
]
CODE = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": OUTPUTS, "execution_count": 1}
NOTEBOOK: dict[str, Any] = {
    "cells": [
        {**CODE, "id": "p", "metadata": {"tags": ["parameters"]}, "source": "port: int = 80", "outputs": []},
        {**CODE, "source": "%%shell --name x\ntrue"},
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# hi"},
    ],
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "p"},
        "runbook": {"run": "x", "user": "u", "host": "h", "started": "2026-01-01T00:00:00Z", "status": "done"},
        "papermill": {"parameters": {"a": 1}},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}
LONG = "9" * 5000
#: What may stand in any place, as JSON's text.
VALUES = (
    "1",
    "null",
    "[1,null,{}]",
    '{"a":1}',
    "true",
    "[" * 900 + "]" * 900,
    '"\\ud800x"',
    '"\\u0000"',
    '""',
    "1e999",
    LONG,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def replaced(path: tuple[Any, ...], text: str) -> str:
    """Return the notebook's text with another text of JSON in one place."""
    if not path:
        return text
    made = copy.deepcopy(NOTEBOOK)
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "@@"
    return json.dumps(made).replace('"@@"', text)


def ends_well(*words: str) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code in (0, 2), (words, done.output[-500:])
    assert "report it" not in done.output
    assert "Traceback" not in done.output


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("text", VALUES, ids=[one[:12] for one in VALUES])
def test_a_notebook_with_anything_anywhere(text: str) -> None:
    for number, path in enumerate(places(NOTEBOOK)):
        Path("f.ipynb").write_text(replaced(path, text))
        ends_well(*[["status", "--json"], ["report", "-o", "f.html"]][number % 2], "f.ipynb")
        ends_well(*[["params"], ["status"]][number % 2], "f.ipynb")


SOURCES = (
    f"x: int = {LONG}",
    "x = " + "[" * 500 + "]" * 500,
    "x = '\\ud800'",
    "x = 2020-99-99",
    "a: list = [1,",
    "\0",
    "x = b'a'",
    "x: 'foo' = 1",
    "x: '" + "(" * 500 + "' = 1",
    "x = 1e999",
    "x = " + "-" * 3000 + "1",
    "x = " + "(" * 1000 + "1" + ")" * 1000,
    "x: " + "a | " * 2000 + "b = 1",
)


@pytest.mark.parametrize("source", SOURCES, ids=[one[:12] for one in SOURCES])
def test_parameters_of_any_source(source: str) -> None:
    made = copy.deepcopy(NOTEBOOK)
    made["cells"][0]["source"] = source
    Path("f.ipynb").write_text(json.dumps(made))
    for words in (["params"], ["params", "--json"], ["replay", "-p", "nobody", "1"]):
        ends_well(*words, "f.ipynb")


GIVEN = (
    "a: !!int x",
    "a: 2020-99-99",
    f"a: {LONG}",
    "a: " + "[" * 3000,
    "a: &a [*a]",
    "a: !!python/object:os.system x",
    "a: !!binary '@'",
    "? [1,2]\n: 3",
    "a: !!float x",
    "a: !!timestamp x",
    "a: !!bool x",
    "a: \x00",
    "- 1",
    "a: 1\na: 2",
    "a: !!omap x",
    "a: 0x" + "f" * 5000,
    "a: .nan",
    "a: " + "{b: " * 2000,
    "a: *x",
    "%YAML 9.9\n---\na: 1",
    "a: !!set {x}",
    'a: "\\ud800"',
    'a: "\\U00110000"',
    "&x a: *x",
    "<<: 1",
    "a: 2020-13-45T99:99:99Z",
    "a:\tb",
    "port: 80\n---\nport: 81",
)


@pytest.mark.parametrize("text", GIVEN, ids=[one[:12] for one in GIVEN])
def test_parameters_of_any_file(text: str) -> None:
    Path("f.ipynb").write_text(json.dumps(NOTEBOOK))
    Path("v.yml").write_text(text)
    done = CliRunner().invoke(main, ["replay", "f.ipynb", "out.ipynb", "-f", "v.yml"])
    assert done.exit_code == 2, done.output
    assert "report it" not in done.output
    assert not Path("out.ipynb").exists()
