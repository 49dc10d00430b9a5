"""Images: built from a folder, pulled from a registry; and whether one has to be."""

from __future__ import annotations

import hashlib
import json
import stat
import tempfile
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jupyter_runbook.errors import AuthFailed, InvalidSpec, ToolFailed
from jupyter_runbook.files import PARTIAL, is_file, read_text
from jupyter_runbook.notebook import FOLDER
from jupyter_runbook.providers.docker.credentials import credentials, every_credential, refused
from jupyter_runbook.providers.docker.labels import BUILD
from jupyter_runbook.secret import Secret
from jupyter_runbook.secret.excerpt import excerpt, one_line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jupyter_runbook.provider import Context
    from jupyter_runbook.providers.docker.engine import Engine
    from jupyter_runbook.providers.docker.model import Build, Service
    from jupyter_runbook.stop import Stop

__all__ = ["build", "build_digest", "familiar", "pull", "push", "remote_digest", "split_reference"]

# Where a replay puts work logs.
WORKLOGS = "worklogs"
# How `build_digest` is made; another version builds once more.
RECIPE = 1
_PIECE = 1 << 20
# So many of a build's last lines are in its error.
LINES = 2


def split_reference(name: str) -> tuple[str, str]:
    """Return an image's repository and its tag or digest: ``latest`` where it names neither.

    A registry's port is no tag: ``127.0.0.1:5000/app`` is ``latest``.
    """
    repository, at, digest = name.partition("@")
    if at:
        return repository, digest
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, "latest")


def familiar(name: str) -> str:
    """Return an image's name as an engine lists it: with its tag, and without what Docker Hub's is called in full."""
    for prefix in ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(prefix)
    repository, tag = split_reference(name)
    return f"{repository}@{tag}" if tag.startswith("sha256:") else f"{repository}:{tag}"


def pull(engine: Engine, service: Service, ctx: Context) -> dict[str, Any]:
    """Pull a service's image, and return what it is.

    Raises
    ------
    ToolFailed
        The registry does not have it, or does not answer.
    """
    repository, tag = split_reference(service.image)
    query: dict[str, Any] = {"fromImage": repository, "tag": tag, "platform": service.platform}
    try:
        with engine.stream("POST", "/images/create", ctx.stop, headers=credentials(repository), **query) as answer:
            for line in engine.lines(answer):
                if not line.get("progressDetail"):
                    ctx.output(" ".join(filter(None, (line.get("id"), line.get("status")))) + "\n")
    except (ToolFailed, AuthFailed) as error:
        raise refused(
            f"the image {service.image} can't be pulled: {one_line_of(error.message)}",
            repository,
            "look whether its name is right, and the registry within reach; build or load it where there is none",
        ) from None
    return _short(engine.get(f"/images/{service.image}/json"))


def remote_digest(engine: Engine, image: str) -> str | None:
    """Ask an image's registry, through the engine, for the digest that its tag has now; nothing is pulled.

    Returns
    -------
    str
        The digest; None where the registry has no such image.

    Raises
    ------
    RunbookError
        The registry does not answer, or refuses.
    """
    repository, _ = split_reference(image)
    try:
        answer = engine.call("GET", f"/distribution/{image}/json", headers=credentials(repository))
    except (ToolFailed, AuthFailed) as error:
        if "manifest unknown" in error.message or "not found" in error.message:
            return None
        raise refused(
            f"the registry of {image} can't be asked: {error.message}", repository, "look whether it is within reach"
        ) from None
    return str(json.loads(answer)["Descriptor"]["digest"])


def push(engine: Engine, image: str, ctx: Context) -> dict[str, Any]:
    """Push an image to the registry that its name begins with, and return the digest that it has there.

    Raises
    ------
    ToolFailed
        The registry does not answer, or refuses.
    """
    repository, tag = split_reference(image)
    digest = None
    # An engine wants the header, also where there is nothing in it.
    headers = {"X-Registry-Auth": "e30=", **credentials(repository)}
    try:
        with engine.stream("POST", f"/images/{repository}/push", ctx.stop, headers=headers, tag=tag) as answer:
            for line in engine.lines(answer):
                digest = (line.get("aux") or {}).get("Digest", digest)
                if line.get("status") and not line.get("progressDetail"):
                    ctx.output(" ".join(filter(None, (line.get("id"), line["status"]))) + "\n")
    except (ToolFailed, AuthFailed) as error:
        raise refused(
            f"the image {image} can't be pushed: {error.message}",
            repository,
            "its name begins with its registry: HOST:PORT/NAME:TAG",
        ) from None
    return {"digest": digest}


def build(engine: Engine, service: Service, ctx: Context) -> dict[str, Any]:
    """Build a service's image, and return what it is.

    Raises
    ------
    ToolFailed
        A line of the Dockerfile fails; the message has the last lines that the build said.
    """
    how = service.build
    assert how is not None  # noqa: S101 -- only what has one is built
    query: dict[str, Any] = {
        "t": (service.image, *how.tags),
        "dockerfile": _dockerfile(how),
        "buildargs": {name: _plain(value) for name, value in how.args.items()},
        "labels": {**how.labels, BUILD: build_digest(how, ctx.stop)},
        "target": how.target,
        "networkmode": how.network,
        "shmsize": how.shm_size,
        "extrahosts": how.extra_hosts,
        "cachefrom": list(how.cache_from),
        "platform": how.platform or service.platform,
        "pull": how.pull,
        "nocache": how.no_cache,
        "rm": True,
        "forcerm": True,
    }
    last: deque[str] = deque(maxlen=LINES)
    try:
        with _archive(how, query) as archive:
            given: dict[str, Any] = {"body": _pieces(archive) if archive else None}
            with engine.stream("POST", "/build", ctx.stop, headers=every_credential(), **given, **query) as answer:
                for line in engine.lines(answer):
                    text = str(line.get("stream", ""))
                    ctx.output(text)
                    if text.strip() and not text.startswith((" --->", "Removing intermediate")):
                        last.append(excerpt(text, 1000))
    except ToolFailed as error:
        said = f" ({' / '.join(last)})" if last else ""
        raise ToolFailed(
            f"the build of {service.image} failed: {error.message}{said}", hint="the step's log has all that it said"
        ) from None
    return _short(engine.get(f"/images/{service.image}/json"))


def build_digest(how: Build, stop: Stop) -> str:
    """Return a digest of all that an image is built from: its files, and how they are used.

    Times do not count, nor does what ``.dockerignore`` leaves out, nor what a runbook itself writes: notebooks and work
    logs, which are new each time. They are in the context all the same, for a Dockerfile that copies them.
    """
    found = hashlib.sha256(f"{RECIPE}\n".encode())
    values = {
        "dockerfile": how.dockerfile,
        "inline": how.inline,
        "args": {name: _plain(value) for name, value in how.args.items()},
        "labels": dict(how.labels),
        "target": how.target,
        "network": how.network,
        "platform": how.platform,
        "remote": how.context if _is_remote(how) else None,
    }
    found.update(json.dumps(values, sort_keys=True).encode())
    for name in _files(how):
        stop.check()
        path = Path(how.context, name)
        if path.suffix == ".ipynb" or name.split("/", 1)[0] == WORKLOGS:
            continue
        info = path.lstat()
        found.update(f"\n{name}\0{stat.S_IFMT(info.st_mode)}\0{info.st_mode & 0o777}\0".encode())
        if stat.S_ISLNK(info.st_mode):
            found.update(str(path.readlink()).encode())
        elif stat.S_ISREG(info.st_mode):
            with path.open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
    return f"{RECIPE}:{found.hexdigest()}"


def _is_remote(how: Build) -> bool:
    return "://" in how.context or how.context.startswith("git@")


def _files(how: Build) -> list[str]:
    """Return the files of a build context without what ``.dockerignore`` leaves out, sorted."""
    if _is_remote(how):
        return []
    from docker.utils.build import exclude_paths

    ignored: list[str] = []
    own = [f"{FOLDER}", f"**/{FOLDER}", ".ipynb_checkpoints", f"**/{PARTIAL}*"]
    path = Path(how.context, f"{how.dockerfile}.dockerignore")
    path = path if is_file(path) else Path(how.context, ".dockerignore")
    if is_file(path):
        lines = read_text(path).splitlines()
        ignored = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    found = exclude_paths(how.context, [*ignored, *own], dockerfile=how.dockerfile if how.inline is None else None)
    return sorted(name for name in found if str(Path(how.context, name)) not in how.apart)


_INLINE = ".runbook.Dockerfile"


def _dockerfile(how: Build) -> str:
    return _INLINE if how.inline is not None else how.dockerfile


class _archive:  # noqa: N801 -- used as a function
    """The build context as a tar file that is gone afterwards; a remote one goes into the query."""

    def __init__(self, how: Build, query: dict[str, Any]) -> None:
        self.how = how
        self.file: IO[bytes] | None = None
        if _is_remote(how):
            query["remote"] = how.context

    def __enter__(self) -> IO[bytes] | None:
        if _is_remote(self.how):
            return None
        from docker.utils.build import create_archive

        inside = Path(self.how.context, self.how.dockerfile)
        if self.how.inline is None and not is_file(inside):
            raise InvalidSpec(
                f"the Dockerfile {self.how.dockerfile} is not in the folder {self.how.context}",
                hint="build: {context: FOLDER, dockerfile: NAME}",
            )
        extra = [(_INLINE, self.how.inline)] if self.how.inline is not None else []
        self.file = tempfile.TemporaryFile()
        create_archive(self.how.context, files=_files(self.how), fileobj=self.file, extra_files=extra)
        self.file.seek(0)
        return self.file

    def __exit__(self, *exc: object) -> None:
        if self.file:
            self.file.close()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _short(image: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": str(image["Id"]).removeprefix("sha256:")[:12], "size": image.get("Size")}


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
