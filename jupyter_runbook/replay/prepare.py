"""A runbook's file → the notebook that papermill runs: checked before a kernel starts, its parameters put in after."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import NotANotebook, Where
from jupyter_runbook.notebook import INJECTED, cell_source
from jupyter_runbook.replay.given import is_unicode, unfit
from jupyter_runbook.replay.sealing import split
from jupyter_runbook.secret.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["kernel_name", "parameterized", "prepare"]

NBFORMAT, MINOR = 4, 5


def prepare(notebook: dict[str, Any], name: str) -> None:
    """Bring a notebook to nbformat 4.5 without outputs, in place, and refuse one that is not valid.

    nbformat itself takes longer to import than a kernel to start, so its schema is asked without it.

    Parameters
    ----------
    notebook
        What `read_notebook` returned.
    name
        How errors name its file.

    Raises
    ------
    NotANotebook
        It is of another nbformat, not valid, or has two cells of one id.
    """
    if notebook["nbformat"] != NBFORMAT:
        raise NotANotebook(
            f"it is of nbformat {notebook['nbformat']}, not {NBFORMAT}",
            where=Where(name),
            hint=f"jupyter nbconvert --to notebook --inplace {name}",
        )
    minor = notebook.get("nbformat_minor")
    # Later minor versions are read as far as they keep to this one.
    notebook["nbformat_minor"] = MINOR if not isinstance(minor, int) or minor < MINOR else minor
    if why := unfit(notebook["metadata"]):
        raise NotANotebook(f"its metadata can't be written: {why}", where=Where(name))
    for number, cell in enumerate(notebook["cells"], 1):
        if why := unfit(cell["metadata"]):
            raise NotANotebook(f"its metadata can't be written: {why}", where=Where(name, str(number)))
        cell["source"] = cell_source(cell)
        if not is_unicode(cell["source"]):
            raise NotANotebook(
                "its source can't be written as UTF-8",
                where=Where(name, str(number)),
                hint="take \\ud800 to \\udfff out",
            )
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    _give_ids(notebook)
    _validate(notebook, name)
    _check_ids(notebook, name)


def parameterized(notebook: dict[str, Any], values: dict[str, Any], *, runbook: str, worklog: str) -> Any:
    """Return a prepared notebook as papermill has it, with the parameters in a cell of their own."""
    import nbformat
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    nb = load_notebook_node(nbformat.from_dict(notebook))  # type: ignore[no-untyped-call]
    if values:
        # A secret stands there as its mask; the engine puts in its place what hands it over.
        values, _ = split(values)
        nb = parameterize_notebook(nb, values, kernel_name=kernel_name(nb), language="python", engine_name="runbook")
        for cell in nb.cells:
            if INJECTED in cell.metadata.tags:
                cell["id"] = INJECTED
    nb.metadata.papermill["parameters"] = values
    nb.metadata.papermill["input_path"], nb.metadata.papermill["output_path"] = runbook, worklog
    return nb


def kernel_name(notebook: Mapping[str, Any]) -> str:
    """Return the kernel that a notebook asks for."""
    spec = notebook["metadata"].get("kernelspec")
    return str((spec.get("name") if isinstance(spec, dict) else None) or "python3")


def _give_ids(notebook: dict[str, Any]) -> None:
    """Give cells older than nbformat 4.5 an id that is the same each time."""
    seen: Counter[str] = Counter()
    for cell in notebook["cells"]:
        if "id" not in cell:
            digest = hashlib.sha256(cell["source"].encode("utf-8", "surrogatepass")).hexdigest()[:12]
            seen[digest] += 1
            cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _check_ids(notebook: dict[str, Any], name: str) -> None:
    first: dict[str, int] = {}
    for number, cell in enumerate(notebook["cells"], 1):
        if (other := first.setdefault(cell["id"], number)) != number:
            raise NotANotebook(
                f"it has the id of cell {other}, {cell['id']}",
                where=Where(name, str(number)),
                hint="give one of the two an id of its own: a step is known by it",
            )


def _validate(notebook: dict[str, Any], name: str) -> None:
    if valid_at_a_glance(notebook):
        return
    schema = _schema()
    wrong = _violation(schema, notebook)
    if wrong is None:
        return
    for number, cell in enumerate(notebook["cells"], 1):
        # Held against its own type's part alone, the error names what is wrong, and not that no type fits.
        part = f"{cell['cell_type']}_cell"
        if part in schema["definitions"]:
            inner = _violation({"definitions": schema["definitions"], "$ref": f"#/definitions/{part}"}, cell)
        else:
            inner = f"there is no type of cell called {cell['cell_type']}"
        if inner:
            raise NotANotebook(f"this is no valid notebook: {inner}", where=Where(name, str(number)))
    raise NotANotebook(f"this is no valid notebook: {wrong}", where=Where(name))


def valid_at_a_glance(notebook: dict[str, Any]) -> bool:
    """Tell whether a prepared notebook is as nearly all are, and so valid; the schema takes as long as six cells do.

    False says nothing: it may be valid in a way that is less common.
    """
    metadata = notebook["metadata"]
    language = metadata.get("language_info", {"name": ""})
    spec = metadata.get("kernelspec", {"name": "", "display_name": ""})
    return (
        notebook.keys() == {"cells", "metadata", "nbformat", "nbformat_minor"}
        and not metadata.keys() & {"orig_nbformat", "title", "authors"}
        and isinstance(spec, dict)
        and all(isinstance(spec.get(part), str) for part in ("name", "display_name"))
        and isinstance(language, dict)
        and isinstance(language.get("name"), str)
        and all(isinstance(value, str) for part, value in language.items() if part != "codemirror_mode")
        and isinstance(language.get("codemirror_mode", ""), (str, dict))
        and all(_common(cell) for cell in notebook["cells"])
    )


_KEYS = {"id", "cell_type", "metadata", "source"}
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def _common(cell: dict[str, Any]) -> bool:
    """Tell whether a cell has nothing that needs a closer look."""
    more = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
    found = cell["metadata"].get("tags", [])
    return (
        cell["cell_type"] in ("code", "markdown", "raw")
        and cell.keys() == _KEYS | more
        and cell.get("outputs", []) == []
        and cell.get("execution_count") is None
        and isinstance(cell["id"], str)
        and _ID.fullmatch(cell["id"]) is not None
        and not cell["metadata"].keys() & {"name", "format", "jupyter", "execution", "collapsed", "scrolled"}
        and isinstance(found, list)
        and all(isinstance(tag, str) and tag.isidentifier() for tag in map(_dashless, found))
        and len(set(map(str, found))) == len(found)
    )


def _dashless(tag: Any) -> Any:
    return tag.replace("-", "_") if isinstance(tag, str) else tag


def _schema() -> dict[str, Any]:
    found = importlib.util.find_spec("nbformat")
    folder = Path(((found and found.submodule_search_locations) or [""])[0])
    text = (folder / f"v{NBFORMAT}" / f"nbformat.v{NBFORMAT}.{MINOR}.schema.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def _violation(schema: dict[str, Any], value: Any) -> str | None:
    import fastjsonschema

    try:
        fastjsonschema.compile(schema)(value)
    except fastjsonschema.JsonSchemaValueException as error:
        return excerpt(str(error.message), 200)
    return None
