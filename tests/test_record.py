"""The step record: its schema, its size, its digest, and what it must not hold."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runbook.canonical import canonical
from jupyter_runbook.errors import InvalidSpec, StepError, Where
from jupyter_runbook.plan import Action
from jupyter_runbook.record import (
    Actor,
    Approval,
    Attempt,
    ChangeRecord,
    ChangeStatus,
    ErrorRecord,
    Log,
    Status,
    StepRecord,
    schema,
    utc,
)
from jupyter_runbook.seal import SIZE_LIMIT, seal
from jupyter_runbook.secret.redact import Redactor

TIME = "2026-11-24T22:42:55.123Z"
ROW = ChangeRecord(
    "script make-key", "script", Action.RUN, ChangeStatus.CHANGED, "key is absent", None, {"a": 1}, "+a: 1", 0.1
)
DRAFT = StepRecord(
    id="1",
    run="r",
    cell_id="c",
    name="make-key",
    provider="shell",
    target="localhost",
    mode="apply",
    status=Status.FAILED,
    changes=(ROW,),
    summary="1 changed",
    spec_digest="0" * 64,
    plan_digest="1" * 64,
    source_digest="2" * 64,
    started=TIME,
    ended=TIME,
    seconds=0.2,
    actor=Actor("me", "here", "12"),
    versions={"jupyter-runbook": "0.1"},
    approval=Approval("me", TIME, "1" * 64, "yes", "all clear"),
    attempts=(Attempt(TIME, TIME, ErrorRecord("timeout", "too long", "script make-key", "wait")), Attempt(TIME, TIME)),
    error=ErrorRecord("tool", "exit 1"),
    log=Log(".runbook/logs/1.log", "3" * 64, 10, 2, "head\n", "tail\n"),
    prev="4" * 64,
)
NOTHING = Redactor({})
# Records of real steps, in the wire form. The JupyterLab extension's tests show the same files.
EXAMPLES = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted(Path(__file__).with_name("records").glob("*.json"))
}


def check(record: StepRecord) -> dict[str, Any]:
    wire = json.loads(json.dumps(record.wire()))
    jsonschema.validate(wire, schema(), cls=jsonschema.Draft202012Validator)
    assert len(canonical(wire)) <= SIZE_LIMIT
    return wire  # type: ignore[no-any-return]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "draft",
    [
        DRAFT,
        replace(
            DRAFT,
            cell_id=None,
            target=None,
            spec_digest=None,
            plan_digest=None,
            source_digest=None,
            approval=None,
            attempts=(),
            error=None,
            log=None,
            prev=None,
            changes=(),
        ),
    ],
)
def test_the_wire_form_fits_the_schema_and_comes_back(draft: StepRecord) -> None:
    record = seal(draft, NOTHING)
    wire = check(record)
    assert StepRecord.from_wire(wire) == record
    assert record.digest == record.compute_digest() == StepRecord.from_wire(wire).compute_digest()


def test_there_are_examples_of_every_status() -> None:
    assert {wire["status"] for wire in EXAMPLES.values()} == set(Status) - {Status.NOT_RUN}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_fits_the_schema_and_comes_back(name: str) -> None:
    record = StepRecord.from_wire(EXAMPLES[name])
    assert check(record) == EXAMPLES[name]
    assert record.digest == record.compute_digest()


def test_the_schema_names_every_field_and_no_other() -> None:
    said = schema()
    wire = seal(DRAFT, NOTHING).wire()
    for shape, value in [
        (said, wire),
        (said["$defs"]["change"], wire["changes"][0]),  # type: ignore[index]
        (said["properties"]["actor"], wire["actor"]),
        (said["properties"]["log"]["anyOf"][1], wire["log"]),
        (said["properties"]["approval"]["anyOf"][1], wire["approval"]),
        (said["$defs"]["errorOrNull"]["anyOf"][1], wire["error"]),
    ]:
        assert set(shape["required"]) == set(shape["properties"]) == set(value)  # type: ignore[arg-type]


def test_any_change_of_a_record_shows_in_its_digest() -> None:
    wire = seal(DRAFT, NOTHING).wire()
    for name in set(wire) - {"schema", "digest", "changes", "attempts", "actor", "tool", "status", "error", "log"}:
        other = {"approval": None, "mode": "check", "seconds": 9.5}.get(name, "edited")
        edited = StepRecord.from_wire({**wire, name: other})
        assert edited.compute_digest() != wire["digest"], name


def test_what_is_absent_is_null() -> None:
    row = replace(ROW, reason="", diff="")
    wire = check(seal(replace(DRAFT, changes=(row,), error=ErrorRecord("tool", "", "", "")), NOTHING))
    assert wire["changes"][0]["reason"] is None
    assert wire["changes"][0]["diff"] is None
    assert wire["error"] == {"kind": "tool", "message": "tool", "resource": None, "hint": None}


def test_a_secret_is_nowhere_in_a_record() -> None:
    text = "it is hunter2 here"
    row = replace(ROW, resource=text, kind=text, reason=text, before={text: [text]}, after=text, diff=text)
    bad = ErrorRecord("tool", text, text, text)
    draft = replace(
        DRAFT,
        name=text,
        target=text,
        summary=text,
        changes=(row,),
        error=bad,
        attempts=(Attempt(TIME, TIME, bad),),
        approval=Approval("me", TIME, "1" * 64, "yes", text),
        log=Log(None, "3" * 64, 10, 2, text, text),
    )
    record = seal(draft, Redactor({"hunter2": "db"}))
    shown = json.dumps(check(record))
    assert "hunter2" not in shown
    assert shown.count("[secret db]") == 19


def test_redacting_leaves_status_and_digests_alone() -> None:
    wire = check(seal(DRAFT, Redactor({"1": "one", "changed": "word", "failed": "word", "2026": "year"})))
    assert wire["status"] == "failed"
    assert wire["changes"][0]["status"] == "changed"
    assert wire["plan_digest"] == "1" * 64
    assert wire["started"] == TIME


BIG = [
    [replace(ROW, after="x" * 300_000, diff="\n".join("+" + "y" * 70 for _ in range(9000)))],
    [replace(ROW, resource=f"row {i}", after={"n": i}) for i in range(20_000)],
    [replace(ROW, resource="ü" * 3000, reason="ü" * 3000, after="ü" * 3000, diff="+ü" * 3000) for _ in range(200)],
    [replace(ROW, resource=f"row {i}", after="x" * 20_000) for i in range(12)]
    + [replace(ROW, resource=f"small {i}") for i in range(100)],
]


@pytest.mark.parametrize("rows", BIG, ids=["one huge", "many", "all long", "mixed"])
def test_a_record_is_cut_to_size(rows: list[ChangeRecord]) -> None:
    failed = replace(ROW, resource="the one that failed", status=ChangeStatus.FAILED)
    wire = check(seal(replace(DRAFT, changes=(*rows, failed)), NOTHING))
    assert len(canonical(wire)) > SIZE_LIMIT // 8
    assert wire["changes"][-1]["resource"] == "the one that failed"
    assert wire["changes"][-1]["diff"] == "+a: 1"
    assert [row["resource"] for row in wire["changes"]] == sorted(
        [row["resource"] for row in wire["changes"]],
        key=lambda name: [*(row.resource[:59] for row in rows), failed.resource].index(name[:59]) if name else 0,
    )
    left = len(rows) + 1 - len(wire["changes"])
    assert (f"({left} rows are in the log alone)" in wire["summary"]) is (left > 0)


def test_a_long_diff_keeps_its_whole_first_lines() -> None:
    wire = check(seal(replace(DRAFT, changes=tuple(BIG[0])), NOTHING))
    shown = wire["changes"][0]["diff"].splitlines()
    assert set(shown[:-1]) == {"+" + "y" * 70}
    assert shown[-1] == f"… {9000 - len(shown) + 1} lines more"
    assert wire["changes"][0]["after"] == {"bytes": 300_002, "sha256": wire["changes"][0]["after"]["sha256"]}


@given(st.lists(st.tuples(st.text(max_size=4000), st.integers(1, 40)), max_size=6))
@settings(max_examples=40)
def test_no_rows_make_a_record_too_large(rows: list[tuple[str, int]]) -> None:
    made = tuple(replace(ROW, after=text * times, diff=text * times, reason=text) for text, times in rows) * 20
    check(seal(replace(DRAFT, changes=made), NOTHING))


def test_errors_become_records_with_their_place() -> None:
    error = InvalidSpec("the key 'a' is\nthere twice", where=Where("x.ipynb", "3", 2), hint="keep one")
    assert ErrorRecord.of(error) == ErrorRecord(
        "invalid-spec", "x.ipynb, cell 3, line 2: the key 'a' is there twice", None, "keep one"
    )
    assert ErrorRecord.of(StepError("")).message == "StepError"


@pytest.mark.parametrize("value", [{}, [], None, {"schema": "step.v2"}, {"schema": "step.v1", "id": "x"}])
def test_what_is_no_record_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=re.escape("step.v1")):
        StepRecord.from_wire(value)


def test_times_are_utc_with_milliseconds() -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 6789, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert utc(moment) == "2026-01-02T01:04:05.006Z"
