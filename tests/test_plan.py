"""Plans: whole, without circles, named by what they do and not by their wording."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_runbook.plan import Action, Change, Plan, diff
from jupyter_runbook.secret import Secret

WEB = Change("server web", "server", Action.CREATE, "is not there", None, {"flavor": "small"}, ("network back",))
NET = Change("network back", "network", Action.NO_OP, "as it should be", {"mtu": 1500}, {"mtu": 1500})


def test_a_plan_counts_what_it_does() -> None:
    plan = Plan((NET, WEB))
    assert plan.summary == "1 to create, 1 unchanged"
    assert plan.work == (WEB,)
    assert Plan(()).summary == "nothing to do"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((NET, NET), "two changes of network back"),
        ((WEB,), "server web needs network back, which is not in the plan"),
        ((WEB, replace(NET, needs=("server web",))), "round in a circle"),
    ],
)
def test_a_plan_that_can_not_be_done_is_refused(changes: tuple[Change, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan(changes)


def test_the_digest_is_of_what_is_done() -> None:
    plan = Plan((NET, WEB))
    named = plan.digest("0" * 64)
    assert Plan((NET, replace(WEB, reason="other words"))).digest("0" * 64) == named
    others = [
        Plan((NET, WEB), target="elsewhere").digest("0" * 64),
        Plan((NET, replace(WEB, after={"flavor": "large"}))).digest("0" * 64),
        Plan((NET, replace(WEB, action=Action.REPLACE))).digest("0" * 64),
        Plan((NET, replace(WEB, needs=()))).digest("0" * 64),
        plan.digest("1" * 64),
    ]
    assert len({named, *others}) == len(others) + 1


@pytest.mark.parametrize(
    ("action", "judged", "remains"),
    [
        (Action.RUN, None, False),
        (Action.RUN, True, True),
        (Action.UPDATE, None, True),
        (Action.UPDATE, False, False),
        (Action.NO_OP, True, False),
    ],
)
def test_what_observing_again_can_judge_must_not_remain(action: Action, *, judged: bool | None, remains: bool) -> None:
    plan = Plan((Change("x", "x", action, "", judged=judged),))
    assert bool(plan.remaining) is remains


DIFFS: list[tuple[Any, Any, str | None]] = [
    (None, None, None),
    ({"a": 1}, {"a": 1}, None),
    (None, {"a": 1, "b": [2]}, "+a: 1\n+b:\n+- 2"),
    ({"a": 1}, None, "-a: 1"),
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3"),
    ("x\ny", "x\nz", "@@ -1,2 +1,2 @@\n x\n-y\n+z"),
    (None, {"pw": Secret("hunter2", name="db")}, "+pw: '[secret db]'"),
    (["x"] * 5000, ["y"], "-(5000 lines)\n+(1 lines)"),
]


@pytest.mark.parametrize(("before", "after", "expected"), DIFFS, ids=lambda value: repr(value)[:40])
def test_diffs(before: Any, after: Any, expected: str | None) -> None:
    assert diff(before, after) == expected


LINES = st.lists(st.text("abc \t", max_size=3), min_size=1, max_size=12)


@given(LINES, LINES)
def test_patch_turns_before_into_after_by_our_diff(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str]
) -> None:
    text = diff("\n".join(old) + "\n", "\n".join(new) + "\n")
    assume(text is not None and "@@" in text)
    folder = tmp_path_factory.mktemp("patch")
    (folder / "f").write_text("\n".join(old) + "\n")
    given_diff = f"--- f\n+++ f\n{text}\n"
    subprocess.run(["patch", "-s", "f"], cwd=folder, input=given_diff, text=True, check=True)  # noqa: S607
    assert (folder / "f").read_text() == "\n".join(new) + "\n"
