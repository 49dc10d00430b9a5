"""A secret shows itself as a mask, whatever is done to show it."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import string
import traceback
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.secret import MASK, Secret, no_masks

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE = "s3cr3t-Kä'$&\"<>"
SECRET = Secret(VALUE, name="db")


@dataclass(frozen=True)
class Holder:
    password: Secret


RENDERINGS: dict[str, Callable[[Any], str]] = {
    "str": str,
    "repr": repr,
    "f-string": lambda s: f"{s} {s!r} {s!s} {s!a} {s:>40}",
    "format": lambda s: string.Formatter().format("{0} {0:10}", s),
    "percent": lambda s: "%s %r" % (s, s),  # noqa: UP031 -- this rendering is what is tried
    "list": lambda s: str([s, {s: s}]),
    "pprint": lambda s: pprint.pformat({"a": s}),
    "dataclass": lambda s: str(asdict(Holder(s))) + repr(Holder(s)),
    "json with str": lambda s: json.dumps({"a": s}, default=str),
    "logging": lambda s: logging.LogRecord("n", 1, "f", 1, "%s", (s,), None).getMessage(),
    "attributes": lambda s: str([getattr(s, name) for name in dir(s) if name in ("name", "mask")]),
    "help": lambda s: str(dir(s)),
}


@pytest.mark.parametrize("how", RENDERINGS)
def test_no_rendering_shows_it(how: str) -> None:
    shown = RENDERINGS[how](SECRET)
    assert "s3cr3t" not in shown
    assert how in ("attributes", "help") or "[secret db]" in shown


def test_a_traceback_with_locals_does_not_show_it() -> None:
    password = Secret("top-" + "hidden", name="db")
    with pytest.raises(ValueError, match="refused") as caught:
        raise ValueError(f"refused {password}")
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "password = [secret db]" in shown
    assert "top-hidden" not in shown


def test_it_is_not_written_out() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(SECRET)
    with pytest.raises(TypeError):
        json.dumps(SECRET)
    assert not hasattr(SECRET, "__dict__")


def test_it_has_no_length_and_no_characters() -> None:
    uses: list[Callable[[Any], object]]
    uses = [len, list, lambda s: s[0], lambda s: "s3" in s, lambda s: s + "x", lambda s: "x" + s]
    for use in uses:
        with pytest.raises(TypeError):
            use(SECRET)


def test_reveal_gives_it_and_equality_is_by_text() -> None:
    assert SECRET.reveal() == VALUE
    assert Secret(VALUE, name="other") == SECRET
    assert hash(Secret(VALUE, name="other")) == hash(SECRET)
    assert Secret("x", name="db") != SECRET
    assert SECRET != VALUE
    assert copy.deepcopy([SECRET])[0] is copy.copy(SECRET) is SECRET


@pytest.mark.parametrize(("value", "name"), [("", "db"), ("x", ""), ("x", "a]b"), ("x", "a\nb")])
def test_an_empty_text_or_a_name_that_no_mask_can_hold_is_refused(value: str, name: str) -> None:
    with pytest.raises(ValueError, match="secret"):
        Secret(value, name=name)


def test_a_mask_is_known_again() -> None:
    found = MASK.search(f"https://me:{SECRET}@host")
    assert found is not None
    assert found.group(1) == "db"


def test_where_masks_are_forbidden_it_raises_instead() -> None:
    for show in (str, repr, lambda s: f"{s}", lambda s: str([s])):
        with pytest.raises(TypeError, match="the secret db can't be made into plain text here"), no_masks():
            show(SECRET)
    assert str(SECRET) == "[secret db]"
