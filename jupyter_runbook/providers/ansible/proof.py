"""Whether a folder holds what was installed there by this user on this machine: proven by its content.

A notebook's folder may come from somebody else, and with it whatever a folder of the right name holds. In each folder
that we have filled lies the digest of its content, keyed: nobody else can make one that fits.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from jupyter_runbook.private import open_file
from jupyter_runbook.secret.keyed import keyed_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyter_runbook.stop import Stop

__all__ = ["is_proven", "prove"]

# What is larger, or has more in it, is none of ours: to read it would take too long.
MOST_BYTES, MOST_ENTRIES = 4 << 30, 1_000_000
PIECE = 1 << 20
DIGEST_LENGTH = 64
PROOF = "proof"

# The folders that this process has read whole, as their files' inodes and times are: only root can put those back.
_read: dict[Path, str] = {}


class _NotOursError(Exception):
    """There is something that no installation leaves."""


def is_proven(root: Path, parts: tuple[str, ...], stop: Stop) -> bool:
    """Tell whether a folder is as `prove` has found it.

    Parameters
    ----------
    root, parts
        The notebook's folder, and the folders below it; see `jupyter_runbook.private.open_file`.
    stop
        Ends the reading.
    """
    place = root.joinpath(*parts)
    try:
        with os.fdopen(open_file(root, *parts, PROOF), encoding="ascii") as file:
            written = file.read(DIGEST_LENGTH + 1)
        _forget_compiled(place)
        seen = _glance(place)
        if _read.get(place) != seen + written and not hmac.compare_digest(written, _digest(place, parts[-1], stop)):
            return False
    except (OSError, ValueError, _NotOursError):
        return False
    _read[place] = seen + written
    return True


def prove(folder: Path, name: str, stop: Stop) -> None:
    """Write the digest of what a folder holds into it.

    Parameters
    ----------
    folder
        The folder, in a place that is ours alone.
    name
        What it will be called: what it is for.
    stop
        Ends the reading.
    """
    text = _digest(folder, name, stop)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(folder / PROOF, flags, 0o600), "w", encoding="ascii") as file:
        file.write(text)


def _digest(folder: Path, name: str, stop: Stop) -> str:
    """Return the keyed digest of all that a folder holds, and of what it is for."""
    total = hashlib.sha256(name.encode())
    left = MOST_BYTES
    for path, known in _entries(folder):
        stop.check()
        if path == PROOF:
            continue
        what = b""
        if stat.S_ISLNK(known.st_mode):
            what = os.fsencode((folder / path).readlink())
        elif stat.S_ISREG(known.st_mode):
            what, left = _content(folder / path, left)
        elif not stat.S_ISDIR(known.st_mode):
            raise _NotOursError
        kind = f"{stat.S_IFMT(known.st_mode)} {known.st_mode & 0o111:o}"
        total.update(hashlib.sha256(b"\0".join([path.encode(errors="surrogateescape"), kind.encode(), what])).digest())
    return keyed_digest(f"content of {total.hexdigest()}")


def _content(path: Path, left: int) -> tuple[bytes, int]:
    found = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        while piece := file.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise _NotOursError
            found.update(piece)
    return found.digest(), left


def _glance(folder: Path) -> str:
    """Return what tells whether anything was written in a folder, without reading it."""
    found = hashlib.sha256()
    for path, known in _entries(folder):
        times = (known.st_ino, known.st_mode, known.st_size, known.st_mtime_ns, known.st_ctime_ns)
        found.update(f"{path!r} {times}".encode(errors="surrogateescape"))
    return found.hexdigest()


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all that a folder holds, by paths below it in one order; links are not followed."""
    if folder.is_symlink():
        raise _NotOursError
    count = 0
    left = [""]
    while left:
        at = left.pop()
        with os.scandir(folder / at) as found:
            entries = sorted(found, key=lambda one: one.name)
        for entry in entries:
            count += 1
            if count > MOST_ENTRIES:
                raise _NotOursError
            path = f"{at}/{entry.name}" if at else entry.name
            known = entry.stat(follow_symlinks=False)
            yield path, known
            if stat.S_ISDIR(known.st_mode):
                left.append(path)


def _forget_compiled(folder: Path) -> None:
    """Take away what Python has compiled there: it comes with each play, and would run in place of what was proven."""
    for path, known in list(_entries(folder)):
        if stat.S_ISDIR(known.st_mode) and os.path.basename(path) == "__pycache__":  # noqa: PTH119 -- a text
            with suppress(FileNotFoundError):
                shutil.rmtree(folder / path)
