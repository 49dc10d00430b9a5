"""The form of a runbook's parameters: what each is, and what becomes of what is typed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.display.params import params_html, params_text
from jupyter_runbook.errors import Where
from jupyter_runbook.form import MISSING, Field, form_of, text_of
from jupyter_runbook.parameters import Parameter, declared_in
from jupyter_runbook.secret import Secret
from jupyter_runbook.secret.redact import Redactor

CELL = """
site = "berlin"  # the site's <b>name</b>
replicas: int = 3
ratio = 0.5
debug = False  # say more
size: Literal["s", "m", "l"] = "m"
tier = "web"  # where; one of: web, store
image: str | None = None
hosts = ["a"]
owner: str  # who is called
made = open("x")
db_password = ""
"""


def fields(names: dict[str, Any] | None = None, cell: str = CELL) -> dict[str, Field]:
    return {one.parameter.name: one for one in form_of(declared_in(cell, Where("a.ipynb", "1")), names or {})}


def test_a_form_has_the_notebooks_values_and_else_the_defaults() -> None:
    found = fields({"site": "paris", "debug": True, "owner": "ada"})
    assert {name: one.value for name, one in found.items()} == {
        "site": "paris",
        "replicas": 3,
        "ratio": 0.5,
        "debug": True,
        "size": "m",
        "tier": "web",
        "image": None,
        "hosts": ["a"],
        "owner": "ada",
        "made": MISSING,
        "db_password": "",
    }
    assert {name: one.kind for name, one in found.items() if one.kind != "text"} == {
        "debug": "switch",
        "size": "choice",
        "tier": "choice",
        "db_password": "secret",
    }
    assert {name for name, one in found.items() if one.is_default} == set(found) - {"site", "debug", "owner", "made"}
    assert found["made"].error == "the parameters cell has not run yet"
    assert fields()["owner"].error == "has to be given"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("replicas", "5", 5),
        ("ratio", "1", 1.0),
        ("site", "007", "007"),
        ("image", "None", None),
        ("image", "busybox", "busybox"),
        ("hosts", '["x", "y"]', ["x", "y"]),
        ("size", "l", "l"),
        ("owner", "ada", "ada"),
    ],
)
def test_what_fits_is_the_value(name: str, text: str, value: Any) -> None:
    field = fields()[name]
    field.enter(text)
    assert (field.value, type(field.value), field.error) == (value, type(value), None)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("replicas", "many", "takes int, not 'many'"),
        ("replicas", "", "takes int, not ''"),
        ("ratio", "a half", "takes float, not 'a half'"),
        ("hosts", "x", "takes a list (as JSON), not 'x'"),
        ("size", "xl", "takes one of s, m, l, not 'xl'"),
        ("tier", "cache", "takes one of web, store, not 'cache'"),
        ("db_password", "", "the secret db_password is empty"),
    ],
)
def test_what_does_not_fit_is_told_and_the_value_stays(name: str, text: str, told: str) -> None:
    field = fields()[name]
    before = field.value
    field.enter(text)
    assert (field.error, field.value) == (told, before)


def test_a_secret_is_shown_nowhere() -> None:
    found = fields({"db_password": "s3cr3t-db"})
    assert isinstance(found["db_password"].value, Secret)
    field = fields()["db_password"]
    field.enter("n3w")
    assert field.value == Secret("n3w", name="db_password")
    site = fields({"site": "x-s3cr3t-db-x"})["site"]
    for shown in (
        params_html([*found.values(), field, site], Redactor().text),
        params_text([*found.values(), field, site], Redactor().text),
        text_of(field.value),
        repr(field),
    ):
        assert "s3cr3t-db" not in shown
        assert "n3w" not in shown


def test_a_number_is_no_secret_whatever_its_name() -> None:
    field = fields(cell="token_count = 5\n")["token_count"]
    field.enter("6")
    assert (field.kind, field.value, field.error) == ("text", 6, None)


def test_the_values_as_text_and_as_a_table() -> None:
    found = fields({"site": "<i>paris</i>", "made": 1})
    found["replicas"].enter("many")
    text = params_text(list(found.values()))
    assert "  site        = <i>paris</i>  # the site's <b>name</b>\n" in text
    assert "  replicas    = 3  ✗ takes int, not 'many'\n" in text
    assert "  owner       = —  ✗ has to be given  # who is called\n" in text
    html = params_html(list(found.values()))
    assert "<i>" not in html
    assert "<b>" not in html
    assert "&lt;i&gt;paris&lt;/i&gt;</td>" in html
    assert "0.5 (default)</td>" in html
    assert ">s or m or l</td>" in html


def test_what_was_typed_stands_when_all_cells_are_run_again() -> None:
    known = declared_in(CELL, Where("a.ipynb", "1"))
    typed = {known["site"]: "paris", known["owner"]: "ada", known["replicas"]: 5}
    found = {one.parameter.name: one.value for one in form_of(known, {"site": "berlin", "replicas": 7}, typed)}
    assert (found["site"], found["owner"], found["ratio"]) == ("paris", "ada", 0.5)
    # A value that another cell has given it is newer, and so is another default.
    assert found["replicas"] == 7
    changed = declared_in(CELL.replace("berlin", "rome"), Where("a.ipynb", "1"))
    assert form_of(changed, {"site": "rome"}, typed)[0].value == "rome"


VALUES = {
    "str": st.text(),
    "int": st.integers(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "list": st.lists(st.one_of(st.integers(), st.text(), st.none(), st.booleans())),
    "dict": st.dictionaries(st.text(), st.integers()),
}


@pytest.mark.parametrize("kind", VALUES)
def test_the_text_of_a_value_means_that_value(kind: str) -> None:
    @given(VALUES[kind])
    def check(value: Any) -> None:
        assert Parameter("name", (kind,), None).value(text_of(value)) == value

    check()
