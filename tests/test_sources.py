"""Where secrets come from, and one line for each way that they can be missing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import keyring
import keyring.backend
import keyring.errors
import pytest

from jupyter_runbook import sources as sources_module
from jupyter_runbook.errors import BadInput
from jupyter_runbook.sources import read_secret

if TYPE_CHECKING:
    from pathlib import Path


class Memory(keyring.backend.KeyringBackend):
    """A keyring without a desktop."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept = {("db", "admin"): "ring-secret", ("db", "pw"): "own-secret"}

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise keyring.errors.KeyringLocked("it is locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DB", "env-secret")
    monkeypatch.setenv("pw", "name-secret")
    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "pw").write_text("file-secret\n")
    (tmp_path / "spaces").write_text(" two \n\n")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    monkeypatch.chdir(tmp_path)
    keyring.set_keyring(Memory())
    return tmp_path


GOOD = [
    (None, "name-secret"),
    ("env", "name-secret"),
    ("env:DB", "env-secret"),
    ("file:pw", "file-secret"),
    ("file:spaces", " two \n"),
    ("keyring:db/admin", "ring-secret"),
    ("keyring:db", "own-secret"),
    ("prompt", "typed for pw: "),
    ("cmd:printf 'a b\\n'", "a b"),
    ("cmd:sh -c 'echo \"two  words\"'", "two  words"),
    ("cmd:cat spaces", " two \n"),
]


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(("source", "value"), GOOD)
def test_sources(source: str | None, value: str) -> None:
    secret = read_secret("pw", source, lambda question: f"typed for {question}")
    assert secret.reveal() == value
    assert str(secret) == "[secret pw]"


BAD = [
    ("env:NOBODY", "there is no environment variable NOBODY"),
    ("env:EMPTY", "the secret pw is empty (its source is env:EMPTY)"),
    ("file:none", "none can't be read (No such file or directory)"),
    ("file:binary", "binary can't be read (it is no UTF-8)"),
    ("file:empty", "the secret pw is empty"),
    ("file:", "file: names nothing"),
    ("file:~no-such-user/x", "~no-such-user/x can't be read (No such file or directory)"),
    ("file:large", "large can't be read (it is larger than 1 MiB)"),
    ("keyring:web", "the keyring has no web/pw"),
    ("vault:x", "the secret pw: this is no source"),
    ("keyring:locked/x", "the keyring can't be asked: it is locked"),
    ("prompt", "nobody can be asked here"),
    ("cmd:", "cmd: names nothing"),
    ("cmd: ", "cmd: names nothing"),
    ("cmd:yes", "yes printed more than 1 MiB"),
    ("cmd:sh -c 'yes >&2 & sleep 0.1; kill $!; exit 3'", "sh ended with 3: y"),
    ("cmd:no-such-program-here x", "no-such-program-here can't be started (No such file or directory)"),
    ("cmd:sh -c 'echo half-a-secret; echo locked >&2; exit 3'", "sh ended with 3: locked"),
    ("cmd:printf '\\377'", "what printf printed is no UTF-8"),
    ("cmd:true", "the secret pw is empty"),
    ("cmd:echo 'a", "no closing quotation"),
]


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(("source", "message"), BAD)
def test_what_is_missing_is_told(source: str, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)) as caught:
        read_secret("pw", source, None)
    assert 2 <= len(caught.value.lines()) <= 3


def test_a_secret_that_is_typed_in_place_of_its_source_is_not_said_again() -> None:
    with pytest.raises(BadInput) as caught:
        read_secret("pw", "Tr0ub4dor-3", None)
    assert "Tr0ub" not in str(caught.value)


def test_a_program_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_module, "PATIENCE", 0.2)
    with pytest.raises(BadInput, match=r"sleep did not end in 0\.2 s"):
        read_secret("pw", "cmd:sleep 100", None)
