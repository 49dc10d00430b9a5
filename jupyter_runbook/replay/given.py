"""What a replay is given: texts of the command line and values of files, checked against the parameters. Pure."""

from __future__ import annotations

import difflib
import json
import math
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import BadInput, InvalidSpec, Where
from jupyter_runbook.parameters import HOW, Parameter, declared
from jupyter_runbook.secret import Secret, is_secret_name, sealed
from jupyter_runbook.spec.yamltext import load_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["is_unicode", "parse", "unfit", "values_of"]


def parse(
    given: Mapping[str, str],
    notebook: Mapping[str, Any],
    file: str,
    values: Mapping[str, tuple[Any, Where]] | None = None,
    secrets: Mapping[str, Secret | Callable[[], Secret]] | None = None,
) -> dict[str, Any]:
    """Return the values of what was given, checked against what the runbook declares.

    Parameters
    ----------
    given
        Texts of the command line by name; they go before ``values``.
    notebook, file
        The runbook, and how errors name it.
    values
        Values of files by name, and where each was given; ``given`` and ``secrets`` go before them.
    secrets
        Secrets by name. What reads one is called last: it may ask a person, or run a program.

    Raises
    ------
    BadInput
        A name that the runbook does not declare (with the nearest one), a value of another type, or one that has to be
        given and is not.
    """
    secrets = secrets or {}
    values = {name: value for name, value in (values or {}).items() if name not in secrets}
    known = declared(notebook, file)
    where = Where(file)
    names = dict.fromkeys([*values, *given, *secrets])
    if known is None and names:
        raise BadInput(
            "it takes no parameters",
            where=where,
            hint=HOW,
        )
    known = known or {}
    found = {}
    for name in names:
        place = values[name][1] if name in values and name not in given else where
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has: {', '.join(known) or 'none'}"
            what = "it" if place == where else f"the runbook {file}"
            raise BadInput(f"{what} has no parameter {name}", where=place, hint=hint)
        if name not in secrets:
            found[name] = _valued(known[name], given.get(name), values.get(name), place)
    missing = [name for name, one in known.items() if one.default is None and name not in names]
    if missing:
        raise BadInput(
            f"it needs {', '.join(missing)}: {'they have' if len(missing) > 1 else 'it has'} no default",
            where=where,
            hint=f"{_how(missing[0])}; jupyter runbook params {file} tells what they are",
        )
    for name, one in secrets.items():
        secret = one if isinstance(one, Secret) else one()
        try:
            found[name] = known[name].secret(secret)
        except ValueError as error:
            raise BadInput(
                f"the parameter {name} {error}", where=where, hint="-p or -f hands other values over"
            ) from None
    for name, value in found.items():
        if why := unfit(value):
            place = values[name][1] if name in values and name not in given else where
            raise BadInput(f"the parameter {name} can't be kept in a notebook: {why}", where=place)
    return {name: found[name] for name in known if name in found}


def unfit(value: Any) -> str | None:
    """Return why a value can't be written as JSON that others read (RFC 8259), as a clause; None where it can."""
    if isinstance(value, dict):
        return next((why for item in (*value, *value.values()) if (why := unfit(item))), None)
    if isinstance(value, list):
        return next((why for item in value if (why := unfit(item))), None)
    if isinstance(value, float) and not math.isfinite(value):
        return f"JSON has no {value}"
    text = value.reveal() if isinstance(value, Secret) else value
    if isinstance(text, str) and not is_unicode(text):
        return "it is no UTF-8"
    return None


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: half of a pair of surrogates can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _how(name: str) -> str:
    """Return how a parameter is given on the command line; a secret is for no list of processes."""
    return f"-s {name}=env:VARIABLE" if is_secret_name(name) else f"-p {name} VALUE"


def _valued(one: Parameter, text: str | None, value: tuple[Any, Where] | None, place: Where) -> Any:
    """Return a parameter's value; what is secret by its name is so in errors, too."""
    raw = value[0] if value else None
    try:
        if text is not None:
            return one.check(sealed(one.name, one.read(text)))
        closed = sealed(one.name, raw)
        if isinstance(closed, Secret) and not isinstance(raw, (str, Secret)):
            # YAML has read it as a number: 0x10 would be another text.
            one.check(raw, shown=closed.mask)
        return one.check(closed)
    except ValueError as error:
        quotes = text is None and isinstance(raw, (int, float)) and one.types == ("str",)
        raise BadInput(
            f"the parameter {one.name} {error}",
            where=place,
            hint="a number in quotes is a text" if quotes else None,
        ) from None


def _of_json(text: str) -> dict[str, Any] | None:
    """Return the mapping that a text of JSON is; None where it is no such text."""
    try:
        found = json.loads(text, parse_constant=float)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def values_of(text: str, file: str) -> dict[str, tuple[Any, Where]]:
    """Return the parameters in a file's text, YAML or JSON, and where each stands.

    Raises
    ------
    BadInput
        It is broken, or no mapping.
    """
    try:
        document = load_yaml(text, quote=False)
    except InvalidSpec as error:
        # YAML 1.1 has not all of JSON's escapes: an emoji as json.dump writes it is a pair of surrogates.
        if (values := _of_json(text)) is not None:
            return {name: (value, Where(file)) for name, value in values.items()}
        line = error.where.line if error.where else None
        raise BadInput(error.message, where=Where(file, line=line), hint=error.hint) from None
    if document.data is None:
        return {}
    if not isinstance(document.data, dict):
        raise BadInput("this is no mapping of parameters", where=Where(file), hint="site: berlin")
    return {str(name): (value, Where(file, line=document.line((name,)))) for name, value in document.data.items()}
