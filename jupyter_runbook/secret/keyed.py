"""Digests of secrets, keyed: who reads one can't try out what the secret may be.

The key is made once on each machine, for each user, and is in no file of a work log. What another key made says nothing
here.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

__all__ = ["key_id", "keyed_digest"]

KEY_BYTES = 32


def keyed_digest(text: str) -> str:
    """Return the HMAC-SHA256 of a text by this machine's key: 64 hex digits (RFC 2104)."""
    return hmac.new(_key(_path()), text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


def key_id() -> str:
    """Return what tells this machine's key from others: eight hex digits, from which nobody learns the key."""
    return hashlib.sha256(b"id of " + _key(_path())).hexdigest()[:8]


def _path() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "jupyter-runbook" / "digests.key"


@lru_cache
def _key(path: Path) -> bytes:
    """Return the key; one of this process alone where none can be kept."""
    with suppress(OSError, ValueError):
        return _read(path)
    made = secrets.token_bytes(KEY_BYTES)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(made.hex())
            with suppress(FileExistsError):
                # Of two processes that make one, the first has made it for both.
                os.link(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    with suppress(OSError, ValueError):
        return _read(path)
    return made


def _read(path: Path) -> bytes:
    """Read the key; what others can read or write is none."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        others = stat.S_IMODE(status.st_mode) & 0o077
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or others:
            raise ValueError(f"{path} is no key of this user's alone")
        key = bytes.fromhex(file.read(2 * KEY_BYTES + 1).decode())
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} has no key")
    return key
