"""The registry: lazy, clashes named, what is missing named with the command that brings it."""

from __future__ import annotations

from importlib.metadata import Distribution, EntryPoint
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.errors import BadInput, MissingDependency
from jupyter_runbook.provider import Result
from jupyter_runbook.registry import GROUP, load, missing, providers

if TYPE_CHECKING:
    from pathlib import Path


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def installed(folder: Path, package: str, lines: str, extra: str = "") -> list[EntryPoint]:
    """Write a package's metadata as pip does, and read its entry points."""
    info = folder / f"{package}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n{extra}")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}\n")
    return list(next(iter(Distribution.discover(name=package, path=[str(folder)]))).entry_points)


def test_a_clash_names_both(tmp_path: Path) -> None:
    points = installed(tmp_path, "one", "os = one:A") + installed(tmp_path, "two", "os = two:B")
    with pytest.raises(BadInput, match=r"two packages register %%os: one \(one:A\) and two \(two:B\)"):
        providers(points)


def test_the_same_line_twice_is_no_clash() -> None:
    assert set(providers([point("os", "one:A"), point("os", "one:A"), point("k8s", "one:B")])) == {"os", "k8s"}


def test_a_name_that_can_be_no_magic_is_refused() -> None:
    with pytest.raises(BadInput, match="one registers a provider as 'a-b'"):
        providers([point("a-b", "one:A")])


def test_nothing_is_imported_before_it_is_used() -> None:
    assert providers([point("x", "no_such_module:X")])["x"].value == "no_such_module:X"


def test_a_missing_sdk_names_the_command_that_brings_it(tmp_path: Path) -> None:
    (lone,) = installed(tmp_path, "plain", "x = no_such_sdk.inner:X")
    with pytest.raises(MissingDependency, match="%%x needs no_such_sdk") as caught:
        load(lone)
    assert caught.value.hint == "pip install no_such_sdk"
    assert caught.value.exit_code == 2
    (extra,) = installed(tmp_path, "richone", "x = no_such_sdk:X", "Provides-Extra: x\n")
    with pytest.raises(MissingDependency) as caught:
        load(extra)
    assert caught.value.hint == "pip install 'richone[x]'"
    assert missing(point("x", "some.module:X"), ImportError("broken")).hint == "pip install some"


@pytest.mark.parametrize(
    ("value", "message"),
    [("json:loads", "is no subclass of Provider"), ("json:NoSuch", "has no attribute 'NoSuch'")],
)
def test_what_is_no_provider_is_refused(value: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        load(point("x", value))


def test_a_result_is_a_table() -> None:
    table = Result([{"name": "web", "port": 80}, {"name": "db"}]).df()
    assert list(table["name"]) == ["web", "db"]
    assert list(table.columns) == ["name", "port"]
