"""Bad input in a cell, as whoever replays sees it: one to three lines, the cell named, and nothing touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.replay.runs import LOAD, Place, statuses, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

BAD = {
    "broken YAML": ("%%probe\n- file: a\n  mode: [\n", "line 4: broken YAML"),
    "an unknown option": ("%%shell --nope\ntouch a", "there is no option --nope"),
    "an unknown key": ("%%probe\n- file: a\n  colour: red", "line 3: a file check takes no colour"),
    "an unknown Compose key": ("%%docker\nservices:\n  a:\n    image: b\n    colour: red", "line 5: "),
    "an undefined name": ("%%shell\ntouch {{ nope }}", "line 2: 'nope' is undefined"),
    "no engine": (
        "%%docker --host unix:///no/such.sock\nservices: {a: {image: busybox}}",
        "unreachable: no engine at unix:///no/such.sock",
    ),
    "no such host": (
        "%%shell --on nope.invalid\ntouch a",
        "unreachable: nope.invalid: ssh: Could not resolve hostname",
    ),
    "no such host of an inventory": ("%%ansible -i a, --hosts b\n- command: touch a", "no host matched b: nothing ran"),
    "no playbook": ("%%ansible\nsite.yml", "the playbook site.yml is not there"),
    "no inventory": ("%%ansible -i hosts.yml\n- command: touch a", "the inventory hosts.yml is not there"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_a_few_lines(tmp_path: Path, name: str) -> None:
    cell, said = BAD[name]
    place = Place(tmp_path)
    write(tmp_path / "a.ipynb", [LOAD, cell, "1"])
    done = place.invoke("replay", "a.ipynb", "out.ipynb")
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err
    _, _, told = done.err.partition("[2/3]")
    assert 2 <= len(told.splitlines()) <= 4  # the cell's own line, then one to three
    assert statuses(place.status("out.ipynb")) == ["done", "failed", "not-run"]
    [output] = place.load("out.ipynb").cells[1].outputs[1:]
    assert 1 <= len(output.traceback) <= 3
    assert not (tmp_path / "a").exists()
