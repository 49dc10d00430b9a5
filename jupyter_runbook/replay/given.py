"""What a replay is given: texts of the command line and values of files, checked against the parameters. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import BadInput, InvalidSpec, Where
from jupyter_runbook.parameters import HOW, Parameter, declared
from jupyter_runbook.secret import Secret, sealed
from jupyter_runbook.spec.yamltext import load_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse", "values_of"]


def parse(
    given: Mapping[str, str],
    notebook: Mapping[str, Any],
    file: str,
    values: Mapping[str, tuple[Any, Where]] | None = None,
) -> dict[str, Any]:
    """Return the values of what was given, checked against what the runbook declares.

    Parameters
    ----------
    given
        Texts of the command line by name; they go before ``values``.
    notebook, file
        The runbook, and how errors name it.
    values
        Values by name, and where each was given: those of files, and secrets.

    Raises
    ------
    BadInput
        A name that the runbook does not declare (with the nearest one), a value of another type, or one that has to be
        given and is not.
    """
    values = values or {}
    known = declared(notebook, file)
    where = Where(file)
    names = dict.fromkeys([*values, *given])
    if known is None and names:
        raise BadInput(
            "it takes no parameters",
            where=where,
            hint=HOW,
        )
    known = known or {}
    found = {}
    for name in names:
        place = where if name in given else values[name][1]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has: {', '.join(known) or 'none'}"
            what = "it" if place == where else f"the runbook {file}"
            raise BadInput(f"{what} has no parameter {name}", where=place, hint=hint)
        try:
            found[name] = _valued(known[name], given.get(name), values.get(name))
        except ValueError as error:
            raise BadInput(f"the parameter {name} {error}", where=place) from None
    missing = [name for name, one in known.items() if one.default is None and name not in found]
    if missing:
        raise BadInput(
            f"it needs {', '.join(missing)}: {'they have' if len(missing) > 1 else 'it has'} no default",
            where=where,
            hint=f"-p {missing[0]} VALUE; jupyter runbook params {file} tells what they are",
        )
    return {name: found[name] for name in known if name in found}


def _valued(one: Parameter, text: str | None, value: tuple[Any, Where] | None) -> Any:
    """Return a parameter's value; what is secret by its name is so in errors, too."""
    if text is None:
        raw = value[0] if value else None
        closed = sealed(one.name, raw)
        if isinstance(closed, Secret) and not isinstance(raw, (str, Secret)):
            # YAML has read it as a number: 0x10 would be another text.
            one.check(raw, shown=closed.mask)
        return one.check(closed)
    read = sealed(one.name, one.read(text))
    return one.check(read)


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
        line = error.where.line if error.where else None
        raise BadInput(error.message, where=Where(file, line=line), hint=error.hint) from None
    if document.data is None:
        return {}
    if not isinstance(document.data, dict):
        raise BadInput("this is no mapping of parameters", where=Where(file), hint="site: berlin")
    return {str(name): (value, Where(file, line=document.line((name,)))) for name, value in document.data.items()}
