"""A cloud by its name in clouds.yaml: connected to once, listed side by side, and its errors as ours."""

from __future__ import annotations

import html
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jupyter_runbook.errors import (
    AuthFailed,
    BadInput,
    Conflict,
    Denied,
    MissingDependency,
    RunbookError,
    ToolFailed,
    Unreachable,
)
from jupyter_runbook.providers.openstack.calls import call_names
from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.providers.openstack.state import CloudState
from jupyter_runbook.secret.excerpt import redacted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jupyter_runbook.providers.openstack.state import Listed

__all__ = ["Cloud", "calls", "said"]

WHERE = "clouds.yaml is looked for here, in ~/.config/openstack and in /etc/openstack; OS_CLIENT_CONFIG_FILE says where"
# Seconds until a service has begun to answer.
ANSWER = 60.0
WRONG, FORBIDDEN, CONFLICT, TOO_MUCH = 400, 403, 409, 413


class Cloud:
    """One cloud.

    Parameters
    ----------
    name
        As clouds.yaml has it; None for the one that the environment names.
    """

    def __init__(self, name: str | None) -> None:
        self.given = name

    @cached_property
    def connection(self) -> Any:
        """Openstacksdk's connection; what it is asked first, it logs in for.

        Raises
        ------
        BadInput
            There is no such cloud.
        MissingDependency
            openstacksdk is not installed.
        """
        try:
            import openstack
        except ImportError:
            raise MissingDependency("%%os needs openstacksdk", hint="pip install openstacksdk") from None
        # What it warns of comes as an error of ours, and is no output of a cell's.
        logging.getLogger("keystoneauth").addHandler(logging.NullHandler())
        with calls():
            connection = openstack.connect(cloud=self.given, app_name="jupyter-runbook")
            # clouds.yaml may say how long an answer takes (api_timeout).
            connection.session.timeout = connection.session.timeout or ANSWER
            return connection

    @property
    def name(self) -> str:
        """The cloud's name."""
        return str(self.connection.config.name)

    def service(self, kind: str) -> Any:
        """Return the part of the connection that has a kind."""
        return getattr(self.connection, KINDS[kind].service)

    def call(self, verb: str, kind: str, *given: Any, **more: Any) -> Any:
        """Call what openstacksdk has for a verb and a kind: ``create_network``."""
        return getattr(self.service(kind), f"{verb}_{call_names(kind)[1]}")(*given, **more)

    def list(self, kind: str) -> tuple[Listed, ...]:
        """Return all of a kind, by one call (and one more for each further page).

        Raises
        ------
        StepError
            The service says no, or does not answer.
        """
        from openstack import exceptions

        with calls():
            try:
                found = list(getattr(self.service(kind), call_names(kind)[0])())
            except exceptions.ForbiddenException:
                if kind != "projects":
                    raise
                # Who may not list them knows his own.
                own = self.connection.current_project
                return ({"id": own.id, "name": own.name},)
            return tuple(_reported(one, wire=KINDS[kind].wire) for one in found)

    def observe(self, kinds: Iterable[str]) -> CloudState:
        """List some kinds, side by side."""
        # Quotas can't be listed: they are asked for by project, see quotas.py.
        kinds = tuple(kind for kind in kinds if kind != "quotas")
        name = self.name
        with ThreadPoolExecutor(len(kinds) + 1, "runbook os list") as pool:
            # Logging in, and importing what lists each kind, take their time side by side.
            project = pool.submit(self._project)
            lists = dict(zip(kinds, pool.map(self.list, kinds), strict=True))
            return CloudState(name, lists, project=project.result())

    def _project(self) -> str | None:
        with calls():
            found = self.connection.current_project_id
            return None if found is None else str(found)


def _reported(one: Any, *, wire: bool) -> Listed:
    """Return the attributes of a resource that its service reports; what a microversion lacks is none of them."""
    told: Listed = one.to_dict(computed=False, original_names=wire)
    if wire:
        return told
    names = one._body_mapping()  # noqa: SLF001 -- nothing public tells null from nothing
    there = {names.get(key, key) for key in one._body.attributes}  # noqa: SLF001
    # The SDK has an empty list or false for some that are not there.
    return {key: value for key, value in told.items() if value or key in there}


def said(answer: Any) -> Any:
    """Return a service's answer to a call of no form, unless it is an error, which is raised."""
    from openstack import exceptions

    exceptions.raise_from_response(answer)
    return answer


@contextmanager
def calls(resource: str | None = None) -> Iterator[None]:
    """Give what openstacksdk raises as ours.

    Parameters
    ----------
    resource
        The resource that it is about.
    """
    try:
        yield
    except RunbookError:
        raise
    except Exception as error:
        ours = _ours(error)
        if ours is None:
            raise
        ours.resource = resource
        raise ours from None


def _ours(error: Exception) -> RunbookError | None:
    from keystoneauth1 import exceptions as login
    from openstack import exceptions as sdk

    # Some services answer with HTML.
    said = " ".join(html.unescape(redacted(str(getattr(error, "details", None) or error))).split())[:300]
    if isinstance(error, sdk.ConfigException):
        told = "no such cloud" if "was not found" in said else "its entry in clouds.yaml does not do"
        return BadInput(f"{told}: {said}", hint=WHERE)
    if isinstance(error, login.MissingRequiredOptions):
        return BadInput(
            f"no cloud is named, or its entry is not whole: {said}", hint=f"--cloud NAME, or OS_CLOUD; {WHERE}"
        )
    # A refused password may come as an error that says so in its text alone (TRAPS, OpenStack 11).
    if isinstance(error, login.Unauthorized) or "(HTTP 401)" in said:
        return AuthFailed(f"the cloud refuses the credentials: {said}", hint="look at the password in clouds.yaml")
    if isinstance(error, (login.ConnectFailure, login.EndpointNotFound, login.ConnectTimeout)):
        # What follows is the same once more, in urllib3's words.
        said = said.partition(": HTTPConnectionPool")[0].partition(": HTTPSConnectionPool")[0]
        return Unreachable(f"the cloud does not answer: {said}", hint="is its address in clouds.yaml right?")
    if isinstance(error, (sdk.SDKException, login.ClientException)):
        status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
        return _refused(said, status)
    return None


def _refused(said: str, status: int | None) -> RunbookError:
    """Return the error for what a service said no to; each says in a way of its own that a quota is full."""
    if status == TOO_MUCH or ("uota" in said and status in {FORBIDDEN, CONFLICT}):
        return Denied(f"the quota does not allow it: {said}", hint="delete something, or ask for more")
    if status == FORBIDDEN:
        return Denied(f"not allowed: {said}", hint="another cloud of clouds.yaml may have the role")
    if "No more IP addresses" in said:
        return Conflict(said, hint="give the subnet a larger allocation pool, or take addresses that nobody uses away")
    if status == CONFLICT:
        return Conflict(said, hint="take what uses it away first" if "in use" in said else "look at it in the cloud")
    return ToolFailed(said, hint="the service refuses what the cell asks for" if status == WRONG else None)
