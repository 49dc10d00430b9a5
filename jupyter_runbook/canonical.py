"""Any value → plain JSON values → RFC 8785 bytes → SHA-256. Digests are over values, never over text."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import hashlib
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from jupyter_runbook.secret import Secret

__all__ = ["EXACT", "JSON", "LOCAL", "canonical", "digest", "digest_of_plain", "plain"]

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]

#: The integers that every JSON reader keeps exact (RFC 8785, section 3.2.2.3; RFC 7493, section 2.2).
EXACT = 2**53 - 1

#: The metadata of a dataclass's field that is of this machine alone, like a path: it has no part in the JSON form.
LOCAL = {"local": True}


def plain(value: Any) -> JSON:
    r"""Return a value as JSON values alone, the same for equal values, a secret as its mask.

    Mappings and dataclasses become objects, sequences lists, sets sorted lists, dates ISO 8601, bytes base64; a number
    that JSON can't hold exactly becomes its text; a lone surrogate becomes ``\udcXX`` spelled out.

    Raises
    ------
    TypeError
        A value that is none of these: its text would hold an address, and differ from run to run.
    """
    if value is None or isinstance(value, bool) or (type(value) is str and value.isascii()):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, (dict, list, tuple, set, frozenset, Mapping)) or dataclasses.is_dataclass(value):
        return _collection(value)
    return _text(value)


def _number(value: float) -> JSON:
    if isinstance(value, int):
        return int(value) if abs(value) <= EXACT else str(int(value))
    # Beyond EXACT, one writer spells a whole float as an integer and another does not: the digest must not care.
    return float(value) if math.isfinite(value) and abs(value) <= EXACT else str(float(value))


def _text(value: Any) -> str:
    if isinstance(value, Secret):
        return value.mask
    if isinstance(value, (str, PurePath)):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _collection(value: Any) -> JSON:
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if not field.metadata.get("local")]
        return {name: plain(getattr(value, name)) for name in fields}
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=canonical)
    return [plain(item) for item in value]


def _key(key: Any) -> str:
    if type(key) is str and key.isascii():
        return key
    shown = plain(key)
    if isinstance(shown, str):
        return shown
    return canonical(shown).decode()


def canonical(value: Any) -> bytes:
    """Return a value's canonical JSON (RFC 8785), as UTF-8."""
    import rfc8785

    return rfc8785.dumps(plain(value))


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON: 64 hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def digest_of_plain(value: JSON) -> str:
    """Return the digest of what `plain` has returned."""
    import rfc8785

    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
