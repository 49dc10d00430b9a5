"""Texts made short: a secret is masked before they are, so that no piece of one is left."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import jupyter_runbook
from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.record import ErrorRecord
from jupyter_runbook.secret import Secret
from jupyter_runbook.secret.excerpt import Excerpt, excerpt, last_line, one_line_of

TEXT = "cut-me  in-two\nand-more-9f"


@given(before=st.integers(0, 400), fill=st.sampled_from(["x", "x ", "x\n"]), end=st.booleans())
def test_no_piece_of_a_secret_is_left_where_a_text_is_cut(before: int, fill: str, *, end: bool) -> None:
    Secret(TEXT, name="cut")
    text = fill * before + TEXT + fill * (400 - before)
    short = excerpt(text, 300, end=end)
    assert len(short) <= 300
    for piece in ("cut-me", "in-two", "and-more", "-9f"):
        assert piece not in short
        assert piece not in last_line(fill * before + TEXT)
        assert piece not in one_line_of(text)
    kept = Excerpt(300, end=end)
    for at in range(0, len(text), 7):
        kept.add(text[at : at + 7])
    shown = kept.close()
    assert len(shown) <= 300
    assert "in-two" not in shown
    assert "and-mo" not in shown


def test_an_error_has_no_secret_from_the_beginning() -> None:
    Secret(TEXT, name="cut")
    error = ToolFailed(f"refused: {TEXT}", hint=f"not {TEXT}?", resource="web")
    for text in (str(error), repr(error), *error.args, str(ErrorRecord.of(error))):
        assert "in-two" not in text
        assert "[secret cut]" in text or text == "web"


# How often a text is cut in a file that is no tool's or service's words, or that is redacted by then.
MEANT = {
    "bash.py": 1,  # the number of a line, from a pipe of our own
    "logs.py": 1,  # what it is handed is redacted
    "providers/ansible/body.py": 1,  # the cell's own text
    "providers/ansible/events.py": 1,  # events are redacted as they come
    "providers/ansible/inside/callback/runbook.py": 4,  # cut once more where secrets are known
    "providers/docker/images.py": 1,  # a digest
    "providers/openstack/compare.py": 2,  # compared, not shown
    "providers/probe/http.py": 2,  # as much as is read of an answer
    "providers/shell/place.py": 1,  # zeros and ones
    "sandbox/debian.py": 1,  # a digest
    "sandbox/hosts.py": 1,  # a public key
    "sandbox/openstack/inside/runbook_cloud/containers.py": 1,  # in a process that has no secret
    "sandbox/openstack/install.py": 1,  # a digest
    "sandbox/rootfs.py": 1,  # a digest
    "secret/excerpt.py": 1,  # redacted
    "spec/bash/tree.py": 1,  # a word without its quotes
    "spec/yamltext.py": 1,  # one line of many: a secret's lines are found one by one
}


def cuts(path: Path) -> list[int]:
    """Return the lines that collapse a text's white space, and cut it or take one of its lines, in one expression."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Subscript):
            continue
        calls = [one for one in ast.walk(node.value) if isinstance(one, ast.Call)]
        names = {one.func.attr for one in calls if isinstance(one.func, ast.Attribute)}
        bare = {one.func.id for one in calls if isinstance(one.func, ast.Name)}
        raw = {"decode", "read_text", "splitlines", "join"} & names or {"str"} & bare
        if raw and not {"redacted", "excerpt", "last_line"} & bare and isinstance(node.slice, (ast.Slice, ast.UnaryOp)):
            found.append(node.lineno)
    return found


def test_no_text_is_cut_before_it_is_redacted() -> None:
    root = Path(jupyter_runbook.__file__).parent
    found = {path.relative_to(root).as_posix(): len(cuts(path)) for path in sorted(root.rglob("*.py"))}
    assert {name: count for name, count in found.items() if count} == MEANT
