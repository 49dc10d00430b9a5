"""Tasks by hosts: as a matrix where they have room, and by number where they have not."""

from __future__ import annotations

import re
from itertools import permutations
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.display.html import progress_html
from jupyter_runbook.display.live import TerminalLive
from jupyter_runbook.display.matrix import News, grouped, matrix_html, matrix_text, task_line
from jupyter_runbook.display.text import progress_lines, progress_text, running_lines
from jupyter_runbook.matrix import RUNNING, host_and_task, in_order, matrix
from jupyter_runbook.plan import Action
from jupyter_runbook.record import ChangeRecord, ChangeStatus
from jupyter_runbook.session import Progress

if TYPE_CHECKING:
    import pytest

OK, CHANGED, FAILED = ChangeStatus.OK, ChangeStatus.CHANGED, ChangeStatus.FAILED


def row(host: str, task: str, status: ChangeStatus = OK, kind: str = "task", diff: str | None = None) -> ChangeRecord:
    return ChangeRecord(f"{host}: {task}", kind, Action.RUN, status, diff=diff)


ROWS = [
    row("web10", "install"),
    row("web2", "install", CHANGED),
    row("web2", "nürnberg 中文", FAILED),
    row("web10", "restart", CHANGED, "handler"),
]


def test_few_hosts_have_a_column_each() -> None:
    found = matrix(ROWS, ["web10: nürnberg 中文"])
    assert found
    assert matrix_text(found) == [
        "               web2       web10",
        "install        ● changed  ✓ ok",
        "nürnberg 中文  ✗ failed   ◌ running",
        "restart                   ● changed",
    ]
    assert re.findall(r"<t[hd]>(.*?)</t[hd]>", matrix_html(found))[:6] == [
        "Task",
        "web2",
        "web10",
        "install",
        "● changed",
        "✓ ok",
    ]


def test_many_hosts_are_told_by_number_and_the_failed_by_name() -> None:
    rows = [row(f"h{number}", "install", FAILED if number % 20 == 7 else CHANGED) for number in range(100)]
    found = matrix(rows, ["h1000: install"])
    assert found
    line = "✗ install: 95 changed, 5 failed (h7, h27, h47, h67, h87), 1 running (h1000)"
    assert matrix_text(found) == [line]
    assert line[2:] in matrix_html(found)
    more = matrix([row(f"h{number}", "install", FAILED) for number in range(100)])
    assert more
    assert task_line(more, "install") == "✗ install: 100 failed (h0, h1, h2, h3, h4, h5, …)"


def test_rows_of_other_kinds_are_none_of_it() -> None:
    assert matrix([row("web", "x", kind="container")]) is None
    assert matrix([]) is None


def test_names_are_text_and_secrets_are_taken_out() -> None:
    found = matrix([row("<b>", "<i> hunter2 \x1b[31m")], clean=lambda text: text.replace("hunter2", "***"))
    assert found
    shown = matrix_html(found)
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "hunter2" not in shown + "\n".join(matrix_text(found))
    assert "\x1b" not in shown


def test_the_order_of_a_record_does_not_depend_on_who_was_quicker() -> None:
    rows = [row(host, "a") for host in ("h1", "h2", "h10")]
    for some in permutations(rows):
        assert in_order(some) == rows
    play = row("play x", "", kind="play")
    assert in_order([rows[1], play, rows[0], row("h1", "b")]) == [rows[0], rows[1], play, row("h1", "b")]


def test_what_is_the_same_on_several_hosts_is_one_row() -> None:
    rows = [row(f"h{n}", "conf", CHANGED, diff="+a") for n in range(8)] + [row("h9", "conf", CHANGED, diff="+b")]
    first, second = grouped(rows)
    assert first.resource == "h0, h1, h2, h3, h4, h5 and 2 more: conf"
    assert (first.diff, second.resource) == ("+a", "h9: conf")
    other = [row("c: x", "y", kind="container"), row("c: x", "y", kind="container")]
    assert grouped(other) == other


def test_progress_shows_it() -> None:
    progress = Progress("site", "ansible", 3.2, (), 0, 1, "tail", matrix(ROWS[:2], ["web2: next"]))
    assert progress_text(progress).splitlines() == [
        "◌ running: site, 3 s",
        "  ● install: 1 ok, 1 changed",
        f"  ◌ next: 1 {RUNNING} (web2)",
    ]
    assert '<th style="text-align:left">web10</th>' in progress_html(progress)


NAMES = st.text(st.characters(exclude_characters=":\n"), min_size=1, max_size=8)


@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(list(ChangeStatus)))))
def test_each_row_is_in_its_cell_and_in_no_other(given_rows: list[tuple[str, str, ChangeStatus]]) -> None:
    rows = [row(*one) for one in given_rows]
    last = {host_and_task(one.resource): str(one.status) for one in rows}
    found = matrix(rows)
    cells = {(host, task): status for task, by in (found.tasks if found else {}).items() for host, status in by.items()}
    assert cells == last
    assert sorted(in_order(rows), key=str) == sorted(rows, key=str)


def test_lines_that_stay_tell_a_task_once_its_turn_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    news = News()
    assert news.of(["◌ a: 1 running (h1)"]) == []
    assert news.of(["✓ a: 1 ok"]) == []
    assert news.of(["✓ a: 1 ok", "◌ b: 1 running (h1)"]) == ["✓ a: 1 ok"]
    assert news.of(["✓ a: 1 ok", "● b: 1 changed", "◌ c: 1 running (h1)"]) == ["● b: 1 changed"]
    assert news.of(["◌ a: 1 ok, 1 running (h2)", "● b: 1 changed", "✓ c: 1 ok"]) == []
    assert news.of(["✓ a: 2 ok", "● b: 1 changed", "✓ c: 1 ok"]) == ["✓ a: 2 ok"]
    live = TerminalLive()
    for rows in (ROWS[:2], ROWS[:3], ROWS):
        live.progress(Progress("site", "ansible", 1.0, (), 0, 1, "", matrix(rows)))
    assert capsys.readouterr().out == "  ● install: 1 ok, 1 changed\n  ✗ nürnberg 中文: 1 failed (web2)\n"


def test_lines_are_read_back_from_what_a_running_step_shows() -> None:
    progress = Progress("site", "ansible", 1.0, (), 0, 1, "", matrix(ROWS))
    assert running_lines(progress_text(progress)) == progress_lines(progress)
    assert running_lines("✓ ok: site\n  1 ok") is None
