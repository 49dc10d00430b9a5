"""A server and a browser for these tests, a tab for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.labextension.lab import SLOW, Lab, Tab, apart, launch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def network() -> Iterator[list[str]]:
    """Return the command that runs another one in the network of these tests."""
    with apart() as command:
        yield command


# Not for the session: while Playwright is there, no other test could run an event loop of its own.
@pytest.fixture(scope="package")
def browser(network: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SLOW * 1000)
    with sync_playwright() as playwright:
        browser = launch(playwright, tmp_path_factory.mktemp("browser"), network)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(network: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a JupyterLab."""
    lab = Lab(tmp_path_factory.mktemp("lab"), network)
    yield lab
    lab.end()


@pytest.fixture
def tab(browser: Browser, lab: Lab) -> Iterator[Tab]:
    """Return a tab, which has to end without having told of an error or asked for anything elsewhere."""
    tab = Tab(browser, lab)
    yield tab
    tab.close()
    assert tab.errors == []
    assert tab.elsewhere == []


@pytest.fixture(scope="session")
def shots(pytestconfig: pytest.Config) -> Path:
    """Return the folder for screenshots, to be looked at."""
    folder = pytestconfig.rootpath / "test-results"
    folder.mkdir(exist_ok=True)
    return folder
