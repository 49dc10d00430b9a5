"""What lies in a folder of the right name is used where it is what was installed there, and else not."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.errors import Interrupted
from jupyter_runbook.providers.ansible import proof
from jupyter_runbook.providers.ansible.proof import is_proven, prove
from jupyter_runbook.secret import keyed
from jupyter_runbook.stop import Stop

if TYPE_CHECKING:
    from pathlib import Path

PARTS = (".runbook", "galaxy", "0123")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a role, which is proven."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    keyed._key.cache_clear()
    place = tmp_path.joinpath(*PARTS)
    files = {
        "roles/far/tasks/main.yml": "- debug:\n",
        "roles/far/filter_plugins/shout.py": "class FilterModule: pass\n",
        "roles/far/files/\udce9\n": "a name that is no UTF-8",
        "collections/ansible_collections/far/away/README.md": "far",
    }
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (place / "roles/far/README").symlink_to("../../nowhere")
    os.chmod(tmp_path / ".runbook", 0o700)  # noqa: PTH101 -- as ours are made
    with Stop(None) as stop:
        prove(place, PARTS[-1], stop)
    assert proven(tmp_path)
    assert proven(tmp_path), "the second time without reading it"
    return place


def proven(root: Path, parts: tuple[str, ...] = PARTS) -> bool:
    with Stop(None) as stop:
        return is_proven(root, parts, stop)


# What somebody who hands the folder over may have done in it, as lines of a shell; $T is the role's tasks.
CHANGES = {
    "edited": "touch -r $T ../at; echo '- fail: ' > $T; touch -r ../at $T; rm ../at",
    "added": "echo > roles/far/tasks/main.yaml",
    "an empty folder": "mkdir roles/near",
    "linked": "mv $T ../tasks.yml; ln -s $PWD/../tasks.yml $T",
    "another link": "ln -sfn /etc/hostname roles/far/README",
    "renamed": "mv $T roles/far/tasks/other.yml",
    "moved into another": "mv roles/far roles/near",
    "piped": "rm $T; mkfifo $T",
    "taken away": "rm -r roles",
    "executable": "chmod 755 $T",
    "without proof": "rm proof",
    "a proof of its own": "echo > $T; printf %064d 0 > proof",
    "a proof that is no text": r"printf '\377%063d' 0 > proof",
    "a proof as a pipe": "rm proof; mkfifo proof",
    "a proof for others to write": "chmod 666 proof",
    "a link to another": "mv $PWD ../another; ln -s another $PWD",
    "deep": "cd roles; for i in {1..300}; do mkdir d; cd d; done",
    "large": "truncate -s 2M $T",
}


@pytest.mark.parametrize("again", [False, True], ids=["by this process", "by another"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_not_proven(
    place: Path, tmp_path: Path, change: str, again: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "MOST_BYTES", 1 << 20)
    if again:
        monkeypatch.setattr(proof, "_read", {})
    command = ["bash", "-ec", f"T=roles/far/tasks/main.yml; {CHANGES[change]}"]
    subprocess.run(command, cwd=place, check=True)
    assert not proven(tmp_path)
    assert not proven(tmp_path)


def test_a_copy_is_proven_under_its_own_name_alone(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, place.with_name("4567"), symlinks=True)
    shutil.copytree(tmp_path / ".runbook", tmp_path / "there/.runbook", symlinks=True)
    assert not proven(tmp_path, (*PARTS[:2], "4567")), "what one file asks for is not what another one does"
    assert proven(tmp_path / "there")


def test_another_machine_proves_nothing_here(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(proof, "_read", {})
    assert place.is_dir()
    assert not proven(tmp_path)


def test_what_python_compiled_there_is_taken_away(place: Path, tmp_path: Path) -> None:
    """It comes with each play; and what somebody compiled would run in place of the source that was proven."""
    compiled = place / "roles/far/filter_plugins/__pycache__"
    compiled.mkdir()
    (compiled / "shout.cpython-311.pyc").write_bytes(b"code")
    assert proven(tmp_path)
    assert not compiled.exists()


def test_reading_heeds_the_stop(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_read", {})
    assert place.is_dir()
    with Stop(None) as stop:
        stop.set(Interrupted("it was stopped"))
        with pytest.raises(Interrupted):
            is_proven(tmp_path, PARTS, stop)
