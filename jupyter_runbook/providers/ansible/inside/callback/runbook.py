"""What a play does, as events for the kernel; and Ansible's own text, as people know it.

Each event is a mapping with the key ``e``; `jupyter_runbook.providers.ansible.events` tells what comes in which order.
A result is what Ansible hands to any callback, so what ``no_log`` hides is hidden before it comes here.
"""

from __future__ import annotations

import os
import time
from typing import Any

from ansible import context
from ansible.plugins.callback.default import CallbackModule as Default
from runbook_driver import burnt, emit, known

DOCUMENTATION = """
    name: runbook
    type: stdout
    short_description: events for jupyter-runbook
    description: The default output, and an event for each result.
    extends_documentation_fragment:
      - default_callback
      - result_format_callback
"""

# How much of a text comes as an event, in characters: a record shows less. It is cut once more where the secrets are
# known (`events`), so that a piece of one, cut off here, is not in what is left: by so much.
MARGIN = 4096
TEXT = 4000 + MARGIN
# An item's name, and why it failed.
LABEL = 200 + MARGIN
ITEM = 500 + MARGIN
# A diff's side; Ansible's own limit for a file (max_diff_size) is about the same.
DIFF = 200_000 + MARGIN
# Of a loop so many items are told by name.
ITEMS = 50
# What says why a task failed, in the order that people ask.
SAID = ("msg", "module_stderr", "stderr", "module_stdout", "stdout", "reason", "exception")


class CallbackModule(Default):  # type: ignore[misc]  # Ansible has no types
    """See the module."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "runbook"

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[tuple[str, str], float] = {}
        # A loop's items as they end, by host and task: where one is hidden, the whole that comes at last lacks them.
        self._ended: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._told: set[str] = set()
        # Whether the kernel wants registered results and facts, for `--out`.
        self._whole = os.environ.pop("RUNBOOK_RESULTS", "") == "1"
        # In check mode: the results that a host could not foresee, by the name that they are registered under.
        self._unknown: dict[str, set[str]] = {}

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Say that all could be read, and take away what was for Ansible's eyes alone."""
        burnt()
        emit({"e": "start"})
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Tell a play and its hosts."""
        manager = play.get_variable_manager()
        inventory = getattr(manager, "_inventory", None)
        hosts = [str(host.name) for host in inventory.get_hosts(play.hosts)] if inventory else []
        pattern = play.hosts if isinstance(play.hosts, str) else ",".join(map(str, play.hosts))
        emit({"e": "play", "name": str(play.get_name()), "pattern": pattern, "hosts": hosts, **_raw(play)})
        if inventory and not hosts:
            emit({"e": "known", "names": known(inventory)})
        super().v2_playbook_on_play_start(play)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Tell that a play has no host."""
        emit({"e": "no-hosts"})
        super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: FBT001 -- Ansible's own
        """Tell a task, before its hosts."""
        self._tell(task)
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Tell a handler, before its hosts."""
        self._tell(task, handler=True)
        super().v2_playbook_on_handler_task_start(task)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Tell that a task is at work on a host."""
        self._tell(task)
        self._begun[host.name, task._uuid] = time.monotonic()
        emit({"e": "begin", "h": str(host.name), "t": task._uuid})
        super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Tell a result."""
        self._end(result, "changed" if result.is_changed() else "ok")
        super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002 -- Ansible's
        """Tell a result."""
        self._end(result, "failed", ignored=bool(ignore_errors))
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Tell a result; one that check mode could not foresee is no skip."""
        values = _values(result)
        conditional = any(key in values for key in ("false_condition", "skip_reason", "skipped_reason"))
        unseen = bool(result._task.check_mode) and not conditional and not _all_conditional(values)
        if unseen and result._task.register:
            self._unknown.setdefault(result._host.name, set()).add(str(result._task.register))
        self._end(result, "unknown" if unseen else "skipped")
        super().v2_runner_on_skipped(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Tell a result."""
        self._end(result, "unreachable", ignored=bool(result._task.ignore_unreachable))
        super().v2_runner_on_unreachable(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Keep what became of an item."""
        self._end_item(result)
        super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Keep what became of an item."""
        self._end_item(result, "failed")
        super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """Keep what became of an item."""
        self._end_item(result, "skipped")
        super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result: Any) -> None:
        """Tell that a task tries again."""
        values = _values(result)
        left = f"{values.get('attempts')} of {values.get('retries')} tries"
        emit({"e": "retry", "h": str(result._host.name), "t": result._task._uuid, "left": left})
        super().v2_runner_retry(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Tell the final stats: without them nothing is proven."""
        emit({"e": "stats", "hosts": {str(host): stats.summarize(host) for host in stats.processed}})
        super().v2_playbook_on_stats(stats)

    def _tell(self, task: Any, *, handler: bool = False) -> None:
        if task._uuid not in self._told:
            self._told.add(task._uuid)
            event = {"e": "task", "t": task._uuid, "name": _name(task), "action": str(task.action), "handler": handler}
            emit({**event, **_raw(task)})

    def _end(self, result: Any, status: str, *, ignored: bool = False) -> None:
        task, host = result._task, str(result._host.name)
        self._tell(task)
        values = _values(result)
        begun = self._begun.pop((host, task._uuid), None)
        items = self._ended.pop((host, task._uuid), [])
        event: dict[str, Any] = {
            "e": "end",
            "h": host,
            "t": task._uuid,
            "s": status,
            "seconds": None if begun is None else round(time.monotonic() - begun, 3),
            "ignored": ignored,
            # It runs in check mode too, as its author wants.
            "really": task.check_mode is False and bool(context.CLIARGS.get("check")),
            "said": _said(values, failed=status in ("failed", "unreachable", "unknown")),
            "diff": _diffs(values),
            "items": _short(items if "censored" in values else _items(values)),
            "tries": values.get("attempts"),
            "notify": _notified(result) if status == "changed" else (),
            "topics": _topics(task),
            "needs": self._unforeseen(host, task) if status == "failed" else (),
        }
        event = {key: value for key, value in event.items() if value or key == "e"}
        if self._whole:
            _add_whole(event, task, values)
        emit(event)

    def _end_item(self, result: Any, status: str | None = None) -> None:
        item = _item(_values(result), status)
        self._ended.setdefault((str(result._host.name), result._task._uuid), []).append(item)

    def _unforeseen(self, host: str, task: Any) -> list[str]:
        """Return the results that a task refers to and check mode could not foresee."""
        names = self._unknown.get(host)
        if not names:
            return []
        import re

        words = set(re.findall(r"[A-Za-z_]\w*", str(task.get_ds())))
        return sorted(names & words)


def _values(result: Any) -> Any:
    return result.result if hasattr(result, "result") else result._result


def _notified(result: Any) -> list[str]:
    fields = getattr(result, "_task_fields", {}) or {}
    return [str(one) for one in fields.get("notify") or result._task.notify or ()]


def _topics(task: Any) -> list[str]:
    """Return what a handler answers to."""
    if task.__class__.__name__ != "Handler":
        return []
    return [str(one) for one in [task.name, *(task.listen or [])]]


def _name(task: Any) -> str:
    return str(task.get_name()).strip() or str(task.action)


def _raw(named: Any) -> dict[str, str]:
    """Return a play's or a task's name as it is written, where it was a template."""
    written = named.get_ds()
    name = str(written.get("name") or "") if hasattr(written, "get") else ""
    return {"raw": name} if "{{" in name or "{%" in name else {}


def _all_conditional(values: Any) -> bool:
    """Whether each item of a loop was skipped by its condition."""
    results = values.get("results")
    if not isinstance(results, list) or not results:
        return False
    return all(isinstance(one, dict) and ("false_condition" in one or "skip_reason" in one) for one in results)


def _said(values: Any, *, failed: bool) -> str:
    """Return why, in Ansible's and the module's own words."""
    if "censored" in values:
        return str(values["censored"])
    if not failed:
        # What people look for in what went well: why it was skipped.
        if values.get("false_condition") is not None:
            return f"{values['false_condition']} is false"[:TEXT]
        return str(values.get("skip_reason") or values.get("skipped_reason") or "")[:TEXT]
    results = values.get("results")
    if isinstance(results, list) and results and not values.get("failed_when_result"):
        # Each item says why; "All items skipped" and "One or more items failed" say nothing.
        words = [_said(one, failed=True) for one in results if isinstance(one, dict) and not one.get("changed")]
        return next((one for one in words if one), str(values.get("msg") or ""))[:TEXT]
    found: list[str] = []
    for key in SAID:
        text = str(values.get(key) or "").strip()
        if text and not any(text in one for one in found):
            found.append(text)
        if found and key != "msg":
            break
    return ": ".join(found)[:TEXT]


def _diffs(values: Any) -> list[Any]:
    """Return the diffs of a result and of a loop's items, each cut where it is too long."""
    found = values.get("diff")
    results = values.get("results")
    diffs = list(found) if isinstance(found, list) else [found] if found else []
    for one in results if isinstance(results, list) else []:
        if isinstance(one, dict):
            more = one.get("diff")
            diffs += list(more) if isinstance(more, list) else [more] if more else []
    return [
        {key: value[:DIFF] if isinstance(value, str) else value for key, value in one.items()}
        for one in diffs
        if isinstance(one, dict)
    ]


def _items(values: Any) -> list[dict[str, Any]]:
    """Return a loop's items."""
    results = values.get("results")
    if not isinstance(results, list):
        return []
    return [_item(one) for one in results if isinstance(one, dict) and "ansible_loop_var" in one]


def _item(values: Any, status: str | None = None) -> dict[str, Any]:
    """Return what an item is called, and what became of it; a hidden one has no name."""
    label = str(values.get("_ansible_item_label", values.get(values.get("ansible_loop_var"), "")))[:LABEL]
    found = next((key for key in ("unreachable", "failed", "skipped", "changed") if values.get(key)), status or "ok")
    if "censored" in values:
        # Of a hidden one Ansible tells whether it changed, but not whether it failed.
        return {"name": None, "s": status or found}
    item = {"name": label, "s": found}
    if found in ("failed", "unreachable"):
        item["said"] = _said(values, failed=True)[:ITEM]
    return item


def _short(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return items so that those of many that went well are told by their number."""
    if len(items) <= ITEMS:
        return items
    bad = [one for one in items if one["s"] in ("failed", "unreachable")][:ITEMS]
    counts: dict[str, int] = {}
    for one in items:
        if one["s"] not in ("failed", "unreachable"):
            counts[one["s"]] = counts.get(one["s"], 0) + 1
    return bad + [{"name": None, "s": status, "count": count} for status, count in counts.items()]


def _add_whole(event: dict[str, Any], task: Any, values: Any) -> None:
    if task.register:
        event["register"] = str(task.register)
        event["result"] = values
    if isinstance(values.get("ansible_facts"), dict) and "include_vars" not in str(task.action):
        event["facts"] = values["ansible_facts"]
