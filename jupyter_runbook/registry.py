"""Which providers are installed: entry points, read without importing what they name."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import BadInput, MissingDependency
from jupyter_runbook.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

__all__ = ["GROUP", "load", "missing", "providers"]

GROUP = "jupyter_runbook.providers"


def providers(installed: Iterable[EntryPoint] | None = None) -> dict[str, EntryPoint]:
    """Return the entry point of each provider by name.

    Raises
    ------
    BadInput
        Two packages give one name, or a name can't be a magic's.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP) if installed is None else installed:
        if not point.name.isidentifier():
            raise BadInput(f"{_package(point)} registers a provider as {point.name!r}, which can't be a magic's name")
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise BadInput(
                f"two packages register %%{point.name}: {_package(other)} ({other.value}) and "
                f"{_package(point)} ({point.value})",
                hint="uninstall one of them",
            )
    return found


@cache
def load(point: EntryPoint) -> Provider[Any, Any]:
    """Import a provider's class, and return the instance that this process uses.

    Raises
    ------
    MissingDependency
        Its module, or an SDK that it imports, is not installed; the hint is the ``pip install`` that mends it.
    BadInput
        What the entry point names is no provider.
    """
    try:
        made = point.load()
    except ImportError as error:
        raise missing(point, error) from None
    except AttributeError as error:
        raise BadInput(f"{_package(point)} registers {point.value}, but {error}") from None
    if not (isinstance(made, type) and issubclass(made, Provider)):
        raise BadInput(f"{_package(point)} registers {point.value}, which is no subclass of Provider")
    return made()


def missing(point: EntryPoint, error: ImportError) -> MissingDependency:
    """Return the error for an import that failed; where the package has an extra of the name, the hint names that."""
    extras = (point.dist.metadata.get_all("Provides-Extra") or []) if point.dist else []
    what = f"'{_package(point)}[{point.name}]'" if point.name in extras else (error.name or "").partition(".")[0]
    return MissingDependency(
        f"%%{point.name} needs {error.name or point.value}: {error}",
        hint=f"pip install {what or _package(point)}",
    )


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value.partition(":")[0].partition(".")[0]
