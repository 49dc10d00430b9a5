"""Where secrets come from: the environment, a file, the keyring, a program or a prompt; never the notebook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import BadInput, MissingDependency
from jupyter_runbook.files import read_text
from jupyter_runbook.notebook import cell_info
from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMS", "handed", "read_secret"]

#: The forms of a source, for help and errors.
FORMS = "env[:VARIABLE], file:PATH, keyring:SERVICE/USER, cmd:PROGRAM ARGS, prompt"
# Seconds that a program gets: who keeps the secret may ask a person first.
PATIENCE = 120


def read_secret(name: str, source: str | None, ask: Callable[[str], str] | None) -> Secret:
    """Read a secret.

    Parameters
    ----------
    name
        What it is called; also the environment variable where the source names none.
    source
        One of `FORMS`; None for the environment where it has the name, else a prompt.
    ask
        Asks a person without echo; None where nobody can be asked.

    Raises
    ------
    BadInput
        The source is not there, is empty, or is none of the forms.
    MissingDependency
        The keyring package is not installed.
    """
    if source is None:
        source = "env" if os.environ.get(name) else "prompt"
    kind, _, rest = source.partition(":")
    if kind == "env":
        text = os.environ.get(rest or name)
        if text is None:
            raise BadInput(
                f"the secret {name}: there is no environment variable {rest or name}", hint="export it first"
            )
    elif kind == "file" and rest:
        text = _from_file(name, Path(rest).expanduser())
    elif kind == "keyring" and rest:
        text = _from_keyring(name, rest)
    elif kind == "cmd" and rest.strip():
        text = _from_program(name, rest)
    elif source == "prompt":
        text = _from_prompt(name, ask)
    else:
        raise BadInput(f"the secret {name} can't come from {source!r}", hint=f"a source is one of {FORMS}")
    try:
        return Secret(text, name=name)
    except ValueError as error:
        raise BadInput(
            f"{error} (its source is {source})", hint="an empty secret is a value that was left out"
        ) from None


def handed(name: str) -> Any:
    """Return a parameter that a replay hands over because it is secret; for the cell that it puts into the work log.

    It is a `Secret`, or a list or a mapping with some in it.

    Raises
    ------
    BadInput
        The cell was run by hand, or by another replay.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    given = (cell_info(shell).handed or {}).get("secrets") if shell is not None else None
    if not isinstance(given, dict) or name not in given:
        raise BadInput(
            f"the secret parameter {name} was given to a replay, and is kept nowhere",
            hint=f"%runbook secret {name} binds it again",
        )
    return _closed(given[name])


def _closed(value: Any) -> Any:
    """Return what a replay handed over; see `jupyter_runbook.replay.sealing.opened`."""
    if isinstance(value, dict):
        if "secret" in value:
            return Secret(str(value["secret"]), name=str(value["name"]))
        return {key: _closed(one) for key, one in value["items"].items()}
    return [_closed(one) for one in value] if isinstance(value, list) else value


def _from_file(name: str, path: Path) -> str:
    try:
        text = read_text(path, pipe=True)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8"
        raise BadInput(f"the secret {name}: {path} can't be read ({why})") from None
    # Editors end a file with a line's end that is not part of the password.
    return text.removesuffix("\n").removesuffix("\r")


def _from_program(name: str, rest: str) -> str:
    """Return what a program prints, as pass, vault, op and gopass print a password; it is started without a shell."""
    import shlex
    import subprocess

    from jupyter_runbook.secret.excerpt import last_line

    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise BadInput(f"the secret {name}: {rest!r} can't be read: {str(error).lower()}") from None
    try:
        # Its terminal is ours: it may ask for the password of its store there.
        done = subprocess.run(words, capture_output=True, timeout=PATIENCE, check=False)
    except OSError as error:
        raise BadInput(
            f"the secret {name}: {words[0]} can't be started ({error.strerror})",
            hint="cmd:PROGRAM ARGS, as pass show db",
        ) from None
    except subprocess.TimeoutExpired:
        raise BadInput(f"the secret {name}: {words[0]} did not end in {PATIENCE} s") from None
    if done.returncode:
        said = last_line(done.stderr.decode(errors="replace"))
        raise BadInput(f"the secret {name}: {words[0]} ended with {done.returncode}: {said}")
    try:
        return done.stdout.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise BadInput(f"the secret {name}: what {words[0]} printed is no UTF-8") from None


def _from_keyring(name: str, rest: str) -> str:
    try:
        import keyring
    except ImportError:
        raise MissingDependency(
            "secrets from the keyring need keyring", hint="pip install 'jupyter-runbook[keyring]'"
        ) from None
    service, _, user = rest.partition("/")
    text = keyring.get_password(service, user or name)
    if text is None:
        raise BadInput(
            f"the secret {name}: the keyring has no {service}/{user or name}",
            hint=f"keyring set {service} {user or name}",
        )
    return str(text)


def _from_prompt(name: str, ask: Callable[[str], str] | None) -> str:
    if ask is None:
        raise BadInput(f"the secret {name}: nobody can be asked here", hint=f"export {name} before the run")
    return ask(f"{name}: ")
