"""Keyed digests: nobody tries out what a secret may be, and another machine's key says nothing here."""

from __future__ import annotations

import hashlib
import hmac
import json
import multiprocessing
import os
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.providers.docker.labels import FIELDS, fields_of, fingerprint, made_with, not_comparable
from jupyter_runbook.secret import Secret, keyed
from jupyter_runbook.secret.keyed import key_id, keyed_digest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "here"))


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))


def test_a_key_is_made_once_and_is_the_user_s_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, path = keyed_digest("4711"), tmp_path / "here/jupyter-runbook/digests.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    keyed._key.cache_clear()
    assert keyed_digest("4711") == first != keyed_digest("4712")
    here = key_id()
    assert path.read_text() not in first + here
    elsewhere(monkeypatch, tmp_path)
    assert keyed_digest("4711") != first
    assert key_id() != here
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("how", ["a link", "others read it", "cut short", "a pipe"])
def test_a_key_that_may_be_anybody_s_is_none(tmp_path: Path, how: str) -> None:
    keyed_digest("x")
    path = tmp_path / "here/jupyter-runbook/digests.key"
    text = path.read_text()
    path.unlink()
    if how == "a link":
        (tmp_path / "other").write_text(text)
        path.symlink_to(tmp_path / "other")
    elif how == "a pipe":
        os.mkfifo(path, 0o600)
    else:
        path.write_text(text if how == "others read it" else text[:20])
        path.chmod(0o644 if how == "others read it" else 0o600)
    keyed._key.cache_clear()
    assert keyed_digest("x") != hmac.new(bytes.fromhex(text), b"x", "sha256").hexdigest()
    assert keyed_digest("x") == keyed_digest("x")


def _digest(_: int) -> str:
    keyed._key.cache_clear()
    return keyed_digest("x")


def test_processes_that_begin_at_once_make_one_key() -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        assert len(set(pool.map(_digest, range(64)))) == 1


def test_a_pin_is_not_found_from_a_label() -> None:
    value = {"PIN": Secret("4711", name="PIN"), "A": "1"}
    text = fingerprint(value).text
    for number in range(10000):
        tried = json.dumps({"A": "1", "PIN": f"{number:04}"}, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(tried.encode()).hexdigest()[:16] not in text
        assert hashlib.sha256(f"{number:04}".encode()).hexdigest()[:16] not in text
    assert fingerprint({"A": "1"}).text == fingerprint({"A": "1"}).before


def labels(**fields: Any) -> dict[str, str]:
    return {FIELDS: json.dumps({"version": 1, "key": key_id(), **fields})}


def test_what_another_machine_s_key_made_is_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = {"P": Secret("hunter2", name="P")}, {"P": Secret("hunter3", name="P")}
    made = labels(environment=fingerprint(old).text, command=fingerprint(["a"]).text)
    known = fields_of(made)
    assert known
    assert fingerprint(old).fits(known["environment"])
    assert not fingerprint(new).fits(known["environment"])
    assert made_with({"P": "hunter2"}, known["environment"])
    assert not made_with({"P": "hunter3"}, known["environment"])
    assert not_comparable(made) == []
    # An earlier version's, without a key, is still known.
    assert fingerprint(old).fits(fingerprint({"P": "hunter2"}).text)
    elsewhere(monkeypatch, tmp_path)
    known = fields_of(made)
    assert known
    assert fingerprint(new).fits(known["environment"])
    assert not fingerprint({**new, "A": "1"}).fits(known["environment"])
    assert not fingerprint(["b"]).fits(known["command"])
    assert not_comparable(made) == ["environment"]
