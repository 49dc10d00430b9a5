"""Every field of a service, in every spelling: made as it is meant on a real engine, and then no difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_runbook.providers.docker.compose.services import KEYS
from jupyter_runbook.providers.docker.settings import dig
from jupyter_runbook.record import Status
from tests.providers.docker.yard import Yard, told

M = 1 << 20
#: A block device, and no part of one.
DISK = next(
    (
        f"/dev/{one.name}"
        for one in sorted(Path("/sys/class/block").iterdir())
        if Path("/dev", one.name).is_block_device() and not (one / "partition").exists()
    ),
    "/dev/no-disk",
)

#: Name: (the fields of the service, where the engine tells of it, what it tells).
FIELDS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "command-list": ({"command": ["sleep", "999"]}, "Config.Cmd", ["sleep", "999"]),
    "command-text": ({"command": "sh -c 'sleep 999'"}, "Config.Cmd", ["sh", "-c", "sleep 999"]),
    "entrypoint": ({"entrypoint": ["sleep"], "command": "999"}, "Config.Entrypoint", ["sleep"]),
    "entrypoint-text": ({"entrypoint": "sleep 999", "command": []}, "Config.Entrypoint", ["sleep", "999"]),
    "environment": ({"environment": {"A": "x=1", "B": None, "C": ""}}, "Config.Env", None),
    "labels": ({"labels": ["com.example.team=web"]}, "Config.Labels", {"com.example.team": "web"}),
    "hostname": ({"hostname": "foo"}, "Config.Hostname", "foo"),
    "domainname": ({"domainname": "example.com"}, "Config.Domainname", "example.com"),
    "user": ({"user": "1000:1000"}, "Config.User", "1000:1000"),
    "working_dir": ({"working_dir": "/var"}, "Config.WorkingDir", "/var"),
    "tty": ({"tty": True, "stdin_open": "true"}, "Config.Tty", True),
    "stdin_open": ({"tty": False, "stdin_open": True}, "Config.OpenStdin", True),
    "stop_signal": ({"stop_signal": "SIGUSR1"}, "Config.StopSignal", "SIGUSR1"),
    "stop_grace_period": ({"stop_grace_period": "1m30s"}, "Config.StopTimeout", 90),
    "healthcheck": (
        {"healthcheck": {"test": ["CMD", "true"], "interval": "1.5s", "timeout": "10s", "start_period": "1s"}},
        "Config.Healthcheck.Interval",
        1_500_000_000,
    ),
    "healthcheck-off": ({"healthcheck": {"disable": True}}, "Config.Healthcheck.Test", ["NONE"]),
    "expose": ({"expose": ["3000", "8000-8001/udp"]}, "Config.ExposedPorts", {"3000/tcp": {}, "8000/udp": {}}),
    "cap_add": ({"cap_add": ["NET_ADMIN", "CAP_SYS_PTRACE"]}, "HostConfig.CapAdd", None),
    "cap_drop": ({"cap_drop": ["ALL"]}, "HostConfig.CapDrop", ["ALL"]),
    "cgroup_parent": ({"cgroup_parent": "/docker/parent"}, "HostConfig.CgroupParent", "/docker/parent"),
    "cgroup": ({"cgroup": "host"}, "HostConfig.CgroupnsMode", "host"),
    "cpu_shares": ({"cpu_shares": 73}, "HostConfig.CpuShares", 73),
    "cpu_quota": ({"cpu_quota": "50ms", "cpu_period": "100000"}, "HostConfig.CpuQuota", 50_000),
    "cpus": ({"cpus": "0.50"}, "HostConfig.NanoCpus", 500_000_000),
    "cpuset": ({"cpuset": "0"}, "HostConfig.CpusetCpus", "0"),
    "device_cgroup_rules": ({"device_cgroup_rules": ["c 1:3 mr"]}, "HostConfig.DeviceCgroupRules", ["c 1:3 mr"]),
    "devices": (
        {"devices": ["/dev/null:/dev/xnull", {"source": "/dev/zero"}]},
        "HostConfig.Devices",
        [
            {"PathOnHost": "/dev/null", "PathInContainer": "/dev/xnull", "CgroupPermissions": "rwm"},
            {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/zero", "CgroupPermissions": "rwm"},
        ],
    ),
    "dns": ({"dns": ["127.0.0.9", "127.0.0.8"]}, "HostConfig.Dns", ["127.0.0.9", "127.0.0.8"]),
    "dns_search": ({"dns_search": "example.com", "dns_opt": ["no-tld-query"]}, "HostConfig.DnsSearch", ["example.com"]),
    "extra_hosts": ({"extra_hosts": ["db=10.0.0.1", "v6:[::1]"]}, "HostConfig.ExtraHosts", ["db:10.0.0.1", "v6:::1"]),
    "extra_hosts-map": ({"extra_hosts": {"db": "10.0.0.1"}}, "HostConfig.ExtraHosts", ["db:10.0.0.1"]),
    "group_add": ({"group_add": ["8", 33]}, "HostConfig.GroupAdd", ["33", "8"]),
    "init": ({"init": True}, "HostConfig.Init", True),
    "ipc": ({"ipc": "shareable"}, "HostConfig.IpcMode", "shareable"),
    "logging": (
        {"logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": 3}}},
        "HostConfig.LogConfig",
        {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    ),
    "mem_limit": ({"mem_limit": "64m", "mem_reservation": "32mb"}, "HostConfig.Memory", 64 * M),
    "memswap_limit": ({"mem_limit": "64m", "memswap_limit": "96m"}, "HostConfig.MemorySwap", 96 * M),
    "mem_swappiness": ({"mem_swappiness": 0}, "HostConfig.MemorySwappiness", 0),
    "oom_kill_disable": ({"mem_limit": "64m", "oom_kill_disable": True}, "HostConfig.OomKillDisable", True),
    "oom_score_adj": ({"oom_score_adj": 500}, "HostConfig.OomScoreAdj", 500),
    "pid": ({"pid": "host"}, "HostConfig.PidMode", "host"),
    "pids_limit": ({"pids_limit": 50}, "HostConfig.PidsLimit", 50),
    "platform": ({"platform": "linux/amd64"}, "Platform", "linux"),
    "privileged": ({"privileged": "false"}, "HostConfig.Privileged", False),
    "read_only": ({"read_only": True, "tmpfs": ["/run", "/var:size=1m"]}, "HostConfig.ReadonlyRootfs", True),
    "tmpfs": ({"tmpfs": "/run:size=2m"}, "HostConfig.Tmpfs", {"/run": "size=2m"}),
    "restart": ({"restart": "on-failure:3"}, "HostConfig.RestartPolicy.MaximumRetryCount", 3),
    "runtime": ({"runtime": "runc"}, "HostConfig.Runtime", "runc"),
    "security_opt": (
        {"security_opt": ["no-new-privileges:true"]},
        "HostConfig.SecurityOpt",
        ["no-new-privileges:true"],
    ),
    "shm_size": ({"shm_size": "32m"}, "HostConfig.ShmSize", 32 * M),
    "sysctls": ({"sysctls": {"net.core.somaxconn": 1024}}, "HostConfig.Sysctls", {"net.core.somaxconn": "1024"}),
    "sysctls-list": ({"sysctls": ["net.core.somaxconn=1024"]}, "HostConfig.Sysctls.net", None),
    "ulimits": (
        {"ulimits": {"nproc": 500, "nofile": {"soft": 100, "hard": 200}}},
        "HostConfig.Ulimits",
        [{"Name": "nofile", "Soft": 100, "Hard": 200}, {"Name": "nproc", "Soft": 500, "Hard": 500}],
    ),
    "userns_mode": ({"userns_mode": "host"}, "HostConfig.UsernsMode", "host"),
    "uts": ({"uts": "host"}, "HostConfig.UTSMode", "host"),
    "deploy": (
        {
            "deploy": {
                "mode": "replicated",
                "replicas": 1,
                "resources": {
                    "limits": {"cpus": "0.5", "memory": "64M", "pids": 40},
                    "reservations": {"memory": "32M"},
                },
                "restart_policy": {"condition": "on-failure", "max_attempts": 2},
            }
        },
        "HostConfig.PidsLimit",
        40,
    ),
    "network_mode": ({"network_mode": "none"}, "HostConfig.NetworkMode", "none"),
    "mac_address": ({"mac_address": "02:42:AC:11:65:43"}, "Config.MacAddress", "02:42:ac:11:65:43"),
    "ports": ({"ports": ["127.0.0.1:18301:1", "18302-18303:2-3/udp"]}, "HostConfig.PortBindings.1/tcp", None),
    "bind": ({"volumes": ["./here:/there:ro"]}, "HostConfig.Binds", None),
    "bind-long": (
        {"volumes": [{"type": "bind", "source": "./here", "target": "/there", "bind": {"create_host_path": False}}]},
        "HostConfig.Mounts",
        None,
    ),
    "volumes": (
        {
            "volumes": [
                "data:/data",
                "/anonymous",
                {"type": "volume", "source": "data", "target": "/ro", "read_only": True},
            ]
        },
        "HostConfig.Mounts",
        None,
    ),
    "volumes-tmpfs": (
        {"volumes": [{"type": "tmpfs", "target": "/scratch", "tmpfs": {"size": "1m"}}]},
        "HostConfig.Mounts",
        [{"Type": "tmpfs", "Target": "/scratch", "TmpfsOptions": {"SizeBytes": M}}],
    ),
    "networks": ({"networks": ["front"]}, "HostConfig.NetworkMode", None),
    "networks-map": (
        {"networks": {"front": {"aliases": ["api"]}, "fixed": {"ipv4_address": "10.213.77.9", "priority": 5}}},
        "HostConfig.NetworkMode",
        None,
    ),
    "configs": (
        {"configs": [{"source": "page", "target": "/etc/page", "uid": "7", "gid": "8", "mode": 0o440}]},
        "Id",
        None,
    ),
    "secrets": ({"secrets": ["key"]}, "Id", None),
    "env_file": ({"env_file": [{"path": "./some.env"}, {"path": "missing.env", "required": False}]}, "Id", None),
    "label_file": ({"label_file": "some.env"}, "Config.Labels.FROM_FILE", "1"),
    "depends_on": (
        {
            "depends_on": {
                "command-list": {"condition": "service_started"},
                "none": {"condition": "service_started", "required": False},
            }
        },
        "Id",
        None,
    ),
    "shared": ({"network_mode": "service:command-list", "pid": "service:command-list"}, "Id", None),
    "shared-ipc": ({"ipc": "service:ipc"}, "Id", None),
    "links": ({"links": ["command-list:store", "scale"], "external_links": ["elsewhere:far"]}, "Id", None),
    "volumes_from": (
        {"volumes_from": ["volumes:ro", "bind"], "networks": {"front": {}}},
        "HostConfig.Binds",
        None,
    ),
    "blkio": (
        {
            "blkio_config": {
                "device_read_bps": [{"path": DISK, "rate": "12mb"}],
                "device_write_iops": [{"path": DISK, "rate": 30}],
            }
        },
        "HostConfig.BlkioDeviceReadBps",
        [{"Path": DISK, "Rate": 12 * M}],
    ),
    "scale": ({"scale": 2}, "Id", None),
    "container_name": ({"container_name": "{{ own }}"}, "Id", None),
}
#: What can't be on the machines that test this, or has a test of its own.
ELSEWHERE = {
    "annotations", "attach", "build", "cpu_count", "cpu_percent", "cpu_rt_period", "cpu_rt_runtime", "develop", "gpus",
    "image", "isolation", "profiles", "pull_policy", "storage_opt",
}  # fmt: skip

TOP: dict[str, Any] = {
    "name": "people",
    "version": "3.8",
    "x-anything": {"a": 1},
    "networks": {
        "front": None,
        "fixed": {
            "driver": "bridge",
            "driver_opts": {"com.docker.network.bridge.enable_icc": "true"},
            "ipam": {"config": [{"subnet": "10.213.77.0/24", "gateway": "10.213.77.1"}]},
            "internal": True,
            "labels": {"a": "b"},
        },
    },
    "volumes": {"data": {"labels": ["a=b"]}},
    "configs": {"page": {"content": "hello"}},
    "secrets": {"key": {"environment": "TEST_KEY"}},
}


def cell() -> dict[str, Any]:
    services = {
        name: {"image": "busybox", "command": "sleep 999", "stop_signal": "KILL", "x-note": 1, **fields}
        for name, (fields, _, _) in FIELDS.items()
    }
    return {**TOP, "services": services}


def test_every_key_is_here() -> None:
    used = {key for fields, _, _ in FIELDS.values() for key in fields}
    assert set(KEYS) - used == ELSEWHERE


def test_every_field_is_made_and_then_no_difference(yard: Yard, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TEST_KEY", "hidden-away")
    (tmp_path / "here").mkdir()
    (tmp_path / "some.env").write_text("# a comment\nFROM_FILE=1\n")
    body = json.dumps(cell())
    own = f"{yard.project}-own"
    record = yard.run(body, own=own)
    assert record.status is Status.CHANGED, (record.error, {k: v for k, v in told(record).items() if "fail" in v[1]})
    again = yard.run(body, own=own)
    assert again.status is Status.OK, {name: row for name, row in told(again).items() if row[0] != "no-op"}
    for name, (fields, path, expected) in FIELDS.items():
        found = yard.engine.get(f"/containers/{own}/json") if "container_name" in fields else yard.inspect(name)
        value = dig(found, path)
        if isinstance(expected, dict) and isinstance(value, dict):
            assert expected.items() <= value.items(), name
        elif expected is not None:
            assert (sorted(value) if path == "HostConfig.ExtraHosts" else value) == expected, name
    look_inside(yard)


def look_inside(yard: Yard) -> None:
    """See from within what the engine does not tell."""
    assert yard.execute("configs", "stat", "-c", "%u %g %a", "/etc/page").strip() == "7 8 440"
    assert yard.execute("secrets", "cat", "/run/secrets/key") == "hidden-away"
    assert yard.inspect("environment")["Config"]["Env"][:2] == ["A=x=1", "C="]
    assert "FROM_FILE=1" in yard.execute("env_file", "env")
    assert yard.execute("links", "ping", "-c1", "-W2", "store").count("1 packets received")
    assert yard.execute("volumes_from", "ls", "-d", "/data", "/there").split() == ["/data", "/there"]
    assert "Read-only file system" in yard.execute("volumes_from", "touch", "/data/x")
    assert yard.execute("networks", "ping", "-c1", "-W2", "api").count("1 packets received")
    first = yard.inspect("command-list")["Id"]
    shared = yard.inspect("shared")["HostConfig"]
    assert (shared["NetworkMode"], shared["PidMode"]) == (f"container:{first}", f"container:{first}")
    assert yard.inspect("scale", 2)["State"]["Running"]
    addresses = yard.inspect("networks-map")["NetworkSettings"]["Networks"]
    assert addresses[f"{yard.project}_fixed"]["IPAddress"] == "10.213.77.9"
    assert yard.inspect("networks-map")["HostConfig"]["NetworkMode"] == f"{yard.project}_fixed"
    assert "ro" in next(one["Mode"] for one in yard.inspect("bind")["Mounts"])
