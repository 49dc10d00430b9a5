"""What a value has to be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.providers.probe.comparison import comparison
from jupyter_runbook.secret import Secret

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@pytest.mark.parametrize(
    ("wanted", "good", "bad"),
    [
        ("> 3", [4, 3.5], [3, "4", None, True, [4]]),
        (">=3", [3, 3.0], [2, False]),
        ("< 0.5", [0, -1.5], [0.5, "0"]),
        ("<= -2", [-2, -3], [-1]),
        ("!= 3", [4, "3", None, True], [3, 3.0]),
        ("!= ready", ["late", 1], ["ready"]),
        ("== ready", ["ready"], ["== ready", "late"]),
        ("ready", ["ready"], ["Ready", None]),
        (1, [1, 1.0], [True, "1"]),
        (True, [True], [1, "true"]),
        (None, [None], [False, 0, ""]),
        ([1, {"a": "b"}], [[1, {"a": "b"}]], [[{"a": "b"}, 1]]),
        (Secret("hidden", name="word"), ["hidden"], ["[secret word]"]),
    ],
)
def test_what_holds_and_what_does_not(wanted: Any, good: list[Any], bad: list[Any]) -> None:
    one = comparison(wanted)
    assert [value for value in good if not one.holds(value)] == []
    assert [value for value in bad if one.holds(value)] == []


@pytest.mark.parametrize("text", ["> many", ">=", "< ", "=="])
def test_an_operator_needs_a_number(text: str) -> None:
    with pytest.raises(ValueError, match="a comparison with a number is needed"):
        comparison(text)


@given(JSON)
def test_a_value_equals_itself(value: Any) -> None:
    try:
        one = comparison(value)
    except ValueError:
        return
    assert one.sign != "==" or one.wanted != value or one.holds(value)
