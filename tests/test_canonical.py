"""Canonical values: equal values are equal bytes, secrets are masks, nothing has an address in it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.canonical import LOCAL, canonical, digest, plain
from jupyter_runbook.plan import Action
from jupyter_runbook.secret import Secret


@dataclass(frozen=True)
class Spec:
    image: str
    env: dict[str, Any]


CASES: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (2**53 - 1, 2**53 - 1),
    (2**53, "9007199254740992"),
    (float("nan"), "nan"),
    (float("-inf"), "-inf"),
    (1.0, 1.0),
    (1e21, "1e+21"),
    ("ü", "ü"),
    ("\udcff", "\\udcff"),
    (b"\x00\xff", "AP8="),
    (Path("a/b"), "a/b"),
    (dt.date(2026, 1, 2), "2026-01-02"),
    (Action.NO_OP, "no-op"),
    ({3, 1, 2}, [1, 2, 3]),
    ((1, [2]), [1, [2]]),
    ({1: "a"}, {"1": "a"}),
    ({None: 1}, {"null": 1}),
    (Secret("hunter2", name="db"), "[secret db]"),
    (Spec("nginx", {"PW": Secret("hunter2", name="db")}), {"image": "nginx", "env": {"PW": "[secret db]"}}),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=repr)
def test_values_become_json(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)
    assert json.loads(canonical(value)) == expected


def test_what_is_of_this_machine_alone_has_no_part_in_a_digest() -> None:
    @dataclass(frozen=True)
    class Folder:
        written: str
        path: str = field(metadata=LOCAL)

    assert plain(Folder("./app", "/home/a/app")) == {"written": "./app"}
    assert digest(Folder("./app", "/home/a/app")) == digest(Folder("./app", "/home/b/app"))
    assert digest(Folder("./app", "/home/a/app")) != digest(Folder("./other", "/home/a/app"))


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        plain({"a": [object()]})


def test_a_digest_is_the_sha256_of_the_rfc_8785_bytes() -> None:
    value = {"b": [1.0, 1e-07, "€"], "a": None}
    text = '{"a":null,"b":[1,1e-7,"€"]}'
    assert canonical(value) == text.encode()
    assert digest(value) == hashlib.sha256(text.encode()).hexdigest()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)


@given(VALUES)
def test_plain_values_are_json_and_stay_as_they_are(value: Any) -> None:
    once = plain(value)
    assert plain(once) == once
    assert json.loads(canonical(value)) == once


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_is_no_difference(value: dict[str, int]) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))
