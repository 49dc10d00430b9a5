"""The Secret type: a value whose every rendering is a mask."""

from __future__ import annotations

import hmac
import json
import os
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Never, Self

from jupyter_runbook.secret import weak
from jupyter_runbook.secret.names import MASK, is_secret_name
from jupyter_runbook.secret.weak import LEAST

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MASK",
    "Secret",
    "can_be_secret",
    "is_secret_name",
    "known",
    "names_in_masks",
    "no_masks",
    "sealed",
    "sealed_all",
    "secret_by_name",
    "secrets_in",
    "take_environment",
]

_known = weak.KNOWN

_masks_allowed: ContextVar[bool] = ContextVar("masks_allowed", default=True)


_names: set[str] = set()


class Secret:
    """A text that shows itself as ``[secret NAME]`` in every rendering: print, repr, f-string, traceback, debugger.

    It does not pickle and is no JSON, it has no length and no characters to go through. The text itself comes out of
    `reveal` alone, which templates may not call.

    Parameters
    ----------
    value
        The text; not empty.
    name
        What people know it by; it stands in masks and in digests in place of the text.

    Raises
    ------
    ValueError
        The text is empty (nothing to keep secret: a value was left out), or the name can't stand in a mask.
    """

    __slots__ = ("__value", "name")

    name: str

    def __init__(self, value: str, *, name: str) -> None:
        if not value:
            raise ValueError(f"the secret {name} is empty")
        if not MASK.fullmatch(f"[secret {name}]"):
            raise ValueError(f"a secret can't be named {name!r}")
        self.__value = value
        self.name = name
        _known.setdefault(value, name)
        _names.add(name)

    def reveal(self) -> str:
        """Return the text itself, to be handed to what needs it and kept nowhere."""
        weak.note(self.__value, self.name)
        return self.__value

    # Jinja's sandbox asks for this mark (jinja2.sandbox.unsafe): a template never turns a secret into plain text.
    reveal.unsafe_callable = True  # type: ignore[attr-defined]

    @property
    def why_not_masked(self) -> str | None:
        """Return what to tell of it once where it can't be masked safely; None where it can."""
        return weak.told(self.__value, self.name)

    @property
    def mask(self) -> str:
        """The rendering."""
        return f"[secret {self.name}]"

    def __repr__(self) -> str:
        if not _masks_allowed.get():
            raise TypeError(f"the secret {self.name} can't be made into plain text here")
        return self.mask

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self.__value.encode(errors="surrogatepass"), other.reveal().encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self.__value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError(f"the secret {self.name} is not pickled: it would be written out as plain text")


def known(*, names: bool = False) -> dict[str, str]:
    """Return the secret texts that this process has held, with the names in their masks: for the redactor alone.

    Those that can't be masked safely are there while a cell is at work that had them.

    Parameters
    ----------
    names
        See `jupyter_runbook.secret.weak.hidden`.
    """
    return weak.hidden(_known, names=names)


def names_in_masks() -> set[str]:
    """Return the names of the secrets that this process has held."""
    return _names


# A text as common as this would be scrubbed from where it means something else.
_COMMON = ("true", "false", "none", "null")


def secret_by_name(name: str, value: str | Secret) -> str | Secret:
    """Return a value as a `Secret` where its name says that it is one, like ``DB_PASSWORD``; otherwise as it is.

    An environment comes as plain text, and what is in it must not show all the same.
    """
    # What is a mask already stands for a secret that is known elsewhere.
    if isinstance(value, Secret) or MASK.fullmatch(value):
        return value
    return Secret(value, name=name) if is_secret_name(name) and can_be_secret(value) else value


def sealed(name: str, value: Any) -> Any:
    """Return a parameter's value with a `Secret` in place of each text and number that is one by its name.

    That is all of it where the parameter is called so, ``api_token``, and else what a mapping in it calls so,
    ``{"user": "x", "password": "y"}``. However short it is, it is one: somebody said so.

    Parameters
    ----------
    name
        The parameter's.
    value
        Its value, of JSON's types.
    """
    return _sealed(value, name, secret=is_secret_name(name))


def sealed_all(name: str, value: Any) -> Any:
    """Return a value with a `Secret` in place of each text and number in it, whatever it is called."""
    return _sealed(value, name, secret=True)


def _sealed(value: Any, label: str, *, secret: bool) -> Any:
    if isinstance(value, dict):
        return {
            key: _sealed(one, _label(label, key), secret=secret or is_secret_name(str(key)))
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_sealed(one, _label(label, number), secret=secret) for number, one in enumerate(value)]
    if not secret or value is None or isinstance(value, (bool, Secret)):
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return value if not text or text.lower() in _COMMON or MASK.fullmatch(text) else Secret(text, name=label)


def _label(label: str, key: object) -> str:
    longer = f"{label}.{key}"
    return longer if MASK.fullmatch(f"[secret {longer}]") else label


def secrets_in(value: Any) -> list[Secret]:
    """Return the secrets in a value of JSON's types."""
    if isinstance(value, (dict, list)):
        return [one for item in (value.values() if isinstance(value, dict) else value) for one in secrets_in(item)]
    return [value] if isinstance(value, Secret) else []


def take_environment() -> None:
    """Take what the environment's variables with a secret's name hold for secrets: ``OS_PASSWORD``, ``GITHUB_TOKEN``.

    The path of a file is left out, which is no secret. So is what is shorter than four characters.
    """
    for name, value in os.environ.items():
        if value.startswith("/") and os.path.exists(value):  # noqa: PTH110 -- any text at all
            continue
        secret_by_name(name, value)


def can_be_secret(text: str) -> bool:
    """Tell whether a text that nobody called a secret may be taken for one: not if it would be found everywhere."""
    return len(text) >= LEAST and text.lower() not in _COMMON


@contextmanager
def no_masks() -> Iterator[None]:
    """Make a Secret that is turned into text raise TypeError, where a mask would be taken for the value itself."""
    token = _masks_allowed.set(False)
    try:
        yield
    finally:
        _masks_allowed.reset(token)
