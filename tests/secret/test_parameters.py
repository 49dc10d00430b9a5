"""Parameters that are secret: numbers, lists and mappings too; and errors that quote none of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import BadInput, ToolFailed
from jupyter_runbook.providers.docker.compose.interpolate import read_env_file
from jupyter_runbook.replay.given import parse, values_of
from jupyter_runbook.replay.sealing import opened, split
from jupyter_runbook.secret import Secret, sealed, secrets_in
from jupyter_runbook.secret.excerpt import redacted
from jupyter_runbook.sources import _closed
from tests.replay.runs import LOAD, Place, write

if TYPE_CHECKING:
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["user", "password", "a", "secret"]), inner)
    ),
    max_leaves=8,
)


def test_what_is_secret_by_its_name_is_so_whatever_its_type() -> None:
    assert sealed("api_token", 83917265) == Secret("83917265", name="api_token")
    assert sealed("pin_secret", "abc") == Secret("abc", name="pin_secret")
    assert sealed("site", 83917265) == 83917265
    assert sealed("use_token", value=True) is True
    assert sealed("db_password", "") == ""
    assert sealed("creds", {"user": "x", "password": "y", "more": [{"token": 7}]}) == {
        "user": "x",
        "password": Secret("y", name="n"),
        "more": [{"token": Secret("7", name="n")}],
    }
    assert sealed("passwords", ["one"]) == [Secret("one", name="n")]
    assert str(sealed("password", {"a": ["one"]})) == "{'a': [[secret password.a.0]]}"


@given(st.sampled_from(["creds", "password", "site"]), JSON)
def test_what_is_handed_over_comes_out_as_it_was_and_what_is_written_has_no_secret(name: str, value: Any) -> None:
    closed = sealed(name, value)
    assert _closed(json.loads(json.dumps(opened(closed)))) == closed
    written, secrets = split({name: value})
    assert not secrets_in(written)
    assert (name in secrets) == bool(secrets_in(closed))
    json.dumps(written)


def notebook(source: str) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "source": source, "metadata": {"tags": ["parameters"]}}]}


BROKEN = {
    "an open quote": 'db_password: "hunter2-x\nsite: a\n',
    "an alias": "db_password: *hunter2-x\n",
    "a tag": "db_password: !hunter2-x\n",
    "a type": "db_password: !!int hunter2-x\n",
    "a colon": "db_password: hunter2-x: y\n",
    "a tab": "db_password:\n\thunter2-x\n",
    "a brace": "db_password: {hunter2-x\n",
    "a percent": "db_password: %hunter2-x\n",
    "an at sign": "db_password: @hunter2-x\n",
    "a backquote": "db_password: `hunter2-x\n",
    "two anchors": "db_password: &hunter2-x &hunter2-x a\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_file_of_parameters_that_is_broken_is_not_quoted(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse({}, notebook("db_password = 1\nsite = 2"), "a.ipynb", values_of(text, "given.yml"))
    assert "hunter2-x" not in str(caught.value)
    assert "given.yml" in str(caught.value)


def test_a_value_of_another_type_is_not_quoted_where_it_may_be_secret() -> None:
    source = "db_password: int = 1\ncreds: dict = {}\nsites: list = []"
    for given_text, values in (
        ({"db_password": "hunter2-x"}, None),
        ({"creds": '{"password": "hunter2-x"'}, None),
        ({"sites": "[hunter2-x"}, None),
        ({}, values_of("db_password: hunter2-x\n", "given.yml")),
        ({}, values_of("creds: hunter2-x\n", "given.yml")),
    ):
        with pytest.raises(BadInput, match="takes") as caught:
            parse(given_text, notebook(source), "a.ipynb", values)
        assert "hunter2-x" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["hunter2-x and more", "P=hunter2-x${", "P=hunter2-x$", "P=hunter2-x$ y", "P='hunter2-x"]
)
def test_a_line_of_an_env_file_is_not_quoted(line: str) -> None:
    text = f"A=1\n{line}\n"
    with pytest.raises(ValueError, match="line 2") as caught:
        read_env_file(text)
    assert "hunter2-x" not in str(caught.value)


def test_a_password_in_a_url_is_in_no_error() -> None:
    for url in ("tcp://user:hunter2-x@host:2375", "https://:hunter2-x@h/p?q#f", "ssh://a%40b:hunter2%2Dx@h"):
        error = ToolFailed(f"{url} does not answer: {url}", hint=f"look at {url}")
        assert "hunter2" not in str(error)
        assert "[secret password]@h" in str(error)
    for text in ("https://host:80/a@b", "user:pw@host", "see http://h/x:y@z", "a://b c:d@e"):
        assert redacted(text) == text


@pytest.mark.slow
def test_a_replay_keeps_secret_numbers_and_mappings_nowhere(tmp_path: Path) -> None:
    cells = [
        LOAD,
        "api_token = 0\ncreds = {}\npin_secret = ''",
        "print(api_token, creds, pin_secret, creds['user'], api_token.reveal(), creds['password'].reveal())",
        '%%shell\nprintf %s "{{ api_token }}" | wc -c',
    ]
    write(tmp_path / "a.ipynb", cells, {1: ["parameters"]})
    (tmp_path / "given").mkdir()
    (tmp_path / "given/given.yml").write_text("api_token: 83917265\ncreds: {user: anna, password: hunter2-x}\n")
    done = Place(tmp_path).command(
        "jupyter", "runbook", "replay", "a.ipynb", "-f", "given/given.yml", "-p", "pin_secret", "z9q"
    )
    assert done.code == 0, done.err
    (worklog,) = (tmp_path / "worklogs").glob("*.ipynb")
    (tmp_path / "given/given.yml").unlink()
    text = worklog.read_text("utf-8")
    assert "[secret api_token] {'user': 'anna', 'password': [secret creds.password]} [secret pin_secret] anna" in text
    assert '"creds": {' in text
    for path in [one for one in tmp_path.rglob("*") if one.is_file()]:
        raw = path.read_bytes()
        assert not [one for one in (b"83917265", b"hunter2-x", b"z9q") if one in raw], path
    assert not [one for one in ("83917265", "hunter2-x", "z9q") if one in done.out + done.err]
