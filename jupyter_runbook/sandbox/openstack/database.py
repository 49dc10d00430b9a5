"""The services' database: MariaDB on a socket that the user alone can reach, made and started without durability."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import BadInput, ToolFailed
from jupyter_runbook.sandbox.debian import environment
from jupyter_runbook.sandbox.openstack import processes
from jupyter_runbook.sandbox.tools import begin
from jupyter_runbook.secret.excerpt import excerpt, last_line, redacted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jupyter_runbook.sandbox.openstack.config import Layout

__all__ = ["PACKAGES", "ask", "make", "refuse_long", "start"]

PACKAGES = ("mariadb-server-core",)
# Seconds that it has to come up.
READY = 30.0
# Of bytes in a socket's path (unix(7)).
LONGEST = 107
# Written in the order in which MariaDB's own mariadb-install-db reads them.
TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
LOG_FILE = "--innodb-log-file-size=32M"


def make(layout: Layout, root: Path) -> None:
    """Make an empty database in a cloud's folder.

    Parameters
    ----------
    layout
        Where the cloud is.
    root
        The folder of the unpacked packages.

    Raises
    ------
    ToolFailed
        It can't be; the message is MariaDB's own.
    """
    refuse_long(layout)
    (layout.folder / "database").mkdir()
    begin = ["create database mysql;", "use mysql;", "set @auth_root_socket=null;", "set @skip_auth_anonymous=1;", ""]
    tables = [(_base(root) / "share/mysql" / name).read_text() for name in TABLES]
    done = subprocess.run(
        [*_command(layout, root), "--bootstrap", "--log-warnings=0", "--enforce-storage-engine="],
        env=environment(root, root / "usr/bin"),
        input="\n".join([*begin, *tables]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in redacted(done.stderr).splitlines() if "ERROR" in line] or ["it said nothing"]
        raise ToolFailed(f"the database can't be made: {excerpt(said[0])}")


def start(layout: Layout, root: Path) -> int:
    """Start it, and return its pid once it answers.

    Raises
    ------
    ToolFailed
        It does not come up; the message is MariaDB's own.
    """
    log = layout.folder / "log/database.out"
    # It survives its own death, but not the machine's: the kernel writes to the disk when it likes.
    command = [
        *_command(layout, root),
        f"--pid-file={layout.folder}/database.pid",
        "--skip-networking",
        "--skip-name-resolve",
        "--max-connections=400",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_general_ci",
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-doublewrite=0",
        "--innodb-buffer-pool-size=128M",
        "--innodb-flush-method=nosync",
    ]
    pid = begin(command, environment(root, root / "usr/bin"), log)
    ends = time.monotonic() + READY
    while not _answers(layout):
        if time.monotonic() > ends or os.waitpid(pid, os.WNOHANG) != (0, 0):
            raise ToolFailed(f"the database did not come up: {processes.last_words(log)}")
        time.sleep(0.02)
    return pid


def refuse_long(layout: Layout) -> None:
    """Refuse a folder with a path that no socket can have.

    Raises
    ------
    BadInput
        It is too long.
    """
    if len(os.fsencode(layout.socket)) > LONGEST:
        raise BadInput(
            f"{layout.folder} is too long a path for the database's socket",
            hint="name a shorter one: RUNBOOK_SANDBOX for the sandbox, XDG_CACHE_HOME for what it is made from",
        )


def ask(layout: Layout, statements: Iterable[str]) -> None:
    """Give it statements of SQL.

    Raises
    ------
    ToolFailed
        It refuses one; the message is MariaDB's own.
    """
    script = (
        "import json, sys, pymysql\n"
        "socket, statements = json.load(sys.stdin)\n"
        "with pymysql.connect(unix_socket=socket, user='root', autocommit=True) as connection:\n"
        "    for one in statements:\n"
        "        connection.cursor().execute(one)\n"
    )
    done = subprocess.run(
        [layout.interpreter / "bin/python", "-c", script],
        env=processes.environment(layout),
        input=json.dumps([str(layout.socket), list(statements)]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolFailed(f"the database said: {last_line(done.stderr)}")


def _command(layout: Layout, root: Path) -> list[str]:
    # Whoever started this owns it; MariaDB will not run as root unless it is told to.
    command = ["mariadbd", "--no-defaults", f"--datadir={layout.folder}/database", f"--socket={layout.socket}"]
    base = _base(root)
    command += [f"--basedir={base}", f"--lc-messages-dir={base}/share/mysql", "--skip-log-bin", LOG_FILE]
    return [*command, "--user=root"] if os.geteuid() == 0 else command


def _base(root: Path) -> Path:
    """Return where the packages' files are: the system's own folder, where it has them and nothing was unpacked."""
    return root / "usr" if (root / "usr/sbin/mariadbd").exists() else Path("/usr")


def _answers(layout: Layout) -> bool:
    """Tell whether it greets: a server that is not ready yet has no socket, or does not speak."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(READY)
        connection.connect(str(layout.socket))
        return bool(connection.recv(1))
    return False
