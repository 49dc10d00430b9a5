"""What a cloud is made from, made once and kept in the cache: OpenStack's packages, and its databases as they begin."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import Conflict, ToolFailed
from jupyter_runbook.files import lock
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.base import cache_folder
from jupyter_runbook.sandbox.openstack import config, database, processes
from jupyter_runbook.sandbox.openstack.config import DATABASES, KINDS, PORTS, Layout, endpoint
from jupyter_runbook.secret.excerpt import excerpt, last_line, redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["furnish", "interpreter", "pristine"]

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
# Changes when what is kept is made in another way.
RECIPE = "1"
# How the names begin of what is made.
SCRATCH = ".openstack-"
FOLDERS = ("log", "lock", "neutron", "cinder", "nova/instances", "images/data", "images/staging", "images/tasks")
# What a cell's addresses in the database are made of: Nova fills it in from its own configuration, so that the folder
# is not in it.
CELL = "{{scheme}}://{{username}}@{{hostname}}/{name}?{{query}}"


def interpreter(tell: Callable[[str], object]) -> Path:
    """Return the virtual environment with OpenStack's packages; it is made once.

    Parameters
    ----------
    tell
        Called with a line of progress.

    Raises
    ------
    ToolFailed
        They can't be installed; the message is the installer's own.
    """
    key = _digest(REQUIREMENTS.read_text(), sys.version, sys.base_prefix, os.uname().machine)
    folder = cache_folder() / f"openstack-{key}"
    if folder.is_dir():
        return folder
    tell("installing OpenStack's packages, about a minute (once)")
    with _scratch() as scratch:
        made = scratch / "made"
        python = str(made / "bin/python")
        _installed([sys.executable, "-m", "venv", str(made)])
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--retries", "10"]
        uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
        if uv is None:
            _installed([*pip, "uv"])
            uv = str(made / "bin/uv")
        try:
            _installed(
                [uv, "pip", "install", "--quiet", "--python", python, "--compile-bytecode", "-r", str(REQUIREMENTS)]
            )
        except ToolFailed:
            # It is four times as fast as pip, but does not read pip's configuration.
            _installed([*pip, "-r", str(REQUIREMENTS)])
        _keep(made, folder)
    return folder


def pristine(python: Path, root: Path, tell: Callable[[str], object]) -> Path:
    """Return the folder of the databases as they begin, and the passwords of their accounts; they are made once.

    Parameters
    ----------
    python
        What `interpreter` returned.
    root
        The folder of the database's unpacked packages.
    tell
        Called with a line of progress.

    Raises
    ------
    ToolFailed
        They can't be made; the message is the service's own.
    """
    recipe = [(HERE / name).read_text() for name in ("config.py", "database.py", "inside/runbook_cloud/accounts.py")]
    folder = cache_folder() / f"openstack-databases-{_digest(RECIPE, python.name, root.name, *recipe)}"
    if folder.is_dir():
        return folder
    tell("making OpenStack's databases, about half a minute (once)")
    with _scratch() as scratch:
        listening = processes.listen(0)
        ports = {**PORTS, "keystone": listening.getsockname()[1]}
        passwords = {name: secrets.token_urlsafe(24) for name in config.ACCOUNTS}
        layout = Layout(scratch / "made", python, ports, passwords)
        layout.folder.mkdir(mode=0o700)
        try:
            with listening:
                furnish(layout)
                database.make(layout, root)
                database.start(layout, root)
                _fill(layout)
                processes.serve(layout, "keystone", listening)
            _accounts(layout)
            # Its end writes down what it still holds in memory.
            leftovers.end([processes.running(layout.folder)["database"]], 30.0)
        finally:
            processes.end(layout.folder)
        kept = layout.folder / "kept"
        kept.mkdir(mode=0o700)
        for name in ("database", "keys"):
            (layout.folder / name).rename(kept / name)
        (kept / "passwords").write_text(json.dumps(passwords))
        (kept / "passwords").chmod(0o600)
        _keep(kept, folder)
    return folder


def furnish(layout: Layout) -> None:
    """Write what the services read, and make the folders that they write into."""
    for name in FOLDERS:
        (layout.folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in config.files(layout).items():
        path = layout.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Give a folder to make something in; there is one, and what is left of one that was killed goes first."""
    cache = cache_folder()
    try:
        with lock(cache / f"{SCRATCH}lock"):
            for left in cache.glob(f"{SCRATCH}made-*"):
                processes.end(left)
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=f"{SCRATCH}made-") as scratch:
                yield Path(scratch)
    except BlockingIOError:
        raise Conflict("another sandbox installs OpenStack just now", hint="wait until it has") from None


def _fill(layout: Layout) -> None:
    """Let each service make its tables, side by side."""
    database.ask(layout, [f"create database {name}" for name in DATABASES])
    user = ["--keystone-user", getpass.getuser(), "--keystone-group", getpass.getuser()]
    keystone = ["keystone", "--config-file", f"{layout.folder}/etc/keystone/keystone.conf"]
    nova = ["nova", "--config-file", f"{layout.folder}/etc/nova/nova.conf"]
    cell = [*nova, "cell_v2"]
    address = endpoint("keystone", PORTS["keystone"])
    endpoints = [f"--bootstrap-{kind}-url={address}" for kind in ("admin", "internal", "public")]
    chains = [
        [
            [*keystone, "db_sync"],
            [*keystone, "fernet_setup", *user],
            [*keystone, "credential_setup", *user],
            [*keystone, "bootstrap", "--bootstrap-region-id=RegionOne", *endpoints],
            ["placement", "--config-file", f"{layout.folder}/etc/placement/placement.conf", "db", "sync"],
            ["glance", "--config-file", f"{layout.folder}/etc/glance/glance-api.conf", "db_sync"],
        ],
        [
            ["neutron", "--config-file", f"{layout.folder}/etc/neutron/neutron.conf", "upgrade", "heads"],
            ["cinder", "--config-file", f"{layout.folder}/etc/cinder/cinder.conf", "db", "sync"],
        ],
        [
            [*nova, "api_db", "sync"],
            [*cell, "map_cell0", f"--database_connection={CELL.format(name='nova_cell0')}"],
            [*cell, "create_cell", "--name=cell1", f"--database_connection={CELL.format(name='nova')}"],
            [*nova, "db", "sync"],
        ],
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda chain: _manage(layout, chain), chains))


def _manage(layout: Layout, chain: Sequence[Sequence[str]]) -> None:
    # In the environment, not among the words, which everybody on the machine can read.
    env = {**processes.environment(layout), "OS_BOOTSTRAP_PASSWORD": layout.passwords["admin"]}
    for words in chain:
        command = [f"{layout.interpreter}/bin/python", "-m", "runbook_cloud.manage", *words]
        _ran(f"{words[0]} {' '.join(words[3:5])}", command, env)


def _accounts(layout: Layout) -> None:
    # The catalogue has the address that Keystone usually has.
    settings = {**config.cloud(layout, "admin"), "identity_endpoint_override": layout.identity}
    services = {name: [KINDS[name], endpoint(name, port)] for name, port in PORTS.items() if name != "keystone"}
    given = {"settings": settings, "services": services, "passwords": dict(layout.passwords)}
    command = [f"{layout.interpreter}/bin/python", "-m", "runbook_cloud.accounts"]
    _ran("keystone's accounts", command, processes.environment(layout), json.dumps(given))


def _ran(name: str, command: Sequence[str], env: Mapping[str, str], text: str = "") -> None:
    done = subprocess.run(command, env=dict(env), input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolFailed(f"{name} failed: {last_line(done.stderr.strip() or done.stdout)}")


def _installed(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = [line for line in redacted(done.stderr + done.stdout).splitlines() if "rror" in line] or [
            "it said nothing"
        ]
        raise ToolFailed(
            f"OpenStack's packages can't be installed: {excerpt(said[0])}",
            hint="see whether pip install works here",
        )


def _keep(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():  # somebody else was quicker
            raise


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
