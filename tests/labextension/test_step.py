"""Step records in JupyterLab: what a click, a theme, a narrow window and a saved file make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from jupyter_runbook.display import bundle
from jupyter_runbook.record import MIME_TYPE, StepRecord
from tests.labextension.lab import notebook, run_all
from tests.test_record import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.labextension.lab import Lab, Tab

SHOWN = ("ok", "containers-created", "planned", "hosts", "failed-script")
BUNDLES = {name: bundle(StepRecord.from_wire(wire)) for name, wire in EXAMPLES.items()}


def test_a_step_from_run_to_saved_file(lab: Lab, tab: Tab) -> None:
    evil = "<img src=x onerror=alert(1)> $x^2$"
    step = f"%%shell --name '{evil}'\necho one\nwhile [ ! -e go ]; do sleep 0.1; done\necho two"
    notebook(lab.notebooks / "run.ipynb", "%load_ext jupyter_runbook", step)
    panel = tab.open("run.ipynb")
    run_all(tab)
    # While it runs, its static HTML tells how far it is.
    progress = panel.locator(".jp-RenderedHTML")
    expect(progress).to_contain_text("running", timeout=60_000)
    expect(progress).to_contain_text("one", timeout=60_000)
    expect(progress).to_contain_text(evil)
    assert progress.locator("img").count() == 0
    (lab.notebooks / "go").touch()
    shown = panel.locator(".jp-RunbookStep")
    expect(shown.locator(".jp-RunbookStep-status")).to_have_text("● changed", timeout=60_000)
    expect(shown.locator(".jp-RunbookStep-name")).to_have_text(evil)
    expect(shown.locator(".jp-RunbookStep-output")).to_have_text("one\ntwo")
    # The record is in the progress's place, and in one form alone.
    assert progress.count() == 0
    assert panel.locator(".jp-OutputArea-output").count() == 1
    [output] = tab.saved("run.ipynb")["cells"][1]["outputs"]
    assert set(output["data"]) == {MIME_TYPE, "text/html", "text/plain"}


def test_a_failed_step_stops_and_says_why(lab: Lab, tab: Tab) -> None:
    notebook(lab.notebooks / "fail.ipynb", "%load_ext jupyter_runbook", "%%shell\nexit 3", "print('on')")
    panel = tab.open("fail.ipynb")
    run_all(tab)
    shown = panel.locator(".jp-RunbookStep")
    expect(shown.locator(".jp-RunbookStep-error")).to_contain_text("exit status 3", timeout=60_000)
    error = panel.locator(".jp-OutputArea-output[data-mime-type*=stderr]")
    expect(error).to_have_text("StepFailed (tool): script exit 3: exit status 3")
    assert panel.locator(".jp-OutputArea-output").count() == 2


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_records_in_both_themes(lab: Lab, tab: Tab, shots: Path, theme: str) -> None:
    notebook(lab.notebooks / "records.ipynb", *(BUNDLES[name] for name in SHOWN))
    panel = tab.open("records.ipynb")
    tab.theme(theme)
    shown = panel.locator(".jp-RunbookStep-body")
    expect(shown).to_have_count(len(SHOWN), timeout=60_000)
    tab.page.set_viewport_size({"width": 1300, "height": 2600})
    assert panel.locator(".jp-RenderedHTML").count() == 0
    for cell in shown.locator("td").all():
        assert cell.evaluate("cell => getComputedStyle(cell).textAlign") in ("left", "right")
    # Text and ground are the theme's: each is dark where the other is light.
    colours = shown.first.evaluate("node => [getComputedStyle(node).color, getComputedStyle(document.body).color]")
    assert brightness(colours[0]) < 0.5 if theme == "Light" else brightness(colours[0]) > 0.5
    tab.page.screenshot(path=str(shots / f"records-{theme.lower()}.png"))


def test_records_in_a_narrow_window(lab: Lab, tab: Tab, shots: Path) -> None:
    notebook(lab.notebooks / "narrow.ipynb", *(BUNDLES[name] for name in EXAMPLES))
    tab.page.set_viewport_size({"width": 700, "height": 6000})
    panel = tab.open("narrow.ipynb")
    shown = panel.locator(".jp-RunbookStep-body")
    expect(shown).to_have_count(len(EXAMPLES), timeout=60_000)
    for one in shown.all():
        assert one.evaluate("node => node.scrollWidth <= node.clientWidth + 1")
    tab.page.screenshot(path=str(shots / "records-narrow.png"))


def test_a_plan_is_copied_and_a_diff_unfolds(lab: Lab, tab: Tab) -> None:
    notebook(lab.notebooks / "click.ipynb", BUNDLES["planned"], BUNDLES["replaced"])
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel = tab.open("click.ipynb")
    shown = panel.locator(".jp-RunbookStep-body")
    expect(shown).to_have_count(2, timeout=60_000)
    planned, replaced = shown.all()
    planned.get_by_role("button", name="copy").click()
    expect(planned.get_by_role("button", name="copied")).to_be_visible()
    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"--plan {EXAMPLES['planned']['plan_digest'][:12]}"
    row = replaced.get_by_role("button", name="container show-web-1")
    expect(row).to_have_attribute("aria-expanded", "false")
    row.focus()
    tab.page.keyboard.press("Enter")
    expect(replaced.locator(".jp-RunbookStep-diff")).to_contain_text("-environment.GREETING: hello")
    # What is in a cell does not leave it: the notebook is as it was.
    assert panel.locator(".jp-Cell").count() == 2


def test_a_record_of_another_form_shows_its_text(lab: Lab, tab: Tab) -> None:
    notebook(lab.notebooks / "other.ipynb", {MIME_TYPE: {"schema": "step.v9"}, "text/plain": "● changed: key"})
    panel = tab.open("other.ipynb")
    expect(panel.locator(".jp-RunbookStep pre")).to_have_text("● changed: key", timeout=60_000)


def test_static_html_needs_no_style(lab: Lab, tab: Tab, shots: Path) -> None:
    page = "<!doctype html><meta charset=utf-8>" + "<hr>".join(str(BUNDLES[name]["text/html"]) for name in SHOWN)
    (lab.notebooks / "static.html").write_text(page, "utf-8")
    tab.page.set_viewport_size({"width": 1000, "height": 2600})
    tab.page.goto((lab.notebooks / "static.html").as_uri())
    assert tab.page.locator("script, style, [class], [style]").count() == 0
    for name in SHOWN:
        expect(tab.page.get_by_text(str(EXAMPLES[name]["name"]), exact=False).first).to_be_visible()
    tab.page.screenshot(path=str(shots / "records-static.png"))
    tab.elsewhere.clear()  # the file itself


def brightness(colour: str) -> float:
    """Return how bright a colour is, from 0 to 1."""
    parts = [float(part) for part in colour.split("(")[1].rstrip(")").split(",")[:3]]
    return sum(parts) / 3 / 255
