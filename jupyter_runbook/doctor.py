"""``jupyter runbook doctor``: what this machine has of what runbooks use, and what brings the rest.

Nothing is started, changed or asked for over a network, but for a Docker engine, which is asked for its version.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jupyter_runbook.files import expanded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Finding", "doctor", "doctor_json", "doctor_text"]

#: Where openstacksdk looks for clouds (its documentation, "Configuring OpenStack SDK Applications").
CLOUDS = ("clouds.yaml", "~/.config/openstack/clouds.yaml", "/etc/openstack/clouds.yaml")
# Seconds for an engine's answer.
ANSWER = 5.0
_SIGNS = {"ok": "✓", "missing": "✗", "absent": "·"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Parameters
    ----------
    name
        What it is.
    status
        ``ok``; ``missing`` where nothing works without it; ``absent`` where only runbooks that use it need it.
    found
        What is there, or why it is not.
    use
        What needs it.
    hint
        The command that brings it; None where it is there.
    """

    name: str
    status: Literal["ok", "missing", "absent"]
    found: str
    use: str
    hint: str | None = None


def doctor() -> list[Finding]:
    """Look for everything, in the order that people set it up."""
    return [look() for look in LOOKS]


def doctor_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return what ``doctor --json`` prints."""
    return [asdict(one) for one in findings]


def doctor_text(findings: Iterable[Finding]) -> str:
    """Return it for people: what is there, and below what is not, what brings it."""
    found = list(findings)
    width = max(len(one.name) for one in found)
    lines = []
    for one in found:
        lines.append(f"{_SIGNS[one.status]} {one.name.ljust(width)}  {one.found}")
        if one.hint:
            lines.append(f"  {''.ljust(width)}  → {one.hint} (for {one.use})")
    missing = [one.name for one in found if one.status == "missing"]
    absent = [one.name for one in found if one.status == "absent"]
    if missing:
        lines.append(f"missing: {', '.join(missing)}")
    elif absent:
        lines.append(f"good; not here: {', '.join(absent)}")
    else:
        lines.append("good: everything is here")
    return "\n".join(lines)


def _python() -> Finding:
    from jupyter_runbook import __version__

    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("jupyter-runbook", "ok", f"{__version__}, Python {version} in {sys.prefix}", "everything")


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager

    use = "replays"
    specs = KernelSpecManager().find_kernel_specs()
    if "python3" in specs:
        return Finding("kernel", "ok", f"python3, {_version('ipykernel')}", use)
    hint = f"{Path(sys.executable).name} -m ipykernel install --sys-prefix"
    return Finding("kernel", "missing", "there is no kernel python3", use, hint)


def _lab() -> Finding:
    use = "stepping through runbooks"
    version = _version("jupyterlab")
    if version:
        return Finding("JupyterLab", "ok", version, use)
    return Finding("JupyterLab", "absent", "not installed", use, "pip install jupyterlab")


def _extension() -> Finding:
    """Look for the JupyterLab extension where Jupyter looks for it."""
    from jupyter_core.paths import jupyter_path

    use = "records in JupyterLab; without it they are static HTML"
    places = [Path(one, "jupyter-runbook", "package.json") for one in jupyter_path("labextensions")]
    there = next((path for path in places if path.is_file()), None)
    if there:
        return Finding("JupyterLab extension", "ok", str(there.parent), use)
    return Finding(
        "JupyterLab extension",
        "absent",
        "not installed",
        use,
        "pip install --force-reinstall --no-deps jupyter-runbook; in a checkout: make lab",
    )


def _bash() -> Finding:
    return _program("bash", "%%shell", "apt-get install bash", needed=True)


def _ssh() -> Finding:
    return _program("ssh", "hosts: %%ansible, %%shell --on, ssh:// engines", "apt-get install openssh-client")


def _ansible() -> Finding:
    use = "%%ansible"
    version = _version("ansible-core")
    if version:
        return Finding("Ansible", "ok", f"ansible-core {version}", use)
    return Finding("Ansible", "missing", "not installed", use, "pip install ansible-core")


def _docker() -> Finding:
    from jupyter_runbook.errors import RunbookError
    from jupyter_runbook.providers.docker.hosts import connect, default_host

    use, address = "%%docker", default_host(os.environ)
    engine = connect(address)
    try:
        from jupyter_runbook.stop import Stop

        with Stop(ANSWER) as stop:
            version = stop.bounded(lambda: engine.version, ANSWER)
        return Finding("Docker engine", "ok", f"{version['Version']} at {address}", use)
    except (RunbookError, OSError, KeyError, ValueError) as error:
        why = error.message if isinstance(error, RunbookError) else str(error)
        hint = "jupyter runbook sandbox up docker, or set DOCKER_HOST"
        return Finding("Docker engine", "absent", " ".join(why.split()), use, hint)
    finally:
        engine.close()


def _clouds() -> Finding:
    use = "%%os"
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    for path in [Path(named)] if named else [expanded(one) for one in CLOUDS]:
        if path.is_file():
            return _clouds_in(path, use)
    where, hint = named or ", ".join(CLOUDS), "jupyter runbook sandbox up openstack, or write one"
    return Finding("clouds.yaml", "absent", f"none at {where}", use, hint)


def _clouds_in(path: Path, use: str) -> Finding:
    import yaml

    try:
        clouds = (yaml.safe_load(path.read_text("utf-8")) or {}).get("clouds") or {}
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Finding("clouds.yaml", "absent", f"{path} can't be read: {first}", use, "mend it")
    return Finding("clouds.yaml", "ok", f"{path}: {', '.join(map(str, clouds)) or 'no cloud'}", use)


def _kubeconfig() -> Finding:
    use = "%%k8s"
    given = os.environ.get("KUBECONFIG") or "~/.kube/config"
    paths = [expanded(one) for one in given.split(os.pathsep) if one]
    there = [str(path) for path in paths if path.is_file()]
    if there:
        return Finding("kubeconfig", "ok", ", ".join(there), use)
    return Finding("kubeconfig", "absent", f"none at {given}", use, "set KUBECONFIG, or write ~/.kube/config")


def _papermill() -> Finding:
    from importlib.metadata import entry_points

    use, hint = "papermill --engine runbook", "pip install --force-reinstall jupyter-runbook"
    if any(one.name == "runbook" for one in entry_points(group="papermill.engine")):
        return Finding("papermill engine", "ok", f"papermill {_version('papermill')}", use)
    return Finding("papermill engine", "missing", "not registered", use, hint)


def _sandbox() -> Finding:
    use = "sandboxes: real services here, to try runbooks on"
    root, apt = os.geteuid() == 0, shutil.which("apt-get")
    if root and apt:
        return Finding("sandboxes", "ok", "can be started here", use)
    why = "Debian's apt-get is not here" if not apt else "they need root"
    return Finding("sandboxes", "absent", why, use, "start them as root on Debian, also in a container")


def _program(name: str, use: str, hint: str, *, needed: bool = False) -> Finding:
    path = shutil.which(name)
    if path:
        return Finding(name, "ok", path, use)
    return Finding(name, "missing" if needed else "absent", "not on the path", use, hint)


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


#: Everything that is looked for.
LOOKS: tuple[Callable[[], Finding], ...] = (
    _python,
    _kernel,
    _papermill,
    _bash,
    _ansible,
    _ssh,
    _docker,
    _clouds,
    _kubeconfig,
    _lab,
    _extension,
    _sandbox,
)
