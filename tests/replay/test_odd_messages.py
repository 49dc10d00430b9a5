"""What code in a kernel can send, show and leave: nothing of it ends a replay, hangs it, or spoils its work log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.replay.runs import Place, statuses, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SEND = """
def send(kind, content):
    kernel = get_ipython().kernel
    kernel.session.send(kernel.iopub_socket, kind, content, parent=kernel.get_parent())
"""
ODD = [
    "send('display_data', {'data': [1]})",
    "send('display_data', {'data': 'x'})",
    "send('update_display_data', {'data': None, 'transient': {'display_id': 'x'}})",
    "send('display_data', {'data': {}, 'transient': 'abc'})",
    "send('display_data', {'data': {}, 'transient': {'display_id': [1]}})",
    "send('display_data', {'data': {'text/plain': 'z'}, 'metadata': 'abc'})",
    "send('execute_result', {'data': {}, 'execution_count': 'abc'})",
    "send('stream', {'name': ['x'], 'text': 5})",
    "send('comm_msg', {'data': None})",
    "send('comm_open', {'comm_id': 'a', 'target_name': 'jupyter.widget', 'data': {'state': {}}})",
    "display({'text/plain': 5, 'text/html': ['a', 1], 'application/json': [1]}, raw=True)",
    "display({'text/plain': 'a\\ud800b'}, raw=True)",
    "display({'text/html': '\\x00runbook\\x00'}, raw=True); print('x')",
    "get_ipython().set_next_input('\\ud800')",
    "for number in range(2000): display(number, display_id='one')",
    "import sys, io\nkept = sys.stdout; sys.stdout = io.StringIO(); print('x'); sys.stdout = kept",
    # A number that JSON has and a float has not.
    """kernel = get_ipython().kernel
message = kernel.session.msg('display_data')
message['content'] = b'{"data": {"application/json": 1e999}, "metadata": {}}'
kernel.iopub_thread.send_multipart([b'display_data'] + kernel.session.serialize(message))""",
]
WIDGET = "import ipywidgets\nshown = ipywidgets.Output()\ndisplay(shown)\nwith shown:\n"
WIDGET += "    for number in range(3000): print(number, flush=True)"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_odd_messages_are_passed_by(place: Place) -> None:
    write(place.folder / "in.ipynb", [SEND, *ODD, WIDGET, "'the last'"])
    done = place.replay("in.ipynb", "out.ipynb")
    assert done.code == 0, done.err
    notebook = place.load("out.ipynb")  # and valid
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "'the last'"
    state = json.dumps(notebook.metadata.widgets)
    assert "2999" in state


DIGITS = "import sys\nsys.set_int_max_str_digits(0)\n"
DIGITS += "get_ipython().payload_manager.write_payload({'source': 'x', 'n': 10**5000})"

# What leaves no reply that can be read, or raises what is no Unicode, or hides what the client asks with.
FAILS = {
    "no reply": ("get_ipython().payload_manager.write_payload({'source': 'x', 'o': object()})", "can't be read"),
    "a number of many digits": (DIGITS, "can't be read"),
    "no Unicode": ("raise ValueError('\\ud800')", "ValueError: \\ud800"),
    "a name of a file": ("raise ValueError('\\udcff')", "ValueError: \\udcff"),
    "a variable called type": ("type = int = isinstance = 'm1.small'\n!exit 3", "exited with 3"),
    "no get_ipython": ("get_ipython().system('exit 3')\nget_ipython = None", "exited with 3"),
    "lines": ("raise SystemExit('a\\nb')", "it left the run: SystemExit: a b"),
}


@pytest.mark.parametrize("name", FAILS)
def test_a_cell_that_failed_is_not_hidden(place: Place, name: str) -> None:
    source, said = FAILS[name]
    write(place.folder / "in.ipynb", [source, "1"])
    done = place.invoke("replay", "in.ipynb", "out.ipynb", "--timeout", "30")
    assert (done.code, statuses(place.status("out.ipynb"))) == (1, ["failed", "not-run"])
    assert said in done.err


SECRET = "hunter2Zq9xKp"  # noqa: S105 -- the secret of these tests
LATE = {
    "a task": "async def talk():\n  for part in (word[:6], word[6:]):\n"
    "    print(part, end='', flush=True); await asyncio.sleep(0.2)\ntask = asyncio.create_task(talk())",
    "a thread": "def talk():\n  time.sleep(0.2)\n  for one in word: sys.stdout.write(one); sys.stdout.flush()\n"
    "threading.Thread(target=talk).start()",
    "a child": "if os.fork() == 0:\n  time.sleep(0.2)\n  for one in word: sys.stdout.write(one); sys.stdout.flush()\n"
    "  os._exit(0)",
}


def test_a_secret_that_is_said_late_and_in_pieces_is_masked(place: Place) -> None:
    begin = "import asyncio, os, sys, threading, time\nword = pin.reveal()"
    cells = ["pin: str", begin, *LATE.values(), "await asyncio.sleep(1)"]
    write(place.folder / "in.ipynb", cells, {0: ["parameters"]})
    with_pin = Place(place.folder, {"PIN": SECRET})
    done = with_pin.replay("in.ipynb", "out.ipynb", "-s", "pin=env:PIN")
    assert done.code == 0, done.err
    text = (place.folder / "out.ipynb").read_text()
    assert SECRET not in text + done.err
    assert text.count("[secret pin]") >= len(LATE)


def test_what_a_kernel_says_before_it_leaves_is_heard(place: Place) -> None:
    last = "import os, sys\nprint('line')\nos.write(1, b'program\\n')\nsys.stderr.write('err\\n')\nos._exit(3)"
    write(place.folder / "in.ipynb", [last])
    assert place.replay("in.ipynb", "out.ipynb").code == 1
    [cell] = place.load("out.ipynb").cells
    assert sorted("".join(one.text for one in cell.outputs).splitlines()) == ["err", "line", "program"]


@pytest.mark.parametrize(
    "spec", ['{"argv": [], "display_name": "x"}', '{"display_name": "x"}', "{", "[1]", '{"argv": ["python", 5, null]}',
             '{"argv": ["python"], "env": {"A": 5}}'],
)  # fmt: skip
def test_a_kernels_specification_that_is_broken(place: Place, spec: str) -> None:
    folder = place.folder / "jupyter" / "kernels" / "broken"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(spec)
    path = write(place.folder / "in.ipynb", ["1"])
    path.write_text(path.read_text().replace('"python3"', '"broken"'))
    done = Place(place.folder, {"JUPYTER_PATH": str(place.folder / "jupyter")}).replay("in.ipynb", "out.ipynb")
    assert (done.code, done.out) == (2, ""), done.err
    assert "broken" in done.err
    assert "please report it" not in done.err
    assert not (place.folder / "out.ipynb").exists()
