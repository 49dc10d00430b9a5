"""A JupyterLab on loopback with folders of its own, and a browser: for the tests of what people see."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import RunbookError
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.sandbox.tools import found
from tests.support.sandboxes import can_start, leave_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, Locator, Page, Playwright, WebSocket

__all__ = ["SLOW", "Lab", "Tab", "apart", "launch", "notebook", "run_all"]

#: Seconds for what takes a moment: the server's start, a kernel's.
PATIENCE = 60.0
#: Seconds that a page on a busy machine may take to show what it was told.
SLOW = 20.0
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


@contextmanager
def apart() -> Iterator[list[str]]:
    """Make a network namespace, and yield the command that runs another one in it.

    Chromium drops its requests whenever a link of its network comes or goes (ERR_NETWORK_CHANGED), as those of the
    sandboxes do beside these tests.
    """
    if os.geteuid() != 0:  # there are no sandboxes either
        yield []
        return
    script = f"{found('ip')} link set lo up && echo up && exec sleep infinity"
    with subprocess.Popen([found("unshare"), "--net", "sh", "-c", script], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == b"up\n"
            yield [found("nsenter"), f"--net=/proc/{holder.pid}/ns/net"]
        finally:
            holder.kill()


def launch(playwright: Playwright, folder: Path, network: list[str]) -> Browser:
    """Start Debian's Chromium (see `apart`): the system's, or one that is unpacked for these tests alone."""
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
    started = folder / "chromium"
    started.write_text(f'#!/bin/sh\nexec {shlex.join([*network, program])} "$@"\n')
    started.chmod(0o755)
    return playwright.chromium.launch(executable_path=started, args=list(FLAGS), env=env)


# Asks for a page until there is one.
ASK = """
import sys, time, urllib.request
ends = time.monotonic() + float(sys.argv[2])
while True:
    try:
        urllib.request.urlopen(sys.argv[1], timeout=2).close()
        break
    except OSError:
        if time.monotonic() > ends:
            raise
        time.sleep(0.05)
"""
# Starts a notebook's kernel, and waits until it answers.
START = """
import json, sys, urllib.request
from pathlib import Path
from jupyter_client import BlockingKernelClient
url, token, name, runtime, seconds = sys.argv[1:]
wanted = {"path": name, "name": Path(name).name, "type": "notebook", "kernel": {"name": "python3"}}
request = urllib.request.Request(url, json.dumps(wanted).encode(), {"Authorization": "token " + token})
with urllib.request.urlopen(request, timeout=float(seconds)) as answer:
    kernel = json.load(answer)["kernel"]["id"]
client = BlockingKernelClient(connection_file=str(Path(runtime, f"kernel-{kernel}.json")))
client.load_connection_file()
client.start_channels(hb=False)  # on a busy machine its kernel is not dead for a late heartbeat
client.wait_for_ready(timeout=float(seconds))
client.stop_channels()
"""


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
    network
        Where it is reached; see `apart`.
    """

    def __init__(
        self, folder: Path, network: list[str], notebooks: Path | None = None, prefix: Path | None = None
    ) -> None:
        prefix = prefix or Path(sys.prefix)
        if not (prefix / "share/jupyter/labextensions/jupyter-runbook/package.json").is_file():
            leave_out("chromium", "the JupyterLab extension is not built; `make test` builds it")
        self.notebooks = notebooks or folder / "notebooks"
        self.notebooks.mkdir(exist_ok=True)
        self._log = folder / "lab.log"
        self._network = network
        self._runtime = folder / "runtime"
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
                [*network, *command, *(f"--{name}={value}" for name, value in options.items())],
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

    def start(self, name: str) -> None:
        """Start a notebook's kernel, which the page then finds.

        A page (JupyterLab 4.6) that starts it on a busy machine may lose it again: it asks which one to start, over
        what is typed meanwhile, or forgets the widgets that it has shown.
        """
        words = [f"{self.url}/api/sessions", self._token, name, str(self._runtime), str(PATIENCE)]
        subprocess.run([*self._network, sys.executable, "-c", START, *words], check=True)

    def end(self) -> None:
        """End it and its kernels."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        url = f"{self.url}/api/status?token={self._token}"
        asking = subprocess.Popen([*self._network, sys.executable, "-c", ASK, url, str(PATIENCE)])
        while asking.poll() is None:
            if self._process.poll() is not None:
                asking.kill()
            time.sleep(0.05)
        if asking.returncode:
            raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text()}")


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
        # A page that is slow to learn of the kernels that there are asks for one, also where the notebook's is at work
        # (JupyterLab 4.6): what is typed meanwhile goes to its question.
        asks = self.page.locator(".jp-Dialog").filter(has_text="Select kernel for")
        # By its button: a key goes to what has the focus, which is not always the question.
        self.page.add_locator_handler(asks, lambda found: found.locator("button.jp-mod-reject").click())

    def open(self, name: str) -> Locator:
        """Open a notebook, whose kernel is started, and return its panel once its cells are there."""
        self._lab.start(name)
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
        while True:
            assert time.monotonic() < ends, "it was not saved"
            self.page.wait_for_timeout(50)
            # It is there in part while it is written.
            with suppress(json.JSONDecodeError):
                if path.stat().st_mtime_ns != before:
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
    """Run every cell, as the menu does; again, where JupyterLab has dropped it (see `Tab.kernel`)."""
    tab.kernel()
    prompts = tab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-InputPrompt")
    begun = prompts.filter(has_text=re.compile(r"\[(\*|\d+)\]"))
    ends = time.monotonic() + PATIENCE
    tab.command("notebook:run-all-cells")
    asked = time.monotonic()
    while begun.count() == 0:
        assert time.monotonic() < ends, "no cell began to run"
        tab.page.wait_for_timeout(100)
        if time.monotonic() > asked + SLOW:
            tab.command("notebook:run-all-cells")
            asked = time.monotonic()


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
