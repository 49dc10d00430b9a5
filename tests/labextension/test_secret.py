"""A secret that is asked for: typed into a password field, and nowhere to be read afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.labextension.lab import notebook, run_all

if TYPE_CHECKING:
    from pathlib import Path

    from tests.labextension.lab import Lab, Tab

TYPED = "typed-by-n0body"


def test_a_secret_is_typed_into_a_password_field(lab: Lab, tab: Tab, shots: Path) -> None:
    name = "secret.ipynb"
    cells = [
        "%load_ext jupyter_runbook",
        "%runbook secret db_password prompt",
        "print(db_password.reveal(), db_password)",
    ]
    notebook(lab.notebooks / name, *cells)
    panel = tab.open(name)
    run_all(tab)
    asks = panel.locator(".jp-Stdin-input")
    expect(asks).to_be_visible(timeout=60_000)
    expect(asks).to_have_attribute("type", "password")
    expect(panel.get_by_text("db_password:")).to_be_visible()
    asks.fill(TYPED)
    tab.page.screenshot(path=str(shots / "secret.png"))
    asks.press("Enter")
    said = panel.locator(".jp-CodeCell").nth(2).locator(".jp-OutputArea-output")
    expect(said).to_have_text("[secret db_password] [secret db_password]")
    tab.page.screenshot(path=str(shots / "secret-bound.png"))
    assert TYPED not in tab.page.content()
    assert TYPED not in json.dumps(tab.saved(name))
