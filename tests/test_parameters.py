"""Parameters: what a runbook declares, and what the command line gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import BadInput
from jupyter_runbook.parameters import declared
from jupyter_runbook.replay.given import parse

CELL = """# What the site is.
%load_ext jupyter_runbook
site = "berlin"  # the site's name, ä
port = 80
ratio = 0.5
debug = False
hosts = ["a", "b"]  # where
labels = {}
free = None
image: str | None = None
count: "Optional[int]" = None
names: list[str] = []
made = open
a = b = 1
"""


def runbook(source: str = CELL, **metadata: Any) -> dict[str, Any]:
    metadata = metadata or {"tags": ["parameters"]}
    cells = [
        {"cell_type": "markdown", "source": "# A", "metadata": {"tags": ["parameters"]}},
        {"cell_type": "code", "source": source.splitlines(keepends=True), "metadata": metadata},
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4}


def test_what_a_cell_declares() -> None:
    found = declared(runbook(), "rb.ipynb")
    assert found is not None
    assert {one.name: (one.types, one.default, one.description) for one in found.values()} == {
        "site": (("str",), "'berlin'", "the site's name, ä"),
        "port": (("int",), "80", None),
        "ratio": (("float",), "0.5", None),
        "debug": (("bool",), "False", None),
        "hosts": (("list",), "['a', 'b']", "where"),
        "labels": (("dict",), "{}", None),
        "free": ((), "None", None),
        "image": (("str", "None"), "None", None),
        "count": (("int", "None"), "None", None),
        "names": (("list",), "[]", None),
        "made": ((), "open", None),
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("site", "1.10", "1.10"),
        ("site", "null", "null"),
        ("site", "", ""),
        ("image", "null", None),
        ("image", "007", "007"),
        ("port", "8080", 8080),
        ("port", "-1", -1),
        ("ratio", "1", 1.0),
        ("ratio", "1e-3", 0.001),
        ("debug", "true", True),
        ("debug", "False", False),
        ("hosts", '["x"]', ["x"]),
        ("hosts", "['x']", ["x"]),
        ("labels", '{"a": null}', {"a": None}),
        ("count", "None", None),
        ("count", "3", 3),
        ("free", "no", "no"),
        ("free", "007", "007"),
        ("free", "1.5", 1.5),
        ("free", "12:30", "12:30"),
        ("free", "2026-11-24", "2026-11-24"),
        ("free", "true", True),
        ("free", "{not json", "{not json"),
        ("made", "7", 7),
    ],
)
def test_a_text_is_read_as_the_type_that_is_declared(name: str, text: str, value: object) -> None:
    found = parse({name: text}, runbook(), "rb.ipynb")[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("port", "http", "rb.ipynb: the parameter port takes int, not 'http'"),
        ("port", "1.5", "rb.ipynb: the parameter port takes int, not 1.5"),
        ("port", "true", "rb.ipynb: the parameter port takes int, not True"),
        ("debug", "yes", "rb.ipynb: the parameter debug takes true or false, not 'yes'"),
        ("debug", "1", "rb.ipynb: the parameter debug takes true or false, not 1"),
        ("hosts", "a,b", "rb.ipynb: the parameter hosts takes a list (as JSON), not 'a,b'"),
        ("count", "x", "rb.ipynb: the parameter count takes int or None, not 'x'"),
        ("sites", "x", "rb.ipynb: it has no parameter sites\n→ did you mean site?"),
    ],
)
def test_what_does_not_fit_is_bad_input_with_its_name(name: str, text: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse({name: text}, runbook(), "rb.ipynb")
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def test_a_runbook_without_a_parameters_cell_takes_none() -> None:
    book = runbook(tags=[])
    assert parse({}, book, "rb.ipynb") == {}
    with pytest.raises(BadInput, match=r"rb\.ipynb: it takes no parameters\n→ tag the cell"):
        parse({"a": "1"}, book, "rb.ipynb")


def test_a_parameters_cell_that_is_no_python_is_named_with_its_line() -> None:
    with pytest.raises(BadInput, match=r"rb\.ipynb, cell 2, line 3: the parameters cell is no Python"):
        parse({"a": "1"}, runbook("a = 1\n!ls\nb = = 2\n"), "rb.ipynb")


@given(st.text())
def test_a_text_parameter_keeps_every_text(text: str) -> None:
    assert parse({"site": text}, runbook(), "rb.ipynb") == {"site": text}


_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.lists(_plain))
def test_a_list_in_json_is_that_list(value: list[Any]) -> None:
    assert parse({"hosts": json.dumps(value)}, runbook(), "rb.ipynb") == {"hosts": value}


@given(st.text())
def test_any_text_is_a_value_or_bad_input(text: str) -> None:
    for name in ("port", "ratio", "debug", "hosts", "labels", "count", "free"):
        try:
            parse({name: text}, runbook(), "rb.ipynb")
        except BadInput:
            continue


CHOICES = """size: Literal["s", "m", "l"] = "m"
level: "Literal[1, 2] | None" = None  # how loud
tier = "web"  # where it runs; one of: web, store or cache.
port = 80  # one of: 80, 443
host = "a"  # one of the hosts
odd = 3  # one of: x, y
free = None  # one of: [1], {}
"""


def test_the_choices_that_a_cell_names() -> None:
    found = declared(runbook(CHOICES), "rb.ipynb")
    assert found is not None
    assert {one.name: (one.types, one.choices) for one in found.values()} == {
        "size": (("str",), ("s", "m", "l")),
        "level": (("int", "None"), (1, 2)),
        "tier": (("str",), ("web", "store", "cache")),
        "port": (("int",), (80, 443)),
        "host": (("str",), ()),
        "odd": (("int",), ()),  # they are none of its type
        "free": ((), ()),
    }


def test_another_value_than_one_of_the_choices() -> None:
    assert parse({"size": "l", "port": "443", "level": "null"}, runbook(CHOICES), "rb.ipynb") == {
        "size": "l",
        "port": 443,
        "level": None,
    }
    for name, text, told in (
        ("size", "xl", "takes one of s, m, l, not 'xl'"),
        ("port", "8080", "takes one of 80, 443, not 8080"),
        ("level", "3", "takes one of 1, 2, not 3"),
        ("level", "x", "takes int or None, not 'x'"),
    ):
        with pytest.raises(BadInput) as caught:
            parse({name: text}, runbook(CHOICES), "rb.ipynb")
        assert caught.value.message == f"the parameter {name} {told}"
