"""A bench for steps: a folder, a session, and a screen that keeps what it was shown."""

from __future__ import annotations

import json
import os
import select
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import jsonschema
import psutil

from jupyter_runbook.record import StepRecord, schema
from jupyter_runbook.registry import GROUP
from jupyter_runbook.running import Step
from jupyter_runbook.session import Live, Progress, Session
from jupyter_runbook.step import Done, run
from tests.files import Files

FILES = EntryPoint("files", "tests.files:Files", GROUP)


@dataclass
class Screen(Live):
    """A display that keeps what it was shown."""

    notices: list[str] = field(default_factory=list)
    shown: list[Progress] = field(default_factory=list)
    records: list[StepRecord] = field(default_factory=list)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def progress(self, progress: Progress) -> None:
        self.shown.append(progress)

    def done(self, record: StepRecord) -> None:
        self.records.append(record)


@dataclass
class Bench:
    """A folder, a session and a screen."""

    root: Path
    session: Session
    screen: Screen = field(default_factory=Screen)

    point: EntryPoint = FILES

    def run(self, body: str, line: str = "", **names: Any) -> Done:
        """Run a cell; the provider of the tests works in the bench's folder."""
        source = f"%%{self.point.name} {line}\n{body}"
        typed = f"--folder {self.root} {line}" if self.point is FILES else line
        step = Step(self.point, typed, body, names, source, "cell-1")
        Files.calls.clear()
        done = run(step, self.session, self.screen)
        wire = json.loads(json.dumps(done.record.wire()))
        jsonschema.validate(wire, schema(), cls=jsonschema.Draft202012Validator)
        assert self.screen.records[-1] == done.record
        assert self.journal()[-1]["record"] == wire
        assert done.record.digest == done.record.compute_digest()
        return done

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.session.journal.path.read_text().split("\n") if line]

    def events(self) -> list[str]:
        return [entry["event"] for entry in self.journal()]


def gone(pid: int) -> bool:
    """Tell whether a process is no more: one that its parent has yet to ask for counts as gone."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ends(pid: int, within: float = 30) -> bool:
    """Wait for a process that is not our child to end, and tell whether it did."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], within)[0])
    finally:
        os.close(descriptor)


def descriptors() -> int:
    """Count this process's open files."""
    return len(list(Path("/proc/self/fd").iterdir()))
