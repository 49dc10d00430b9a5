"""Rows that a step has read, as tables: plain HTML that reads well without styles, and text in columns. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_runbook.display.words import LEFT, readable, safe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Rows = Sequence[Mapping[str, Any]]

__all__ = ["tables_html", "tables_text"]

# So many rows of a table are shown, and so many characters of a value in text.
ROWS, WIDE = 500, 60


def tables_html(tables: Mapping[str, Rows]) -> str:
    """Return each table below its title, with how many rows it has."""
    return "".join(_table_html(title, rows) for title, rows in tables.items())


def tables_text(tables: Mapping[str, Rows]) -> str:
    """Return each table as text, a line a row."""
    return "\n\n".join(_table_text(title, rows) for title, rows in tables.items())


def _table_html(title: str, rows: Rows) -> str:
    names = _columns(rows)
    head = "".join(f"<th{LEFT}>{safe(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td{LEFT}>{safe(_text(row.get(name)))}</td>" for name in names) + "</tr>"
        for row in rows[:ROWS]
    )
    left = f"<p>{_left(rows)}</p>" if _left(rows) else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    return f"<p><b>{safe(title)}</b>: {len(rows)}</p>{table}{left}"


def _table_text(title: str, rows: Rows) -> str:
    names = _columns(rows)
    cells = [names, *([_short(_text(row.get(name))) for name in names] for row in rows[:ROWS])] if rows else []
    wide = [max(len(line[index]) for line in cells) for index in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, wide, strict=True)).rstrip() for line in cells]
    return "\n".join([f"{readable(title)}: {len(rows)}", *lines, *([_left(rows)] if _left(rows) else [])])


def _left(rows: Rows) -> str:
    return f"and {len(rows) - ROWS} more, which --out has" if len(rows) > ROWS else ""


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple, set)):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(one)}" for key, one in value.items())
    return str(value)


def _short(text: str) -> str:
    text = " ".join(readable(text).split())
    return text if len(text) <= WIDE else f"{text[: WIDE - 1]}…"
