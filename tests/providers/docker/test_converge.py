"""From what is there to what the cell says: order, networks, scale, removal, on a real engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jupyter_runbook.record import ChangeStatus, Status
from tests.providers.docker.test_traps import one_service
from tests.providers.docker.yard import Yard, row, told

if TYPE_CHECKING:
    from pathlib import Path

SERVICE: dict[str, Any] = {"image": "busybox", "command": "sleep 1000", "stop_signal": "KILL"}


def project(services: dict[str, dict[str, Any]], **top: Any) -> str:
    return json.dumps({"services": {name: {**SERVICE, **how} for name, how in services.items()}, **top})


def actions(record: Any, kind: str = "container") -> dict[str, str]:
    """Return what was done to what, no-ops left out."""
    found = [one for one in record.changes if one.kind == kind and one.action != "no-op"]
    return {one.resource.split("-", 1)[-1]: str(one.action) for one in found}


def test_a_dry_run_is_what_is_done_then(yard: Yard) -> None:
    cell = project(
        {"web": {"networks": ["back"]}, "db": {"volumes": ["data:/d"]}}, networks={"back": {}}, volumes={"data": {}}
    )
    planned = yard.run(cell, "--check")
    assert planned.status is Status.PLANNED
    assert yard.containers() == []
    done = yard.run(cell, f"--plan {planned.plan_digest}")
    assert done.status is Status.CHANGED
    assert told(done) == told(planned)
    assert yard.run(cell, f"--plan {planned.plan_digest}").error.kind == "stale-plan"  # type: ignore[union-attr]


def test_a_service_waits_for_what_it_depends_on(yard: Yard) -> None:
    """healthy, completed, started: in this order, seen by when each was started."""
    services: dict[str, dict[str, Any]] = {
        "web": {
            "depends_on": {
                "db": {"condition": "service_healthy"},
                "migrate": {"condition": "service_completed_successfully"},
            }
        },
        "migrate": {"command": "sh -c 'sleep 0.7'", "depends_on": {"db": {"condition": "service_healthy"}}},
        "db": {
            "command": "sh -c 'sleep 0.7; touch /ok; sleep 1000'",
            "healthcheck": {"test": "test -e /ok", "interval": "100ms", "retries": 30},
        },
    }
    record = yard.up(project(services))
    started = {name: yard.inspect(name)["State"]["StartedAt"] for name in services}
    assert started["db"] < started["migrate"] < started["web"]
    assert yard.inspect("migrate")["State"]["FinishedAt"] < started["web"]
    assert yard.inspect("db")["State"]["Health"]["Log"][-1]["ExitCode"] == 0
    assert row(record, "migrate", "health").after == {"state": "ended with 0"}


def test_what_depends_on_a_failure_does_not_run(yard: Yard) -> None:
    services: dict[str, dict[str, Any]] = {
        "web": {"depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
        "migrate": {"command": "sh -c 'echo no table; exit 3'"},
        "other": {},
    }
    record = yard.run(project(services))
    assert record.error
    assert record.error.kind == "partial"
    assert "it ended with 3: no table" in record.error.message
    assert row(record, "web").status is ChangeStatus.NOT_RUN
    assert row(record, "other").status is ChangeStatus.CHANGED
    assert yard.containers() == [yard.name("migrate"), yard.name("other")]


def test_what_says_so_restarts_with_what_it_depends_on(yard: Yard) -> None:
    services: dict[str, dict[str, Any]] = {
        "web": {"depends_on": {"db": {"condition": "service_started", "restart": True}}},
        "db": {},
    }
    yard.up(project(services))
    before = yard.inspect("web")["State"]["StartedAt"]
    services["db"]["environment"] = {"A": "1"}
    record = yard.up(project(services))
    assert (row(record, "web").action, row(record, "web").reason) == (
        "update",
        "db is changed, and it restarts with it",
    )
    assert yard.inspect("web")["State"]["StartedAt"] > before


def test_what_shares_a_network_is_replaced_with_it(yard: Yard) -> None:
    services: dict[str, dict[str, Any]] = {"side": {"network_mode": "service:web"}, "web": {}}
    yard.up(project(services))
    services["web"]["environment"] = {"A": "1"}
    record = yard.up(project(services))
    assert actions(record) == {"web-1": "replace", "side-1": "replace"}
    assert row(record, "side").reason == "network_mode: web is made anew"
    assert yard.inspect("side")["HostConfig"]["NetworkMode"] == f"container:{yard.inspect('web')['Id']}"


def test_volumes_of_another_service_follow_it(yard: Yard) -> None:
    services: dict[str, dict[str, Any]] = {"db": {"volumes": ["/data"]}, "backup": {"volumes_from": ["db:ro"]}}
    yard.up(project(services))
    yard.execute("db", "touch", "/data/row")
    assert yard.execute("backup", "ls", "/data").split() == ["row"]
    services["db"]["environment"] = {"A": "1"}
    record = yard.up(project(services))
    assert actions(record) == {"db-1": "replace", "backup-1": "replace"}
    assert row(record, "backup").reason == "volumes_from: db is made anew"
    assert yard.execute("backup", "ls", "/data").split() == ["row"]


def test_a_link_is_made_and_taken_away_in_place(yard: Yard) -> None:
    services: dict[str, dict[str, Any]] = {"db": {}, "web": {"links": ["db:store"]}}
    yard.up(project(services))
    first = yard.inspect("web")["Id"]
    services["db"]["scale"] = 2
    services["web"]["links"] = ["db:store", "db"]
    record = yard.up(project(services))
    assert actions(record) == {"db-2": "create", "web-1": "update"}
    assert yard.execute("web", "ping", "-c1", "-W2", "store").count("1 packets received") == 1
    del services["web"]["links"]
    assert actions(yard.up(project(services))) == {"web-1": "update"}
    assert "bad address" in yard.execute("web", "ping", "-c1", "-W2", "store")
    assert yard.inspect("web")["Id"] == first


def test_the_one_that_is_made_anew_is_named_and_no_other(yard: Yard) -> None:
    services: dict[str, dict[str, Any]] = {
        "side": {"network_mode": "service:web", "pid": "service:db"},
        "web": {},
        "db": {},
    }
    yard.up(project(services))
    yard.do("DELETE", f"/containers/{yard.name('db')}", force=True)
    record = yard.run(project(services), "--check")
    reason = str(row(record, "side").reason)
    assert reason.startswith("pid: db is made anew")
    assert "network_mode" not in reason


def test_networks_are_joined_and_left_in_place(yard: Yard) -> None:
    networks: dict[str, Any] = {"front": {}, "back": {}}
    yard.up(
        project(
            {"web": {"networks": ["front"], "ports": ["127.0.0.1:18391:80"], "command": "httpd -f -p 80"}},
            networks=networks,
        )
    )
    identifier = yard.inspect("web")["Id"]
    web = {
        "networks": {"front": {"aliases": ["www"]}, "back": {}},
        "ports": ["127.0.0.1:18391:80"],
        "command": "httpd -f -p 80",
    }
    record = yard.up(project({"web": web}, networks=networks))
    assert row(record, "web").action == "update"
    assert "networks.front.aliases: differs from the cell" in str(row(record, "web").reason)
    yard.do("POST", f"/networks/{yard.project}_back/disconnect", {"Container": identifier})
    yard.do("POST", "/networks/bridge/connect", {"Container": identifier})
    record = yard.up(project({"web": web}, networks=networks))
    assert row(record, "web").reason == "networks.back: differs from the cell; networks.bridge: differs from the cell"
    found = yard.inspect("web")
    assert found["Id"] == identifier
    assert set(found["NetworkSettings"]["Networks"]) == {f"{yard.project}_front", f"{yard.project}_back"}
    assert found["NetworkSettings"]["Ports"]["80/tcp"], "its ports are still published"


def test_a_network_that_changes_is_made_anew_and_joined_again(yard: Yard) -> None:
    services: dict[str, dict[str, Any]] = {
        "web": {"networks": ["back"]},
        "db": {"networks": {"back": {"ipv4_address": "10.213.78.9"}}},
    }
    ranges = {"ipam": {"config": [{"subnet": "10.213.78.0/24"}]}}
    yard.up(project(services, networks={"back": ranges}))
    identifier = yard.inspect("web")["Id"]
    record = yard.up(project(services, networks={"back": {**ranges, "internal": True}}))
    assert actions(record, "network") == {f"network {yard.project}_back": "replace"}
    assert actions(record) == {"web-1": "update", "db-1": "update"}
    assert yard.inspect("web")["Id"] == identifier
    assert yard.inspect("db")["NetworkSettings"]["Networks"][f"{yard.project}_back"]["IPAddress"] == "10.213.78.9"
    assert "1 packets received" in yard.execute("web", "ping", "-c1", "-W2", "db")


def test_somebody_elses_container_in_a_network_keeps_it(yard: Yard) -> None:
    yard.up(project({"web": {"networks": ["back"]}}, networks={"back": {}}))
    yard.make(Cmd=["sleep", "1000"], HostConfig={"NetworkMode": f"{yard.project}_back"})
    record = yard.run(project({"web": {"networks": ["back"]}}, networks={"back": {"internal": True}}))
    assert record.error
    assert f"{yard.project}-hand is in it, and is not ours" in str(record.error)
    assert yard.inspect("web")["State"]["Running"]


def test_scale_goes_up_and_down(yard: Yard) -> None:
    yard.up(project({"web": {"scale": 3}}))
    assert yard.containers() == [yard.name("web", number) for number in (1, 2, 3)]
    record = yard.up(project({"web": {"scale": 1}}))
    assert actions(record) == {"web-2": "delete", "web-3": "delete"}
    assert yard.containers() == [yard.name("web")]
    yard.up(project({"web": {"scale": 0}}))
    assert yard.containers() == []


def test_a_container_that_was_renamed_or_removed_by_hand(yard: Yard) -> None:
    yard.up(one_service())
    identifier = yard.inspect("web")["Id"]
    yard.do("POST", f"/containers/{identifier}/rename", name=f"{yard.project}-mine")
    record = yard.up(one_service())
    assert (row(record, "web").action, row(record, "web").reason) == ("update", "name: changed by hand")
    assert yard.inspect("web")["Id"] == identifier
    yard.do("DELETE", f"/containers/{identifier}", force=True)
    assert row(yard.up(one_service()), "web").reason == "is not there"


def test_a_service_that_the_cell_no_longer_has(yard: Yard) -> None:
    yard.up(project({"web": {}, "old": {}}))
    assert yard.run(project({"web": {}})).status is Status.OK, "another cell may have it"
    record = yard.up(project({"web": {}}), "--remove-orphans")
    assert told(record)[f"container {yard.name('old')}"] == ("delete", "the cell has no service old")
    assert yard.containers() == [yard.name("web")]


def test_absent_removes_what_is_ours_alone(yard: Yard) -> None:
    outside = f"{yard.project}-outside"
    yard.do("POST", "/networks/create", {"Name": outside})
    yard.do("POST", "/volumes/create", {"Name": outside})
    cell = project(
        {"web": {"networks": ["back", "out"], "volumes": ["data:/d", "out:/o"], "depends_on": ["db"]}, "db": {}},
        networks={"back": {}, "out": {"external": True, "name": outside}},
        volumes={"data": {}, "out": {"external": True, "name": outside}},
    )
    yard.up(cell)
    stranger = yard.make(Cmd=["sleep", "1000"])
    record = yard.up(cell, "--absent")
    assert list(actions(record)) == ["web-1", "db-1"]
    assert row(record, "db").status == "changed"
    assert told(record)[f"volume {yard.project}_data"] == ("no-op", "stays, with its data: --volumes removes it")
    assert told(record)[f"network {outside}"] == ("no-op", "is external: it stays")
    record = yard.up(cell, "--absent --volumes")
    assert actions(record, "volume") == {f"volume {yard.project}_data": "delete"}
    left = {one["Name"] for one in yard.engine.get("/volumes")["Volumes"]}
    assert outside in left
    assert f"{yard.project}_data" not in left
    assert yard.engine.get(f"/containers/{stranger}/json")["State"]["Running"]
    assert yard.containers() == [f"{yard.project}-hand"]


def test_a_read_only_container_gets_its_secret(yard: Yard, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("one-key")
    web = {"read_only": True, "secrets": ["key"], "configs": [{"source": "page", "target": "/etc/page"}]}
    cell = project({"web": web}, secrets={"key": {"file": "./key"}}, configs={"page": {"file": "./key"}})
    yard.up(cell)
    assert yard.execute("web", "cat", "/run/secrets/key", "/etc/page") == "one-keyone-key"
    assert "Read-only file system" in yard.execute("web", "touch", "/run/secrets/key")
    key.unlink()
    key.write_text("two-key")
    record = yard.up(cell)
    assert row(record, "web").reason == "files: what a config or a secret holds was changed"
    assert yard.execute("web", "cat", "/run/secrets/key") == "two-key"
    wire = json.dumps(record.wire())
    assert "one-key" not in wire
    assert "two-key" not in wire


def test_what_is_bound_can_be_used(yard: Yard) -> None:
    done = yard.bench.run(
        one_service(command="httpd -f -p 80", ports=["127.0.0.1::80"]),
        f"--project {yard.project} --host {yard.host} --out site",
    )
    assert done.result
    [found] = done.result.resources
    assert (found["service"], found["name"], found["state"]) == ("web", yard.name("web"), "running")
    assert found["ports"]["80/tcp"].startswith("127.0.0.1:")
    assert found["addresses"][f"{yard.project}_default"]
    assert done.result.facts == {"project": yard.project, "hosts": [yard.host]}
    assert list(done.result.df()["service"]) == ["web"]


def test_ids_are_in_the_journal_at_once(yard: Yard) -> None:
    yard.up(one_service())
    found = {entry["resource"]: entry["identifier"] for entry in yard.bench.journal() if entry["event"] == "found"}
    assert found[f"container {yard.name('web')}"] == yard.inspect("web")["Id"]
    assert f"network {yard.project}_default" in found


def test_secrets_are_nowhere(yard: Yard) -> None:
    """In no record and no journal; not the one that is there by hand, either."""
    first = one_service(environment={"DB_PASSWORD": "first-secret-1"})
    yard.up(first)
    record = yard.run(one_service(environment={"DB_PASSWORD": "second-secret-2"}))
    assert row(record, "web").reason == "environment.DB_PASSWORD: changed in the cell"
    assert row(record, "web").before == {"environment.DB_PASSWORD": "[secret DB_PASSWORD] (another value)"}
    written = yard.bench.session.journal.path.read_text() + json.dumps(record.wire())
    for secret in ("first-secret-1", "second-secret-2"):
        assert secret not in written
