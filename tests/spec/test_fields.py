"""The fields of a mapping: each by its type, each error with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.cell import Cell
from jupyter_runbook.spec.fields import Fields, duration
from jupyter_runbook.spec.yamltext import load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = """
a: text
number: 3
flag: true
list: [a, 1, false]
map: {x: y, z: 1.5}
nothing:
long: 99999999h
"""


def fields() -> Fields:
    return Fields(load_yaml(TEXT), (), "a thing")


def test_each_type_is_read() -> None:
    one = fields()
    assert [one.text(name) for name in ("a", "number", "flag", "absent")] == ["text", "3", "true", ""]
    assert (one.texts("list"), one.texts("a"), one.texts("absent")) == (("a", "1", "false"), ("text",), ())
    assert (one.mapping("map"), one.mapping("absent")) == ({"x": "y", "z": "1.5"}, {})
    assert (one.flag("flag", default=False), one.flag("absent", default=True)) == (True, True)
    assert (one.integers("number", []), one.integers("absent", [1, 2])) == ((3,), (1, 2))
    assert (one.seconds("number", 1), one.seconds("absent", 1.5)) == (3, 1.5)
    one.only("a", "number", "flag", "list", "map", "nothing", "long")


READS: list[tuple[Callable[[Fields], object], int, str]] = [
    (lambda one: one.text("list"), 5, "list: a text is needed, not a list"),
    (lambda one: one.text("nothing"), 7, "nothing: a text is needed, not nothing"),
    (lambda one: one.texts("map"), 6, "map: a text is needed, not a mapping"),
    (lambda one: one.mapping("a"), 2, "a: a mapping is needed, not 'text'"),
    (lambda one: one.flag("number", default=True), 3, "number: true or false is needed, not 3"),
    (lambda one: one.integers("flag", []), 4, "flag: a whole number, or a list of them is needed, not True"),
    (lambda one: one.integers("list", []), 5, "list: a whole number"),
    (lambda one: one.seconds("flag", 1), 4, "flag: a duration is needed"),
    (lambda one: one.seconds("number", 1, least=4), 3, "number: 3 is too short: 4 s or more is needed"),
    (lambda one: one.seconds("long", 1), 8, "long: 99999999h is too long: it can be 315360000 s at most"),
    (lambda one: one.only("a", "numbers", "flag", "list", "map", "nothing", "long"), 3, "a thing takes no number"),
]


@pytest.mark.parametrize(("read", "line", "message"), READS)
def test_another_type_is_an_error_with_its_line(read: Callable[[Fields], object], line: int, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        read(fields())
    assert caught.value.where.line == line
    assert caught.value.message.startswith(message)


def test_a_secret_stays_one_and_is_not_shown() -> None:
    names = {"word": Secret("hush-hush", name="word")}
    one = Fields(Cell("%%x", "a: '{{ word }}'\nb: '{{ word }}'", names=names).document(), (), "a thing")
    assert isinstance(one.text("a"), Secret)
    with pytest.raises(InvalidSpec) as caught:
        one.mapping("b")
    assert "hush" not in str(caught.value)
    with pytest.raises(InvalidSpec) as caught:
        one.seconds("b", 1)
    assert "hush" not in str(caught.value)


def test_a_raw_scalar_keeps_its_template() -> None:
    document = Cell("%%x", "- run: '{{ a }}'\n  say: '{{ a }}'", names={"a": 1}).document(lambda path: "run" in path)
    assert document.data == [{"run": "{{ a }}", "say": 1}]


DURATIONS = [
    (3, 3),
    (0.5, 0.5),
    ("3", 3),
    ("500ms", 0.5),
    ("1m30s", 90),
    ("2h32m", 9120),
    ("2.5s", 2.5),
    (".5s", 0.5),
    ("10us", 1e-5),
]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_durations(text: object, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "3 s", "-1", "1d", "1m30", "nan", "inf", True, None, "1e3"])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="a duration is needed"):
        duration(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    expected = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    assert duration(f"{hours}h{minutes}m{seconds}s{milliseconds}ms") == pytest.approx(expected)


@given(st.text())
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    try:
        assert duration(text) >= 0
    except ValueError as error:
        assert "a duration is needed" in str(error)  # noqa: PT017 -- either of the two
