"""Files that must not be lost: written whole or not at all, and held by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import socket
import stat
import tempfile
import zlib
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from jupyter_runbook.private import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PARTIAL",
    "expanded",
    "held",
    "is_file",
    "is_folder",
    "is_there",
    "lock",
    "read_bytes",
    "read_text",
    "replacing",
    "sweep",
    "text_of",
    "write_all",
    "write_atomically",
]

#: How the name of a file begins that was not written to its end; whoever was killed while writing leaves it.
PARTIAL = ".partial-"
# What people write by hand is smaller, in bytes.
LARGEST = 64 << 20


def read_bytes(path: Path, *, largest: int = LARGEST, pipe: bool = False) -> bytes:
    """Read a file whole, if it is one that has an end.

    Parameters
    ----------
    path
        The file; links are followed.
    largest
        How many bytes it may have.
    pipe
        Whether it may be a pipe, as a shell makes one of ``<(…)``: where the user has typed the path.

    Raises
    ------
    OSError
        It can't be read, is no regular file (a pipe that nobody writes to would be waited for, for ever), or is larger.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if pipe else os.O_NONBLOCK)), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not (stat.S_ISREG(mode) or (pipe and stat.S_ISFIFO(mode))):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        data = file.read(largest + 1)
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest >> 20} MiB", str(path))
    return data


def read_text(path: Path, *, largest: int = LARGEST, pipe: bool = False) -> str:
    """Read a file of text; see `read_bytes` and `text_of`.

    Raises
    ------
    OSError
        See `read_bytes`.
    UnicodeDecodeError
        It is no UTF-8.
    """
    data = read_bytes(path, largest=largest, pipe=pipe)
    return text_of(data)


def text_of(data: bytes) -> str:
    """Return the text that a file's bytes are, each line's end as a line feed, without a byte order mark.

    Raises
    ------
    UnicodeDecodeError
        They are no UTF-8.
    """
    return io.TextIOWrapper(io.BytesIO(data), "utf-8-sig").read()


def is_file(path: Path) -> bool:
    """Tell whether a regular file is there; a name that no file can have is none.

    `pathlib.Path.is_file` raises for some of these, until Python 3.14.
    """
    return os.path.isfile(path)  # noqa: PTH113 -- see above


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with a user's home in place of ``~`` or ``~USER``; as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 -- pathlib's own raises where there is none


def is_folder(path: Path) -> bool:
    """Tell whether a folder is there; see `is_file`."""
    return os.path.isdir(path)  # noqa: PTH112 -- see `is_file`


def is_there(path: Path) -> bool:
    """Tell whether anything is there; see `is_file`."""
    return os.path.exists(path)  # noqa: PTH110 -- see `is_file`


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, or whoever comes after a crash, finds the old one or the new one whole.

    Parameters
    ----------
    path
        The file. Through a symbolic link the file that it points to is replaced, not the link.
    text
        What it shall hold; written as UTF-8.

    Raises
    ------
    OSError
        It could not be written (no room, no right); what was there before is untouched.
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8", "surrogatepass"))


@contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Write a file piece by piece, as `write_atomically` does it whole: it takes its place when the block is left.

    Parameters
    ----------
    path
        The file.
    mode
        Who may read and write it; None for as the old one was, or as new files are here.

    Raises
    ------
    OSError
        As `write_atomically`; whatever the block raises leaves what was there before, too.
    """
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{PARTIAL}{_here()}-{os.getpid()}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), _mode(path) if mode is None else mode)
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105 -- beside os.fsync, which has no form in pathlib
    except BaseException:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise
    # The new name is on the disk only with its folder.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sweep(folder: Path) -> None:
    """Take away what processes of this machine that are gone have left half written in a folder."""
    for left in folder.glob(f"{PARTIAL}{_here()}-*"):
        with suppress(OSError, ValueError, IndexError):
            pid = int(left.name.removeprefix(PARTIAL).split("-")[1])
            if left.stat().st_uid == os.getuid() and not _is_there(pid):
                left.unlink()


@cache
def _here() -> str:
    """Name this machine in a few letters; a folder may be another one's, too."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _mode(path: Path) -> int:
    """Return the mode of the file that is replaced, or what a new file gets here."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold a lock file, which is gone afterwards; a process that dies lets go of it.

    Parameters
    ----------
    path
        The lock file; its folder is made for the user alone.

    Raises
    ------
    BlockingIOError
        Another process holds it.
    OSError
        It can't be made there, or something else has its name; see `jupyter_runbook.private.open_file`.
    """
    while True:
        descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is(descriptor, path):
                break
        except BaseException:
            os.close(descriptor)
            raise
        # Whoever held it took it away between our opening and our locking: this is no longer the file of that name.
        os.close(descriptor)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


def held(path: Path) -> bool:
    """Tell whether a process of this machine holds a lock file."""
    try:
        descriptor = _opened(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write data to a descriptor, which may take it in pieces."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _opened(path: Path, flags: int) -> int:
    return open_file(path.parent.parent, path.parent.name, path.name, flags=flags)


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
