"""The report: one page that is whole, true, and safe whatever a work log holds."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.audit.report import report_html
from jupyter_runbook.display import bundle
from jupyter_runbook.display.markdown import first_heading, markdown_html
from jupyter_runbook.record import MIME_TYPE, Status
from jupyter_runbook.replay.demo import quickstart
from jupyter_runbook.seal import seal
from jupyter_runbook.secret.redact import Redactor
from jupyter_runbook.worklog import WorkLog
from tests.replay.runs import LOAD, Place, write
from tests.test_record import DRAFT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

VOID = {"meta", "img", "br", "hr"}
# What a page needs, and no more: nothing here runs, loads or sends.
TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "h4", "h5", "h6", "p", "b", "em", "strong", "s",
    "code", "pre", "a", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "section",
    "div", "blockquote", "img", "br", "hr", "span",
}  # fmt: skip
ATTRIBUTES = {
    "charset", "name", "content", "http-equiv", "lang", "id", "class", "href", "src", "alt", "open", "start", "title",
    "style",
}  # fmt: skip


class Page(HTMLParser):
    """Reads a page strictly: every tag known and closed in its order; keeps the text, the ids and the links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        given = dict(attrs)
        if "style" in given:  # a table's alignment in markdown
            assert re.fullmatch(r"text-align:(left|right|center)", given["style"] or "")
        if "src" in given:
            assert (given["src"] or "").startswith("data:image/")
        if "href" in given:
            self.links.append(given["href"] or "")
        if "id" in given:
            self.ids.add(given["id"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def notebook(*cells: dict[str, Any], **metadata: Any) -> WorkLog:
    return WorkLog("a.ipynb", {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def code(source: str, *outputs: dict[str, Any], count: int | None = 1) -> dict[str, Any]:
    return {"cell_type": "code", "id": "c", "source": source, "metadata": {}, "outputs": list(outputs),
            "execution_count": count}  # fmt: skip


def prose(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "m", "source": source, "metadata": {}}


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def shown(**data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {name.replace("_", "/"): value for name, value in data.items()}}


def error(value: str, *trace: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": "ValueError", "evalue": value, "traceback": list(trace)}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_replay_as_a_page(place: Place) -> None:
    cells = [
        LOAD,
        "%%shell --name first\ntouch made; echo '<b>bold</b>'",
        "%%probe --name proof\n- file: nowhere\n- file: made",
        "%%shell --name after\ntrue",
        "print('never')",
    ]
    write(place.folder / "in.ipynb", cells)
    assert place.invoke("replay", "in.ipynb", "out.ipynb").code == 1
    done = place.invoke("report", "out.ipynb", "-o", "page.html")
    assert (done.code, done.out, done.err) == (0, "report: page.html\n", "")
    text = (place.folder / "page.html").read_text()
    page = Page(text)
    assert "✗ failed" in page.text
    assert "cell 3 failed, proof: not-converged: file nowhere: it is not there" in page.text
    assert "<b>bold</b>" in page.text
    for words in ("in.ipynb", "first", "changed", "after", "not-run", "1 ok, 1 failed", "print('never')"):
        assert words in page.text
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= page.ids
    assert place.invoke("report", "out.ipynb", "-o", "-").out == text
    # Stripped of all styles, classes and folds, every word is still there.
    styles = r"<style>.*?</style>| class=\"[^\"]*\"| id=\"[^\"]*\"|</?(details|summary)[^>]*>"
    bare = Page(re.sub(styles, "", text, flags=re.DOTALL))
    assert bare.text == page.text


def test_the_quick_starts_page(place: Place) -> None:
    assert place.invoke("replay", quickstart(), "out.ipynb", "-p", "folder", str(place.folder / "made")).code == 0
    assert place.invoke("report", "out.ipynb").out == "report: out.html\n"
    page = Page((place.folder / "out.html").read_text())
    assert "✓ done · steps: 3 changed, 2 ok, 1 planned; cells: 12 done" in page.text
    assert "What went wrong" not in page.text
    assert "status 200, contains 'port=8080'" in page.text
    # Again, over the earlier one.
    assert place.invoke("report", "out.ipynb").code == 0


BAD = [
    ("none.ipynb", "none.ipynb: there is no such file"),
    ("text", "text, line 1: this is no notebook"),
    ("out.ipynb -o text", "text: this is there already, and is no report"),
    ("out.ipynb -o out.ipynb", "out.ipynb: this is there already, and is no report"),
    ("out.ipynb -o no/page.html", "no/page.html: its folder is not there"),
    ("out.ipynb -o .", ".: the report can't be written: Is a directory"),
    ("out.ipynb -o /proc/page.html", "/proc/page.html: "),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_bad_input_touches_nothing(place: Place, words: str, said: str) -> None:
    write(place.folder / "out.ipynb", ["1"])
    (place.folder / "text").write_text("mine")
    before = {path: path.read_bytes() for path in place.folder.iterdir() if path.is_file()}
    done = place.invoke("report", *words.split())
    assert done.code == 2
    assert done.err.startswith(f"error: {said}")
    assert len(done.err.splitlines()) <= 3
    assert {path: path.read_bytes() for path in place.folder.iterdir() if path.is_file()} == before


def test_an_edited_record_is_told() -> None:
    record = seal(replace(DRAFT, status=Status.OK, source_digest=None), Redactor())
    good = {"output_type": "display_data", "data": bundle(record), "metadata": {}}
    assert "edited" not in report_html(notebook(code("%%shell\ntrue", good)))
    edited = {**good, "data": bundle(replace(record, status=Status.CHANGED))}
    page = Page(report_html(notebook(code("1"), code("%%shell\ntrue", edited))))
    assert "cell 2: the record there does not match its digest; it was edited after the run" in page.text


def test_a_record_that_cannot_be_read_is_told_too() -> None:
    found = {**bundle(seal(DRAFT, Redactor())), "text/plain": "what it said"}
    found[MIME_TYPE]["seconds"] = "soon"
    output = {"output_type": "display_data", "data": found}
    page = Page(report_html(notebook(code("%%shell\ntrue", output))))
    assert "a record that can't be read" in page.text
    assert "what it said" in page.text
    assert "unknown" in page.text


def test_what_a_record_shows_is_made_from_its_values() -> None:
    record = seal(replace(DRAFT, status=Status.FAILED), Redactor())
    output = {"output_type": "display_data", "data": {**bundle(record), "text/html": "<p>all is well</p>"}}
    page = Page(report_html(notebook(code("%%shell\ntrue", output))))
    assert "all is well" not in page.text
    assert "✗ failed" in page.text


OUTPUTS = [
    (stream("one\ntwo\n"), "one\ntwo", ""),
    (stream("\x1b[31mred\x1b[0m"), "red", "\x1b"),
    (stream("".join(f"{number}\n" for number in range(1000))), "… 700 lines more in the work log …", "\n500\n"),
    (shown(text_plain="   a\n0  1", text_html="<table onclick=x><tr><td>1</td></tr></table>"), "   a\n0  1", "onclick"),
    (shown(text_plain=["a", "b"]), "ab", ""),
    (shown(text_markdown="# *Big*"), "Big", "#"),
    (shown(text_html="<script>alert(1)</script>"), "", "alert"),
    (shown(image_png="iVBORw0KGgo=\n", text_plain="<Figure>"), "", "<Figure>"),
    (
        {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["\x1b[0mline", "end"]},
        "line\nend",
        "\x1b",
    ),
    ({"output_type": "error", "ename": "ValueError", "evalue": "no\nmore", "traceback": []}, "ValueError: no", "more"),
    ({"output_type": "later"}, "", "later"),
]


@pytest.mark.parametrize(("output", "said", "never"), OUTPUTS)
def test_plain_outputs(output: dict[str, Any], said: str, never: str) -> None:
    text = report_html(notebook(code("1", output)))
    page = Page(text)
    assert said in page.text
    assert not never or never not in page.text
    assert "alert(1)" not in text
    if "image/png" in output.get("data", {}):
        assert '<img src="data:image/png;base64,iVBORw0KGgo=" alt="&lt;Figure&gt;">' in text


MARKDOWN = [
    ("# A *b* `c`", "<h3>A <em>b</em> <code>c</code></h3>"),
    ("###### low", "<h6>low</h6>"),
    ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
    ("[x](javascript:alert)", "[x](javascript:alert)"),
    ("![two words](https://example.org/a.png)", '<a href="https://example.org/a.png">two words</a>'),
    ("![dot](data:image/png;base64,iVBORw0KGgo=)", '<img src="data:image/png;base64,iVBORw0KGgo=" alt="dot">'),
    ("![x](attachment:a.png)", '<a href="attachment:a.png">x</a>'),
    ("|a|\n|-|\n|1|", "<td>1</td>"),
]


@pytest.mark.parametrize(("text", "html"), MARKDOWN)
def test_prose(text: str, html: str) -> None:
    assert html in markdown_html(text, below=2)


def test_a_title_is_the_first_heading_or_the_files_name() -> None:
    assert first_heading("text\n\n## A *b*\n# c") == "A b"
    assert first_heading("text\n\n    # code") is None
    assert "<h1>a.ipynb</h1>" in report_html(notebook(prose("no heading")))
    assert "<h1>Site one &amp; two</h1>" in report_html(
        notebook(prose("x"), prose("# Site one & two\ntext"), prose("# b"))
    )


_TEXT = st.text(max_size=40) | st.sampled_from(
    ["<script>", "</pre>", '"><b onclick=x>', "# <i>", "![x](y)", "```", "&lt;"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=5,
)
_OUTPUT = st.fixed_dictionaries(
    {"output_type": st.sampled_from(["stream", "error", "display_data", "execute_result", "x"])},
    optional={
        "text": _JSON,
        "ename": _JSON,
        "evalue": _JSON,
        "traceback": _JSON,
        "data": _JSON
        | st.dictionaries(
            st.sampled_from(
                ["text/plain", "text/html", "image/png", "image/svg+xml", "text/markdown",
                 "application/vnd.jupyter-runbook.step.v1+json"]
            ),
            _JSON,
        ),
    },
)  # fmt: skip
_CELL = st.builds(
    lambda kind, source, outputs: {
        "cell_type": kind, "source": source, "metadata": {}, "id": "x", "outputs": outputs, "execution_count": None,
    },
    st.sampled_from(["code", "markdown", "raw", "poem"]),
    _TEXT | st.sampled_from(["%%shell --name '<b>'\ntrue", "%%docker"]),
    _JSON | st.lists(_OUTPUT, max_size=3),
)  # fmt: skip


_RUN = st.fixed_dictionaries(
    dict.fromkeys(("run", "user", "host", "started"), _TEXT | _JSON),
    optional=dict.fromkeys(("runbook", "ended", "status", "parameters", "versions"), _TEXT | _JSON),
)
_VERDICT = st.fixed_dictionaries(
    {}, optional={"runbook": _JSON | st.fixed_dictionaries({"status": _JSON, "why": _JSON})}
)


@given(st.lists(_CELL, max_size=4), st.fixed_dictionaries({}, optional={"runbook": _JSON | _RUN, "x": _JSON}), _VERDICT)
def test_whatever_a_notebook_holds_the_page_is_safe(
    cells: list[dict[str, Any]], metadata: dict[str, Any], verdict: dict[str, Any]
) -> None:
    Page(report_html(notebook(*({**cell, "metadata": verdict} for cell in cells), **metadata)))
