"""Templates: types kept, structure safe, names strict, secrets still secrets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.template import render, render_text
from jupyter_runbook.spec.yamltext import load_yaml


class Host:
    name = "web1"

    def __init__(self) -> None:
        self._hidden = 1

    def explode(self) -> str:
        raise RuntimeError("no host")


NAMES: dict[str, Any] = {
    "who": "web",
    "port": 80,
    "ports": [80, 81],
    "labels": {"a": {"b": 1}},
    "host": Host(),
    "db": Secret("hunter2", name="db"),
    "url": f"https://me:{Secret('hunter2', name='db')}@host",
    "self": "self",
    "len": "the notebook's own",
    "text": str,
}

FILLED: list[tuple[str, Any]] = [
    ("plain", "plain"),
    ("{{ port }}", 80),
    ("  {{ port }}\n", 80),
    ("{{ ports }}", [80, 81]),
    ("{{ {'a': {'b': port}} }}", {"a": {"b": 80}}),
    ("{{ '}}' }}", "}}"),
    ("{{ none }}", None),
    ("{{ port }}{{ port }}", "8080"),
    ("{{ who }}-{{ port + 1 }}", "web-81"),
    ("{{ who | upper }}", "WEB"),
    ("{{ host.name }}", "web1"),
    ("{% for p in ports %}{{ p }},{% endfor %}", "80,81,"),
    ("{% if port == 80 %}yes{% endif %}", "yes"),
    ("{% raw %}{{.Names}}{% endraw %}", "{{.Names}}"),
    ("{# a comment #}x", "x"),
    ("{{ len }}", "the notebook's own"),
    ("line\n", "line\n"),
    ("{{ who }}\n", "web"),
    ("a: {{ who }}\n", "a: web\n"),
]

REFUSED = [
    ("{{ nobody }}", "'nobody' is undefined"),
    ("x-{{ nobody }}", "'nobody' is undefined"),
    ("{{ [who, nobody] }}", "'nobody' is undefined"),
    ("{{ {'a': nobody} }}", "'nobody' is undefined"),
    ("{{ host.adress }}", "no attribute 'adress'"),
    ("{{ who", "can't be read"),
    ("{{.Names}}", "can't be read"),
    ("{{ who | no_such }}", "can't be read"),
    ("{{ host._hidden }}", "may not do this"),
    ("{{ host.__class__ }}", "may not do this"),
    ("{{ ().__class__.__bases__ }}", "may not do this"),
    ("{{ ports.append(1) }}", "may not do this"),
    ("{{ range(1000000000) | list }}", "OverflowError"),
    ("{{ host.explode() }}", "raised RuntimeError: no host"),
    ("{{ 1 / 0 }}", "raised ZeroDivisionError"),
    ("{% include 'x' %}", "raised TypeError"),
]

LEAKS = [
    "{{ db.reveal() }}",
    "{{ db | upper }}",
    "{{ db | urlencode }}",
    "{{ 'x' ~ db }}",
    "{{ 'x%s' % db }}",
    "{{ '{}'.format(db) }}",
    "{{ str(db) }}",
    "{{ str.format('{0._Secret__value}', db) }}",
    "{{ str.format_map('{db._Secret__value}', {'db': db}) }}",
    "{{ '{0._Secret__value}'.format(db) }}",
    "{{ '{db._Secret__value}'.format_map({'db': db}) }}",
    "{{ text.format('{0._Secret__value}', db) }}",
    "{{ text.join('', [db]) }}",
    "{{ [db] | map(attribute='_Secret__value') | first }}",
    "{{ [db] | groupby('_Secret__value') }}",
    "{{ (db | attr('reveal'))() }}",
    "{{ db | attr('_Secret__value') }}",
    "x-{{ [db] }}",
    "{{ [db] | join }}",
    "{{ url }}",
    "url={{ url }}",
]


@pytest.mark.parametrize(("text", "value"), FILLED)
def test_an_expression_is_filled_and_keeps_its_type(text: str, value: Any) -> None:
    read = render_text(text, NAMES)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_can_not_be_filled_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        render_text(text, NAMES, line=7)
    assert message in caught.value.message
    assert caught.value.where.line == 7


@pytest.mark.parametrize("text", LEAKS)
def test_no_expression_makes_plain_text_of_a_secret_or_takes_its_mask_for_it(text: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        render_text(text, NAMES)
    assert "hunter2" not in str(caught.value)


def test_a_secret_stays_one_alone_in_a_text_and_in_a_list() -> None:
    assert render_text("{{ db }}", NAMES) is NAMES["db"]
    assert render_text("{{ [db] }}", NAMES)[0] is NAMES["db"]
    text = render_text("{% if port %}user:{{ db }}@{{ who }}{% endif %}", NAMES)
    assert isinstance(text, Secret)
    assert (text.reveal(), str(text)) == ("user:hunter2@web", "[secret db]")


def test_an_error_tells_what_to_do_with_braces_of_others() -> None:
    with pytest.raises(InvalidSpec, match="raw"):
        render_text("docker ps --format '{{.Names}}'", NAMES)


def test_an_undefined_name_in_a_document_has_its_line() -> None:
    document = load_yaml("services:\n  web:\n    image: '{{ image }}'\n", first_line=2)
    with pytest.raises(InvalidSpec) as caught:
        render(document, NAMES)
    assert caught.value.where.line == 4


def test_keys_are_filled_too_and_never_collide_or_show_a_secret() -> None:
    assert render(load_yaml("'{{ who }}': {'{{ port }}': [x, '{{ port }}']}"), NAMES).data == {"web": {"80": ["x", 80]}}
    with pytest.raises(InvalidSpec, match="'web' is there twice"):
        render(load_yaml("web: 1\n'{{ who }}': 2"), NAMES)
    with pytest.raises(InvalidSpec, match="can't be a key"):
        render(load_yaml("'{{ db }}': 2"), NAMES)


@given(st.text())
def test_a_value_never_changes_the_structure_nor_is_it_filled_again(value: str) -> None:
    document = load_yaml("a: '{{ v }}'\nb: 'x{{ v }}y'\nc: [1]\n")
    assert render(document, {"v": value}).data == {"a": value, "b": f"x{value}y", "c": [1]}


@given(st.text(alphabet="{}%# ab'\"|.()[]~\n"))
def test_any_text_is_filled_or_refused(text: str) -> None:
    refused = None
    try:
        render_text(text, {"a": 1, "b": "x"}, line=1)
    except InvalidSpec as error:
        refused = error
    assert refused is None or refused.where.line == 1
