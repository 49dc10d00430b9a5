"""A play's events → rows of the record, and how it ended. Pure: it is handed events, and hands rows on.

The events, in the order that they come (`inside/callback/runbook.py` sends them): ``start`` when all could be read;
``play`` (name, pattern, hosts), after it ``no-hosts`` where there is none; ``task`` before its first host; for each
host ``begin``, maybe ``retry``, and ``end``; last ``stats``. A name that was a template comes as it is written, too,
``raw``. ``known`` (the names in the inventory) comes where no
host is meant; ``vault`` may come at any time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jupyter_runbook.plan import Action, diff
from jupyter_runbook.record import ChangeRecord, ChangeStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Board", "Failure", "Play", "bare"]

# What is left of what a task and an item said, of an item's name, and of a diff's side, in characters. The events have
# more, and no secret any more: see `inside/callback/runbook.py`.
SAID, ITEM_SAID, LABEL, SIDE = 4000, 500, 200, 200_000
STATUSES = {
    "ok": ChangeStatus.OK,
    "changed": ChangeStatus.CHANGED,
    "failed": ChangeStatus.FAILED,
    "unreachable": ChangeStatus.FAILED,
    "skipped": ChangeStatus.SKIPPED,
    "unknown": ChangeStatus.UNKNOWN,
}
NAMES_SHOWN = 5
# A template is rendered to a file with a name of chance, which is another in each run.
_TEMPORARY = re.compile(r"^/.*/ansible-(?:local|tmp)-[^/]*/(?:play-[^/]*/)?(?:tmp[^/]*/)?")


@dataclass
class Play:
    """One play, or one batch of a rolling play.

    Parameters
    ----------
    name, pattern
        What it is called, and the hosts that it names.
    hosts
        The hosts that there are of these.
    """

    name: str
    pattern: str
    hosts: list[str]


@dataclass(frozen=True)
class Failure:
    """What failed for good: nobody ignored nor rescued it."""

    host: str
    task: str
    said: str
    unreachable: bool = False


@dataclass
class _Host:
    """What is known of one host: its tasks' labels by id, how often each name came, and who waits to be run."""

    labels: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    notified: dict[str, None] = field(default_factory=dict)
    failed: list[tuple[str, Failure]] = field(default_factory=list)


class Board:
    """Where the events of one run are put together.

    Parameters
    ----------
    row, begun
        Called with each row as it comes, and with the name of each row that is to come.
    check
        Whether it is a dry run: what would change is ``planned`` then.
    """

    def __init__(
        self, row: Callable[[ChangeRecord], object], begun: Callable[[str], object], *, check: bool = False
    ) -> None:
        self.check = check
        self.started = False
        self.plays: list[Play] = []
        self.stats: Mapping[str, Mapping[str, int]] | None = None
        self.rows: dict[str, ChangeRecord] = {}
        self.broken = False
        self.blind: set[str] = set()
        self.known: tuple[str, ...] = ()
        self.registered: dict[str, dict[str, Any]] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self._row = row
        self._begun = begun
        self._tasks: dict[str, Mapping[str, Any]] = {}
        self._hosts: dict[str, _Host] = {}
        self._open: dict[tuple[str, str], str] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        kind = event["e"]
        if kind == "end":
            self._end(event)
        elif kind == "begin":
            name = self._name(event["h"], event["t"])
            self._open[event["h"], event["t"]] = name
            self._begun(name)
        elif kind == "task":
            self._tasks[event["t"]] = event
        elif kind == "start":
            self.started = True
        elif kind == "play":
            self.plays.append(Play(event["name"], event["pattern"], list(event["hosts"])))
        elif kind == "no-hosts" and self.plays:
            play = self.plays[-1]
            play.hosts = []
            reason = f"no host matched {play.pattern}"
            self._put(ChangeRecord(f"play {play.name}", "play", Action.NO_OP, ChangeStatus.SKIPPED, reason))
        elif kind == "stats":
            self.stats = event["hosts"]
        elif kind == "broken":
            self.broken = True
        elif kind == "known":
            self.known = tuple(event["names"])

    @property
    def hosts(self) -> list[str]:
        """The hosts of all plays, in the order that they came."""
        return list(dict.fromkeys(host for play in self.plays for host in play.hosts))

    @property
    def failures(self) -> list[Failure]:
        """What failed for good, by host."""
        return [failure for host in self._hosts.values() for _, failure in host.failed]

    def finish(self) -> None:
        """Tell what only the end shows: what was rescued, what was cut off, and which handlers wait for ever."""
        for name, host in self._hosts.items():
            rescued = int((self.stats or {}).get(name, {}).get("rescued", 0))
            for resource, failure in host.failed[:rescued]:
                self._put(replace(self.rows[resource], reason=f"rescued: {failure.said}"))
            del host.failed[:rescued]
        for play in self.plays if self.stats is not None and not self.rows else ():
            self._put(ChangeRecord(f"play {play.name}", "play", Action.NO_OP, ChangeStatus.SKIPPED, "no task ran"))
        for resource in self._open.values():
            self._put(
                ChangeRecord(
                    resource, "task", Action.RUN, ChangeStatus.INTERRUPTED, "it was at work when the play ended"
                )
            )
        for name, host in self._hosts.items():
            for handler in host.notified if not self.check else ():
                self._put(
                    ChangeRecord(
                        f"{name}: {handler}",
                        "handler",
                        Action.RUN,
                        ChangeStatus.NOT_RUN,
                        "it was notified, and the play broke before it ran: the next run will not notify it again",
                    )
                )

    @property
    def pending(self) -> list[str]:
        """The handlers that were notified and never ran, with their hosts."""
        return [f"{handler} on {name}" for name, host in self._hosts.items() for handler in host.notified]

    def _host(self, name: str) -> _Host:
        return self._hosts.setdefault(name, _Host())

    def _name(self, host: str, task: str) -> str:
        """Return what a task's row is called: a name that comes twice on a host is numbered there."""
        known = self._host(host)
        label = known.labels.get(task)
        if label is None:
            name = str(self._tasks.get(task, {}).get("name") or task)
            count = known.counts[name] = known.counts.get(name, 0) + 1
            label = known.labels[task] = name if count == 1 else f"{name} ({count})"
        return f"{host}: {label}"

    def _put(self, row: ChangeRecord) -> None:
        self.rows[row.resource] = row
        self._row(row)

    def _end(self, event: Mapping[str, Any]) -> None:
        name, task = event["h"], self._tasks.get(event["t"], {})
        resource = self._name(name, event["t"])
        self._open.pop((name, event["t"]), None)
        status = STATUSES[event["s"]]
        reason = _reason(event)
        host = self._host(name)
        if self.check and status is ChangeStatus.CHANGED and not event.get("really"):
            status = ChangeStatus.PLANNED
        if status is ChangeStatus.FAILED and event.get("needs"):
            # It could not but fail: what it refers to was never there.
            status = ChangeStatus.UNKNOWN
            needs = ", ".join(event["needs"])
            reason = f"it needs {needs}, which check mode does not make: {reason}"
            if not event.get("ignored"):
                reason += "; the tasks after it on this host were not looked at"
                self.blind.add(name)
        if status is ChangeStatus.FAILED and not event.get("ignored"):
            failure = Failure(name, resource.partition(": ")[2], _said(event), event["s"] == "unreachable")
            host.failed.append((resource, failure))
        for handler in event.get("notify", ()):
            host.notified[handler] = None
        for topic in event.get("topics", ()):
            host.notified.pop(topic, None)
        if "register" in event:
            self.registered.setdefault(name, {})[event["register"]] = event.get("result")
        if "facts" in event:
            self.facts.setdefault(name, {}).update(event["facts"])
        idle = status in (ChangeStatus.OK, ChangeStatus.SKIPPED)
        self._put(
            ChangeRecord(
                resource=resource,
                kind="handler" if task.get("handler") else "task",
                action=Action.NO_OP if idle else Action.RUN,
                status=status,
                reason=reason or None,
                diff=None if idle else _diff(event.get("diff", ())),
                seconds=event.get("seconds"),
            )
        )


def bare(event: dict[str, Any], why: str, source: str) -> dict[str, Any]:
    """Return an event without what tasks said, showed and made: the step has a secret that can't be masked.

    Parameters
    ----------
    event
        The event.
    why
        Why that is not kept.
    source
        The cell's text: the names in it are kept.
    """
    kept = {key: value for key, value in event.items() if key not in ("diff", "raw")}
    if event.get("raw"):
        kept["name"] = event["raw"]
    if event.get("said"):
        kept["said"] = f"what it said is not kept, because {why}"
    if event.get("items"):
        kept["items"] = [{**one, "name": None, "said": ""} for one in event["items"]]
    for key in ("notify", "topics"):
        if key in event:
            kept[key] = [one for one in event[key] if one in source]
    return kept


def _said(event: Mapping[str, Any]) -> str:
    return str(event.get("said", ""))[:SAID]


def _reason(event: Mapping[str, Any]) -> str:
    said = _said(event).strip()
    items = _items(event.get("items", ()))
    parts = [items, said] if event["s"] in ("ok", "changed") else [said, items]
    reason = "; ".join(part for part in parts if part)
    if event.get("tries", 1) > 1:
        reason = "; ".join(part for part in (f"after {event['tries']} tries", reason) if part)
    if event["s"] == "unreachable":
        reason = f"unreachable: {said}"
    if event.get("ignored"):
        reason = f"ignored: {reason}"
    if event.get("really"):
        reason = "; ".join(part for part in ("check_mode is false: it ran", reason) if part)
    return reason


def _items(items: Any) -> str:
    """Return what became of a loop's items: ``3 items: 2 changed (a, b), 1 ok``."""
    if not items:
        return ""
    counts: dict[str, int] = {}
    names: dict[str, list[str]] = {}
    for item in items:
        status = item["s"]
        counts[status] = counts.get(status, 0) + int(item.get("count", 1))
        said = f": {item['said'][:ITEM_SAID]}" if item.get("said") else ""
        if item["name"] is not None and status not in ("ok", "skipped"):
            names.setdefault(status, []).append(item["name"][:LABEL] + said)
    total = sum(counts.values())
    told = []
    for status, count in counts.items():
        shown = names.get(status, [])[:NAMES_SHOWN]
        more = ", …" if shown and count > len(shown) else ""
        told.append(f"{count} {status}" + (f" ({', '.join(shown)}{more})" if shown else ""))
    return f"{total} item{'' if total == 1 else 's'}: {', '.join(told)}"


def _side(value: Any) -> Any:
    return value[:SIDE] if isinstance(value, str) else value


def _diff(found: Any) -> str | None:
    """Return a result's diffs as one text: what modules say of before and after, or have prepared."""
    parts = []
    for one in found:
        prepared = one.get("prepared")
        if prepared:
            parts.append(str(prepared).rstrip("\n"))
            continue
        told = next(
            (str(one[key]) for key in ("dst_binary", "dst_larger", "src_binary", "src_larger") if key in one), None
        )
        if told:
            parts.append(f"(no text to compare: {told})")
            continue
        text = diff(_side(one.get("before")), _side(one.get("after")))
        if text:
            head = _TEMPORARY.sub("", str(one.get("before_header") or one.get("after_header") or ""))
            parts.append(f"{head}\n{text}" if head else text)
    return "\n".join(parts) or None
