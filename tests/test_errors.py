"""The hierarchy of errors: what people read, and what callers can catch."""

import inspect
import pickle
from dataclasses import replace

import pytest

from jupyter_runbook import errors
from jupyter_runbook.errors import BadInput, InvalidSpec, RunbookError, StepFailed, StepTimeout, Unreachable, Where
from jupyter_runbook.record import ErrorRecord, Status
from tests.test_record import DRAFT

ALL = [value for name in errors.__all__ if inspect.isclass(value := getattr(errors, name))]
LEAVES = [value for value in ALL if issubclass(value, RunbookError) and value is not StepFailed]


def test_every_error_is_exported_and_drawn_in_the_docstring() -> None:
    defined = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, RunbookError)
    }
    assert defined <= set(errors.__all__)
    assert errors.__doc__ is not None
    for name in defined:
        assert name in errors.__doc__


def test_an_error_is_place_and_message_then_the_hint() -> None:
    error = InvalidSpec("key 'image' is there twice", line=4, hint="keep one of\nthe two")
    assert str(error.at(file="web.ipynb", cell="2")) == (
        "web.ipynb, cell 2, line 4: key 'image' is there twice\n→ keep one of the two"
    )


def test_a_place_that_is_known_already_is_kept() -> None:
    error = InvalidSpec("no", where=Where(file="site.yml", line=3)).at(file="web.ipynb", cell="2")
    assert error.where == Where("site.yml", "2", 3)


def test_an_error_is_never_more_than_three_lines() -> None:
    assert len(RunbookError("one\ntwo\nthree\nfour", hint="do this").lines()) == 3


def test_an_empty_message_is_still_a_line() -> None:
    assert RunbookError("").lines() == [""]


@pytest.mark.parametrize("leaf", LEAVES)
def test_an_error_survives_being_handed_between_processes(leaf: type[RunbookError]) -> None:
    error = leaf("no route", hint="look at the cable", resource="host a").at(file="f", cell="1")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.resource) == (leaf, str(error), "host a")


@pytest.mark.parametrize(
    ("error", "builtin"), [(BadInput, ValueError), (StepTimeout, TimeoutError), (Unreachable, ConnectionError)]
)
def test_callers_who_know_nothing_of_us_can_catch_it(error: type[RunbookError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="no route"):
        raise error("no route")


@pytest.mark.parametrize(("name", "code"), [("InvalidSpec", 2), ("StalePlan", 3), ("Interrupted", 130), ("Partial", 1)])
def test_each_error_has_its_exit_code(name: str, code: int) -> None:
    assert getattr(errors, name).exit_code == code


def test_ipython_shows_the_lines_and_no_traceback() -> None:
    assert Unreachable("no route", hint="look")._render_traceback_() == [
        "Unreachable (unreachable): no route",
        "→ look",
    ]


@pytest.mark.parametrize(
    ("error", "lines", "code"),
    [
        (
            ErrorRecord("tool", "exit status 3", "script x", "look at line 2"),
            ["StepFailed (tool): make-key: script x: exit status 3", "→ look at line 2"],
            1,
        ),
        (
            ErrorRecord("stale-plan", "the plan of script x changed", "script x"),
            ["StepFailed (stale-plan): make-key: the plan of script x changed"],
            3,
        ),
        (ErrorRecord("not-approved", "nobody"), ["StepFailed (not-approved): make-key: nobody"], 3),
    ],
)
def test_a_failed_step_is_told_from_its_record(error: ErrorRecord, lines: list[str], code: int) -> None:
    raised = StepFailed(replace(DRAFT, error=error))
    assert raised._render_traceback_() == lines
    assert raised.exit_code == code
    again = pickle.loads(pickle.dumps(raised))
    assert (again._render_traceback_(), again.record) == (lines, raised.record)


def test_an_interrupted_step_says_so() -> None:
    raised = StepFailed(replace(DRAFT, error=None, status=Status.INTERRUPTED, summary="stopped after 3 s"))
    assert raised._render_traceback_() == ["StepFailed (interrupted): make-key: stopped after 3 s"]
    assert raised.exit_code == 130
