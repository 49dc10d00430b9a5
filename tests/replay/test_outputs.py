"""What a cell has shown, as JupyterLab shows it; and the file of it, as nbformat writes it."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nbformat import NotebookNode

from jupyter_runbook.replay.channels import parsed
from jupyter_runbook.replay.outputs import Displays, Outputs, StreamText
from jupyter_runbook.replay.saving import encoded

TEXTS = st.text(st.sampled_from("ab\n\r\bé🙂\u2028"), max_size=12)


def shown(pieces: list[str]) -> str:
    """Return what JupyterLab 4.6 shows of a stream: `processText` and `addText` of its outputarea, word for word."""
    text, index = "", 0
    for piece in pieces:
        if not set(piece) & set("\b\r\n"):
            text = text[:index] + piece + text[index + len(piece) :]
            index += len(piece)
            continue
        run = ""
        for character in [*piece, ""]:
            if character and character not in "\b\r\n":
                run += character
                continue
            text = text[:index] + run + text[index + len(run) :]
            index, run = index + len(run), ""
            if character == "\b" and index > 0 and text[index - 1] != "\n":
                text = text[: index - 1] + text[index:]
                index -= 1
            elif character == "\r":
                while index and text[index - 1] != "\n":
                    index -= 1
            elif character == "\n":
                text += "\n"
                index = len(text)
    return text


@given(st.lists(TEXTS, max_size=8))
@example(["abc\rX\n", "d"])
@example(["a\r", "\n", "b"])
@example(["ab\b\b\b\nc\b"])
def test_what_overwrites_itself_is_what_jupyterlab_shows(pieces: list[str]) -> None:
    stream = StreamText()
    for piece in pieces:
        stream.add(piece)
    assert "".join(stream.pieces()) == shown(pieces)


@given(st.lists(st.text(st.sampled_from("a\n"), min_size=1, max_size=3), max_size=30), st.integers(1, 9))
def test_a_stream_is_whole_wherever_its_blocks_end(pieces: list[str], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jupyter_runbook.replay.outputs.BLOCK", size)
        stream = StreamText()
        for piece in pieces:
            stream.add(piece)
        stream.add("\rX")
        assert "".join(stream.pieces()) == shown([*pieces, "\rX"])


def test_a_bar_of_many_states_is_one_output() -> None:
    cell = nbformat.v4.new_code_cell()  # type: ignore[no-untyped-call]
    outputs = Outputs(cell, Displays())
    for number in range(20_000):
        outputs.take("stream", {"name": "stderr", "text": f"\r{number}"})
    outputs.finish()
    assert cell.outputs == [{"output_type": "stream", "name": "stderr", "text": "19999"}]


def test_a_secret_that_overwriting_puts_together_is_masked() -> None:
    cell = nbformat.v4.new_code_cell()  # type: ignore[no-untyped-call]
    outputs = Outputs(cell, Displays(), clean=lambda text: text.replace("hunter2", "*"))
    outputs.take("stream", {"name": "stdout", "text": "one\nhunX"})
    outputs.take("stream", {"name": "stdout", "text": "\bter2 and\n"})
    outputs.take("stream", {"name": "stdout", "text": "XXXXXX2\rhunter"})
    outputs.finish()
    assert cell.outputs[0].text == "one\n* and\n*"


def show(outputs: Outputs, text: str, name: str | None = None, kind: str = "display_data") -> None:
    outputs.take(kind, {"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": name}})


def texts(cell: Any) -> list[str]:
    return [one.text if one.output_type == "stream" else one.data["text/plain"] for one in cell.outputs]


def test_updates_and_cleared_outputs() -> None:
    cells = [nbformat.v4.new_code_cell() for _ in range(2)]  # type: ignore[no-untyped-call]
    displays = Displays()
    one, two = (Outputs(cell, displays) for cell in cells)
    show(one, "first", "a")
    one.take("stream", {"name": "stdout", "text": "x"})
    show(two, "second", "a")
    assert texts(cells[0])[0] == "second"
    show(two, "third", "a", "update_display_data")
    show(two, "nobody", "b", "update_display_data")
    one.finish()
    assert (texts(cells[0]), texts(cells[1])) == (["third", "x"], ["third"])
    one.take("clear_output", {"wait": True})
    assert texts(cells[0]) == ["third", "x"]
    one.take("stream", {"name": "stdout", "text": "y"})
    one.finish()
    assert texts(cells[0]) == ["y"]
    show(two, "fourth", "a", "update_display_data")
    two.take("clear_output", {})
    show(two, "fifth", "a", "update_display_data")
    assert cells[1].outputs == []


NAMES = st.sampled_from(["stdout", "stderr"])
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=2))
DATA = st.dictionaries(st.sampled_from(["text/plain", "image/svg+xml", "application/json"]), TEXTS, max_size=3)
OUTPUTS = st.one_of(
    st.builds(lambda name, text: {"output_type": "stream", "name": name, "text": text}, NAMES, TEXTS),
    st.builds(lambda data: {"output_type": "display_data", "data": data, "metadata": {}}, DATA),
    st.builds(lambda text: {"output_type": "error", "ename": "a", "evalue": text, "traceback": [text]}, TEXTS),
)
CELLS = st.builds(
    lambda source, outputs, more: {
        "id": "a", "cell_type": "code", "source": source, "execution_count": None, "outputs": outputs,
        "metadata": {"trusted": True, "more": more},
    },
    TEXTS, st.lists(OUTPUTS, max_size=3), VALUES,
)  # fmt: skip
MARKDOWN = st.builds(lambda source: {"id": "b", "cell_type": "markdown", "source": source, "metadata": {}}, TEXTS)


@given(st.lists(CELLS | MARKDOWN, max_size=4), st.randoms(use_true_random=False))
def test_a_work_log_is_written_as_nbformat_writes_it(cells: list[dict[str, Any]], chance: Any) -> None:
    value = {"cells": cells, "metadata": {"orig_nbformat": 4, "x": '"cells": []'}, "nbformat": 4, "nbformat_minor": 5}
    notebook = nbformat.from_dict(value)  # type: ignore[no-untyped-call]
    expected = nbformat.v4.writes(notebook) + "\n"  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                at = chance.randint(0, len(output.text))
                output["text"] = [output.text[:at], output.text[at:]]
    kept: dict[int, bytes] = {}
    assert b"".join(encoded(notebook, kept)).decode() == expected
    assert b"".join(encoded(notebook, kept)).decode() == expected
    assert len(kept) == len(cells)


def test_fifty_megabytes_are_written_without_another_copy() -> None:
    line = "x" * 99 + "\n"
    cell = nbformat.v4.new_code_cell()  # type: ignore[no-untyped-call]
    cell["outputs"] = [NotebookNode(output_type="stream", name="stdout", text=[line * 600] * 850)]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    tracemalloc.start()
    try:
        written = sum(len(piece) for piece in encoded(notebook))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written > 51_000_000
    assert most < 4_000_000


def frames(content: str, kind: str = "stream") -> list[bytes]:
    header = json.dumps({"msg_id": "1", "msg_type": kind}).encode()
    return [b"#7", b"stream.stdout", b"<IDS|MSG>", b"sign", header, b"{}", b"{}", content.encode(), b"buffer"]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ('{"text": "\\ud83d\\ude00"}', {"text": "😀"}),
        ('{"text": "\\ud83d"}', {"text": "\\ud83d"}),
        ('{"\\uDC80": ["\\udc80"]}', {"\\udc80": ["\\udc80"]}),
        ('{"x": NaN, "y": -Infinity}', {"x": "NaN", "y": "-Infinity"}),
    ],
)
def test_a_message_has_nothing_that_a_file_can_not_have(content: str, value: dict[str, Any]) -> None:
    addresses, message = parsed(frames(content), None)
    assert addresses == [b"#7", b"stream.stdout"]
    assert message is not None
    assert (message["content"], [bytes(one) for one in message["buffers"]]) == (value, [b"buffer"])


@pytest.mark.parametrize("content", ["{", "{}" * 2, "[" * 100_000])
def test_what_is_no_message_is_passed_by(content: str) -> None:
    assert parsed(frames(content), None) == ([], None)
    assert parsed(frames("{}"), lambda _: b"another") == ([], None)
    assert parsed([b"a"], None) == ([], None)
