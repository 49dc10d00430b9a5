"""The files of this machine that a cell names: a key, made where there is none, and an image."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from jupyter_runbook.errors import InvalidSpec, ToolFailed
from jupyter_runbook.files import expanded, is_file, is_there, replacing
from jupyter_runbook.providers.openstack.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jupyter_runbook.providers.openstack.body import OpenStackSpec, Wanted
    from jupyter_runbook.providers.openstack.state import CloudState

__all__ = ["key_of", "path_of", "read_local"]


def read_local(spec: OpenStackSpec, state: CloudState) -> dict[tuple[str, str, str], str]:
    """Return what is in the files that a cell names, as far as that is to be compared with the cloud.

    Raises
    ------
    InvalidSpec
        An image that is to be made has no file, or a key can't be read.
    """
    found = {}
    for one in spec.resources:
        for name in one.values:
            if KINDS[one.kind].fields[name].local and not spec.absent:
                told = _READERS[one.kind, name](one, state)
                if told is not None:
                    found[one.kind, one.name, name] = told
    return found


def path_of(text: str) -> Path:
    """Return a path as the cell has it, from the notebook's folder."""
    return expanded(text)


def key_of(text: str) -> str:
    """Return the public half of a private key, which is made where there is none, for its owner alone to read.

    Raises
    ------
    ToolFailed
        The key can't be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = path_of(text)
    there = _public(path)
    if there is not None:
        return there
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, mode=0o600) as file:
            file.write(private)
    except OSError as error:
        raise ToolFailed(f"the key can't be kept in {path}: {error.strerror}") from None
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _public(path: Path) -> str | None:
    """Return the public half of a key, None where there is no key.

    Raises
    ------
    ValueError
        It is none, or it has a passphrase and there is no ``.pub`` beside it.
    OSError
        It can't be read.
    """
    from cryptography.hazmat.primitives import serialization

    beside = path.with_name(path.name + ".pub")
    if not is_there(path):
        return None
    if is_there(beside):
        return beside.read_text("utf-8").strip()
    try:
        key = serialization.load_ssh_private_key(path.read_bytes(), None)
    except TypeError:
        raise ValueError("it has a passphrase") from None
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _key(wanted: Wanted, _state: CloudState) -> str | None:
    path = path_of(wanted.values["private_key_file"])
    try:
        return _public(path)
    except (ValueError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidSpec(
            f"the key {path} can't be read: {why}",
            line=wanted.line,
            hint=f"ssh-keygen -y -f {path} > {path}.pub, or give public_key",
        ) from None


def _image(wanted: Wanted, state: CloudState) -> str | None:
    path = path_of(wanted.values["file"])
    there = state.find("images", wanted.name)
    if not is_file(path):
        # One that is there can't be compared, and needs no file.
        if len(there) == 1 and there[0].get("os_hash_value"):
            return None
        raise InvalidSpec(f"the image {wanted.name} has no file: there is no {path}", line=wanted.line)
    algorithm = str((there[0].get("os_hash_algo") or "sha512") if there else "")
    if algorithm not in hashlib.algorithms_available:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


_READERS: dict[tuple[str, str], Callable[[Wanted, CloudState], str | None]] = {
    ("keypairs", "private_key_file"): _key,
    ("images", "file"): _image,
}
