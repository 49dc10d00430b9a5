"""What all kinds of checks share: when they look, what they saw, and how long a look may take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from jupyter_runbook.errors import NotConverged, RunbookError, Unreachable
from jupyter_runbook.secret import Secret
from jupyter_runbook.secret.weak import revealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from jupyter_runbook.errors import StepError
    from jupyter_runbook.spec.fields import Fields
    from jupyter_runbook.stop import Stop

__all__ = ["SHARED", "Check", "Seen", "Timing", "bounded_output", "found", "lacking", "plain_text"]

#: The fields that all kinds take.
SHARED = ("name", "within", "for", "every", "timeout")

# So much of what a command says is searched, in characters.
SAID_LIMIT = 1_000_000

NOT_KEPT = "not kept"

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """When a check looks, in seconds.

    Parameters
    ----------
    within
        So long it may take to come true; 0 for one look.
    hold
        So long it then has to stay true; 0 for one look. (``for`` in the cell.)
    every
        Between two looks.
    timeout
        What one look may take.
    """

    within: float
    hold: float
    every: float
    timeout: float


@dataclass(frozen=True)
class Seen:
    """What one look saw.

    Parameters
    ----------
    values
        What is there, by the names of `Check.wanted`.
    error
        Why the check does not hold; None where it does.
    said
        What was answered, for the log of a check that does not hold.
    watched
        Whether it has been looked at for as long as it has to stay true.
    """

    values: Mapping[str, Any]
    error: StepError | None = None
    said: str = ""
    watched: bool = False


@dataclass(frozen=True)
class Check(ABC):
    """One check: what it is called, and when it looks. It only reads."""

    resource: str
    timing: Timing

    #: The kind, which is the field that names the subject.
    kind: ClassVar[str]
    #: The kind's own fields.
    takes: ClassVar[tuple[str, ...]]

    @classmethod
    def label(cls, fields: Fields, names: Mapping[str, Any]) -> str:  # noqa: ARG003 -- for the kind that fills templates
        """Return what the check is called where it has no name: what it looks at."""
        return " ".join(str(fields.text(cls.kind)).split())

    @classmethod
    @abstractmethod
    def read(cls, fields: Fields, names: Mapping[str, Any], **shared: Any) -> Self:
        """Read the kind's own fields; ``shared`` is what `Check` itself has.

        Raises
        ------
        InvalidSpec
            With the line.
        """

    @property
    @abstractmethod
    def wanted(self) -> dict[str, Any]:
        """What has to be there."""

    @abstractmethod
    def look(self, stop: Stop) -> Seen:
        """Look once.

        Raises
        ------
        StepTimeout, Interrupted
            The token was set.
        """

    def ready(self, stop: Stop) -> None:  # noqa: B027 -- most kinds are ready
        """Raise what makes any look needless: an `InvalidSpec` that no parser could find."""

    def ask(self, work: Callable[[], T], stop: Stop) -> T:
        """Do what may block, within a look's time.

        Raises
        ------
        Unreachable
            It took longer.
        StepTimeout, Interrupted
            The token was set; note that StepTimeout is an OSError, too.
        """
        try:
            return stop.bounded(work, self.timing.timeout)
        except RunbookError:
            raise
        except TimeoutError:
            raise Unreachable(f"no answer within {self.timing.timeout:g} s") from None

    def seen(self, values: Mapping[str, Any], wrong: Sequence[str], said: str = "") -> Seen:
        """Return what a look saw, given what is not as it should be; of a step with a weak secret that alone."""
        if why := revealed():
            values = {name: one if isinstance(one, (bool, int, float)) else NOT_KEPT for name, one in values.items()}
            wrong, said = [f"it is not as it should be; what it says is not kept, because {why}"] if wrong else [], ""
        return Seen(values, NotConverged("; ".join(wrong)) if wrong else None, said)


def plain_text(value: str | Secret) -> str:
    """Return a text for the call that needs it; it must not be kept."""
    return value.reveal() if isinstance(value, Secret) else value


def found(texts: Iterable[str | Secret], text: str) -> list[str | Secret]:
    """Return which texts stand in a text."""
    return [one for one in texts if plain_text(one) in text]


def lacking(what: str, texts: Iterable[str | Secret], text: str) -> list[str]:
    """Return, in words, which texts do not stand in a text."""
    return [f"{what} lacks {str(one)!r}" for one in texts if plain_text(one) not in text]


def bounded_output() -> tuple[Callable[[str], None], Callable[[], str]]:
    """Return what takes a command's output, and what returns as much of it as is searched."""
    pieces: list[str] = []
    room = SAID_LIMIT

    def output(text: str) -> None:
        nonlocal room
        pieces.append(text[:room])
        room -= len(pieces[-1])

    return output, lambda: "".join(pieces)
