"""What every test stands on."""

from __future__ import annotations

import pytest

from jupyter_runbook import secret


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> None:
    """Forget the secrets of other tests: a process knows its secrets for as long as it lives."""
    secret._known.clear()
