"""A real SSH server on loopback, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.sandbox.debian import environment, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGES = ("openssh-server", "openssh-client")

SERVER = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
SetEnv {env}
"""

CLIENT = """Host box
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/key
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
"""


@contextmanager
def serving(folder: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """Serve SSH, and return a folder whose ``ssh`` reaches it as the host ``box``.

    Parameters
    ----------
    folder
        Where keys and configurations go.
    env
        The environment of what is run there.
    """
    root = unpacked("openssh", PACKAGES, print)
    found = environment(root, folder)
    sshd, ssh, keygen = (shutil.which(name, path=found["PATH"]) for name in ("sshd", "ssh", "ssh-keygen"))
    assert sshd
    assert ssh
    assert keygen
    for name in ("key", "host_key"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True, env=found)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    pairs = " ".join(f"{key}={value}" for key, value in env.items())
    (folder / "sshd_config").write_text(SERVER.format(port=port, folder=folder, env=pairs))
    (folder / "ssh_config").write_text(CLIENT.format(port=port, folder=folder))
    tools = folder / "tools"
    tools.mkdir()
    wrapper = tools / "ssh"
    libraries = found["LD_LIBRARY_PATH"]
    wrapper.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {ssh} -F {folder}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    # It wants a user and a folder that the machine need not have: it gets them in mounts that it alone sees.
    users = folder / "passwd"
    users.write_text(Path("/etc/passwd").read_text() + "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n")
    script = f"mount --bind {users} /etc/passwd && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd"
    script += f" && exec {sshd} -D -e -f {folder}/sshd_config"
    unshare = shutil.which("unshare") or "unshare"
    said = folder / "sshd.log"
    with said.open("wb") as log:
        server = subprocess.Popen([unshare, "--mount", "/bin/sh", "-c", script], env=found, stderr=log)
    try:
        ends = time.monotonic() + 20
        while server.poll() is None and time.monotonic() < ends:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.02)
        assert server.poll() is None, said.read_text()
        yield tools
    finally:
        server.terminate()
        server.wait()


def path_with(folder: Path) -> str:
    """Return the search path with a folder before all others."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
