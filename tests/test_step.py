"""run(): every stage in its order, every ending in a record, nothing done that was not shown."""

from __future__ import annotations

import os
import signal
import threading
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.journal import Journal
from jupyter_runbook.record import Approval, ChangeStatus, Status, StepRecord, utc
from jupyter_runbook.registry import GROUP
from jupyter_runbook.running import Step
from jupyter_runbook.secret import Secret
from jupyter_runbook.session import Progress, Session
from jupyter_runbook.step import run
from tests.bench import FILES, Bench
from tests.files import Files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, Session(tmp_path))


def rows(record: StepRecord) -> dict[str, str]:
    return {row.resource: row.status.value for row in record.changes}


def test_a_step_changes_and_then_is_ok(bench: Bench) -> None:
    first = bench.run("a: one\nb: two")
    assert Files.calls == ["observe", "apply a", "apply b", "observe"] or set(Files.calls[1:3]) == {
        "apply a",
        "apply b",
    }
    assert first.record.status is Status.CHANGED
    assert rows(first.record) == {"file a": "changed", "file b": "changed"}
    assert first.record.name == "file a and 1 more"
    assert first.record.changes[0].diff == "+one"
    assert first.record.versions["files"] == "1.0"
    assert first.result is not None
    assert first.result.facts == {"a": "written", "b": "written", "there": ["a", "b"]}
    assert bench.events() == ["begin", "found", "found", "end"]
    second = bench.run("a: one\nb: two")
    assert (second.record.status, second.record.summary) == (Status.OK, "2 ok")
    assert Files.calls == ["observe"]
    assert bench.events()[4:] == ["end"]
    assert second.record.prev == first.record.digest
    assert first.record.prev is None
    assert second.record.run == first.record.run


def test_a_dry_run_plans_and_writes_nothing(bench: Bench) -> None:
    done = bench.run("a: one", "--check")
    assert (done.record.status, done.record.mode, done.record.summary) == (Status.PLANNED, "check", "1 to create")
    assert (done.record.changes[0].status, done.record.changes[0].diff) == (ChangeStatus.PLANNED, "+one")
    assert Files.calls == ["observe"]
    assert bench.events() == ["end"]
    assert sorted(path.name for path in bench.root.iterdir()) == [".runbook"]
    bench.run("a: one")
    assert bench.run("a: one", "--check").record.status is Status.OK


def test_the_plan_that_was_shown_is_applied_and_no_other(bench: Bench) -> None:
    planned = bench.run("a: one", "--check").record.plan_digest
    assert planned is not None
    (bench.root / "a").write_text("meanwhile")
    stale = bench.run("a: one", f"--plan {planned[:8]}").record
    assert stale.error is not None
    assert (stale.status, stale.error.kind, Files.calls) == (Status.FAILED, "stale-plan", ["observe"])
    (bench.root / "a").unlink()
    assert bench.run("a: one", f"--plan {planned[:8]}").record.status is Status.CHANGED


def answer(word: str, reason: str | None = None) -> Any:
    def ask(planned: StepRecord) -> Approval:
        assert planned.status is Status.PLANNED
        assert planned.changes[0].diff == "+one"
        return Approval("me", utc(), planned.plan_digest or "", word, reason)  # type: ignore[arg-type]

    return ask


def test_who_is_asked_and_says_yes_is_in_the_record(bench: Bench) -> None:
    bench.session.approver = answer("yes", "it is time")
    record = bench.run("a: one", "--confirm").record
    assert record.status is Status.CHANGED
    assert record.approval is not None
    assert (record.approval.answer, record.approval.reason, record.approval.shown) == (
        "yes",
        "it is time",
        record.plan_digest,
    )
    assert bench.run("a: one", "--confirm").record.approval is None  # nothing to do: nobody is asked


@pytest.mark.parametrize(
    ("word", "message"), [("no", "me said no: not today; nothing was done"), ("nobody", "nobody could be asked")]
)
def test_without_a_yes_nothing_is_done(bench: Bench, word: str, message: str) -> None:
    bench.session.approver = answer(word, "not today")
    record = bench.run("a: one", "--confirm").record
    assert record.error is not None
    assert record.error.kind == "not-approved"
    assert message in record.error.message
    assert Files.calls == ["observe"]
    assert bench.events() == ["end"]


def test_unattended_nobody_can_be_asked(bench: Bench) -> None:
    record = bench.run("a: one", "--confirm").record
    assert record.approval is not None
    assert record.approval.answer == "nobody"
    assert record.error is not None
    assert record.error.hint == f"apply this plan with --plan {(record.plan_digest or '')[:12]}"


def test_what_remains_after_applying_fails_the_step(bench: Bench) -> None:
    record = bench.run("a: {text: one, lose: true}\nb: two").record
    assert record.error is not None
    assert (record.status, record.error.kind, record.error.resource) == (Status.FAILED, "not-converged", "file a")
    assert rows(record) == {"file a": "failed", "file b": "changed"}
    assert record.changes[0].reason == "applied, but is not there"


FAILURES = [
    ("a: {text: x, fail: Denied}", "denied", {"file a": "failed"}),
    ("a: {text: x, fail: Denied}\nb: {text: y, needs: [a]}", "denied", {"file a": "failed", "file b": "not-run"}),
    ("b: y\na: {text: x, fail: Denied, needs: [b]}", "partial", {"file b": "changed", "file a": "failed"}),
    ("boom: x", "tool", {}),
    ("[1", "invalid-spec", {}),
    ("1", "invalid-spec", {}),
    ("a: '{{ nobody }}'", "invalid-spec", {}),
]


@pytest.mark.parametrize(("body", "kind", "expected"), FAILURES)
def test_failures(bench: Bench, body: str, kind: str, expected: dict[str, str]) -> None:
    record = bench.run(body).record
    assert record.error is not None
    assert (record.status, record.error.kind, rows(record)) == (Status.FAILED, kind, expected)


def test_a_partial_failure_says_how_much_and_why(bench: Bench) -> None:
    record = bench.run("b: y\na: {text: x, fail: Denied, needs: [b]}\nc: {text: z, needs: [a]}").record
    assert record.error is not None
    assert record.error.message == "1 of 3 changes failed, 1 did not run; file a: no a"
    assert record.error.hint == "try again"
    assert record.changes[2].reason == "it needs file a, which failed"


def test_a_fault_of_the_provider_is_told_and_its_traceback_logged(bench: Bench) -> None:
    record = bench.run("boom: x").record
    assert record.error is not None
    assert record.error.message == "ValueError: boom"
    assert record.log is not None
    assert "Traceback (most recent call last)" in record.log.head


def test_a_bad_line_is_told_with_its_line(bench: Bench) -> None:
    record = bench.run("a: one", "--chek").record
    assert record.error is not None
    assert record.error.message == "line 1: %%files: there is no option --chek"
    assert record.error.hint == "did you mean --check?"
    assert Files.calls == []


@pytest.mark.parametrize(
    ("line", "skipped"), [("--when 'n > 3'", True), ("--when n==2", False), ("--when True", False)]
)
def test_a_step_is_skipped_where_its_condition_is_false(bench: Bench, line: str, *, skipped: bool) -> None:
    record = bench.run("a: '{{ n }}'", line, n=2).record
    assert (record.status is Status.SKIPPED) is skipped
    if skipped:
        assert record.summary == "skipped: n > 3 is false"
        assert Files.calls == []


@pytest.mark.parametrize("line", ["--when 'n >'", "--when nobody", "--when 1/0"])
def test_a_condition_that_can_not_be_read_is_bad_input(bench: Bench, line: str) -> None:
    record = bench.run("a: x", line).record
    assert record.error is not None
    assert record.error.kind == "invalid-spec"
    assert "line 1: --when" in record.error.message


def test_a_retry_plans_anew_and_keeps_what_was_done(bench: Bench) -> None:
    record = bench.run("b: two\na: {text: one, once: true}", "--retries 2 --delay 0.01").record
    assert record.status is Status.CHANGED
    assert rows(record) == {"file b": "changed", "file a": "changed"}
    assert [attempt.error and attempt.error.kind for attempt in record.attempts] == ["partial", None]
    assert record.error is None
    assert Files.calls.count("apply b") == 1


def test_a_retry_of_an_approved_plan_asks_again_for_another(bench: Bench) -> None:
    planned = bench.run("b: two\na: {text: one, once: true}", "--check").record.plan_digest
    record = bench.run("b: two\na: {text: one, once: true}", f"--plan {planned} --retries 2 --delay 0.01").record
    assert record.error is not None
    assert record.error.kind == "not-approved"
    assert record.approval is not None
    assert record.approval.shown != planned


@pytest.mark.parametrize(
    ("error", "tries"), [("NotApproved", 1), ("InvalidSpec", 1), ("StepTimeout", 4), ("Conflict", 4), ("Denied", 4)]
)
def test_what_no_retry_can_mend_is_not_tried_again(bench: Bench, error: str, tries: int) -> None:
    record = bench.run(f"a: {{text: x, fail: {error}}}", "--retries 3 --delay 0.01").record
    assert len(record.attempts) == tries


def test_a_deadline_ends_the_step(bench: Bench) -> None:
    record = bench.run("a: {text: x, wait: true}\nb: {text: y, needs: [a]}", "--timeout 0.1 --retries 3").record
    assert record.error is not None
    assert (record.status, record.error.kind) == (Status.FAILED, "timeout")
    assert record.error.message == "it took longer than 0.1 s"
    assert len(record.attempts) == 1
    assert rows(record) == {"file a": "failed", "file b": "not-run"}


def test_ctrl_c_ends_the_step_and_is_in_the_record(bench: Bench) -> None:
    def press(progress: Progress) -> None:
        bench.screen.shown.append(progress)
        if progress.tail.endswith("waiting\n") and not pressed.is_set():
            pressed.set()
            os.kill(os.getpid(), signal.SIGINT)

    pressed = threading.Event()
    bench.screen.progress = press  # type: ignore[method-assign]
    before = signal.getsignal(signal.SIGINT)
    record = bench.run("a: {text: x, wait: true}\nb: {text: y, needs: [a]}").record
    assert record.status is Status.INTERRUPTED
    assert rows(record) == {"file a": "interrupted", "file b": "not-run"}
    assert record.error is None
    assert record.summary == "interrupted: it was stopped"
    assert bench.events() == ["begin", "end"]
    assert signal.getsignal(signal.SIGINT) is before


EXPECTED = [
    ("a: {text: x, fail: Denied}", Status.OK, "failed as expected: no a", "denied"),
    ("a: x", Status.FAILED, "it was expected to fail, and is changed", "tool"),
    ("a: '{{ nobody }}'", Status.FAILED, "nothing was done", "invalid-spec"),
]


@pytest.mark.parametrize(("body", "status", "summary", "kind"), EXPECTED)
def test_a_step_that_must_fail(bench: Bench, body: str, status: Status, summary: str, kind: str) -> None:
    record = bench.run(body, "--expect failed").record
    assert record.error is not None
    assert (record.status, record.summary, record.error.kind) == (status, summary, kind)


def test_a_secret_is_used_and_is_nowhere(bench: Bench) -> None:
    done = bench.run("a: '{{ pw }}'\nb: x", pw=Secret("s3cret-9f8a", name="db"))
    assert (bench.root / "a").read_text() == "s3cret-9f8a"
    assert done.record.changes[0].diff == "+[secret db]"
    assert done.record.log is not None
    assert "file a | writing [secret db] to a\n" in done.record.log.head
    everything = [path for path in (bench.root / ".runbook").rglob("*") if path.is_file()]
    assert everything
    assert not any(b"s3cret-9f8a" in path.read_bytes() for path in everything)
    assert not any("s3cret" in progress.tail for progress in bench.screen.shown)


def test_absent_removes(bench: Bench) -> None:
    bench.run("a: one")
    record = bench.run("a: one", "--absent").record
    assert (record.status, record.changes[0].action, record.changes[0].diff) == (Status.CHANGED, "delete", "-one")
    assert bench.run("a: one", "--absent").record.status is Status.OK


def test_the_source_digest_is_of_the_whole_cell(bench: Bench) -> None:
    import hashlib

    record = bench.run("a: one", "--check").record
    assert record.source_digest == hashlib.sha256(b"%%files --check\na: one").hexdigest()
    assert record.cell_id == "cell-1"


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_without_a_journal_nothing_is_begun(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "begin", full)
    record = bench.run("a: one").record
    assert record.error is not None
    assert "can't be written (No space left on device): nothing was done" in record.error.message
    assert not (bench.root / "a").exists()


def test_a_record_that_can_not_be_journaled_is_still_shown_and_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "end", full)
    run(Step(FILES, f"--folder {bench.root}", "a: one"), bench.session, bench.screen)
    assert bench.screen.notices == ["this step's record is not in the journal: No space left on device"]
    assert bench.screen.records[0].status is Status.CHANGED


def test_what_an_earlier_run_left_open_is_said_first_and_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_runbook.journal.this_process", lambda: {"host": bench.session.actor.host, "pid": 1})
    bench.run("a: one")
    begin, found, _ = bench.session.journal.path.read_text().splitlines(keepends=True)
    bench.session.journal.path.write_text(begin + found)
    next_one = Bench(bench.root, Session(bench.root))
    assert next_one.run("a: one").record.status is Status.OK
    (notice,) = next_one.screen.notices
    assert notice.startswith("interrupted: the step file a (%%files), begun 2")
    assert "never ended; it had made file a (inode of a)" in notice
    assert next_one.events() == ["begin", "found", "interrupted", "end"]
    third = Bench(bench.root, Session(bench.root))
    third.run("a: one")
    assert third.screen.notices == []


def test_a_missing_sdk_is_told(bench: Bench) -> None:
    point = EntryPoint("cloud", "no_such_sdk:Cloud", GROUP)
    record = run(Step(point, "", ""), bench.session).record
    assert record.error is not None
    assert record.error.message == "%%cloud needs no_such_sdk: No module named 'no_such_sdk'"
    assert record.error.hint == "pip install no_such_sdk"
