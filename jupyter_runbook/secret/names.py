"""Which names say that what they name is a secret. Pure."""

from __future__ import annotations

import re

__all__ = ["MASK", "is_secret_name"]

#: What a mask looks like, whoever made it: for finding one where a value was meant.
MASK = re.compile(r"\[secret ([^\]\n]+)\]")

# How people name what nobody should see. What ends with _FILE names the file that it is in.
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASS|PASSWD|PASSWORD|PASSPHRASE|PWD|SECRETS?|TOKEN|CREDENTIALS?|(?:API|ACCESS|PRIVATE|SECRET)_?KEY"
    r"|[A-Z0-9]*(?:PASSWORD|SECRET|TOKEN))(?:$|_(?!FILE$))",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Tell whether a variable's name says that its value is a secret."""
    # PWD alone is the working directory.
    return name != "PWD" and _SECRET_NAME.search(name) is not None and MASK.fullmatch(f"[secret {name}]") is not None
