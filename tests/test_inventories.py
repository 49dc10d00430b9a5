"""Hosts in the forms that people have them in, and how ``ssh`` reaches them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook import inventory
from jupyter_runbook.errors import AuthFailed, InvalidSpec, Unreachable
from jupyter_runbook.inventories import hosts_of, target_of
from jupyter_runbook.linemagic import run_line
from jupyter_runbook.provider import Result
from jupyter_runbook.ssh import Target, cause, target

GROUPS = {
    "all": {"vars": {"ansible_user": "admin", "a": 1}},
    "web": {"hosts": {"w1": {"a": 2}, "w2": None}, "vars": {"b": 3}, "children": {"inner": {"hosts": {"w3": {}}}}},
    "db": {"hosts": {"w1": {"c": 4}}},
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a, b,", {"a": {}, "b": {}}),
        (["a", "b"], {"a": {}, "b": {}}),
        (("a",), {"a": {}}),
        ([], {}),
        ({"a": {"x": 1}, "b": None}, {"a": {"x": 1}, "b": {}}),
        (GROUPS, {"w1": {"b": 3, "a": 2, "c": 4}, "w2": {"b": 3}, "w3": {"b": 3}}),
        (Result(inventory={"web": {"hosts": {"a": {}}}}), {"a": {}}),
    ],
)
def test_every_form(value: Any, found: dict[str, Any]) -> None:
    assert hosts_of(value, "--on") == found


@pytest.mark.parametrize("value", [3, None, [1], {"a": 3}, {"web": {"hosts": ["a"]}}, {"web": {"hosts": {"a": 3}}}])
def test_what_is_none(value: Any) -> None:
    with pytest.raises(InvalidSpec, match=r"^line 1: --on"):
        hosts_of(value, "--on")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("web1", Target("web1")),
        ("admin@web1", Target("web1", "admin")),
        ("web1:2222", Target("web1", None, 2222)),
        ("a.b@10.0.0.5:22", Target("10.0.0.5", "a.b", 22)),
        ("root@[fd00::5]:22", Target("fd00::5", "root", 22)),
        ("[fd00::5]", Target("fd00::5")),
    ],
)
def test_a_target_as_people_type_it(text: str, found: Target) -> None:
    assert target(text) == found


@pytest.mark.parametrize(
    "text", ["", "a b", "-oProxyCommand=x", "a@-b", "-l@b", "a:", "a:0", "a:65536", "a@b@c", "fd00::5"]
)
def test_what_is_no_target(text: str) -> None:
    assert target(text) is None


@given(st.text())
def test_no_text_becomes_an_option(text: str) -> None:
    found = target(text)
    if found:
        words = found.command("true")
        assert words[-3] == "--"
        assert not found.host.startswith("-")
        assert not (found.user or "").startswith("-")


def test_how_a_host_of_an_inventory_is_reached() -> None:
    known = {
        "ansible_host": "fd00::5",
        "ansible_port": 2222,
        "ansible_user": "admin",
        "ansible_ssh_private_key_file": "key",
        "ansible_ssh_common_args": "-o ProxyJump='a b'",
        "ansible_ssh_executable": "/opt/ssh",
    }
    found = target_of("web1", known, "--on")
    assert found == Target("fd00::5", "admin", 2222, "key", ("-o", "ProxyJump=a b"), "/opt/ssh")
    assert found.command("true")[0] == "/opt/ssh"
    assert target_of("me", {"ansible_connection": "local"}, "--on") is None
    assert target_of("root@web1", {}, "--on") == Target("web1", "root")


@pytest.mark.parametrize(
    "known",
    [
        {"ansible_password": "x"},
        {"ansible_connection": "winrm"},
        {"ansible_port": "{{ port }}"},
        {"ansible_host": "a b"},
    ],
)
def test_what_ssh_alone_does_not_reach(known: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec):
        target_of("web1", known, "--on")


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ("noise\nadmin@web1: Permission denied (publickey).\r\n", AuthFailed,
         "admin@web1: Permission denied (publickey)."),
        ("@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n", AuthFailed,
         "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"),
        ("ssh: connect to host web1 port 22: Connection refused\n", Unreachable,
         "ssh: connect to host web1 port 22: Connection refused"),
        ("", Unreachable, "ssh did not say why"),
    ],
)  # fmt: skip
def test_why_a_session_did_not_come_to_stand(said: str, kind: type[Exception], message: str) -> None:
    error = cause(said)
    assert type(error) is kind
    assert error.message == message


def test_what_bound_hosts_is_an_inventory() -> None:
    groups: dict[str, Any] = {
        "all": {"hosts": {"web1": {"ansible_host": "10.0.0.5"}}},
        "front": {"hosts": {"web1": {}}},
    }
    found = inventory(Result(inventory=groups))
    assert found == groups
    found["front"]["hosts"].clear()
    assert groups["front"]["hosts"], "it is a copy"
    assert inventory("web1, web2") == {"all": {"hosts": {"web1": {}, "web2": {}}}}
    with pytest.raises(InvalidSpec, match="this result has no hosts"):
        inventory(Result())


def test_passwords_are_not_shown() -> None:
    names = {"web": {"web1": {"ansible_password": "hunter2", "ansible_port": 22}}}
    shown = run_line("inventory web", [], names, None, lambda: None)
    assert (
        shown
        == "all:\n  hosts:\n    web1:\n      ansible_password: '[secret ansible_password]'\n      ansible_port: 22"
    )
