"""Files of our own beside a notebook: opened below its folder without following a link, and ours, or refused.

A notebook's folder may come from somebody else: git carries symbolic links, and an archive carries pipes. What we write
must not land in another file, and what we read must not be a file that never ends.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["NotOurs", "open_file", "own_folder"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe must not hold up who opens it.
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class NotOurs(OSError):
    """What has the name of a file of ours is a link, no regular file, or another user's.

    Parameters
    ----------
    path
        What it is called.
    why
        What is wrong with it, as the rest of a sentence.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(errno.EPERM, f"{path} {why}; take it away", str(path))


class Owners(NamedTuple):
    """Who may own a file of ours.

    Parameters
    ----------
    users
        The user who runs this, and whose the folder is.
    anybody
        Whether everybody may write into the folder: a file system without modes, where a file's own say nothing either.
    """

    users: frozenset[int]
    anybody: bool


def open_file(root: Path, *parts: str, flags: int = os.O_RDONLY) -> int:
    """Open a file of ours below a folder, and return its descriptor.

    Parameters
    ----------
    root
        The notebook's folder, which the user named: links in its own path are followed.
    parts
        The folders below it and the file's name. With ``O_CREAT`` the folders are made, for the user alone.
    flags
        As of `os.open`.

    Raises
    ------
    NotOurs
        A part of the path is a symbolic link, or not what it should be; the file is another user's, has a second name
        (a hard link), or can be written by others.
    OSError
        It can't be opened.
    """
    *folders, name = parts
    with _opened(root, folders, make=bool(flags & os.O_CREAT)) as (folder, owners):
        path = root.joinpath(*parts)
        try:
            descriptor = os.open(name, flags | _FILE, 0o600, dir_fd=folder)
        except OSError as error:
            raise _named(error, path) from None
        try:
            _check(os.fstat(descriptor), path, owners)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def own_folder(root: Path, *parts: str) -> Path:
    """Make a folder of ours below another one, for the user alone, and return its path; see `open_file`."""
    with _opened(root, parts, make=True):
        return root.joinpath(*parts)


def _is_anybodys(folder: os.stat_result) -> bool:
    # In /tmp everybody may write, and nobody takes another one's file's place.
    return bool(folder.st_mode & stat.S_IWOTH) and not folder.st_mode & stat.S_ISVTX


@contextmanager
def _opened(root: Path, folders: tuple[str, ...] | list[str], *, make: bool) -> Iterator[tuple[int, Owners]]:
    """Yield the descriptor of the last of some folders, and who may own what is in it."""
    if make:
        root.mkdir(parents=True, exist_ok=True)
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # In a folder of somebody else's, as root in a container has it, what is there may be theirs.
        known = os.fstat(at)
        owners = Owners(frozenset((os.geteuid(), known.st_uid)), anybody=_is_anybodys(known))
        path = root
        for name in folders:
            path /= name
            below = _folder(at, name, path, owners, make=make)
            os.close(at)
            at = below
        yield at, owners
    finally:
        os.close(at)


def _folder(at: int, name: str, path: Path, owners: Owners, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=at)
    try:
        below = os.open(name, _FOLDER, dir_fd=at)
    except OSError as error:
        raise _named(error, path) from None
    known = os.fstat(below)
    if known.st_uid not in owners.users:
        os.close(below)
        raise NotOurs(path, "is another user's")
    if known.st_uid == os.geteuid() and known.st_mode & 0o077:
        with suppress(OSError):  # a file system without modes
            os.fchmod(below, 0o700)
    return below


def _check(known: os.stat_result, path: Path, owners: Owners) -> None:
    if not stat.S_ISREG(known.st_mode):
        raise NotOurs(path, "is no regular file")
    if known.st_uid not in owners.users:
        raise NotOurs(path, "is another user's")
    if known.st_nlink > 1:
        raise NotOurs(path, "has a second name (a hard link)")
    if known.st_mode & _OTHERS and not owners.anybody:
        raise NotOurs(path, "can be written by other users")


def _named(error: OSError, path: Path) -> OSError:
    """Return an error that tells a link, and what is no file, from what can't be opened."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR):
        return NotOurs(path, "is a symbolic link" if path.is_symlink() else "is not what it should be")
    return error
