"""Values in scripts: bash itself is asked what comes out, for values made to be parsed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret import Secret
from jupyter_runbook.spec.script import Script, load_script
from tests.spec.bash import run

# Values that do harm wherever a shell parses them.
NASTY = [
    "plain",
    "two  words",
    "it's",
    'say "hi"',
    "$(touch {marker})",
    "`touch {marker}`",
    "; touch {marker}",
    "' ; touch {marker} ; '",
    '" ; touch {marker} ; "',
    "a[$(touch {marker})]",
    "*",
    "~",
    "$HOME ${HOME}",
    "\\",
    "line\nEOF\ntouch {marker}",
    "x\n",
    "",
    "-n",
    "ü €",
    "#no comment",
]

# A script that prints the value alone, once, through printf %s.
PLACES = [
    "printf %s {{ x }}",
    'printf %s "{{ x }}"',
    "printf %s '{{ x }}'",
    "printf %s $'{{ x }}'",
    'printf %s $"{{ x }}"',
    "printf %s {{ x }}{{ empty }}",
    "printf %s ''{{ x }}\"\"",
    'y={{ x }}; printf %s "$y"',
    "y={{ x }} bash -c 'printf %s \"$y\"'",
    'y=({{ x }}); printf %s "${y[0]}"',
    'y="$(printf %s. {{ x }})"; printf %s "${y%.}"',
    'y="$(printf %s. "{{ x }}")"; printf %s "${y%.}"',
    'y="$(printf %s. \'{{ x }}\')"; printf %s "${y%.}"',
    'y="`printf %s. {{ x }}`"; printf %s "${y%.}"',
    "f() { printf %s {{ x }}; }; f",
    'for y in {{ x }}; do printf %s "$y"; done',
    "case {{ x }} in '{{ x }}') printf %s {{ x }};; *) echo no;; esac",
    'y=$(case a in a) printf %s. {{ x }};; esac); printf %s "${y%.}"',
    "[[ {{ x }} == {{ x }} ]] && printf %s {{ x }}",
    "if [ {{ x }} = '{{ x }}' ]; then printf %s {{ x }}; fi",
    "# a comment {{ x }}\nprintf %s {{ x }}",
    "printf %s {{ x }} # {{ x }}",
    'y=$(cat <<EOF\n{{ x }}.\nEOF\n); printf %s "${y%.}"',
    'y=$(cat <<-EOF\n\t{{ x }}.\n\tEOF\n); printf %s "${y%.}"',
    "y=$(cat <<EOF\n$(printf %s. '{{ x }}')\nEOF\n); printf %s \"${y%.}\"",
    'y=$(cat <<<{{ x }}.); printf %s "${y%.}"',
    "cat <(printf %s {{ x }})",
    "(printf %s {{ x }})",
    "{ printf %s {{ x }}; }",
    "true && printf %s {{ x }} || echo no",
    "echo {% raw %}{{.Names}}{% endraw %} >/dev/null; printf %s {{ x }}",
    "a=(1 2); echo ${#a[@]} >/dev/null; printf %s {{ x }}",
    "printf %s ''  {{- x -}} ",
    "printf %s {{\n  x\n}}",
    "printf '%s' {{ x | replace('', '') }}",
    "runbook_value_1=no; printf %s {{ x }}",
    "case x in x) printf %s {{ x }} ;; esac",
    "while read -r y; do printf %s {{ x }}; done <<< once",
]


def shell(script: Script, folder: Path) -> str:
    """Return what a script prints, which has to end well."""
    done = run(script, folder, "-euo")
    assert done.returncode == 0, (script.text, done.stderr)
    return done.stdout


@pytest.mark.parametrize("place", PLACES)
def test_no_place_parses_a_value(tmp_path: Path, place: str) -> None:
    marker = tmp_path / "marker"
    for value in NASTY:
        value = value.replace("{marker}", str(marker))  # noqa: PLW2901 -- the case as it is meant
        script = load_script(place, {"x": value, "empty": ""})
        assert shell(script, tmp_path) == value, value
        assert not marker.exists(), value
        assert value not in script.text or value in place or value in "${runbook_value__1}"


REFUSED = [
    ("cat <<'EOF'\n{{ x }}\nEOF", "in a here-document that expands nothing (<<'EOF')", 2),
    ('cat <<"EOF"\n{{ x }}\nEOF', "expands nothing", 2),
    ("cat <<\\EOF\n{{ x }}\nEOF", "expands nothing", 2),
    ("echo $(( {{ x }} + 1 ))", "stands in arithmetic", 1),
    ("(( {{ x }} > 1 ))", "stands in arithmetic", 1),
    ("for ((i=0; i<{{ x }}; i++)); do :; done", "stands in arithmetic", 1),
    ("[[ {{ x }} -gt 1 ]]", "stands in arithmetic", 1),
    ("[[ 1 -eq '{{ x }}' && a == b ]]", "stands in arithmetic", 1),
    ("a[{{ x }}]=1", "stands in arithmetic", 1),
    ("echo ${y:-{{ x }}}", "quoting can't be told", 1),
    ('echo "${y:-{{ x }}}"', "quoting can't be told", 1),
    ("eval {{ x }}", "is handed to eval", 1),
    ("eval \"echo '{{ x }}'\"", "is handed to eval", 1),
    ("let y={{ x }}", "is handed to let", 1),
    ("echo \\{{ x }}", "a backslash stands right before", 1),
    ('echo "\\{{ x }}"', "a backslash stands right before", 1),
    ("echo ${{ x }}", "a dollar stands right before", 1),
    ("echo\necho {{ nobody }}", "'nobody' is undefined", 2),
    ("docker ps --format '{{.Names}}'", "can't be read", 1),
    ("echo\necho {{ x", "are not closed", 2),
    ("echo\n{% if x %}echo{% endif %}", "can't hold {% … %}", 2),
    ("echo {{ none }}", "is null, and no text", 1),
    ("echo {{ items }}", "is a list, and no text", 1),
    ("echo {{ nul }}", "holds the character NUL", 1),
    ("echo\necho \0", "can't hold the character NUL", 2),
]
NAMES: dict[str, Any] = {"x": "1", "n": 3, "items": [1], "nul": "a\0b", "flag": True, "half": 0.5, "path": Path("a/b")}


@pytest.mark.parametrize(("text", "message", "line"), REFUSED)
def test_where_a_value_would_be_parsed_it_is_refused(text: str, message: str, line: int) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(message)) as caught:
        load_script(text, NAMES, first_line=11)
    assert caught.value.where.line == line + 10
    assert len(caught.value.lines()) <= 3


ALLOWED = [
    ("echo $(( {{ n }} + 1 ))", "4"),
    ("(( {{ n }} == 3 )) && echo yes", "yes"),
    ("[[ {{ n }} -gt 1 ]] && echo yes", "yes"),
    ("[ {{ x }} -eq 1 ] && echo yes", "yes"),
    ("a=(x y z w); echo ${a[{{ n }}]}", "w"),
    ("echo {{ flag }} {{ half }} {{ path }}", "True 0.5 a/b"),
    ('echo $HOME{{ n }} "$HOME{{ n }}"', "/nowhere3 /nowhere3"),
    ("echo {{ items | join(' ') }} {{ items | tojson }}", "1 [1]"),
    ("echo '\\{{ n }}'", "\\3"),
    ("echo a\\\\{{ n }}", "a\\3"),
    ("echo {{ '}}' }}", "}}"),
    ("mkdir -p d; touch d/a; cd d; echo {{ '*' }} *", "* a"),
]


@pytest.mark.parametrize(("text", "output"), ALLOWED)
def test_what_is_safe_is_allowed(tmp_path: Path, text: str, output: str) -> None:
    assert shell(load_script(text, NAMES), tmp_path) == output + "\n"


def test_a_script_without_templates_stays_as_it_is() -> None:
    text = "echo ${#a[@]} {#x} %} }}\n"
    assert load_script(text, {}) == Script(text)


def test_the_same_expression_is_one_variable() -> None:
    script = load_script("echo {{ x }} {{ x }} {{ n }}", NAMES)
    assert [(one.expression, one.value) for one in script.variables] == [("x", "1"), ("n", "3")]


def test_lines_stay_where_they_are() -> None:
    script = load_script("a {{ x }}\r\nb {{\nn }}\nc\n", NAMES)
    assert script.text.splitlines()[-1] == "c"
    assert script.text.endswith("\nc\n")


def test_a_secret_stays_one() -> None:
    script = load_script("echo {{ pw }} 'a{{ pw }}'", {"pw": Secret("hunter2", name="db")})
    assert "hunter2" not in repr(script)
    assert script.variables[0].text == "hunter2"


@given(st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])), st.sampled_from(PLACES))
@settings(max_examples=60)
def test_any_value_comes_out_as_it_is(tmp_path_factory: pytest.TempPathFactory, value: str, place: str) -> None:
    assert shell(load_script(place, {"x": value, "empty": ""}), tmp_path_factory.getbasetemp()) == value
