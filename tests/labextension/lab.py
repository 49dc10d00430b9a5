"""A JupyterLab on loopback with folders of its own, and a browser: for the tests of what people see."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.sandbox.debian import environment, unpacked
from tests.engine import can_start, leave_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.sync_api import Browser, Locator, Page, Playwright, WebSocket

__all__ = ["Lab", "Tab", "launch", "notebook", "run_all"]

#: Seconds for what takes a moment: the server's start, a kernel's.
PATIENCE = 60.0
PACKAGES = ("chromium", "fonts-dejavu-core")
# Nothing but loopback is found, so that what would be fetched from elsewhere shows as an error.
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--no-sandbox",
)
# The system's fonts, and those that came with it because the system had none.
FONTS = """<?xml version='1.0'?><fontconfig>
<dir>/usr/share/fonts</dir><dir>{}/usr/share/fonts</dir><cachedir>{}</cachedir>
</fontconfig>"""


def launch(playwright: Playwright, folder: Path) -> Browser:
    """Start Debian's Chromium: the system's, or one that is unpacked for these tests alone."""
    program = shutil.which("chromium")
    env: dict[str, Any] = dict(os.environ)
    if program is None:
        if why := can_start():
            leave_out("chromium", why)
        try:
            root = unpacked("chromium", PACKAGES, print)
        except RunbookError as error:
            leave_out("chromium", " ".join(error.lines()))
        program = str(root / "usr/lib/chromium/chromium")
        (folder / "fonts.conf").write_text(FONTS.format(root, folder))
        env = {**environment(root, folder), "FONTCONFIG_FILE": str(folder / "fonts.conf")}
        # A library of its own that libpulse looks for where it would be installed.
        pulse = map(str, root.glob("usr/lib/*-linux-gnu/pulseaudio"))
        env["LD_LIBRARY_PATH"] = os.pathsep.join([env["LD_LIBRARY_PATH"], *pulse])
    return playwright.chromium.launch(executable_path=program, args=list(FLAGS), env=env)


class Lab:
    """A JupyterLab, from its start to its end.

    Parameters
    ----------
    folder
        Where its folders are made.
    notebooks
        The folder that it shows; left out, one of that name in ``folder``.
    prefix
        The environment that it is installed in; left out, that of these tests.
    """

    def __init__(self, folder: Path, notebooks: Path | None = None, prefix: Path | None = None) -> None:
        prefix = prefix or Path(sys.prefix)
        if not (prefix / "share/jupyter/labextensions/jupyter-runbook/package.json").is_file():
            leave_out("chromium", "the JupyterLab extension is not built; `make test` builds it")
        self.notebooks = notebooks or folder / "notebooks"
        self.notebooks.mkdir(exist_ok=True)
        self._log = folder / "lab.log"
        self._token = secrets.token_hex(16)
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        news = folder / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        news.parent.mkdir(parents=True)
        news.write_text('{"checkForUpdates": false, "fetchNews": "false"}')
        command = [str(prefix / "bin/python"), "-m", "jupyter", "lab", "--allow-root", "--no-browser"]
        options = {
            "IdentityProvider.token": self._token,
            "LabApp.expose_app_in_browser": "True",
            "LabApp.extension_manager": "readonly",
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.notebooks,
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *(f"--{name}={value}" for name, value in options.items())],
                env=_environment(folder),
                cwd=self.notebooks,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self.end()
            raise

    def address(self, name: str) -> str:
        """Return where a notebook is shown, in a workspace that nobody has arranged."""
        return f"{self.url}/lab/tree/{name}?token={self._token}&reset"

    def end(self) -> None:
        """End it and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        ends = time.monotonic() + PATIENCE
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text()}")
            try:
                requests.get(f"{self.url}/api/status", {"token": self._token}, timeout=2).raise_for_status()
            except requests.ConnectionError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.05)
            else:
                return


class Tab:
    """A page of the browser, with what went wrong in it."""

    def __init__(self, browser: Browser, lab: Lab) -> None:
        self.context = browser.new_context(viewport={"width": 1300, "height": 1000})
        self.page: Page = self.context.new_page()
        self._lab = lab
        #: What it asked for elsewhere, and the errors that it told of.
        self.elsewhere: list[str] = []
        self.errors: list[str] = []
        self._frames = 0
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("websocket", self._listen)

    def open(self, name: str) -> Locator:
        """Open a notebook, and return its panel once its cells are there."""
        self.page.goto(self._lab.address(name))
        panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        panel.locator(".jp-Cell").first.wait_for(timeout=PATIENCE * 1000)
        return panel

    def command(self, name: str, **arguments: Any) -> None:
        """Give a command of JupyterLab's, by its id; it is not waited for, since a page's answer has no time limit."""
        self.page.evaluate(
            "([name, given]) => { void window.jupyterapp.commands.execute(name, given); }", [name, arguments]
        )

    def theme(self, name: str) -> None:
        """Change the colours, and wait until they are."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        self.page.wait_for_selector(f"body[data-jp-theme-name='JupyterLab {name}']", state="attached")

    def kernel(self) -> None:
        """Wait until the notebook's kernel answers and nothing more is said to it.

        What is run while the debugger and the widgets' manager still talk to it is dropped by JupyterLab (4.6).
        """
        self.page.wait_for_function(
            """async () => {
                const kernel = window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
                if (kernel?.connectionStatus !== 'connected') { return false; }
                await kernel.info;
                return kernel.status === 'idle';
            }""",
            timeout=PATIENCE * 1000,
        )
        ends = time.monotonic() + PATIENCE
        seen = -1
        while seen != self._frames:
            assert time.monotonic() < ends, "the kernel's connection never fell quiet"
            seen = self._frames
            self.page.wait_for_timeout(1000)

    def saved(self, name: str) -> dict[str, Any]:
        """Save the notebook, and return what is in its file then."""
        path = self._lab.notebooks / name
        before = path.stat().st_mtime_ns
        self.command("docmanager:save")
        ends = time.monotonic() + PATIENCE
        while path.stat().st_mtime_ns == before:
            assert time.monotonic() < ends, "it was not saved"
            self.page.wait_for_timeout(50)
        return json.loads(path.read_text("utf-8"))  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close it."""
        self.context.close()

    def _asked(self, url: str) -> None:
        if not url.startswith((self._lab.url, "data:", "blob:")):
            self.elsewhere.append(url)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", self._count)
        socket.on("framereceived", self._count)

    def _count(self, _frame: object) -> None:
        self._frames += 1


def run_all(tab: Tab) -> None:
    """Run every cell, as the menu does."""
    tab.kernel()
    tab.command("notebook:run-all-cells")


def notebook(path: Path, *cells: str | Mapping[str, Any], parameters: str | None = None) -> None:
    """Write a notebook of code cells: each its source, or its one output; the first may be the parameters cell."""
    made: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"c{number}",
            "metadata": {},
            "outputs": [] if isinstance(cell, str) else [{"output_type": "display_data", "metadata": {}, "data": cell}],
            "source": cell if isinstance(cell, str) else "",
        }
        for number, cell in enumerate(cells)
    ]
    if parameters is not None:
        first: dict[str, Any] = {"cell_type": "code", "execution_count": None, "outputs": [], "source": parameters}
        made.insert(0, {**first, "id": "parameters", "metadata": {"tags": ["parameters"]}})
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(
        json.dumps({"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}), "utf-8"
    )


def _environment(folder: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    ours = {
        "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
    }
    return {**env, **{name: str(folder / place) for name, place in ours.items()}}
