"""Where secrets come from: the environment, a file, the keyring, a program or a prompt; never the notebook."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import BadInput, MissingDependency
from jupyter_runbook.files import expanded, read_text
from jupyter_runbook.notebook import cell_info
from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["FORMS", "handed", "read_secret"]

#: The forms of a source, for help and errors.
FORMS = "env[:VARIABLE], file:PATH, keyring:SERVICE/USER, cmd:PROGRAM ARGS, prompt"
# The forms that need something after the colon.
_TAKES = ("file", "keyring", "cmd")
# What is larger is no secret, in bytes.
MOST = 1 << 20
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
    instead = f"-s {name}=env:VARIABLE, or another of {FORMS}"
    if source is None:
        source = "env" if os.environ.get(name) else "prompt"
        instead = f"export {name} before the run"
    kind, _, rest = source.partition(":")
    if kind in _TAKES and not rest.strip():
        raise BadInput(f"the secret {name}: {kind}: names nothing", hint=f"a source is one of {FORMS}")
    if kind == "env":
        text = _from_environment(name, rest or name)
    elif kind == "file":
        text = _from_file(name, expanded(rest))
    elif kind == "keyring":
        text = _from_keyring(name, rest)
    elif kind == "cmd":
        text = _from_program(name, rest)
    elif source == "prompt":
        text = _from_prompt(name, ask, instead)
    else:
        # It is not said which: somebody may have typed the secret itself.
        raise BadInput(f"the secret {name}: this is no source", hint=f"a source is one of {FORMS}")
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


def _from_environment(name: str, variable: str) -> str:
    text = os.environ.get(variable)
    if text is None:
        raise BadInput(f"the secret {name}: there is no environment variable {variable}", hint="export it first")
    return text


def _from_file(name: str, path: Path) -> str:
    try:
        text = read_text(path, pipe=True, largest=MOST)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8"
        raise BadInput(
            f"the secret {name}: {path} can't be read ({why})",
            hint="file:PATH names a file of text; a path that does not begin with / starts from where you are",
        ) from None
    # Editors end a file with a line's end that is not part of the password.
    return text.removesuffix("\n").removesuffix("\r")


def _from_program(name: str, rest: str) -> str:
    """Return what a program prints, as pass, vault, op and gopass print a password; it is started without a shell."""
    import shlex

    from jupyter_runbook.secret.excerpt import last_line

    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise BadInput(
            f"the secret {name}: the words of cmd: can't be read: {str(error).lower()}", hint="cmd:'pass show db'"
        ) from None
    status, printed, said = _run(name, words)
    if status:
        raise BadInput(
            f"the secret {name}: {words[0]} ended with {status}: {last_line(said.decode(errors='replace'))}",
            hint=f"see what {words[0]} says in a shell; it is started without one",
        )
    try:
        return printed.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise BadInput(f"the secret {name}: what {words[0]} printed is no UTF-8", hint="print it as text") from None


def _run(name: str, words: list[str]) -> tuple[int, bytes, bytes]:
    """Run a program; return its exit status, what it printed, and what it said beside that. Its terminal is ours."""
    import subprocess
    import threading

    with os.fdopen(os.memfd_create("runbook"), "w+b") as beside:
        try:
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=beside)
        except OSError as error:
            raise BadInput(
                f"the secret {name}: {words[0]} can't be started ({error.strerror})",
                hint="cmd:PROGRAM ARGS, as pass show db",
            ) from None
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(PATIENCE, end)
        timer.start()
        with process:
            printed = process.stdout.read(MOST + 1) if process.stdout else b""
            if len(printed) > MOST:
                process.kill()
        timer.cancel()
        if late.is_set():
            raise BadInput(f"the secret {name}: {words[0]} did not end in {PATIENCE} s", hint="let it print and end")
        if len(printed) > MOST:
            raise BadInput(f"the secret {name}: {words[0]} printed more than 1 MiB", hint="print the secret alone")
        beside.seek(0)
        return process.returncode, printed, beside.read(MOST)


def _from_keyring(name: str, rest: str) -> str:
    from jupyter_runbook.secret.excerpt import one_line_of

    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise MissingDependency(
            "secrets from the keyring need keyring", hint="pip install 'jupyter-runbook[keyring]'"
        ) from None
    service, _, user = rest.partition("/")
    try:
        text = keyring.get_password(service, user or name)
    except keyring.errors.KeyringError as error:
        raise BadInput(
            f"the secret {name}: the keyring can't be asked: {one_line_of(str(error))}",
            hint="a server often has none: use env:, file: or cmd:",
        ) from None
    if text is None:
        raise BadInput(
            f"the secret {name}: the keyring has no {service}/{user or name}",
            hint=f"keyring set {service} {user or name}",
        )
    return str(text)


def _from_prompt(name: str, ask: Callable[[str], str] | None, instead: str) -> str:
    if ask is None:
        raise BadInput(f"the secret {name}: nobody can be asked here", hint=instead)
    return ask(f"{name}: ")
