"""What this cloud's services are told of it: where it is, and what it may use of this machine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

VARIABLE = "RUNBOOK_CLOUD"


@dataclass(frozen=True)
class Settings:
    """Where a cloud is.

    Parameters
    ----------
    folder
        All that it writes is below it; ``net`` is the namespace of its networks.
    network
        The range of the network that leads outside.
    link
        This machine's end of the cable that leads there.
    engine
        The socket of the Docker engine that servers run on; there may be none.
    image
        The image of a server; there may be none.
    """

    folder: str
    network: str
    link: str
    engine: str
    image: str


def settings() -> Settings:
    """Return what this process was told by its environment."""
    return Settings(**json.loads(os.environ[VARIABLE]))
