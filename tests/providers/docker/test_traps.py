"""Where tools of this kind go wrong, on a real engine: each test is a line of what users met."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_runbook.providers.docker.labels import FIELDS, VERSION
from jupyter_runbook.providers.docker.lock import hold
from jupyter_runbook.record import Status
from tests.providers.docker.yard import Tap, Yard, row, told

if TYPE_CHECKING:
    from pathlib import Path


def one_service(**fields: Any) -> str:
    """Return a cell with one idle service; JSON is YAML."""
    image = {} if "build" in fields else {"image": "busybox"}
    return json.dumps({"services": {"web": {**image, "command": "sleep 1000", "stop_signal": "KILL", **fields}}})


def test_a_moved_tag_is_seen_by_the_image_and_no_registry_is_asked(yard: Yard, tap: Tap) -> None:
    """1: what counts is the image that the name means now."""
    name = f"{yard.project}-app:1"
    yard.do("POST", "/images/busybox:latest/tag", repo=f"{yard.project}-app", tag="1")
    cell = one_service(image=name)
    yard.up(cell)
    old = yard.inspect("web")["Image"]
    made = yard.engine.create("/containers/create", {"Image": "busybox"}, name=f"{yard.project}-hand")
    yard.do("POST", "/commit", {"Labels": {"new": "yes"}}, container=made["Id"], repo=f"{yard.project}-app", tag="1")
    record = yard.run(cell)
    assert record.status is Status.CHANGED
    assert row(record, "web").action == "replace"
    assert row(record, "web").reason == f"image: {name} is another image now"
    assert yard.inspect("web")["Image"] != old
    yard.host = tap.host
    assert yard.run(cell).status is Status.OK
    assert not [one for one in tap.requests if "/distribution/" in one]


PORTS = [
    ["18080:80"],
    ["18080:80/tcp"],
    ["0.0.0.0:18080:80"],
    [{"target": 80, "published": 18080}],
    [{"target": "80", "published": "18080", "protocol": "tcp", "mode": "host"}],
]


def test_ports_are_equal_in_all_spellings(yard: Yard) -> None:
    """2."""
    yard.up(one_service(ports=PORTS[0]))
    for ports in PORTS[1:]:
        assert yard.run(one_service(ports=ports)).status is Status.OK, ports
    yard.up(one_service(ports=["18081-18082:81-82"]))
    assert yard.run(one_service(ports=["18081:81", "18082:82"])).status is Status.OK
    assert row(yard.run(one_service(ports=["18081:81", "18083:82"])), "web").action == "replace"


def test_an_ephemeral_port_stays_put(yard: Yard) -> None:
    """2."""
    cell = one_service(ports=["80"], command="httpd -f -p 80")
    yard.up(cell)
    chosen = yard.inspect("web")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
    record = yard.run(one_service(ports=["80/tcp"], command="httpd -f -p 80", mem_limit="32m"))
    assert row(record, "web").action == "update"
    assert yard.inspect("web")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] == chosen


def test_the_order_and_the_form_of_an_environment_say_nothing(yard: Yard) -> None:
    """3."""
    yard.up(one_service(environment=["B=2", "A=1"], labels=["x=1", "y"]))
    assert yard.run(one_service(environment={"A": 1, "B": "2"}, labels={"y": "", "x": 1})).status is Status.OK


def test_what_comes_from_the_image_is_no_difference(yard: Yard) -> None:
    """3: neither when it is there, nor when the cell says the same."""
    made = yard.engine.create("/containers/create", {"Image": "busybox"}, name=f"{yard.project}-hand")
    body = {"Env": ["FROM_IMAGE=1"], "Labels": {"maker": "us"}, "ExposedPorts": {"80/tcp": {}}}
    yard.do("POST", "/commit", body, container=made["Id"], repo=f"{yard.project}-app", tag="1")
    cell = one_service(image=f"{yard.project}-app:1", environment={"OWN": "2"})
    yard.up(cell)
    same = {"OWN": "2", "FROM_IMAGE": "1"}
    assert yard.run(one_service(image=f"{yard.project}-app:1", environment=same)).status is Status.OK
    record = yard.run(one_service(image=f"{yard.project}-app:1", environment={"FROM_IMAGE": "3"}))
    assert "environment.FROM_IMAGE: changed in the cell" in str(row(record, "web").reason)
    assert "environment.OWN: changed in the cell" in str(row(record, "web").reason)


CONTENTS = [
    ("configs", {"configs": ["page"]}, {"configs": {"page": {"file": "./page.txt"}}}),
    ("secrets", {"secrets": ["page"]}, {"secrets": {"page": {"file": "./page.txt"}}}),
    ("env_file", {"env_file": "page.txt"}, {}),
]


@pytest.mark.parametrize(("kind", "fields", "top"), CONTENTS, ids=[one[0] for one in CONTENTS])
def test_the_content_of_a_file_counts_and_its_path_does_not(
    yard: Yard, tmp_path: Path, kind: str, fields: dict[str, Any], top: dict[str, Any]
) -> None:
    """4."""
    (tmp_path / "page.txt").write_text("KEY=first\n")
    cell = {**json.loads(one_service(**fields)), **top}
    yard.up(json.dumps(cell))
    (tmp_path / "other.txt").write_text("KEY=first\n")
    moved = json.dumps(cell).replace("page.txt", "other.txt")
    assert yard.run(moved).status is Status.OK
    (tmp_path / "other.txt").write_text("KEY=second\n")
    record = yard.run(moved)
    assert row(record, "web").action == "replace"
    expected = "environment.KEY: changed in the cell" if kind == "env_file" else "files: what a config"
    assert expected in str(row(record, "web").reason)
    place = {"configs": "/page", "secrets": "/run/secrets/page", "env_file": "/proc/1/environ"}[kind]
    assert "KEY=second" in yard.execute("web", "cat", place)


def test_what_the_cell_does_not_say_is_no_difference(yard: Yard) -> None:
    """5: an engine's defaults are its own."""
    yard.up(one_service())
    found = yard.inspect("web")
    assert found["HostConfig"]["ShmSize"]
    assert found["HostConfig"]["LogConfig"]["Type"]
    assert yard.run(one_service(network_mode="bridge")).status is Status.CHANGED
    assert yard.run(one_service(network_mode="bridge")).status is Status.OK
    assert yard.run(one_service(network_mode="default")).status is Status.OK


LIMITS = [
    ({"mem_limit": "64m"}, {"mem_limit": "96m"}, "HostConfig.Memory", 96 << 20),
    ({"cpus": 0.5}, {"cpus": "0.25"}, "HostConfig.NanoCpus", 250_000_000),
    ({"pids_limit": 50}, {"pids_limit": 60}, "HostConfig.PidsLimit", 60),
    ({"cpu_shares": 100}, {"cpu_shares": 200}, "HostConfig.CpuShares", 200),
    ({"restart": "always"}, {"restart": "on-failure:3"}, "HostConfig.RestartPolicy.Name", "on-failure"),
    ({"restart": "always"}, {}, "HostConfig.RestartPolicy.Name", "no"),
    (
        {"deploy": {"resources": {"limits": {"memory": "64m", "cpus": "0.5"}}}},
        {"deploy": {"resources": {"limits": {"memory": "128m", "cpus": "0.5"}}}},
        "HostConfig.Memory",
        128 << 20,
    ),
]


@pytest.mark.parametrize(("before", "after", "path", "value"), LIMITS)
def test_limits_and_restart_are_updated(
    yard: Yard, before: dict[str, Any], after: dict[str, Any], path: str, value: Any
) -> None:
    """6."""
    yard.up(one_service(**before))
    identifier = yard.inspect("web")["Id"]
    record = yard.up(one_service(**after))
    assert row(record, "web").action == "update"
    found = yard.inspect("web")
    assert found["Id"] == identifier
    for part in path.split("."):
        found = found[part]
    assert found == value


UPDATES = [
    ({"Memory": 80 << 20, "MemorySwap": 160 << 20}, {"mem_limit": "64m"}, "mem_limit", "update"),
    ({"RestartPolicy": {"Name": "always"}}, {"restart": "no"}, "restart", "update"),
    ({"RestartPolicy": {"Name": "always"}}, {}, "restart", "update"),
    ({"PidsLimit": 99}, {}, "pids_limit", "update"),
    ({"CpuShares": 99}, {}, "cpu_shares", "replace"),
]


@pytest.mark.parametrize(("by_hand", "fields", "field", "action"), UPDATES)
def test_a_docker_update_by_hand_is_named(
    yard: Yard, by_hand: dict[str, Any], fields: dict[str, Any], field: str, action: str
) -> None:
    """6."""
    yard.up(one_service(**fields))
    yard.do("POST", f"/containers/{yard.name('web')}/update", by_hand)
    record = yard.up(one_service(**fields))
    why = "changed by hand" if fields else "set by hand, or by an earlier cell"
    assert row(record, "web").reason == f"{field}: {why}"
    assert row(record, "web").action == action
    assert field in str(row(record, "web").diff)


def test_a_hand_after_an_update_is_not_called_a_change_of_the_cell(yard: Yard) -> None:
    """6: what was updated leaves no trace in the labels, and nothing is claimed that can't be known."""
    yard.up(one_service())
    assert row(yard.up(one_service(mem_limit="64m")), "web").reason == "mem_limit: changed in the cell"
    yard.run(one_service(), "--absent")
    yard.up(one_service(mem_limit="64m"))
    assert row(yard.up(one_service(mem_limit="96m")), "web").reason == "mem_limit: changed in the cell"
    yard.do("POST", f"/containers/{yard.name('web')}/update", {"Memory": 80 << 20, "MemorySwap": 160 << 20})
    assert row(yard.up(one_service(mem_limit="96m")), "web").reason == "mem_limit: differs from the cell"


def test_anonymous_volumes_survive(yard: Yard) -> None:
    """7: declared without a name, or by the image."""
    made = yard.engine.create("/containers/create", {"Image": "busybox"}, name=f"{yard.project}-hand")
    body: dict[str, Any] = {"Volumes": {"/image": {}}}
    yard.do("POST", "/commit", body, container=made["Id"], repo=f"{yard.project}-app", tag="1")
    fields: dict[str, Any] = {"image": f"{yard.project}-app:1", "volumes": ["/own"]}
    yard.up(one_service(**fields))
    yard.execute("web", "sh", "-c", "echo precious > /own/file; echo precious > /image/file")
    record = yard.up(one_service(**fields, environment={"NEW": "1"}))
    assert row(record, "web").action == "replace"
    assert "precious" in yard.execute("web", "cat", "/own/file")
    assert "precious" in yard.execute("web", "cat", "/image/file")
    record = yard.up(one_service(**fields, environment={"NEW": "2"}))
    assert "precious" in yard.execute("web", "cat", "/own/file")
    volumes = {one["Name"] for one in yard.inspect("web")["Mounts"]}
    yard.run(one_service(**fields), "--absent")
    left = {one["Name"] for one in yard.engine.get("/volumes")["Volumes"]}
    assert volumes <= left, "what holds data goes with --volumes alone"
    for name in volumes:
        yard.do("DELETE", f"/volumes/{name}")


def test_the_data_of_a_named_volume_is_not_dropped(yard: Yard) -> None:
    """7."""
    cell = {**json.loads(one_service(volumes=["data:/data"])), "volumes": {"data": {}}}
    yard.up(json.dumps(cell))
    yard.execute("web", "sh", "-c", "echo precious > /data/file")
    cell["volumes"]["data"] = {"driver_opts": {"type": "tmpfs", "device": "tmpfs"}}
    record = yard.run(json.dumps(cell))
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.kind == "conflict"
    assert "its data is not dropped" in record.error.message
    cell["volumes"]["data"] = {}
    assert yard.run(json.dumps(cell), "--absent").status is Status.CHANGED
    yard.up(json.dumps(cell))
    assert "precious" in yard.execute("web", "cat", "/data/file")


ENDS = [
    ("sh -c 'exit 3'", "no", "it ended with 3"),
    ("sh -c 'echo no config; exit 3'", "no", "it ended with 3: no config"),
    ("sh -c 'sleep 0.3; exit 4'", "always", "it ended with 4"),
]


@pytest.mark.parametrize(("command", "restart", "says"), ENDS)
def test_what_ends_or_crashes_is_not_ok(yard: Yard, command: str, restart: str, says: str) -> None:
    """8: neither the run that made it, nor the next one, whose hash matches."""
    cell = one_service(command=command, restart=restart)
    for _ in range(2):
        record = yard.run(cell)
        assert record.status is Status.FAILED
        assert says in str(row(record, "web", "health").reason) or says in str(record.error)


def test_what_keeps_crashing_is_not_ok_between_two_crashes(yard: Yard) -> None:
    """8: it looks as if it ran."""
    cell = one_service(command="sh -c 'sleep 1; exit 4'", restart="always")
    yard.run(cell)
    ends = time.monotonic() + 30
    while True:
        seen = yard.inspect("web")
        if seen["RestartCount"] and seen["State"]["Status"] == "running":
            break
        assert time.monotonic() < ends
        time.sleep(0.02)
    record = yard.run(cell)
    assert record.status is Status.FAILED
    assert "it ended with 4" in str(record.error)


def test_what_was_restarted_and_stays_up_is_ok(yard: Yard) -> None:
    """8: it is waited for until the engine too takes it for one that runs."""
    script = "test -e /tmp/end && sleep 1000; until test -e /tmp/end; do sleep 0.1; done; exit 4"
    cell = one_service(command=f"sh -c '{script}'", restart="always")
    yard.run(cell)
    yard.execute("web", "touch", "/tmp/end")  # noqa: S108 -- in the container
    ends = time.monotonic() + 30
    while not ((seen := yard.inspect("web"))["RestartCount"] and seen["State"]["Status"] == "running"):
        assert time.monotonic() < ends
        time.sleep(0.02)
    record = yard.run(cell)
    assert record.status is Status.OK
    assert "was restarted just now" in str(row(record, "web", "health").reason)
    assert [one.action for one in yard.run(cell).changes if one.kind == "health"] == []


def test_what_is_unhealthy_is_not_ok(yard: Yard) -> None:
    """8."""
    check = {"test": "echo too bad; test -e /good", "interval": "100ms", "retries": 1}
    cell = one_service(healthcheck=check)
    for _ in range(2):
        record = yard.run(cell)
        assert record.status is Status.FAILED
        assert "it is unhealthy: too bad" in str(record.error)
    yard.execute("web", "touch", "/good")
    assert yard.run(one_service(healthcheck=check), "--retries 5 --delay 0.2").status is not Status.FAILED


def test_a_one_shot_that_ended_well_is_ok(yard: Yard) -> None:
    """8."""
    record = yard.up(one_service(command="true"))
    assert row(record, "web", "health").status == "ok"
    assert told(yard.run(one_service(command="true")))[f"container {yard.name('web')}"] == ("no-op", "ended with 0")


def test_a_container_that_was_stopped_is_started(yard: Yard) -> None:
    """8: by hand, with a restart policy that would keep it up."""
    cell = one_service(restart="unless-stopped")
    yard.up(cell)
    identifier = yard.inspect("web")["Id"]
    yard.do("POST", f"/containers/{identifier}/kill")
    yard.do("POST", f"/containers/{identifier}/stop")
    record = yard.up(cell)
    assert (row(record, "web").action, row(record, "web").reason) == ("update", "it ended with 137")
    yard.do("POST", f"/containers/{identifier}/pause")
    record = yard.up(cell)
    assert (row(record, "web").action, row(record, "web").reason) == ("update", "it is paused")
    assert yard.inspect("web")["Id"] == identifier


def test_a_dry_run_only_reads(yard: Yard, tap: Tap, tmp_path: Path) -> None:
    """9: no build, no pull, nothing made; seen by the engine's own side."""
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN true\n")
    yard.up(one_service(mem_limit="64m"))
    yard.host = tap.host
    for cell in (
        one_service(build=".", image=f"{yard.project}-app"),
        one_service(image="127.0.0.1:9/nothing:1", pull_policy="missing"),
        one_service(mem_limit="128m"),
        one_service(environment={"A": "1"}, networks=["new"]).replace(
            '"services"', '"networks": {"new": {}}, "services"'
        ),
    ):
        record = yard.run(cell, "--check")
        assert record.status is Status.PLANNED, record.error
    assert yard.run(one_service(), "--check --absent").status is Status.PLANNED
    assert tap.requests
    assert tap.writes == []


def test_another_version_of_the_digests_changes_nothing(yard: Yard) -> None:
    """10: the comparison decides, and drift is still found."""
    cell = one_service(environment={"A": "1"})
    yard.up(cell)
    label = yard.inspect("web")["Config"]["Labels"][FIELDS]
    # As another version of this tool would have made it.
    yard.do("DELETE", f"/containers/{yard.name('web')}", force=True)
    fields = {**json.loads(label), "version": VERSION + 1, "environment": "other"}
    labels = {**_labels(yard, "web"), FIELDS: json.dumps(fields)}
    network = f"{yard.project}_default"
    yard.make(
        name=yard.name("web"),
        Cmd=["sleep", "1000"],
        Env=["A=1"],
        Labels=labels,
        HostConfig={"NetworkMode": network},
        NetworkingConfig={"EndpointsConfig": {network: {"Aliases": ["web"]}}},
    )
    assert yard.run(cell).status is Status.OK
    record = yard.run(one_service(environment={"A": "2"}))
    assert row(record, "web").reason == "environment.A: differs"


def _labels(yard: Yard, service: str) -> dict[str, str]:
    from jupyter_runbook.providers.docker.labels import identity

    return identity(yard.project, service, 1)


def test_two_runs_at_once_on_one_project(yard: Yard) -> None:
    """12: the second says who holds it, and does nothing."""
    cell = one_service()
    with hold(yard.engine, yard.project):
        record = yard.run(cell)
    assert record.status is Status.FAILED
    assert record.error
    assert record.error.kind == "conflict"
    assert "another run is at work" in record.error.message
    assert "process" in record.error.message
    assert yard.containers() == []
    yard.up(cell)


def test_two_runs_side_by_side_leave_one_whole(yard: Yard) -> None:
    """12: really side by side."""
    cell = json.dumps({"services": {name: json.loads(one_service())["services"]["web"] for name in "abcd"}})
    line = f"--project {yard.project} --host {yard.host}"
    from tests.providers.docker.helpers import own_bench

    benches = [own_bench(yard.bench.root / str(number)) for number in range(2)]
    records: list[Any] = [None, None]

    def go(number: int) -> None:
        records[number] = benches[number].run(cell, line).record

    threads = [threading.Thread(target=go, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(record.status for record in records)
    assert statuses in (["changed", "failed"], ["changed", "ok"], ["changed", "changed"]), [r.error for r in records]
    assert yard.run(cell).status is Status.OK
    assert yard.containers() == [yard.name(name) for name in "abcd"]


def test_the_server_answers(yard: Yard) -> None:
    record = yard.up(one_service(command="httpd -f -p 80 -h /etc", ports=["127.0.0.1::80"]))
    assert row(record, "web").status == "changed"
    port = yard.inspect("web")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/group") as answer:
        assert b"root" in answer.read()
