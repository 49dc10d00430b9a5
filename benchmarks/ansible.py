"""``%load_ext``, and ``%%ansible`` against ``ansible-playbook`` by hand, the same ansible-core."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Kernel, Row, command, compare, no_op

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["rows"]

BIN = Path(sys.executable).parent
# What starts a kernel in each turn, or takes a minute, is measured less often.
SOME, FEW = 9, 3
#: Seconds that loading the extension may take.
LOAD = 0.06
HOSTS, TASKS = 100, 20
#: Bytes that the kernel may grow by in a play of so many hosts and tasks.
GROWTH = 100 << 20

TWO = """
- name: folder
  ansible.builtin.file: {path: here, state: directory}
- name: file
  ansible.builtin.copy: {content: "as it should be\\n", dest: here/file}
"""
MANY = "".join(f"\n- name: task {number}\n  ansible.builtin.debug: {{msg: nothing}}" for number in range(TASKS))
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
ENV = {"LC_ALL": "C.UTF-8", "ANSIBLE_LOCALHOST_WARNING": "0"}
SDKS = "docker openstack kubernetes ansible jinja2 yaml requests"


def rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Yield each row."""
    name = "%load_ext jupyter_runbook, against 60 ms"
    yield compare(name, _load(folder), lambda: LOAD, limit=1.0, rounds=min(rounds, SOME))
    inventories = {"one": {"all": {"hosts": {"localhost": LOCAL}}}}
    inventories["many"] = {"all": {"hosts": {f"host{number}": LOCAL for number in range(HOSTS)}}}
    for key, inventory in inventories.items():
        (folder / f"{key}.json").write_text(json.dumps(inventory))
    with Kernel(folder, ENV) as kernel:
        kernel.run("%load_ext jupyter_runbook")
        two = _by_hand(folder, "one", TWO)
        two()
        name = "%%ansible, 2 converged local tasks, against ansible-playbook"
        yield compare(name, no_op(kernel, f"%%ansible -i one.json{TWO}"), two, limit=1.0, rounds=min(rounds, SOME))
    with Kernel(folder, ENV) as kernel:
        kernel.run("%load_ext jupyter_runbook\nimport psutil")
        before = _memory(kernel)
        many, hand = no_op(kernel, f"%%ansible -i many.json{MANY}"), _by_hand(folder, "many", MANY)
        name = f"%%ansible, {HOSTS} hosts and {TASKS} no-op tasks, against ansible-playbook"
        yield compare(name, many, hand, limit=1.15, rounds=min(rounds, FEW))
        grown = _memory(kernel) - before
        sys.stderr.write(f"the kernel grew by {grown / (1 << 20):.0f} MB\n")
        if grown > GROWTH:
            raise RuntimeError(f"the kernel grew by {grown} bytes, and at most {GROWTH} are right")


def _load(folder: Path) -> Callable[[], float]:
    def work() -> float:
        with Kernel(folder, {}) as kernel:
            seconds = kernel.run("%load_ext jupyter_runbook")
            kernel.run(f"import sys\nprint([name for name in {SDKS.split()} if name in sys.modules])")
            if "[]" not in kernel.said:
                raise RuntimeError(f"it imports {kernel.said}")
        return seconds

    return work


def _by_hand(folder: Path, inventory: str, tasks: str) -> Callable[[], float]:
    play = f"- hosts: all\n  gather_facts: false\n  tasks:{tasks.replace(chr(10), chr(10) + '  ')}\n"
    (folder / f"{inventory}.yml").write_text(play)
    words = [str(BIN / "ansible-playbook"), "-i", f"{inventory}.json", f"{inventory}.yml", "--diff"]
    return command(words, folder, ENV)


def _memory(kernel: Kernel) -> int:
    kernel.run("import gc; gc.collect(); print(psutil.Process().memory_info().rss)")
    return int("".join(filter(str.isdigit, kernel.said)))
