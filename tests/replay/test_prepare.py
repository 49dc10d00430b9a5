"""A runbook's file made ready: what the quick look calls valid is valid by nbformat's own schema."""

from __future__ import annotations

import copy
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import NotANotebook
from jupyter_runbook.notebook import read_notebook
from jupyter_runbook.replay.demo import quickstart
from jupyter_runbook.replay.prepare import prepare, valid_at_a_glance


def prepared() -> dict[str, Any]:
    notebook = read_notebook(quickstart())
    prepare(notebook, "a.ipynb")
    return notebook


def is_valid(notebook: dict[str, Any]) -> bool:
    try:
        nbformat.validate(nbformat.from_dict(copy.deepcopy(notebook)))  # type: ignore[no-untyped-call]
    except nbformat.ValidationError:
        return False
    return True


def test_the_quick_start_is_valid_at_a_glance() -> None:
    notebook = prepared()
    assert valid_at_a_glance(notebook)
    assert is_valid(notebook)


_VALUES = st.sampled_from([None, True, 3, "", "a b", "a,b", "x\n", [], ["a", "a"], [1], {}, {"name": 1}, {"name": "x"}])
_CELL_KEYS = ["id", "cell_type", "source", "attachments", "outputs", "execution_count", "more"]
_CELL_METADATA = ["tags", "name", "format", "jupyter", "execution", "collapsed", "scrolled", "more"]
_METADATA = ["kernelspec", "language_info", "orig_nbformat", "title", "authors", "more"]
_LANGUAGE = ["name", "codemirror_mode", "mimetype", "version"]
_CHANGES = st.one_of(
    st.tuples(st.just("cell"), st.integers(0, 5), st.sampled_from(_CELL_KEYS), _VALUES),
    st.tuples(st.just("metadata"), st.integers(0, 5), st.sampled_from(_CELL_METADATA), _VALUES),
    st.tuples(st.just("notebook"), st.just(0), st.sampled_from(_METADATA), _VALUES),
    st.tuples(st.just("language"), st.just(0), st.sampled_from(_LANGUAGE), _VALUES),
    st.tuples(st.just("kernel"), st.just(0), st.sampled_from(["name", "display_name"]), _VALUES),
    st.tuples(st.just("top"), st.just(0), st.just("more"), _VALUES),
)


@given(st.lists(_CHANGES, max_size=3))
def test_what_the_quick_look_calls_valid_is_valid(changes: list[tuple[str, int, str, Any]]) -> None:
    notebook = prepared()
    for where, at, key, value in changes:
        metadata = notebook["metadata"]
        there: Any = {
            "cell": notebook["cells"][at],
            "metadata": notebook["cells"][at]["metadata"],
            "notebook": metadata,
            "language": metadata.get("language_info"),
            "kernel": metadata.get("kernelspec"),
            "top": notebook,
        }[where]
        if isinstance(there, dict):
            there[key] = copy.deepcopy(value)
    cells = notebook["cells"]
    looked = all(isinstance(cell.get("cell_type"), str) for cell in cells) and valid_at_a_glance(notebook)
    # A source of another type is refused as the file is read; two cells of one id are another check's.
    if looked and all(isinstance(cell["source"], str) for cell in cells):
        assert is_valid(notebook)


def test_what_needs_a_closer_look_gets_it() -> None:
    notebook = prepared()
    notebook["cells"][0]["metadata"]["name"] = "it has one"
    assert not valid_at_a_glance(notebook)
    prepare(notebook, "a.ipynb")
    notebook["cells"][0]["metadata"]["name"] = ""
    with pytest.raises(NotANotebook, match=r"a\.ipynb, cell 1: this is no valid notebook"):
        prepare(notebook, "a.ipynb")
