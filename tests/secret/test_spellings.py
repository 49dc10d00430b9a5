"""Secrets as real tools print them: none is left, at once and in pieces."""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import quoteattr

import httpx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_runbook.secret.needles import LONG, letters
from jupyter_runbook.secret.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

MASK = "[secret key]"
COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")

VALUES = [
    "hunter2-correct-horse",
    "Gr\xfc\xdfe'n \"aus\" K\xf6ln\n$&<>`;'x\\y z",
    "tok_9F/a+b==&c%41d",
    "it''s \\u0041 \\n %20 &amp; 12345678",
    "-----BEGIN KEY-----\n"
    + "\n".join("MIIEvQIBADANBgkqh" + letter * 47 for letter in "aBcDe")
    + "\n-----END KEY-----\n",
    "s3cr3t\tpassw0rd\x1b[1mx9",
]


def run(*command: str, given: str = "", locale: str = "C.UTF-8") -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    env = {"LC_ALL": locale, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(command, input=given.encode(), check=True, capture_output=True, env=env)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def bash(script: str, value: str, locale: str = "C.UTF-8") -> str:
    return run("bash", "-c", script, "bash", value, locale=locale)


def go(text: str) -> str:
    """Encode as Go's encoding/json does: what HTML takes for markup is escaped, too."""
    made = json.dumps(text, ensure_ascii=False)
    for one in "<>&\u2028\u2029":
        made = made.replace(one, f"\\u{ord(one):04x}")
    return made


def colours(text: str) -> str:
    """Colour every few characters, as tools do that mark what they have found."""
    return "".join(f"\x1b[01;31m\x1b[K{text[at : at + 3]}\x1b[m\x1b[K" for at in range(0, len(text), 3))


def entities(text: str) -> str:
    return "".join(one if one.isalnum() and one.isascii() else f"&#{ord(one)};" for one in text)


def encoded(shift: int) -> Callable[[str], str]:
    return lambda value: run("base64", given="user:"[:shift] + value)


#: What prints a secret, and how many letters and digits around it are of the tool's own.
TOOLS: dict[str, tuple[Callable[[str], str], int]] = {
    "as it is": (str, 0),
    "indented": (lambda value: value.replace("\n", "\n        "), 0),
    "grep --color": (colours, 0),
    "grep --color of another word": (lambda value: run("grep", "--color=always", "-e", "e", "-e", "$", given=value), 0),
    "base64": (encoded(0), 2),
    "base64 after one byte": (encoded(1), 4),
    "base64 after two bytes": (encoded(2), 5),
    "base64 -w 64": (lambda value: run("base64", "-w", "64", given="x" * 33 + value), 46),
    "base64 of JSON": (lambda value: run("base64", given=json.dumps({"k": value})), 16),
    "base64, URL-safe": (lambda value: run("base64", given=value).replace("+", "-").replace("/", "_"), 2),
    "openssl": (lambda value: run("openssl", "base64", given=value), 2),
    "jq": (lambda value: run("jq", "-n", "--arg", "v", value, "$v"), 0),
    "jq -a": (lambda value: run("jq", "-n", "-a", "--arg", "v", value, "$v"), 0),
    "jq, JSON in JSON": (lambda value: run("jq", "-n", "-a", "--arg", "v", value, "{a: {b: $v} | tojson} | tojson"), 2),
    "jq @sh": (lambda value: run("jq", "-nr", "--arg", "v", value, "$v | @sh"), 0),
    "jq @uri": (lambda value: run("jq", "-nr", "--arg", "v", value, "$v | @uri"), 0),
    "jq @html": (lambda value: run("jq", "-nr", "--arg", "v", value, "$v | @html"), 0),
    "jq -C": (lambda value: run("jq", "-nC", "--arg", "v", value, "[$v]"), 0),
    "Go": (go, 0),
    "Go in Go": (lambda value: go(go(value)), 0),
    "JSON four times": (lambda value: json.dumps(json.dumps(json.dumps(json.dumps(value)))), 0),
    "repr": (repr, 0),
    "repr of bytes": (lambda value: repr(value.encode()), 1),
    "repr of repr": (lambda value: repr([repr(value)]), 0),
    "YAML": (lambda value: yaml.safe_dump(value, allow_unicode=True), 0),
    "YAML, ASCII": (yaml.safe_dump, 0),
    "YAML, in single quotes": (lambda value: yaml.safe_dump(value, default_style="'", allow_unicode=True), 0),
    "YAML, in double quotes": (lambda value: yaml.safe_dump(value, default_style='"', width=30), 0),
    "XML": (quoteattr, 0),
    "HTML, by numbers": (entities, 0),
    "percent": (lambda value: quote(value, safe=""), 0),
    "percent, twice": (lambda value: quote(quote(value, safe=""), safe=""), 0),
    "form": (quote_plus, 0),
    "httpx": (lambda value: str(httpx.URL("https://h/", params={"k": value}).query.decode()), 1),
    "a link in a terminal": (lambda value: f"\x1b]8;;https://h/?{urlencode({'k': value})}\x1b\\link\x1b]8;;\x1b\\", 13),
    "printf %q": (lambda value: bash('printf "%q" "$1"', value), 0),
    "printf %q, in the C locale": (lambda value: bash('printf "%q" "$1"', value, "C"), 0),
    "set -x": (lambda value: bash('set -x; : "$1"', value), 0),
    "set -x, in the C locale": (lambda value: bash('set -x; : "$1"', value, "C"), 0),
    "declare -p": (lambda value: bash('x="$1"; declare -p x', value), 8),
    "xxd": (lambda value: run("xxd", given=value), 0),
    "xxd after something": (lambda value: run("xxd", given="12345" + value), 0),
    "xxd -p": (lambda value: run("xxd", "-p", given=value), 2),
    "xxd -i": (lambda value: run("xxd", "-i", given=value), 3),
    "xxd -g1 -u": (lambda value: run("xxd", "-g1", "-u", given=value), 0),
    "hexdump -C": (lambda value: run("hexdump", "-C", "-v", given=value), 8),
    "hexdump": (lambda value: run("hexdump", "-v", given=value), 8),
    "od": (lambda value: run("od", "-v", given=value), 8),
    "od -c": (lambda value: run("od", "-c", "-v", given=value), 8),
    "od -An -tx1": (lambda value: run("od", "-An", "-v", "-tx1", given=value), 2),
    "od -b": (lambda value: run("od", "-b", "-v", given=value), 8),
    "hex": (lambda value: value.encode().hex(), 0),
    "hex with colons": (lambda value: value.encode().hex(":"), 0),
    "a list of numbers": (lambda value: str(list(value.encode())), 0),
    "Go's %v of bytes": (lambda value: str(list(value.encode())).replace(",", ""), 0),
    "a list of characters": (lambda value: str(list(value)), 0),
    "fold": (lambda value: run("fold", "-w", "40", given=value), 4),
    "sed 's/./& /g'": (lambda value: run("sed", "s/./& /g", given=value), 4),
    "a diff": (lambda value: "".join(f"+ {line}\n" for line in value.splitlines()), 0),
}


def left(text: str) -> str:
    return letters(COLOUR.sub("", text.replace(MASK, ""))).decode()


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_nothing_is_left_of_what_a_tool_printed(value: str, tool: str) -> None:
    made, own = TOOLS[tool]
    check(Redactor({value: "key"}), made(value), own)


def check(redactor: Redactor, printed: str, own: int) -> None:
    masked = redactor.text(f"=\n{printed}\n=")
    assert MASK in masked, printed
    assert len(left(masked)) <= own, masked
    numbers = random.Random(printed)  # noqa: S311 -- where to cut
    for most in (1, 7, 100):
        assert pieces(redactor, f"=\n{printed}\n=", numbers, most) == masked


def pieces(redactor: Redactor, text: str, numbers: random.Random, most: int) -> str:
    """Redact a text that comes in pieces of some characters at most."""
    stream, shown, at = redactor.stream(), "", 0
    while at < len(text):
        size = numbers.randint(1, most)
        shown += stream.feed(text[at : at + size])
        at += size
    return shown + stream.close()


SPELLED: list[Callable[[str], str]] = [
    str, json.dumps, go, repr, quote, quote_plus, entities, colours, yaml.safe_dump, quoteattr,
    lambda value: json.dumps(json.dumps(value)),
    lambda value: repr(value.encode()),
    lambda value: value.encode().hex(" "),
    lambda value: base64.encodebytes(b"user:" + value.encode()).decode(),
    lambda value: "".join(f"{at:08x}: {value.encode()[at : at + 16].hex(' ', 2)}\n" for at in range(0, len(value), 16)),
]  # fmt: skip
#: No word, and no number of few digits: such a one is masked where it stands alone. Not so short and of several lines.
SECRETS = st.text(
    st.sampled_from("abcXYZ019 '\"\\$&<>%+/=_-\n\t\x1b\xfc\xdf\u20ac\u0434"), min_size=4, max_size=40
).filter(
    lambda text: not text.isalnum() and text == text.strip() and (len(letters(text)) >= LONG or text.isprintable())
)


@given(SECRETS, st.sampled_from(sorted(TOOLS)))
@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much])
def test_no_secret_is_left_whatever_it_is_made_of(value: str, tool: str) -> None:
    redactor = Redactor({value: "key"})
    printed = f"=\n{TOOLS[tool][0](value)}\n="
    assert MASK in redactor.text(printed), printed


@given(
    st.lists(SECRETS, min_size=1, max_size=3),
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(SPELLED),
            st.floats(0, 1),
            st.sampled_from(["", " ", "\n", "x", "\x1b[m"]),
        ),
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much])
def test_a_stream_shows_what_the_whole_text_would(
    values: list[str], printed: list[tuple[int, Callable[[str], str], float, str]], numbers: random.Random
) -> None:
    redactor = Redactor({value: f"s{number}" for number, value in enumerate(values)})
    assert redactor.index
    # What opens the search of one piece may not stand in the next; only more is masked for it.
    redactor.index._gates = None
    text = ""
    for number, spelled, part, between in printed:
        made = spelled(values[number % len(values)])
        text += made[: int(len(made) * part) + 1] + between
    assert pieces(redactor, text, numbers, 9) == redactor.text(text)


@given(SECRETS, st.lists(st.sampled_from(SPELLED), max_size=3))
def test_the_fast_search_misses_nothing(value: str, spelled: list[Callable[[str], str]]) -> None:
    redactor, thorough = Redactor({value: "key"}), Redactor({value: "key"})
    assert thorough.index
    thorough.index._gates = None
    text = " ".join(function(value) for function in spelled)
    assert redactor.text(text) == thorough.text(text)
