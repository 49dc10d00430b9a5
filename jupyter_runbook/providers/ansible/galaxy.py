"""``--galaxy FILE``: the roles and collections that a play needs, installed for this notebook alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_runbook.errors import InvalidSpec, ToolFailed
from jupyter_runbook.files import expanded, read_bytes
from jupyter_runbook.notebook import FOLDER
from jupyter_runbook.private import own_folder
from jupyter_runbook.process import run_program
from jupyter_runbook.providers.ansible.proof import is_proven, prove
from jupyter_runbook.providers.ansible.refusal import said
from jupyter_runbook.secret.excerpt import Excerpt, last_line

if TYPE_CHECKING:
    from jupyter_runbook.provider import Context

__all__ = ["installed"]

# So much of the output's end is looked at for an error's words, in characters.
TAIL = 20_000


def installed(file: str, folder: Path, ctx: Context) -> Path:
    """Return the folder that a file's ``roles`` and ``collections`` are installed in.

    They are installed once, beside the notebook's journal, and again when the file has changed, or where what lies
    there is not what this user has installed on this machine; neither the user's nor the system's own are touched.

    Parameters
    ----------
    file
        The path of a ``requirements.yml``, from the notebook's folder.
    folder
        The notebook's folder.
    ctx
        Takes what ansible-galaxy prints.

    Raises
    ------
    InvalidSpec
        The file is not there.
    ToolFailed
        They can't be installed; the message is ansible-galaxy's own.
    """
    source = folder / expanded(file)
    try:
        content = read_bytes(source)
    except OSError as error:
        raise InvalidSpec(
            f"the file {file} of --galaxy can't be read: {error.strerror}",
            line=1,
            hint="give a requirements.yml, with roles and collections",
        ) from None
    try:
        parts = (FOLDER, "galaxy", hashlib.sha256(content).hexdigest()[:16])
        place = own_folder(folder, *parts[:-1]) / parts[-1]
        if not is_proven(folder, parts, ctx.stop):
            _install_anew(source, folder, parts, ctx)
    except OSError as error:
        raise ToolFailed(f"what --galaxy installs can't be kept: {error.strerror}") from None
    return place


def _install_anew(source: Path, folder: Path, parts: tuple[str, ...], ctx: Context) -> None:
    place = folder.joinpath(*parts)
    if os.path.lexists(place):
        ctx.output(f"[{'/'.join(parts)} is not as it was installed here: it is installed again]\n")
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".install-") as scratch:
        made = Path(scratch, "made")
        _install(source, made, folder, ctx)
        prove(made, parts[-1], ctx.stop)
        if is_proven(folder, parts, ctx.stop):  # another notebook of this folder was quicker
            return
        before = place.with_name(f".before-{os.getpid()}-{os.urandom(4).hex()}")
        if os.path.lexists(place):
            place.rename(before)
        made.rename(place)
    if before.is_symlink():
        before.unlink()
    with suppress(RecursionError):  # whoever made it may have made it deeper than it can be taken away
        shutil.rmtree(before, ignore_errors=True)


def _install(source: Path, target: Path, folder: Path, ctx: Context) -> None:
    kept = Excerpt(TAIL, end=True)

    def output(text: str) -> None:
        kept.add(text)
        ctx.output(text)

    for part in ("roles", "collections"):
        (target / part).mkdir(parents=True)
    variables = {
        "ANSIBLE_ROLES_PATH": f"{target}/roles",
        "ANSIBLE_COLLECTIONS_PATH": f"{target}/collections",
        "ANSIBLE_GALAXY_DISPLAY_PROGRESS": "0",
        "ANSIBLE_NOCOLOR": "1",
    }
    assigned = [f"{key}={value}" for key, value in variables.items()]
    command = ["env", *assigned, sys.executable, "-m", "ansible", "galaxy", "install", "-r", os.fspath(source)]
    status = run_program(command, stop=ctx.stop, output=output, cwd=folder)
    # It says of a role that could not be had that it was skipped, and ends with 0 or 1.
    if status:
        tail = kept.close()
        raise ToolFailed(
            f"ansible-galaxy failed: {said(tail) or last_line(tail)}", hint="nothing was played; mend the file"
        )
