"""Which names say that what they name is a secret. Pure."""

from __future__ import annotations

import re

__all__ = ["MASK", "is_secret_name"]

#: What a mask looks like, whoever made it: for finding one where a value was meant.
MASK = re.compile(r"\[secret ([^\]\n]+)\]")

# How people name what nobody should see. What ends with _FILE names the file that it is in.
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASS|PASSWDS?|PASSPHRASES?|PWD|CREDENTIALS?|(?:API|ACCESS|PRIVATE|SECRET)_?KEYS?"
    r"|(?:PIN|PINS|OTP|PW)$|[A-Z0-9]*(?:PASSWORD|SECRET|TOKEN)S?)(?:$|_)",
    re.IGNORECASE,
)
# What is told of a secret, and is none: db_password_file, token_url, password_length.
_OF_A_SECRET = re.compile(
    r"_(?:FILES?|PATHS?|DIR|URLS?|URI|ENDPOINT|LENGTH|SIZE|POLICY|TTL|EXPIRY|EXPIRES|LIFETIME|TYPE|NAMES?|COUNT|VERSION)$",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Tell whether a variable's name says that its value is a secret."""
    # PWD alone is the working directory.
    if name == "PWD" or _OF_A_SECRET.search(name):
        return False
    return _SECRET_NAME.search(name) is not None and MASK.fullmatch(f"[secret {name}]") is not None
