"""What a replay's own process spares itself while it starts."""

from __future__ import annotations

import sys
from contextlib import suppress

__all__ = ["without_iri_parsers"]

_IRIS = "rfc3987_syntax"


def without_iri_parsers() -> None:
    """Import jsonschema, which nbformat and papermill stand on, without its parsers of IRIs.

    rfc3987-syntax (1.1, which JupyterLab brings) builds 38 parsers as soon as it is imported: 2 of the 5 seconds that a
    short replay took. No schema of a notebook has an IRI. For a process of our own alone: in it, jsonschema's formats
    ``iri`` and ``iri-reference`` are let through unchecked, as where rfc3987-syntax is not installed.
    """
    if _IRIS in sys.modules or "jsonschema" in sys.modules:
        return
    sys.modules[_IRIS] = None  # type: ignore[assignment]  # its import fails (Python's reference, "The module cache")
    try:
        with suppress(ImportError):
            import jsonschema  # noqa: F401
    finally:
        del sys.modules[_IRIS]
