"""Rows that a step has read, as text and as HTML."""

from __future__ import annotations

from typing import Any

from jupyter_runbook.display.tables import ROWS, WIDE, tables_html, tables_text

SERVERS: list[dict[str, Any]] = [
    {"name": "web1", "status": "ACTIVE", "back": "10.0.0.5, 172.30.0.9", "locked": False},
    {"name": "web2", "status": "ERROR", "volumes": ["data", "logs"], "tags": {"tier": 1}},
]


def test_columns_are_those_of_all_rows() -> None:
    assert tables_text({"servers": SERVERS, "images": []}).splitlines() == [
        "servers: 2",
        "name  status  back                  locked  volumes     tags",
        "web1  ACTIVE  10.0.0.5, 172.30.0.9  no",
        "web2  ERROR                                 data, logs  tier: 1",
        "",
        "images: 0",
    ]


def test_html_is_a_plain_table() -> None:
    found = tables_html({"servers": SERVERS})
    assert "<p><b>servers</b>: 2</p><table><thead><tr>" in found
    assert found.count("<tr>") == 1 + len(SERVERS)
    assert "class" not in found
    assert "<table" not in tables_html({"images": []})


def test_what_a_service_says_is_text() -> None:
    evil = {"name": "<img src=x onerror=alert(1)>\x1b[31m$x$"}
    assert "<img" not in tables_html({"servers": [evil]})
    assert "\x1b" not in tables_text({"servers": [evil]})


def test_many_rows_and_long_values_are_cut() -> None:
    rows = [{"name": str(number), "text": "x" * 99} for number in range(ROWS + 3)]
    text = tables_text({"ports": rows})
    assert text.splitlines()[-1] == "and 3 more, which --out has"
    assert max(map(len, text.splitlines())) < WIDE + 10
    assert tables_html({"ports": rows}).count("<tr>") == ROWS + 1
