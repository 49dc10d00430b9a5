"""The form of a runbook's parameters, filled in with a keyboard."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.labextension.lab import notebook, run_all

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.labextension.lab import Lab, Tab

CELL = """site = "berlin"  # the site's <b>name</b>
replicas: int = 3  # how many, and $no$ formula
debug = False
tier = "web"  # one of: web, store
db_password = ""  # of the store
"""
SAY = "print(site, replicas, debug, tier, db_password)"


def field(panel: Locator, name: str) -> Locator:
    return panel.locator(f".jp-RunbookForm-{name}")


def type_at_the_end(box: Locator, key: str, value: str) -> None:
    """Press a key in a text; once more where JupyterLab took the focus meanwhile, to go to a cell that has run.

    The key is one that means nothing to a notebook.
    """
    before = box.input_value()
    for _ in range(10):
        box.press("End")
        if box.input_value() == before:
            box.press(key)
        with suppress(AssertionError):
            expect(box).to_have_value(value, timeout=2000)
            return
    expect(box).to_have_value(value)


def test_a_form_binds_what_is_typed_and_tells_what_does_not_fit(lab: Lab, tab: Tab, shots: Path) -> None:
    name = "form.ipynb"
    notebook(lab.notebooks / name, "%load_ext jupyter_runbook", "%runbook params", SAY, parameters=CELL)
    panel = tab.open(name)
    run_all(tab)
    replicas = field(panel, "replicas").locator("input")
    expect(replicas).to_have_value("3", timeout=60_000)
    shown = panel.locator(".jp-RenderedHTML table")
    expect(shown).to_contain_text("berlin (default)")
    expect(panel.get_by_text("the site's <b>name</b>").first).to_be_visible()
    expect(shown).to_contain_text("how many, and $no$ formula")

    # When the last cell has run, JupyterLab goes to it.
    expect(panel.locator(".jp-CodeCell").nth(3).locator(".jp-InputPrompt")).to_have_text("[4]:", timeout=60_000)
    tab.kernel()
    # It is told at the key that makes it wrong, and the variable is what it was.
    type_at_the_end(replicas, "q", "3q")
    expect(panel.get_by_text("✗ takes int, not '3q'")).to_have_count(2)
    expect(shown).to_contain_text("✗ takes int, not '3q'")
    replicas.press("Backspace")
    replicas.press("0")
    expect(panel.get_by_text("✗ takes int")).to_have_count(0)
    field(panel, "site").locator("input").fill("paris")
    field(panel, "debug").locator("input").check()
    field(panel, "tier").locator("select").select_option("store")
    password = field(panel, "db_password").locator("input")
    password.fill("s3cr3t-typed")
    password.press("Enter")
    expect(shown).to_contain_text("[secret db_password]")
    expect(password).to_have_value("")
    expect(shown).to_contain_text("30")
    tab.page.screenshot(path=str(shots / "params.png"))

    # What comes after it has the values.
    panel.locator(".jp-CodeCell").nth(3).locator(".jp-InputArea-editor").click()
    tab.page.keyboard.press("Control+Enter")
    expect(panel.locator(".jp-CodeCell").nth(3).locator(".jp-OutputArea-output")).to_have_text(
        "paris 30 True store [secret db_password]"
    )

    # So it is when all is run once more, which sets the defaults first.
    tab.command("notebook:run-all-cells")
    expect(panel.locator(".jp-CodeCell").nth(3).locator(".jp-InputPrompt")).to_have_text("[9]:", timeout=60_000)
    expect(panel.locator(".jp-CodeCell").nth(3).locator(".jp-OutputArea-output")).to_have_text(
        "paris 30 True store [secret db_password]"
    )
    expect(field(panel, "site").locator("input")).to_have_value("paris")

    # And so has the file, without widgets and without a kernel; the secret is in none of it.
    saved = tab.saved(name)
    outputs = saved["cells"][2]["outputs"]
    table = "".join(outputs[1]["data"]["text/html"])
    for said in ("paris", "30", "True", "store", "[secret db_password]"):
        assert said in table
    assert "s3cr3t-typed" not in json.dumps(saved)
