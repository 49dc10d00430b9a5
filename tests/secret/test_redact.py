"""The redactor: every spelling found, in whole texts, in pieces, in values; everything else untouched."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_runbook.secret import Secret
from jupyter_runbook.secret.needles import Whole, needles
from jupyter_runbook.secret.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES = ["hunter2", 'it\'s 50% of $HOME; "ok"\\ / + ü?', "a&b<c>d", "line one!\nline two!\n", "päß wörd"]

SPELLINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "json": json.dumps,
    "json, utf-8": lambda value: json.dumps(value, ensure_ascii=False),
    "json inside json": lambda value: json.dumps({"a": value}),
    "python": repr,
    "url": lambda value: quote(value, safe=""),
    "url path": quote,
    "url form": quote_plus,
    "url in lower case": lambda value: re.sub("%..", lambda found: found[0].lower(), quote(value, safe="")),
    "shell": shlex.quote,
    "html": html.escape,
    "html, text only": lambda value: html.escape(value, quote=False),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, url-safe": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "several lines, indented": lambda value: "\n".join("    " + line for line in value.splitlines()),
    "bash set -x": lambda value: _bash('set -x; : "$1"', value),
    "bash printf %q": lambda value: _bash('printf "%q" "$1"', value),
    "bash declare": lambda value: _bash('x="$1"; declare -p x', value),
}


def _bash(script: str, value: str) -> str:
    command = ["/bin/bash", "-c", script, "bash", value]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"})
    return result.stdout + result.stderr


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("value", VALUES)
def test_a_secret_is_found_however_it_is_spelled(value: str, spelling: str) -> None:
    spelled = SPELLINGS[spelling](value)
    masked = Redactor({value: "db"}).text(f"before\t{spelled}\tafter")
    assert "[secret db]" in masked
    assert masked.startswith("before\t")
    assert masked.endswith("\tafter")
    for line in value.split("\n"):
        for part in (line, base64.b64encode(line.encode()).decode(), quote(line), json.dumps(line)[1:-1]):
            assert not part or part not in masked


@pytest.mark.parametrize("shift", range(6))
@pytest.mark.parametrize("length", range(6, 12))
def test_a_secret_inside_base64_of_more_is_found(shift: int, length: int) -> None:
    secret = "S3cr3t-Passw"[:length]
    text = base64.b64encode(("user:x"[:shift] + secret + "@host").encode()).decode()
    masked = Redactor({secret: "db"}).text(text)
    assert "[secret db]" in masked
    left = masked.replace("[secret db]", "")
    assert len(left) <= len(text) - (length * 8 // 6 - 2)


def test_overlapping_secrets_leave_nothing_of_each_other() -> None:
    redactor = Redactor({"ab1d": "one", "1def": "two", "ab1defgh": "three"})
    assert redactor.text("xab1defy") == "x[secret one]y"
    assert redactor.text("ab1defgh") == "[secret three]"
    assert redactor.text("ab1dab1d") == "[secret one][secret one]"


def test_values_are_redacted_in_keys_lists_and_numbers() -> None:
    value: dict[str, Any] = {"pw=hunter2": [1, None, True, "x hunter2", 4711, 0.5]}
    redactor = Redactor({"hunter2": "db", "4711": "pin"})
    assert redactor.value(value) == {"pw=[secret db]": [1, None, True, "x [secret db]", "[secret pin]", 0.5]}


def test_a_secret_made_later_is_known_at_once() -> None:
    redactor = Redactor()
    assert redactor.text("made-later-9f") == "made-later-9f"
    Secret("made-later-9f", name="later")
    assert redactor.text("made-later-9f") == "[secret later]"


PIECES = st.lists(st.text("abc\n", max_size=6), max_size=12)
SECRETS = st.dictionaries(st.text("abc\n", min_size=1, max_size=5), st.sampled_from(["x", "y"]), min_size=1, max_size=4)


@given(PIECES, SECRETS)
@example(["aa", ""], {"aa": "x"})
@example(["a"] * 12, {"aa": "x"})
@example(["ab", "ca", "bc"], {"abcab": "x", "ab": "y"})
@settings(max_examples=500)
def test_a_stream_shows_what_the_whole_text_would(pieces: list[str], secrets: dict[str, str]) -> None:
    redactor = Redactor(secrets)
    stream = redactor.stream()
    shown = "".join([*(stream.feed(piece) for piece in pieces), stream.close()])
    assert shown == redactor.text("".join(pieces))


@given(st.text(st.characters(exclude_characters="\0"), min_size=1), st.text(), st.text())
def test_no_text_keeps_a_secret(secret: str, before: str, after: str) -> None:
    # A word of a few letters, or a few digits, is masked where it stands alone; whatever else, anywhere.
    alone = any(needle.whole is not Whole.NO for needle in needles(secret))
    if alone:
        before, after = before + " ", " " + after
    masked = Redactor({secret: "s"}).text(before + secret + after)
    assert "[secret s]" in masked
    assert alone or secret not in masked.replace("[secret s]", "\0")


WORDS = {
    "minerva": {
        "minerva": True,
        "the word is minerva.": True,
        "PASSWORD=minerva": True,
        "https://root:minerva@db": True,
        "mysql -pminerva": True,
        '{"a": "\\nminerva\\n"}': True,
        "a%20minerva%20b": True,
        "\x1b[31mminerva\x1b[0m": True,
        "'minerva','minerva'": True,
        "minerva-data": False,
        "data_minerva": False,
        "minerva.example.com": False,
        "minervas": False,
        "Xminerva": False,
    },
    "Geheim": {"geheim": False, "Geheim": True, "Geheimnis": False, "(Geheim)": True},
    "4711": {"4711": True, "PIN 4711, please": True, "x4711y": True, "14711": False, "0.4711": False, "4711.5": False},
    "t4ckle": {"t4ckle-data": True, "xt4ckley": True},
}


@pytest.mark.parametrize(("secret", "text"), [(secret, text) for secret, texts in WORDS.items() for text in texts])
def test_a_word_and_a_few_digits_are_masked_where_they_stand_alone(secret: str, text: str) -> None:
    masked = Redactor({secret: "s"}).text(text)
    assert ("[secret s]" in masked) is WORDS[secret][text], masked
    assert (masked == text) is not WORDS[secret][text]
    stream = Redactor({secret: "s"}).stream()
    assert "".join([*map(stream.feed, text), stream.close()]) == masked


def test_an_endless_run_of_overlaps_is_not_held_back() -> None:
    stream = Redactor({"a1a1a": "x"}).stream()
    shown = "".join(stream.feed("a1" * 1000) for _ in range(50))
    assert shown == "[secret x]"
    assert len(stream.held) <= 4
    assert stream.feed("b") + stream.close() == "1b"


def test_what_may_be_a_secret_s_beginning_is_held_back_no_longer_than_that() -> None:
    stream = Redactor({"hunter2-correct-horse": "db"}).stream()
    assert stream.feed("Waiting for h") == "Waiting for "
    assert stream.feed("\n") == "h\n"
    assert stream.feed("hunter2-cor") == ""
    assert stream.feed("\n" * 500) == "hunter2-cor" + "\n" * 500
    assert stream.feed("hunter2-cor\n   rect-horse\n") == "[secret db]\n"


def test_a_text_without_secrets_is_shown_at_once() -> None:
    stream = Redactor({"hunter2": "db"}).stream()
    assert stream.feed("all is well\n") == "all is well\n"
    assert stream.feed("the word is hun") == "the word is "
    assert stream.feed("ting\n") == "hunting\n"
