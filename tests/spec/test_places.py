"""Where a value stands in a script: bash and the programs themselves show what they run of it.

The scripts are in ``places/``: refused, by what a value would come to, or let through, each with every value.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.spec.script import load_script
from tests.spec.bash import run

PLACES = Path(__file__).parent / "places"


def cases(name: str) -> list[str]:
    return [str(one) for one in yaml.safe_load((PLACES / name).read_text("utf-8"))]


VALUES, ALLOWED = cases("values.yaml"), cases("allowed.yaml")
REFUSED = [one for path in sorted((PLACES / "refused").iterdir()) for one in cases(f"refused/{path.name}")]


@pytest.mark.parametrize("text", REFUSED)
def test_it_is_refused_where_it_may_be_run(text: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        load_script(text, {"n": "x"}, first_line=2)
    assert caught.value.lines()[0].startswith("line ")
    assert caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("text", ALLOWED)
def test_it_is_let_through_where_it_is_data(text: str, tmp_path: Path) -> None:
    for number, value in enumerate(VALUES):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "program").write_text("#!/bin/bash\ntouch made\n")
        (folder / "program").chmod(0o755)
        done = run(load_script(text, {"n": value}), folder, "-uo", home=str(folder))
        assert not list(folder.rglob("made")), (value, done.stdout, done.stderr)


@pytest.mark.parametrize("text", REFUSED)
def test_a_whole_number_is_data_wherever_it_can_be_put(text: str) -> None:
    """It holds nothing that could be run; where it can't be put, the error says that, and not that it would run."""
    said = ""
    try:
        load_script(text, {"n": 3})
    except InvalidSpec as error:
        said = error.message
    assert not said or "quoting can't be told" in said or "variable" in said
