"""What every test stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_runbook import secret

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    """A process knows its secrets for as long as it lives; a test must not find those of another."""
    secret._known.clear()
    yield
    secret._known.clear()
