"""A magic's line: options, their values, and what is wrong with them in one line."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.options import Option, StepOptions, help_text, parse_options, split

OWN = (
    Option(("-i", "--inventory"), "where the hosts are", "FILE"),
    Option(("--creates",), "a path", "PATH", many=True),
    Option(("--unless",), "a command", "CMD", template=False),
    Option(("--become",), "as root"),
)
NAMES = {"site": "north pole", "n": 3, "pw": Secret("hunter2", name="db"), "empty": ""}
DEFAULTS: dict[str, Any] = {"inventory": None, "creates": [], "unless": None, "become": False}

GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("", {}, {}),
    ("--check --absent --confirm", {"check": True, "absent": True, "confirm": True}, {}),
    (
        "--name 'a b' --timeout 1.5 --retries 2 --delay .5",
        {"name": "a b", "timeout": 1.5, "retries": 2, "delay": 0.5},
        {},
    ),
    ("--name=x --out servers --plan 0123abcd", {"name": "x", "out": "servers", "plan": "0123abcd"}, {}),
    ("--when \"site == 'x' and '{{' not in y\"", {"when": "site == 'x' and '{{' not in y"}, {}),
    ("--expect failed", {"expect": "failed"}, {}),
    ("--name {{ site }} --retries {{ n }}", {"name": "north pole", "retries": 3}, {}),
    ('--name "to {{ site | replace(" ", "-") }}!"', {"name": "to north-pole!"}, {}),
    ("-i hosts.ini --become", {}, {"inventory": "hosts.ini", "become": True}),
    ("--creates a --creates {{ site }}/b", {}, {"creates": ["a", "north pole/b"]}),
    ("--unless 'test -e {{ site }}'", {}, {"unless": "test -e {{ site }}"}),
]

BAD = [
    ("--chek", "%%x: there is no option --chek", "did you mean --check?"),
    ("--zzz", "there is no option --zzz", "--help"),
    ("--tim 3", "no option --tim", "--timeout"),
    ("word", "can't take the word word", "--help"),
    ("--name", "--name needs a value", ""),
    ("--name --check", "--name needs a value", ""),
    ("--name 'a", "a quote is not closed", "close it"),
    ("--name a --name b", "--name is there twice", "keep one"),
    ("--check=1", "ignored explicit argument", "--help"),
    ("--timeout 0", "--timeout is a number of seconds above 0, not '0'", ""),
    ("--timeout nan", "not 'nan'", ""),
    ("--timeout 1e9", "not '1e9'", ""),
    ("--retries -1", "--retries is a whole number of tries, not '-1'", ""),
    ("--retries 1.5", "--retries is a whole number of tries, not '1.5'", ""),
    ("--plan 0123abc", "8 or more of its first hex digits", ""),
    ("--out 1a", "--out is the name of a Python variable, not '1a'", ""),
    ("--out class", "not 'class'", ""),
    ("--expect ok", "takes the word failed alone, not 'ok'", ""),
    ("--name {{ nobody }}", "'nobody' is undefined", "define it"),
    ("--name {{ pw }}", "--name can't hold the secret db", "shown everywhere"),
    ("--name {{ empty }}", "--name is empty", "leave it out"),
    ("--name ''", "--name is empty", "leave it out"),
]


@pytest.mark.parametrize(("line", "shared", "own"), GOOD)
def test_options_are_read(line: str, shared: dict[str, Any], own: dict[str, Any]) -> None:
    assert parse_options(line, OWN, NAMES, magic="%%x") == StepOptions(**shared, own={**DEFAULTS, **own})


@pytest.mark.parametrize(("line", "message", "hint"), BAD)
def test_bad_options_are_refused_in_one_line(line: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(message)) as caught:
        parse_options(line, OWN, NAMES, magic="%%x")
    assert hint in (caught.value.hint or "")
    assert caught.value.where.line == 1
    assert len(caught.value.lines()) <= 2
    assert "hunter2" not in str(caught.value)


def test_help_names_every_option_and_has_the_example() -> None:
    text = help_text("x", ["Does x.", "", "lines of text"], OWN, "%%x --check\ntext")
    for flag in ("-i, --inventory FILE", "--creates PATH", "--name TEXT", "--expect failed", "  %%x --check\n  text"):
        assert flag in text
    assert max(map(len, text.splitlines())) <= 100


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1)))
def test_quoted_words_come_back(words: list[str]) -> None:
    import shlex

    if not any("{{" in word for word in words):
        assert split(shlex.join(words)) == words


@given(st.text())
def test_any_line_is_read_or_refused(line: str) -> None:
    with contextlib.suppress(InvalidSpec):
        assert isinstance(parse_options(line, OWN, NAMES, magic="%%x"), StepOptions)
