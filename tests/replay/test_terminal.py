"""A replay's progress on a real terminal, and where there is none."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.replay.runs import BIN, LOAD, Place, write
from tests.terminal import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SLOW = "%%shell --name slow\nwhile [ ! -e go ]; do sleep 0.05; done"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def env(place: Place, **more: str) -> dict[str, str]:
    return {**os.environ, "IPYTHONDIR": str(place.folder / "ipython"), **more}


def command(*words: str) -> list[str]:
    return [str(BIN / "jupyter-runbook"), *words]


def test_what_is_at_work_is_below_what_has_ended(place: Place) -> None:
    write(place.folder / "a.ipynb", [LOAD, "%%shell --name quick\ntrue", SLOW, "1/0", "1"])
    screens: list[str] = []

    def seen(text: str, _pid: int) -> None:
        screens.append(text)
        if "running" in text and "1.0 s  %%shell --name slow" in text:
            (place.folder / "go").touch()

    code, last = on_terminal(command("replay", "a.ipynb", "out.ipynb"), place.folder, env(place), seen=seen)
    assert code == 1
    assert any("◌ starting the kernel" in text for text in screens)
    working = next(text for text in screens if "1.0 s  %%shell --name slow" in text).splitlines()
    assert working[1].endswith("quick (%%shell)")
    assert working[2].startswith("[3/5] ◌ running")
    assert working[3].startswith("━")
    assert "2 of 5" in working[3]
    assert working[3].endswith("1 changed")
    assert "━" not in last
    assert "running" not in last
    lines = last.splitlines()
    assert [line.split("]")[0] for line in lines[:4]] == ["[1/5", "[2/5", "[3/5", "[4/5"]
    assert lines[4] == "      ZeroDivisionError: division by zero"
    assert lines[5] == "failed: 2 changed; cells: 3 done, 1 failed, 1 not-run"


def test_ctrl_c_leaves_a_clean_screen(place: Place) -> None:
    write(place.folder / "a.ipynb", [LOAD, SLOW, "1"])
    pressed: list[int] = []

    def seen(text: str, pid: int) -> None:
        if "%%shell --name slow" in text and not pressed:
            pressed.append(pid)
            os.kill(pid, signal.SIGINT)

    code, last = on_terminal(command("replay", "a.ipynb", "out.ipynb"), place.folder, env(place), seen=seen)
    assert code == 130
    assert "■ interrupted" in last
    assert "━" not in last
    assert "interrupted: 1 interrupted; cells: 1 done, 1 interrupted, 1 not-run" in last


@pytest.mark.parametrize("words", [["replay", "none.ipynb"], ["replay", "a.ipynb", "-p", "n", "1"]])
def test_bad_input_is_no_more_than_its_lines(place: Place, words: list[str]) -> None:
    write(place.folder / "a.ipynb", ["1"])
    code, last = on_terminal(command(*words), place.folder, env(place))
    assert code == 2
    assert last.startswith("error: ")
    assert len(last.splitlines()) <= 3


def test_names_are_text_and_long_ones_end_where_the_terminal_does(place: Place) -> None:
    name = "[bold]x[/bold] :smile: \x1b[2J" + "y" * 100
    write(place.folder / "a.ipynb", [f"{name!r}", "1"])
    _, last = on_terminal(command("replay", "a.ipynb", "out.ipynb"), place.folder, env(place), size=(30, 60))
    assert "[bold]x[/bold] :smile:" in last


def test_a_terminal_that_can_not_be_written_over_gets_lines(place: Place) -> None:
    write(place.folder / "a.ipynb", ["1"])
    screens: list[str] = []
    typed = ["env", "TERM=dumb", *command("replay", "a.ipynb", "out.ipynb")]
    code, last = on_terminal(typed, place.folder, env(place), seen=lambda text, _pid: screens.append(text))
    assert code == 0
    assert "done: no steps; cells: 1 done" in last
    assert not any("━" in text for text in screens)
