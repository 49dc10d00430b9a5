"""YAML as Compose and Kubernetes users mean it, with lines; and nothing that it can't read ends in a traceback."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.spec.yamltext import Document, dotted, load_yaml

SCALARS: list[tuple[str, Any]] = [
    ("on", "on"),
    ("yes", "yes"),
    ("true", True),
    ("FALSE", False),
    ("22:22", "22:22"),
    ("8080:80", "8080:80"),
    ("0644", 0o644),
    ("0o644", 0o644),
    ("0x1F", 31),
    ("089", 89),
    ("-12", -12),
    ("1_000", "1_000"),
    ("1e3", 1000.0),
    ("1.5", 1.5),
    (".5", 0.5),
    (".inf", float("inf")),
    ("-.INF", float("-inf")),
    ("~", None),
    ("null", None),
    ("", None),
    ("2026-10-01", "2026-10-01"),
    ("'12'", "12"),
    ("!!str 12", "12"),
    ("!!binary aGk=", b"hi"),
    ("1.2.3", "1.2.3"),
    (".", "."),
]

BROKEN = [
    ("a: 1\nb: [1, 2\nc: 3", 3, "broken YAML"),
    ("a: 1\na: 2", 2, "the key 'a' is there twice"),
    ("a: 1\n---\nb: 2", 2, "broken YAML"),
    ("name: {{ who }}", 1, "where a key should be"),
    ("name: {{ who }}-x", 1, "broken YAML"),
    ("a: 1\nb: !vault x", 2, "the tag !vault is not known"),
    ("a: 1\nb: !!python/object:os.system x", 2, "the tag !!python/object:os.system is not known"),
    ("a: !!int x", 1, "can't be read as !!int"),
    ("a: &x [*x]", 1, "refers to itself"),
    ("a: &x {<<: *x}", 1, "refers to itself"),
    ("a: 1\n<<: 3", 2, "needs a mapping"),
    ("a: \x00", 1, "broken YAML"),
    ("a: *nowhere", 1, "broken YAML"),
    ("a: " + "9" * 5000, 1, "can't be read as !!int"),
    ("[" * 5000, 1, ""),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_are_of_the_core_schema(text: str, value: Any) -> None:
    read = load_yaml(f"key: {text}").data["key"]
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(("text", "line", "message"), BROKEN, ids=[message or text[:8] for text, _, message in BROKEN])
def test_what_is_broken_is_an_error_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        load_yaml(text, first_line=10)
    assert message in caught.value.message
    assert caught.value.where.line == line + 9
    assert len(caught.value.lines()) <= 3


def test_an_unquoted_template_is_told_to_be_quoted() -> None:
    for text in ("name: {{ who }}", "name: {{ who }}-x"):
        with pytest.raises(InvalidSpec) as caught:
            load_yaml(text)
        assert caught.value.hint == 'a template is quoted: key: "{{ name }}"'


def test_few_lines_of_aliases_do_not_grow_to_millions_of_values() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(InvalidSpec, match="aliases make more than"):
        load_yaml("\n".join(rows))


def test_every_value_knows_its_line() -> None:
    document = load_yaml("services:\n  web:\n    ports:\n      - 80\n      - 81\n", first_line=2)
    assert document.line(("services", "web", "ports", 1)) == 6
    assert document.line(("services", "web", "image")) == 3
    error = document.error(("services", "web", "ports", 0), "no", hint="yes")
    assert (error.where.line, error.hint) == (5, "yes")


def test_a_merge_key_brings_what_is_not_there_with_the_line_where_it_stands() -> None:
    text = "base: &b\n  image: nginx\n  user: a\nweb:\n  <<: *b\n  user: b\n"
    document = load_yaml(text)
    assert document.data["web"] == {"user": "b", "image": "nginx"}
    assert document.line(("web", "image")) == 2
    assert document.line(("web", "user")) == 6


def test_of_several_merged_mappings_the_first_wins() -> None:
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 3}\nc:\n  <<: [*a, *b]\n"
    assert load_yaml(text).data["c"] == {"x": 1, "y": 3}


def test_an_empty_text_is_none_at_its_first_line() -> None:
    assert load_yaml("# nothing\n", first_line=2) == Document(None, {(): 2})


def test_keys_are_strings_as_written() -> None:
    assert load_yaml("8080: a\ntrue: b\n").data == {"8080": "a", "true": "b"}


def test_a_path_is_written_as_people_write_it() -> None:
    assert dotted(("services", "web", "ports", 0)) == "services.web.ports[0]"
    assert dotted(()) == ""


@given(st.text())
def test_any_text_is_a_document_or_an_error_with_a_line(text: str) -> None:
    caught = None
    try:
        load_yaml(text)
    except InvalidSpec as error:
        caught = error
    assert caught is None or (caught.where.line is not None and len(caught.lines()) <= 3)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_what_another_library_writes_quoted_is_read_back(value: Any) -> None:
    text = yaml.safe_dump(value, default_style='"')
    assert load_yaml(text).data == value
