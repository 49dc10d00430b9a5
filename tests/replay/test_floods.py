"""Floods of messages of every kind, on a busy machine: what was sent is what is saved, and nothing is called lost."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.replay.runs import LOAD, Place, statuses, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def busy() -> Iterator[None]:
    """Keep two cores at work."""
    spin = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(spin) as one, subprocess.Popen(spin) as two:
        yield
        one.kill()
        two.kill()


# What each kind of message is said with, and what it makes of the outputs so far.
SAY = """
import multiprocessing, os, subprocess, sys, threading
from IPython.display import clear_output, display, update_display
fork = multiprocessing.get_context("fork")

def thread(text):
    one = threading.Thread(target=lambda: print(text, end="", flush=True))
    one.start(); one.join()

def child(text):
    one = fork.Process(target=lambda: print(text, end="", flush=True))
    one.start(); one.join()

def program(text):
    subprocess.run(["printf", "%s", text]); sys.stdout.flush()

say = {
    "out": lambda text: print(text, end="", flush=True),
    "err": lambda text: print(text, end="", file=sys.stderr, flush=True),
    "descriptor": lambda text: (os.write(1, text.encode()), sys.stdout.flush()),
    "thread": thread,
    "child": child,
    "program": program,
    "display": lambda text: display({"text/plain": text}, raw=True),
    "named": lambda text: display({"text/plain": text}, raw=True, display_id=bar),
    "update": lambda text: update_display({"text/plain": text}, raw=True, display_id=bar),
    "clear": lambda text: clear_output(wait=True),
}
"""
STREAMS = {"out": "stdout", "err": "stderr", "descriptor": "stdout", "thread": "stdout", "child": "stdout",
           "program": "stdout"}  # fmt: skip
SLOW = ("child", "program", "thread")
FAST = ("out", "err", "descriptor", "display", "named", "update", "clear")


def made(sent: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the outputs that messages make: each one's name and text."""
    found: list[list[str]] = []
    named: list[list[str]] = []
    clears = False
    for kind, text in sent:
        if kind == "clear":
            clears = True
            continue
        if kind in ("named", "update"):
            for one in named:
                one[1] = text
        if kind == "update":
            continue
        if clears:
            found, named, clears = [], [], False
        name = STREAMS.get(kind, "display")
        if name != "display" and found and found[-1][0] == name:
            found[-1][1] += text
            continue
        found.append([name, text])
        if kind == "named":
            named.append(found[-1])
    return [(name, text) for name, text in found]


def saved(cell: Any) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in cell.outputs:
        name, text = (one.name, one.text) if one.output_type == "stream" else (one.output_type, "")
        if one.output_type == "display_data":
            name, text = "display", one.data["text/plain"]
        if found and found[-1][0] == name != "display":
            # papermill's own engine has an output for each message.
            text = found.pop()[1] + text
        found.append((name, text))
    return found


def flood(seed: int, count: int, kinds: tuple[str, ...]) -> list[tuple[str, str]]:
    chance = random.Random(seed)  # noqa: S311 -- no secret
    weights = [1 if kind == "clear" else 20 for kind in kinds]
    chosen = chance.choices(kinds, weights, k=count)
    return [(kind, f"{kind[0]}{number} é🙂\n"[: chance.randint(1, 20)]) for number, kind in enumerate(chosen)]


TALK = """go_on = True
def talk():
    while go_on: print('talk', flush=True)
one = threading.Thread(target=talk)
one.start()"""
LATER = """def later():
    time.sleep(0.3); print('thread'); display('shown')
one = threading.Thread(target=later)
one.start()"""


@pytest.mark.parametrize("engine", ["runbook", None], ids=["ours", "papermill's own"])
def test_what_was_sent_is_what_is_saved(place: Place, busy: None, engine: str | None) -> None:
    del busy
    # papermill's kernels are late with what programs print: they say what is right of the rest alone.
    sizes = [1, 2, 10, 300, 3000] if engine else [1, 2, 10, 300]
    kinds = FAST if engine else tuple(kind for kind in FAST if kind != "descriptor")
    sent = [flood(seed, size, kinds) for seed, size in enumerate(sizes)]
    sent += [flood(seed, 40, SLOW + FAST) for seed in range(3)] if engine else []
    cells = [f"bar = '{number}'\nfor kind, text in {one!r}: say[kind](text)" for number, one in enumerate(sent)]
    write(place.folder / "in.ipynb", [SAY, *cells, f"bar = 'last'{cells[2][9:]}\n1/0", "1"])
    options = ["--engine", "runbook"] if engine else []
    done = place.command("papermill", *options, "--no-progress-bar", "in.ipynb", "out.ipynb")
    assert done.code == 1
    found = [cell for cell in place.load("out.ipynb").cells if cell.cell_type == "code"]
    for messages, cell in zip(sent, found[1:], strict=False):
        assert saved(cell) == made(messages)
    assert saved(found[-2]) == [*made(sent[2]), ("error", "")]


def test_a_flood_does_not_end_its_cell_nor_hold_up_the_next_one(place: Place, busy: None) -> None:
    """Flushed lines, displays that are not waited for, a bar, large texts, and a thread that goes on meanwhile."""
    del busy
    cells = [
        "for i in range(12_000): print(i, flush=True)",
        "for i in range(5000): display({'text/plain': str(i)}, raw=True)",
        "for i in range(9000): sys.stderr.write(f'\\r{i}'); sys.stderr.flush()",
        "print('x' * 5_000_000)",
        "_ = subprocess.run(['seq', '100000'])",
        TALK,
        "for i in range(300): print(i, flush=True)",
        "go_on = False; one.join()",
    ]
    write(place.folder / "in.ipynb", [SAY, *cells])
    done = place.replay("in.ipynb", "out.ipynb")
    assert (done.code, "Traceback" in done.err) == (0, False), done.err
    found = [saved(cell) for cell in place.load("out.ipynb").cells[1:]]
    assert found[0] == [("stdout", "".join(f"{i}\n" for i in range(12_000)))]
    assert found[1] == [("display", str(i)) for i in range(5000)]
    assert found[2] == [("stderr", "8999")]
    assert found[3] == [("stdout", "x" * 5_000_000 + "\n")]
    assert found[4] == [("stdout", "".join(f"{i}\n" for i in range(1, 100_001)))]
    [(name, text)] = found[5]
    assert (name, set(text.split("\n"))) == ("stdout", {"talk", ""})
    assert found[6] == [("stdout", "".join(f"{i}\n" for i in range(300)))]
    assert found[7] == []


def test_what_ends_later_is_in_the_cell_that_began_it(place: Place) -> None:
    cells = [
        "import asyncio, threading, time\nfrom IPython.display import display",
        "async def late():\n    await asyncio.sleep(0.3); print('task')\ntask = asyncio.create_task(late())",
        LATER,
        "import subprocess\n_ = subprocess.Popen('sleep 0.3; echo program', shell=True)",
        "await task; one.join(); time.sleep(0.5)",
    ]
    write(place.folder / "in.ipynb", cells)
    assert place.replay("in.ipynb", "out.ipynb").code == 0
    found = [saved(cell) for cell in place.load("out.ipynb").cells]
    assert found[1] == [("stdout", "task\n")]
    assert found[2] == [("stdout", "thread\n"), ("display", "'shown'")]
    # Of a program nobody can tell who began it.
    assert found[4] == [("stdout", "program\n")]


def test_a_thread_that_outlives_its_cell_shows_no_secret_piece_by_piece(place: Place) -> None:
    """The kernel alone knows the secret: the replay could not put its mask there."""
    (place.folder / "pw").write_text("hunter2-and-more")
    late = "import sys, threading, time\ndef late():\n    time.sleep(0.3)\n"
    late += "    for one in open('pw').read() + ' hunter2-':\n        print(one, end='', flush=True)\n"
    late += "        time.sleep(0.02)\nthread = threading.Thread(target=late)\nthread.start()"
    write(place.folder / "in.ipynb", [LOAD, "%runbook secret pw file:pw", late, "thread.join()"])
    assert place.replay("in.ipynb", "out.ipynb").code == 0
    found = [saved(cell) for cell in place.load("out.ipynb").cells]
    # What was the beginning of a secret when the kernel ended is there, too.
    assert found[2:] == [[("stdout", "[secret pw] hunter2-")], []]


def test_a_replay_that_is_stopped_for_a_while_misses_nothing(place: Place) -> None:
    stop = "import os, signal, subprocess, time\nreplay = os.getppid()\n"
    stop += "os.kill(replay, signal.SIGSTOP)\n"
    stop += "_ = subprocess.Popen(['bash', '-c', f'sleep 2; kill -CONT {replay}'])\n"
    stop += "for i in range(4000): print(i, flush=True)"
    write(place.folder / "in.ipynb", [stop, "1"])
    assert place.replay("in.ipynb", "out.ipynb").code == 0
    cells = place.load("out.ipynb").cells
    assert saved(cells[0]) == [("stdout", "".join(f"{i}\n" for i in range(4000)))]
    assert statuses(place.status("out.ipynb")) == ["done", "done"]


def test_names_that_are_no_unicode_are_shown(place: Place) -> None:
    cells = ["import os\nopen(b'a\\xff', 'w').close()\nprint(os.listdir('.'), *sorted(os.listdir('.')))", LOAD,
             "%%shell\nls a*", "print('\\ud83d')"]  # fmt: skip
    write(place.folder / "in.ipynb", cells)
    done = place.replay("in.ipynb", "out.ipynb")
    assert done.code == 0, done.err
    found = place.load("out.ipynb").cells
    assert "a\\udcff" in found[0].outputs[0].text.splitlines()[0].rpartition("]")[2]
    assert found[3].outputs[0].text == "\\ud83d\n"
