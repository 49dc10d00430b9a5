"""Files that are read whole: they are regular, of a bounded size, or refused at once."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from jupyter_runbook.cli import main
from jupyter_runbook.files import read_bytes, read_text
from jupyter_runbook.providers.ansible import words as words_module
from jupyter_runbook.providers.ansible.words import TooMuchError, Words

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(30)


def test_a_file_is_read_whole_and_its_ends_of_lines_are_one_kind(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes("gr\u00fcn\r\nb\rc\n".encode())
    assert read_text(path) == "gr\u00fcn\nb\nc\n"
    assert read_bytes(path, largest=12) == path.read_bytes()
    path.write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        read_text(path)


def test_what_has_no_end_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "large").write_bytes(b"x" * 11)
    for path, why in (
        (pipe, "it is no regular file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "large", "it is larger than"),
        (tmp_path / "none", "No such file or directory"),
    ):
        with pytest.raises(OSError) as caught:  # noqa: PT011 -- its text is looked at
            read_bytes(path, largest=10)
        assert why in str(caught.value.strerror)
    link = tmp_path / "zero"
    link.symlink_to("/dev/zero")
    for pipes in (True, False):
        with pytest.raises(OSError, match="no regular file"):
            read_bytes(link, pipe=pipes)


def test_a_pipe_that_the_user_has_typed_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("site: bonn\n",))
    writer.start()
    assert read_text(pipe, pipe=True) == "site: bonn\n"
    writer.join()


COMMANDS = [["status"], ["replay"], ["report"], ["params"]]


# A pipe that the user has typed, after -f, is waited for.
@pytest.mark.parametrize(
    ("words", "kind"),
    [(one, kind) for one in COMMANDS for kind in ("pipe", "zero")] + [(["replay", "good.ipynb", "-f"], "zero")],
)
def test_a_command_refuses_what_has_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    name = "given.ipynb"
    if kind == "pipe":
        os.mkfifo(name)
    else:
        (tmp_path / name).symlink_to("/dev/zero")
    done = CliRunner().invoke(main, [*words, name])
    assert done.exit_code == 2, done.output
    assert "given.ipynb: it can't be read: it is no regular file" in done.output


def bomb(levels: int = 40) -> str:
    lines = ["a0: &a0 [x, '{{ deep }}']"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_aliases_of_aliases_are_refused_at_once() -> None:
    with pytest.raises(TooMuchError):
        Words().add_yaml(bomb())
    words = Words()
    words.add_yaml(bomb(8))
    assert words.wanted == {"deep"}, "what can be read is"


def test_an_alias_to_what_is_around_it_has_an_end() -> None:
    words = Words()
    words.add_yaml("a: &a\n  b: *a\n  c: '{{ found }}'\n")
    assert words.wanted == {"found"}


def test_merge_keys_of_merge_keys_are_no_more_than_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, "MOST_KEYS", 1000)
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(10)) + "}"]
    lines += [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    words = Words()
    with suppress(TooMuchError):  # a later PyYAML (6.0.3) leaves out what is there already
        words.add_yaml("\n".join(lines) + "\n")
    with pytest.raises(TooMuchError):
        words.add_yaml("a: &a {" + ", ".join(f"k{n}: 1" for n in range(1001)) + "}\nb: {<<: *a}\n")
    words.add_yaml("a: {" + ", ".join(f"k{n}: '{{{{ many }}}}'" for n in range(1002)) + "}\n")
    assert words.wanted == {"many"}, "a long table is none of that"
    words.add_yaml("[" * 5000)
    words.add_yaml("- &d {no_log: true, a: '{{ kept }}'}\n- <<: *d\n  b: '{{ more }}'\n")
    assert words.hidden == {"kept", "more"}
