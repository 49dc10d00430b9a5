"""Images without a registry: an archive that is written and read, and another engine that hands them over."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import shutil
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.providers.docker.archives import contents, offers
from jupyter_runbook.providers.docker.engine import Engine
from jupyter_runbook.providers.docker.images import familiar
from jupyter_runbook.record import Status
from jupyter_runbook.stop import Stop
from tests.providers.docker.test_traps import one_service
from tests.providers.docker.yard import told
from tests.support.sandboxes import can_start, leave_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.providers.docker.yard import Tap, Yard


def two_images(yard: Yard) -> str:
    """Return a cell with an image that is built here, and one that is there."""
    Path("Dockerfile").write_text("FROM busybox\nCOPY page /page\n")
    Path("page").write_text("one")
    idle = {"command": "sleep 1000", "stop_signal": "KILL"}
    web = {"build": ".", "image": f"{yard.project}-web:1", **idle}
    return json.dumps({"services": {"web": web, "db": {"image": "busybox", **idle}}})


@pytest.mark.parametrize("packed", ["tar", "tar.gz"])
def test_images_are_saved_here_and_loaded_there(yard: Yard, packed: str) -> None:
    cell, name = two_images(yard), f"{yard.project}-web:1"
    record = yard.up(cell, "--save site.tar")
    assert told(record)["archive site.tar"] == ("create", "is not there: save")
    archive = Path("site.tar")
    assert archive.stat().st_mode & 0o777 == 0o600
    assert set(contents(archive)) == {name, "busybox:latest"}
    first = yard.engine.get(f"/images/{name}/json")["Id"]
    if packed == "tar.gz":
        Path("site.tar.gz").write_bytes(gzip.compress(archive.read_bytes()))
        archive.unlink()
        archive = Path("site.tar.gz")
    # There: no source, no registry, only the archive.
    yard.run(cell, "--absent")
    yard.do("DELETE", f"/images/{name}", force=True)
    Path("page").write_text("what is not built does not count")
    record = yard.up(cell, f"--load {archive}")
    assert told(record)[f"image {name}"] == ("create", f"is not there: load from {archive}")
    assert told(record)["image busybox"][0] == "no-op"
    assert yard.engine.get(f"/images/{name}/json")["Id"] == first
    assert yard.execute("web", "cat", "/page") == "one"


def test_an_archive_is_written_anew_when_an_image_is_another(yard: Yard, tap: Tap) -> None:
    cell, name = two_images(yard), f"{yard.project}-web:1"
    yard.up(cell, "--save site.tar")
    old = contents(Path("site.tar"))[name]
    # Another tag's image has moved on: the one who loads is told.
    Path("page").write_text("two")
    yard.up(cell)
    yard.host = tap.host
    record = yard.run(cell, "--save site.tar --check")
    assert told(record)["archive site.tar"] == ("update", f"does not hold {name} as it is: save")
    assert tap.writes == []
    assert not [one for one in tap.requests if "/images/get" in one]
    record = yard.run(cell, "--load site.tar --check")
    assert told(record)[f"image {name}"] == ("update", "site.tar has another: load")
    yard.up(cell, "--save site.tar")
    assert contents(Path("site.tar"))[name] != old
    web = json.loads(cell)
    del web["services"]["db"]
    record = yard.up(json.dumps(web), "--save site.tar")
    assert told(record)["archive site.tar"] == ("update", "holds busybox:latest too: save")


def test_several_images_come_from_one_archive_at_once(yard: Yard, tap: Tap) -> None:
    names = [f"{yard.project}-{word}:1" for word in ("one", "two")]
    for name in names:
        made = yard.engine.create("/containers/create", {"Image": "busybox", "Cmd": [name]})
        yard.do("POST", "/commit", {"Labels": {"is": name}}, container=made["Id"], repo=name[:-2], tag="1")
        yard.do("DELETE", f"/containers/{made['Id']}")
    idle = {"command": "sleep 1000", "stop_signal": "KILL"}
    cell = json.dumps({"services": {f"s{at}": {"image": name, **idle} for at, name in enumerate(names)}})
    yard.up(cell, "--save both.tar")
    yard.run(cell, "--absent")
    for name in names:
        yard.do("DELETE", f"/images/{name}", force=True)
    yard.host = tap.host
    yard.up(cell, "--load both.tar")
    assert len([one for one in tap.requests if "/images/load" in one]) == 1


def test_no_registry_is_asked_for_what_an_archive_has(yard: Yard) -> None:
    name = f"127.0.0.1:9/{yard.project}/app:1"  # where nobody answers
    yard.do("POST", "/images/busybox:latest/tag", repo=name[:-2], tag="1")
    cell = one_service(image=name, pull_policy="always")
    record = yard.run(cell)
    assert record.error
    assert "can't be asked" in record.error.message
    yard.up(one_service(image=name), "--save app.tar")
    record = yard.run(cell, "--load app.tar")
    assert record.status is Status.OK
    assert told(record)[f"image {name}"][1].endswith(", as app.tar has it")


def test_another_engine_hands_its_images_over(yard: Yard, second_engine: str) -> None:
    made = yard.engine.create("/containers/create", {"Image": "busybox"})
    name = f"{yard.project}-app:1"
    yard.do("POST", "/commit", {"Labels": {"a": "b"}}, container=made["Id"], repo=name[:-2], tag="1")
    yard.do("DELETE", f"/containers/{made['Id']}")
    near, far = Engine(yard.engine.url), yard.host
    yard.host = second_engine
    cell = one_service(image=name, network_mode="none")
    record = yard.run(cell, f"--load {far} --check")
    assert told(record)[f"image {name}"] == ("create", f"is not there: load from {far}")
    yard.up(cell, f"--load {far}")
    other = Engine(second_engine)
    assert other.get(f"/images/{name}/json")["Id"] == near.get(f"/images/{name}/json")["Id"]
    yard.run(cell, "--absent")
    for engine in (near, other):
        engine.close()


def test_what_is_no_archive(yard: Yard, tap: Tap) -> None:
    yard.host = tap.host
    Path("text.tar").write_text("no archive")
    record = yard.run(one_service(), "--load text.tar")
    assert record.error
    assert record.error.message == "text.tar is no archive of images"
    for line, why in (
        ("--load nowhere.tar", "--load: the archive nowhere.tar is not there"),
        ("--load ftp://far", "--load: 'ftp://far' is no engine's address"),
        ("--save no/where.tar", "--save: the folder of no/where.tar is not there"),
        ("--save .", "--save: . is a folder"),
        ("--save x.tar --absent", "%%docker can't take --save: images are not removed with --absent"),
        ("--load text.tar --absent", "%%docker can't take --load: images are not removed with --absent"),
        ("--save x.tar --host unix:///other.sock", "%%docker can't take --save: there are 2 engines"),
    ):
        record = yard.run(one_service(), line)
        assert record.error
        assert record.error.kind == "invalid-spec"
        assert record.error.message.startswith(f"line 1: {why}")
    record = yard.run(one_service(image=f"busybox@sha256:{'0' * 64}"), "--save x.tar")
    assert record.error
    assert "an archive can't keep the name busybox@sha256:" in record.error.message
    assert tap.writes == []


def test_a_broken_archive_is_told_and_nothing_runs(yard: Yard) -> None:
    cell = two_images(yard)
    name = f"{yard.project}-web:1"
    yard.up(cell, "--save site.tar")
    yard.run(cell, "--absent")
    yard.do("DELETE", f"/images/{name}", force=True)
    # It names its images, but what they are is not there.
    with tarfile.open("site.tar") as whole, tarfile.open("broken.tar", "w") as broken:
        for member in whole:
            if member.name == "manifest.json" or not member.name.endswith(".json"):
                broken.addfile(member, whole.extractfile(member))
    record = yard.run(cell, "--load broken.tar")
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.message.count("broken.tar can't be loaded: ") == 1
    assert yard.containers() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with room for a part of an archive."""
    if why := can_start():
        leave_out("docker", why)
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run([shutil.which("mount") or "mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run([shutil.which("umount") or "umount", folder], check=True)


def test_a_full_disk_leaves_the_archive_that_was_there(yard: Yard, small_disk: Path) -> None:
    archive = small_disk / "site.tar"
    write(archive, {"manifest.json": b"[]"})
    before = archive.read_bytes()
    record = yard.run(one_service(), f"--save {archive}")
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.message.endswith(": the archive site.tar can't be written: No space left on device")
    assert archive.read_bytes() == before
    assert [path.name for path in small_disk.iterdir()] == ["site.tar"]


def write(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def test_an_image_is_known_by_its_configuration_and_by_its_manifest(tmp_path: Path) -> None:
    """An engine with containerd's store tells of a manifest's digest, an older one of the configuration's."""
    path = tmp_path / "images.tar"
    named = {"io.containerd.image.name": "docker.io/library/app:1"}
    manifest = [{"Config": f"blobs/sha256/{'a' * 64}", "RepoTags": ["app:1"]}, {"Config": "b.json", "RepoTags": None}]
    index = {"manifests": [{"digest": f"sha256:{'c' * 64}", "annotations": named}, {"digest": "sha256:d"}]}
    write(path, {"manifest.json": json.dumps(manifest).encode(), "index.json": json.dumps(index).encode()})
    assert contents(path) == {"app:1": {f"sha256:{'a' * 64}", f"sha256:{'c' * 64}"}}


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'[{"RepoTags": ["a"]}]', b"[", b"\xff"])
def test_a_description_that_is_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "images.tar"
    write(path, {"manifest.json": text, "index.json": b"[]"})
    with pytest.raises(ToolFailed, match=r"images\.tar is no archive of images"):
        contents(path)


def damaged() -> bytes:
    """Return an archive whose layers can't be packed any smaller, so that what is damaged is read as well."""
    buffer = io.BytesIO()
    layer = random.Random(7).randbytes(60_000)  # noqa: S311 -- no secret
    manifest = json.dumps([{"Config": "a.json", "RepoTags": ["app:1"]}]).encode() + b" " * 3000
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in (("first", layer), ("manifest.json", manifest), ("last", layer[:5000])):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


DAMAGED = {pack.__module__: pack(damaged()) for pack in (gzip.compress, bz2.compress, lzma.compress)}
DAMAGED["tar"] = damaged()


@given(st.sampled_from(sorted(DAMAGED)), st.floats(0, 0.999), st.binary(min_size=1, max_size=40), st.booleans())
def test_an_archive_that_is_damaged_anywhere(kind: str, where: float, junk: bytes, cut: bool) -> None:  # noqa: FBT001
    """Whatever a disk or a copy has done to it: it is read, or the error says what it is."""
    whole = DAMAGED[kind]
    at = int(where * len(whole))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.tar")
        path.write_bytes(whole[:at] + (b"" if cut else junk + whole[at + len(junk) :]))
        with suppress(ToolFailed):
            contents(path)


def test_an_archive_at_home(yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    cell, name = two_images(yard), f"{yard.project}-web:1"
    yard.up(cell, "--save ~/site.tar")
    assert (tmp_path / "home/site.tar").is_file()
    yard.run(cell, "--absent")
    yard.do("DELETE", f"/images/{name}", force=True)
    yard.up(cell, "--load ~/site.tar")


def test_an_image_that_is_a_digest_is_not_loaded(yard: Yard) -> None:
    """It would have no name there; it comes from its registry, as ever."""
    one = f"busybox@sha256:{'0' * 64}"
    assert offers([yard.host], [one, "busybox"], lambda _: yard.engine, Stop()).keys() == {"busybox"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("busybox", "busybox:latest"),
        ("docker.io/library/busybox:1", "busybox:1"),
        ("docker.io/me/app", "me/app:latest"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"),
        ("app@sha256:ab", "app@sha256:ab"),
    ],
)
def test_names_as_an_engine_lists_them(name: str, wanted: str) -> None:
    assert familiar(name) == wanted
