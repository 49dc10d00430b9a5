"""Images without a registry: saved into an archive, loaded from one, or handed over by another engine.

An archive is what ``docker save`` writes (the Docker Image Specification, version 1.2): a tar file whose
``manifest.json`` names each image's configuration, by whose digest an engine knows the image; an engine with
containerd's store knows it by that of its manifest, which ``index.json`` has.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import tarfile
import time
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import ToolFailed
from jupyter_runbook.files import expanded, replacing
from jupyter_runbook.providers.docker.engine import NotFound
from jupyter_runbook.providers.docker.images import familiar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.docker.engine import Engine
    from jupyter_runbook.stop import Stop

__all__ = ["Offer", "contents", "is_engine", "load", "offers", "save"]

_PIECE = 1 << 20
# Seconds between two words on how far it has come.
_TELL = 2.0
# The largest description that is read: those of a thousand images have a hundredth of it.
_LARGEST = 64 << 20

# What reading raises where a file is no archive, is damaged, or describes something else.
_NO_ARCHIVE = (
    *(tarfile.TarError, EOFError, zlib.error, lzma.LZMAError),
    *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
)


@dataclass(frozen=True)
class Offer:
    """Where an image can be had.

    Parameters
    ----------
    source
        The archive, or the engine's address, as the cell has it.
    ids
        What an engine may know the image by.
    """

    source: str
    ids: frozenset[str]


def is_engine(source: str) -> bool:
    """Tell whether a source is an engine's address, and no file."""
    return "://" in source


def offers(
    sources: Iterable[str], wanted: Iterable[str], engine: Callable[[str], Engine], stop: Stop
) -> dict[str, Offer]:
    """Return where each image can be had; the first source that has it is taken.

    Parameters
    ----------
    sources
        Archives, and addresses of engines.
    wanted
        The images' names; one that no source has, or that is a digest, is left out.
    engine
        Returns the engine at an address.
    stop
        The step's token.

    Raises
    ------
    ToolFailed
        A file that is no archive of images.
    RunbookError
        As `Engine.call`.
    """
    # What is saved by its digest has no name where it is loaded.
    names = [name for name in wanted if "@" not in name]
    found: dict[str, Offer] = {}
    for source in sources:
        stop.check()
        ids = _held(engine(source), names) if is_engine(source) else contents(Path(source))
        for name in names:
            if known := ids.get(familiar(name)):
                found.setdefault(name, Offer(source, known))
    return found


def _held(engine: Engine, names: Iterable[str]) -> dict[str, frozenset[str]]:
    found = {}
    for name in names:
        with suppress(NotFound):
            found[familiar(name)] = frozenset([str(engine.get(f"/images/{name}/json")["Id"])])
    return found


def contents(path: Path) -> Mapping[str, frozenset[str]]:
    """Return the images of an archive by name, and what an engine may know each by.

    Raises
    ------
    ToolFailed
        The file can't be read, or is no archive of images.
    """
    try:
        path = expanded(path)
        stamp = path.stat()
        return _contents(path, (stamp.st_ino, stamp.st_size, stamp.st_mtime_ns))
    except OSError as error:
        raise ToolFailed(f"the archive {path.name} can't be read: {error.strerror or error}") from None
    except _NO_ARCHIVE:
        raise ToolFailed(
            f"{path.name} is no archive of images", hint="docker save writes one, and so does --save"
        ) from None


@lru_cache(maxsize=64)
def _contents(path: Path, _stamp: tuple[int, ...]) -> Mapping[str, frozenset[str]]:
    described: dict[str, Any] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name in {"manifest.json", "index.json"} and member.size <= _LARGEST:
                file = archive.extractfile(member)
                described[member.name] = json.load(file) if file else None
    found: dict[str, set[str]] = {}
    for image in described["manifest.json"]:
        digest = Path(image["Config"]).name.removesuffix(".json")
        for name in image.get("RepoTags") or ():
            found.setdefault(familiar(name), set()).add(f"sha256:{digest}")
    for manifest in described.get("index.json", {}).get("manifests", ()):
        name = (manifest.get("annotations") or {}).get("io.containerd.image.name")
        if name:
            found.setdefault(familiar(name), set()).add(manifest["digest"])
    return {name: frozenset(ids) for name, ids in found.items()}


def load(engine: Engine, offer: Offer, names: tuple[str, ...], ctx: Context, source: Engine | None) -> None:
    """Load images into an engine: all that an archive has, or those of some names that another engine has.

    Raises
    ------
    ToolFailed
        The archive is broken, or the disk is full.
    """
    pieces = _file(Path(offer.source)) if source is None else _saved(source, names, ctx)
    try:
        with engine.stream("POST", "/images/load", ctx.stop, body=_telling(pieces, ctx, "loaded")) as answer:
            for line in engine.lines(answer):
                if not line.get("progressDetail"):
                    ctx.output(str(line.get("stream", "")))
    except ToolFailed as error:
        raise ToolFailed(f"{offer.source} can't be loaded: {error.message}", hint=error.hint) from None


def save(engine: Engine, path: Path, names: tuple[str, ...], ctx: Context) -> dict[str, Any]:
    """Save images into an archive, which takes the place of what is there when it is whole.

    Only its owner may read it, as ``docker save`` has it: an image may hold what is not for everybody.

    Returns
    -------
    dict
        Its ``size`` in bytes, and its ``sha256``.

    Raises
    ------
    ToolFailed
        The engine does not have one of them, or the file can't be written.
    """
    digest, size = hashlib.sha256(), 0
    with _written(path), replacing(path, mode=0o600) as file:
        for piece in _telling(_saved(engine, names, ctx), ctx, "saved"):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    return {"size": size, "sha256": digest.hexdigest()}


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise  # an engine that is out of reach is one as well
        raise ToolFailed(
            f"the archive {path.name} can't be written: {error.strerror}", hint="what was there before is as it was"
        ) from None


def _file(path: Path) -> Iterator[bytes]:
    try:
        with expanded(path).open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise ToolFailed(f"the archive {path.name} can't be read: {error.strerror}") from None


def _saved(engine: Engine, names: tuple[str, ...], ctx: Context) -> Iterator[bytes]:
    # Of a name without a tag an engine would take all tags.
    tagged = tuple(familiar(name) for name in names)
    with engine.stream("GET", "/images/get", ctx.stop, names=tagged) as answer:
        while piece := answer.read1(_PIECE):
            yield piece


def _telling(pieces: Iterable[bytes], ctx: Context, done: str) -> Iterator[bytes]:
    """Tell now and then how far it has come."""
    size, told = 0, time.monotonic()
    for piece in pieces:
        ctx.stop.check()
        yield piece
        size += len(piece)
        if time.monotonic() - told > _TELL:
            told = time.monotonic()
            ctx.output(f"{done} {size >> 20} MiB\n")
