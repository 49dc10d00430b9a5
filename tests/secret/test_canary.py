"""A canary through every magic, in every form, to every end: nothing that is left behind has it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import pytest

from tests.replay.runs import BIN, LOAD, TIMEOUT, Place, write

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

FORMS = """\
printf '%s\\n' "{{ tok_secret }}"; printf '%q\\n' "{{ tok_secret }}"; printf %s "{{ tok_secret }}" | base64 -w 12
set -x; : "{{ tok_secret }}"; set +x
printf %s "{{ tok_secret }}" | od -c; printf %s "{{ tok_secret }}" | od -An -tx1
python3 -c 'import json, sys; t = sys.argv[1]; print(repr(t), json.dumps(json.dumps(t)), t.encode())' "{{ tok_secret }}"
python3 -c 'import sys, urllib.parse as u; print(u.quote(sys.argv[1]), list(sys.argv[1]))' "{{ tok_secret }}"
"""
SHELL = {
    "printed": f"%%shell --name printed --out said\n{FORMS}",
    "bound": "print(said.facts); said.facts",
    "failed": '%%shell --name failed\necho "{{ tok_secret }}" >&2; exit 3',
    "late": '%%shell --name late --timeout 1\necho "{{ tok_secret }}"; sleep 30',
    "plain": "print(tok_secret.reveal()); tok_secret.reveal()",
}
REST = {
    "ansible": """%%ansible --name played --hosts localhost
- ansible.builtin.command: echo {{ tok_secret | quote }}
- ansible.builtin.copy: {dest: ./made, content: "{{ tok_secret }}"}
- ansible.builtin.file: {path: ./made, state: absent}
- ansible.builtin.fail: {msg: "no {{ tok_secret }}"}
""",
    "probe": """%%probe --name probed
- command: echo "{{ tok_secret }}"
  contains: nothing
- http: http://127.0.0.1:1/?q={{ tok_secret }}
""",
    "docker": """%%docker
name: canary
services:
  web:
    image: busybox:latest
    command: [sh, -c, 'echo "$$T"; exit 1']
    environment: {T: "{{ tok_secret }}"}
    secrets: [s]
secrets: {s: {content: "{{ tok_secret }}"}}
""",
    "os": '%%os --cloud nobody\nkeypairs: [{name: k, public_key: "{{ tok_secret }}"}]',
}
# Where programs leave things beside the notebook's folder.
ELSEWHERE = ("/dev/shm", "/var/log", "/var/tmp")  # noqa: S108 -- they are only looked at
RAISED = "raise ValueError(tok_secret.reveal())"


@pytest.fixture
def canary() -> str:
    return f'Gr\xfc\xdfe "{secrets.token_hex(5)}k4" it\'s\n$&<>;{secrets.token_hex(5)}-Zq'


def traces(canary: str) -> list[bytes]:
    """Return what nobody may find: pieces of the canary, as it is and encoded."""
    raw = canary.encode()
    first, last = canary.split('"')[1], canary.split(";")[1]
    whole = [raw, repr(canary)[1:-1].encode(), json.dumps(canary)[1:-1].encode(), quote(canary).encode()]
    encoded = [base64.b64encode(b"x" * shift + raw)[4:28] for shift in range(3)]
    return [*whole, *encoded, first.encode(), last.encode(), raw.hex().encode()[:30]]


def found(canary: str, since: float, *folders: Path) -> list[str]:
    """Return the files, changed since a moment, with a trace of the canary."""
    hits = []
    for folder in (*folders, *map(Path, ELSEWHERE), Path("~/.ansible").expanduser()):
        for place, _, names in os.walk(folder):
            for path in (Path(place, name) for name in names):
                try:
                    if not path.is_file() or path.is_symlink() or path.stat().st_mtime < since - 1:
                        continue
                    raw = path.read_bytes()
                except OSError:
                    continue
                hits += [f"{path}: {trace!r}" for trace in traces(canary) if trace in raw]
    return hits


def runbook(folder: Path, cells: list[str]) -> None:
    # Each cell may fail, and the next one runs all the same.
    tags = {index: ["raises-exception"] for index in range(2, len(cells) + 2)}
    write(folder / "a.ipynb", [LOAD, "tok_secret = ''", *cells, RAISED], {1: ["parameters"], **tags})


@pytest.mark.parametrize("how", ["replay", "papermill"])
def test_nothing_that_is_left_has_the_canary(
    tmp_path: Path, docker_host: str, canary: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    since = time.time()
    runbook(tmp_path, [*SHELL.values(), *REST.values()])
    place = Place(tmp_path, {"CANARY": canary, "DOCKER_HOST": docker_host, "XDG_DATA_HOME": str(tmp_path / "home")})
    if how == "replay":
        done = place.command("jupyter", "runbook", "replay", "a.ipynb", "out.ipynb", "-s", "tok_secret=env:CANARY")
    else:
        done = place.command("papermill", "--engine", "runbook", "a.ipynb", "out.ipynb", "-p", "tok_secret", canary)
    assert done.code == 1, done.err
    assert "[secret tok_secret]" in done.out + done.err
    cells = json.loads((tmp_path / "out.ipynb").read_text("utf-8"))["cells"]
    said = {
        "".join(cell["source"]).strip(): json.dumps(cell["outputs"]) for cell in cells if cell["cell_type"] == "code"
    }
    for name, source in {**SHELL, **REST, "raised": RAISED}.items():
        # A public key is nothing that a secret may be: that is told, and nothing is done.
        assert ("[secret tok_secret]" if name != "os" else "the secret tok_secret") in said[source.strip()], name
    (tmp_path / "printed").write_text(done.out + done.err)
    assert found(canary, since, tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed_leaves_nothing_of_the_canary(tmp_path: Path, canary: str, number: signal.Signals) -> None:
    since = time.time()
    runbook(tmp_path, [SHELL["printed"], REST["ansible"], '%%shell --name long\necho "{{ tok_secret }}"; sleep 60'])
    environment = {**os.environ, "CANARY": canary, "IPYTHONDIR": str(tmp_path / "ipython")}
    words = ["runbook", "replay", "a.ipynb", "out.ipynb", "-s", "tok_secret=env:CANARY"]
    with (tmp_path / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [BIN / "jupyter", *words], cwd=tmp_path, env=environment, stdout=printed, stderr=printed
        )
        journal = tmp_path / ".runbook/journal.jsonl"
        wait_for(lambda: journal.exists() and '"name":"long"' in journal.read_text("utf-8"))
        process.send_signal(number)
        process.wait(TIMEOUT)
    # Its kernel, and what that has started, end by themselves.
    wait_for(lambda: not at_work(tmp_path))
    left = list(Path(tempfile.gettempdir()).glob(f"runbook-{process.pid}-*"))
    assert not left or number == signal.SIGKILL
    assert found(canary, since, tmp_path, *left) == []


def wait_for(there: Callable[[], bool]) -> None:
    ends = time.monotonic() + TIMEOUT
    while not there():
        assert time.monotonic() < ends, "it never came to it"
        time.sleep(0.05)


def at_work(folder: Path) -> list[psutil.Process]:
    """Return the processes that work in a folder."""
    working = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()) == folder:
                working.append(process)
    return working
