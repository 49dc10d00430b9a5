"""A Docker engine of its own, with a registry: for Debian as root, where no engine can be reached.

Debian's packages are unpacked, not installed. The engine publishes ports on loopback only, and its bridges take a range
of addresses that was looked for. A busybox image is imported, as no public registry is needed. The registry asks for a
password: every user of this machine, and every container with its network, reaches loopback.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import tarfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_runbook.errors import BadInput, Conflict, RunbookError, ToolFailed
from jupyter_runbook.files import replacing, write_atomically
from jupyter_runbook.sandbox import leftovers
from jupyter_runbook.sandbox.addresses import choose
from jupyter_runbook.sandbox.base import Sandbox
from jupyter_runbook.sandbox.debian import environment, unpacked
from jupyter_runbook.sandbox.tools import begin, found
from jupyter_runbook.secret.excerpt import excerpt, last_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["IMAGES", "DockerSandbox"]

PACKAGES = ("docker.io", "iptables", "iproute2", "busybox-static", "docker-registry")
BRIDGE = "runbook0"
#: What the imported image is called: as on the public registry, so that a runbook reads the same with another engine.
IMAGES = ("busybox:latest", "busybox:1.35")
# Seconds that an engine has to come up, and to go.
READY, GONE = 60.0, 20.0
REGISTRY_PORT = 5000
#: Who the registry knows.
ACCOUNT = "runbook"
# bcrypt's letters, and its cheapest cost (crypt(5)): the password is a long random one.
_BCRYPT, _CHEAP = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "$2b$04$"


class DockerSandbox(Sandbox):
    """See the module."""

    name = "docker"
    summary = "A Docker engine and a registry on loopback, with a busybox image; on Debian as root."

    @property
    def address(self) -> Path:
        """The path of the engine's socket."""
        return self.folder / "docker.sock"

    @property
    def client(self) -> Path:
        """The folder of a client's configuration, with what the registry asks for."""
        return self.folder / "client"

    def up(self) -> None:
        """See `Sandbox.up`."""
        with self.alone():
            if self._answers() and self._registry_answers():
                return
            self._clear()
            root = unpacked(self.name, PACKAGES, self.tell)
            self._refuse_another()
            self.folder.mkdir(mode=0o711, parents=True)
            try:
                env = environment(root, self._links(root))
                self._start(root, env)
            except BaseException:
                self._clear()
                raise

    def down(self) -> None:
        """See `Sandbox.down`."""
        if not self.folder.exists():
            return
        with self.alone():
            self._clear()

    def status(self) -> Mapping[str, str] | None:
        """See `Sandbox.status`."""
        if not self._answers():
            return None
        version, info = self.json("GET", "/version"), self.json("GET", "/info")
        return {
            "engine": f"{version['Version']} (API {version['ApiVersion']}) at unix://{self.address}",
            "registry": self.state["registry"] if self._registry_answers() else "down",
            "containers": f"{info['ContainersRunning']} running, {info['Containers'] - info['ContainersRunning']} not",
            "images": ", ".join(IMAGES),
            "addresses": self.state["pool"],
        }

    def env(self) -> Mapping[str, str]:
        """See `Sandbox.env`."""
        if not self._answers():
            raise BadInput("the docker sandbox is down", hint="jupyter runbook sandbox up docker")
        known = json.loads((self.client / "config.json").read_text())["auths"][self.state["registry"]]
        user, _, password = base64.b64decode(known["auth"]).decode().partition(":")
        return {
            "DOCKER_HOST": f"unix://{self.address}",
            "DOCKER_CONFIG": str(self.client),
            "RUNBOOK_REGISTRY": self.state["registry"],
            "RUNBOOK_REGISTRY_USER": user,
            "RUNBOOK_REGISTRY_PASSWORD": password,
        }

    def _start(self, root: Path, env: dict[str, str]) -> None:
        pool = choose(env=env)
        registry = f"127.0.0.1:{_free_port(REGISTRY_PORT)}"
        self.tell(f"starting the engine; its networks take addresses of {pool}, the registry is {registry}")
        first = next(pool.subnets(new_prefix=24))
        state = {
            "pool": str(pool),
            "registry": registry,
            "forwarding": _forwarding(),
            "policy": _policy(env),
            "root": str(root),
        }
        write_atomically(self.folder / "state.json", json.dumps(state))
        ip = shutil.which("ip", path=env["PATH"]) or "ip"
        for words in (
            ["link", "add", BRIDGE, "type", "bridge"],
            ["address", "add", f"{next(first.hosts())}/24", "dev", BRIDGE],
            ["link", "set", BRIDGE, "up"],
        ):
            _ran(subprocess.run([ip, *words], env=env, capture_output=True, text=True, check=False))
        command = ["dockerd", "--host", f"unix://{self.address}", "--data-root", f"{self.folder}/data"]
        command += ["--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/dockerd.pid"]
        command += ["--bridge", BRIDGE, "--ip", "127.0.0.1", "--group", str(os.getgid())]
        for half in list(pool.subnets(new_prefix=pool.prefixlen + 1))[1:]:
            command += ["--default-address-pool", f"base={half},size=24"]
        config = self._configure(registry)
        with _ready_socket(self.folder / "ready.sock") as ready:
            engine = begin(command, {**env, "NOTIFY_SOCKET": f"{self.folder}/ready.sock"}, self.folder / "engine.log")
            begin(["docker-registry", "serve", str(config)], env, self.folder / "registry.log")
            self._wait(engine, ready)
        self._import_images(root)
        ends = time.monotonic() + READY
        while not self._registry_answers():
            if time.monotonic() > ends:
                raise ToolFailed(f"the registry did not come up: {self._last('registry')}")
            time.sleep(0.05)

    def _configure(self, registry: str) -> Path:
        """Write the registry's configuration, and a client's; return the path of the first."""
        password = secrets.token_urlsafe(24)
        accounts, config = self.folder / "registry.htpasswd", self.folder / "registry.yml"
        _write(accounts, f"{ACCOUNT}:{_bcrypt(password)}\n")
        auth = base64.b64encode(f"{ACCOUNT}:{password}".encode()).decode()
        self.client.mkdir(mode=0o700)
        _write(self.client / "config.json", json.dumps({"auths": {registry: {"auth": auth}}}))
        paths = {"folder": json.dumps(f"{self.folder}/registry"), "accounts": json.dumps(str(accounts))}
        _write(config, _REGISTRY.format(address=registry, **paths))
        return config

    def _wait(self, engine: int, ready: socket.socket) -> None:
        """Wait for the engine's own word that it is ready (sd_notify), or for its end."""
        ends = time.monotonic() + READY
        ready.settimeout(0.2)
        while time.monotonic() < ends and os.waitpid(engine, os.WNOHANG) == (0, 0):
            with suppress(TimeoutError):
                if b"READY=1" in ready.recv(4096):
                    return
        raise ToolFailed(f"the engine did not come up: {self._last('engine')}", hint="it needs root, and cgroups")

    def _last(self, name: str) -> str:
        return last_line((self.folder / f"{name}.log").read_text(errors="replace"))

    def _links(self, root: Path) -> Path:
        """Make links to the programs that the packages' scripts would have linked."""
        links = self.folder / "bin"
        links.mkdir()
        for name, target in _LINKS.items():
            if (root / target).exists():
                (links / name).symlink_to(root / target)
        return links

    def _import_images(self, root: Path) -> None:
        archive = _busybox(root if (root / "bin/busybox").exists() else Path("/"))
        name, _, tag = IMAGES[0].partition(":")
        said = ('CMD ["sh"]', "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        changes = "&".join(f"changes={quote(one)}" for one in said)
        self.call("POST", f"/images/create?fromSrc=-&repo={name}&tag={tag}&{changes}", archive)
        for image in IMAGES[1:]:
            repo, _, tag = image.partition(":")
            self.call("POST", f"/images/{IMAGES[0]}/tag?repo={repo}&tag={tag}")

    def _answers(self) -> bool:
        try:
            return bool(self.call("GET", "/_ping") == b"OK")
        except (OSError, RunbookError):
            return False

    def _registry_answers(self) -> bool:
        host, _, port = self.state.get("registry", ":").partition(":")
        try:
            socket.create_connection((host, int(port or 0)), 2).close()
        except OSError:
            return False
        return True

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the engine, and return its answer's value; see `call`."""
        return json.loads(self.call(method, path, None if body is None else json.dumps(body).encode()))

    def call(self, method: str, path: str, body: bytes | IO[bytes] | None = None) -> bytes:
        """Ask the engine, without an SDK.

        Raises
        ------
        OSError
            It does not answer.
        ToolFailed
            It says no.
        """
        from http.client import HTTPConnection

        kind = "application/json" if isinstance(body, bytes) and body.startswith(b"{") else "application/x-tar"
        connection = HTTPConnection("docker", timeout=READY)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(READY)
        with contextlib.closing(connection):
            connection.sock.connect(str(self.address))
            connection.request(method, path, body, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 400:  # noqa: PLR2004 -- RFC 9110: an error
            raise ToolFailed(f"the engine said: {excerpt(text.decode(errors='replace'))}")
        return text

    def has(self, image: str) -> bool:
        """Tell whether it has an image of that name; False where it is down."""
        try:
            self.call("GET", f"/images/{image}/json")
        except (OSError, RunbookError):
            return False
        return True

    def import_folder(self, root: Path, image: str) -> None:
        """Make a folder with a root file system an image.

        Raises
        ------
        ToolFailed
            It can't be; the message is the engine's own.
        """
        repo, _, tag = image.partition(":")
        command = [found("tar"), "--directory", str(root), "--create", "."]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as archive:
            self.call("POST", f"/images/create?fromSrc=-&repo={quote(repo, safe='')}&tag={tag}", archive.stdout)
        if archive.returncode or not self.has(image):
            with suppress(RunbookError):  # what has come of half of it
                self.call("DELETE", f"/images/{image}?force=1")
            raise ToolFailed(f"{root} can't be made the image {image}", hint="see whether the disk is full")

    def _refuse_another(self) -> None:
        """Refuse to start beside another engine: it would take that one's rules away."""
        import psutil

        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.name() != "dockerd" or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                # One in a container has a network of its own, and rules of its own.
                if Path(f"/proc/{process.pid}/ns/net").readlink() == Path("/proc/self/ns/net").readlink():
                    raise Conflict(
                        f"an engine runs on this machine already (dockerd, pid {process.pid}): it stays untouched",
                        hint="use that one: %%docker finds it by itself or by DOCKER_HOST",
                    )

    def _clear(self) -> None:
        """Take everything away, whoever left it, in whatever state."""
        if not self.folder.exists():
            return
        state = self.state
        if state:
            env = environment(Path(state["root"]), self.folder / "bin")
            if self._answers():
                self._remove_containers()
                # First the one that brings the others up again.
                leftovers.end(leftovers.processes(self.folder, ("dockerd",))[:1], GONE)
            leftovers.end(leftovers.processes(self.folder), 2.0)
            leftovers.clear_mounts(self.folder)
            # The rules first: they are found by the bridges that they name.
            bridges = {BRIDGE, *leftovers.bridges(state["pool"], env)}
            leftovers.clear_rules(bridges, state["pool"], env)
            leftovers.clear_bridges(bridges, env)
            leftovers.clear_groups("docker")
            _restore(state, env)
        shutil.rmtree(self.folder)

    def _remove_containers(self) -> None:
        # Killed at once: an engine that is asked to end gives each ten seconds.
        with suppress(OSError, RunbookError):
            for container in self.json("GET", "/containers/json?all=1"):
                with suppress(RunbookError):
                    self.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")


_LINKS = {
    "iptables": "usr/sbin/xtables-nft-multi",
    "iptables-save": "usr/sbin/xtables-nft-multi",
    "ip6tables": "usr/sbin/xtables-nft-multi",
    "docker-init": "usr/bin/tini-static",
}

_REGISTRY = """version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: true}}
http: {{addr: "{address}"}}
auth:
  htpasswd: {{realm: sandbox, path: {accounts}}}
"""


def _write(path: Path, text: str) -> None:
    """Write a file for the user alone."""
    with replacing(path, mode=0o600) as file:
        file.write(text.encode())


def _bcrypt(password: str) -> str:
    """Return a password's hash, the one kind that the registry reads: by the C library's crypt(3), which Debian has."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    salt = "".join(secrets.choice(_BCRYPT) for _ in range(21)) + "."
    made = crypt(password.encode(), f"{_CHEAP}{salt}".encode())
    if not isinstance(made, bytes) or not made.startswith(_CHEAP.encode()):
        raise ToolFailed("the registry's password can't be hashed", hint="libcrypt of this machine has no bcrypt")
    return made.decode()


@contextmanager
def _ready_socket(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(path))
        try:
            yield ready
        finally:
            path.unlink()


def _busybox(root: Path) -> bytes:
    """Return a root file system with busybox and a link for each of its applets, as a tar archive."""
    program = root / "bin/busybox"
    applets = subprocess.run([program, "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, mode in (("tmp", 0o1777), ("root", 0o700), ("etc", 0o755), ("var", 0o755), ("run", 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
        for name, text in (("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("etc/group", "root:x:0:\n")):
            file = tarfile.TarInfo(name)
            file.size = len(text)
            archive.addfile(file, io.BytesIO(text.encode()))
        binary = archive.gettarinfo(str(program), "bin/busybox")
        binary.mode = 0o755
        with program.open("rb") as source:
            archive.addfile(binary, source)
        for applet in applets:
            name = applet if "/" in applet else f"bin/{applet}"
            if name != "bin/busybox":  # the link would replace the program
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, "/bin/busybox"
                archive.addfile(link)
    return buffer.getvalue()


def _free_port(wanted: int) -> int:
    """Return a port of loopback that nobody listens on, the wanted one if that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            # What is left of connections that have ended is no listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise Conflict("no port of 127.0.0.1 is free")


def _forwarding() -> str:
    return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()


def _policy(env: Mapping[str, str]) -> str:
    program = shutil.which("iptables", path=env["PATH"]) or "iptables"
    done = subprocess.run(
        [program, "-w", "-S", "FORWARD"], env=dict(env), capture_output=True, text=True, check=False, timeout=20
    )
    _ran(done)
    words = (done.stdout.splitlines() or [""])[0].split()
    return words[2] if words[:2] == ["-P", "FORWARD"] else "ACCEPT"


def _restore(state: Mapping[str, Any], env: Mapping[str, str]) -> None:
    """Put the kernel's forwarding back as it was."""
    program = shutil.which("iptables", path=env["PATH"])
    if program:
        subprocess.run(
            [program, "-w", "-P", "FORWARD", state["policy"]], env=dict(env), capture_output=True, check=False
        )
    Path("/proc/sys/net/ipv4/ip_forward").write_text(state["forwarding"])


def _ran(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        said = excerpt(done.stderr.strip() or done.stdout)
        raise ToolFailed(f"{Path(done.args[0]).name} {' '.join(done.args[1:4])} failed: {said}")
