"""What people see: readable as text and as bare tables, and nothing in it is ever interpreted."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.display import bundle
from jupyter_runbook.display.html import notice_html, progress_html, record_html
from jupyter_runbook.display.matrix import grouped
from jupyter_runbook.display.text import record_text
from jupyter_runbook.display.words import log_text, readable, safe, verbatim
from jupyter_runbook.matrix import KINDS, matrix
from jupyter_runbook.plan import Action
from jupyter_runbook.record import MIME_TYPE, ChangeRecord, ChangeStatus, ErrorRecord, Log, Status, StepRecord
from jupyter_runbook.seal import seal
from jupyter_runbook.session import Progress
from tests.test_record import DRAFT, EXAMPLES, NOTHING, ROW

RECORD = seal(DRAFT, NOTHING)
ALLOWED = {
    "div",
    "p",
    "b",
    "br",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "pre",
    "ul",
    "li",
    "span",
}


class Reader(HTMLParser):
    """Check every tag, and collect the text."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        assert attrs in ([], [("open", None)], [("style", "text-align:left")]), attrs
        if tag != "br":
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> str:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.stack == []
    return "\n".join(reader.text)


def test_a_bundle_has_all_three_forms() -> None:
    made = bundle(RECORD)
    assert set(made) == {MIME_TYPE, "text/html", "text/plain"}
    assert json.loads(json.dumps(made))[MIME_TYPE]["digest"] == RECORD.digest


def test_the_text_has_what_people_ask_for() -> None:
    assert record_text(RECORD) == (
        "✗ failed: make-key · %%shell on localhost · 0.2 s\n"
        "  tool: exit 1\n"
        "  1 changed\n"
        "  ▶ run script make-key [changed]: key is absent\n"
        "      +a: 1\n"
        "  output:\n"
        "    head\n"
        "    … 0 lines more in .runbook/logs/1.log …\n"
        "    tail\n"
        "  plan 111111111111"
    )


def test_the_html_without_any_style_has_what_a_reviewer_asks_for() -> None:
    text = read(record_html(RECORD))
    for said in (
        "✗ failed",
        " make-key · %%shell on localhost · 0.2 s",
        "2026-11-24 22:42:55 UTC · me on here",
        ": exit 1",
        "script make-key",
        "key is absent",
        "+a: 1",
        "me on here",
        "2026-11-24 22:42:55 UTC to 2026-11-24 22:42:55 UTC",
        "yes, by me, 2026-11-24 22:42:55 UTC: all clear",
        "2; failed: too long",
        "1" * 64,
        RECORD.digest or "",
        "jupyter-runbook 0.1",
    ):
        assert said in text.splitlines() or said in text, said


def test_a_dry_run_shows_its_diff_and_a_failure_its_output() -> None:
    planned = replace(RECORD, status=Status.PLANNED, error=None)
    assert "<details open><summary>Diff</summary>" in record_html(planned)
    assert "<details><summary>Diff</summary>" in record_html(RECORD)
    long = replace(RECORD, log=Log(None, "3" * 64, 200, 100, "x\n" * 100))
    assert "<details open><summary>Output, 100 lines</summary>" in record_html(long)
    assert "<details><summary>Output, 100 lines</summary>" in record_html(replace(long, status=Status.OK))


def test_many_rows_are_folded() -> None:
    rows = tuple(replace(ROW, resource=f"row {i}") for i in range(100))
    assert "<details><summary>Changes</summary>" in record_html(replace(RECORD, changes=rows))


EVIL = "<img src=x onerror=alert(1)></pre><script>alert(1)</script> & \" '"


@pytest.mark.parametrize("text", [EVIL, "\x1b[31mred\x1b[0m " + EVIL])
def test_nothing_that_a_task_or_service_says_is_interpreted(text: str) -> None:
    row = ChangeRecord(text, text, Action.RUN, ChangeStatus.FAILED, text, text, text, text, 1)
    draft = replace(
        DRAFT,
        name=text,
        target=text,
        summary=text,
        changes=(row,),
        error=ErrorRecord("tool", text, text, text),
        log=Log(None, "3" * 64, 1, 1, text, None),
    )
    shown = read(record_html(seal(draft, NOTHING)))
    assert shown.count("onerror=alert(1)") >= 8
    assert "onerror" in read(progress_html(Progress(text, text, 1, [(text, 1.0), (text, 2.0)], 1, 3, text)))
    assert "onerror" in read(notice_html(text))


def test_nothing_is_taken_for_a_formula() -> None:
    # MathJax looks for pairs of signs with no element between them, and not into <pre>.
    assert safe("$a$ \\(b\\) $$c$$ <") == (
        "<span>$</span>a<span>$</span> <span>\\</span>(b<span>\\</span>) <span>$$</span>c<span>$$</span> &lt;"
    )
    assert verbatim("$a$ <") == "$a$ &lt;"


# The JupyterLab extension's tests hold it to the same files.
READABLE = json.loads(Path(__file__).with_name("readable.json").read_text("utf-8"))
SHOWN = json.loads(Path(__file__).with_name("shown.json").read_text("utf-8"))


@pytest.mark.parametrize(("text", "shown"), READABLE)
def test_output_is_shown_as_a_terminal_leaves_it(text: str, shown: str) -> None:
    assert readable(text) == shown


@given(st.text(st.characters()))
def test_any_text_is_readable(text: str) -> None:
    shown = readable(text)
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in shown)
    assert readable(shown) == shown
    draft = replace(RECORD, log=Log(None, "3" * 64, 1, 1, text or "x", None), changes=(replace(ROW, diff=text),))
    read(record_html(draft))
    record_text(draft)


def test_a_log_tells_what_is_between() -> None:
    log = Log(".runbook/logs/1.log", "3" * 64, 1000, 100, "1\n2\n", "99\n100\n")
    assert log_text(log) == "1\n2\n… 96 lines more in .runbook/logs/1.log …\n99\n100"


PROGRESS: list[tuple[Progress, list[str]]] = [
    (Progress("make", "shell", 3.4), ["◌ running", "make · %%shell · 3 s"]),
    (Progress("up", "os", 3, [("server a", 2), ("server b", 1)], 1, 4), ["· 3 s, 1 of 4 done", "server a, 2 s"]),
    (Progress("make", "shell", 3, [], 0, 1, "\n".join(map(str, range(100)))), ["\n80\n", "\n99"]),
]


@pytest.mark.parametrize(("progress", "expected"), PROGRESS)
def test_progress(progress: Progress, expected: list[str]) -> None:
    text: Any = read(progress_html(progress))
    for said in expected:
        assert said in "\n" + text
    assert "\n79\n" not in text


_ODD = st.sampled_from([None, True, 3, -1.5, "", "x", "ok", [], [1], {}, {"a": 1}, 10**400])


@given(st.data())
def test_a_record_of_anybodys_making_is_refused_or_shown(data: st.DataObject) -> None:
    wire: Any = json.loads(json.dumps(RECORD.wire()))
    for _ in range(data.draw(st.integers(1, 3))):
        at = wire
        while True:
            key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            inner = at[key]
            if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
                break
            at = inner
        at[key] = copy.deepcopy(data.draw(_ODD))
    try:
        record = StepRecord.from_wire(wire)
    except ValueError:
        return
    assert record_text(record)
    assert record_html(record)
    record.compute_digest()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_shown(name: str) -> None:
    record = StepRecord.from_wire(EXAMPLES[name])
    tasks = matrix(record.changes)
    rows = grouped(row for row in record.changes if row.reason or row.diff or row.kind not in KINDS)
    between = re.search(r"^… (\d+) lines more", log_text(record.log), re.MULTILINE) if record.log else None
    assert SHOWN[name] == {
        "hosts": tasks.hosts if tasks else [],
        "tasks": list(tasks.tasks) if tasks else [],
        "rows": [row.resource for row in rows],
        "between": int(between[1]) if between else 0,
    }
    text = read(record_html(record))
    for said in (record.status, record.name, record.summary, "ada on ops1", str(record.digest)):
        assert said in text
