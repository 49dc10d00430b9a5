"""A Compose file that takes something from others: ``include``, and ``extends`` from another file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jupyter_runbook.errors import InvalidSpec
from jupyter_runbook.secret import Secret
from tests.providers.docker.test_compose import read

if TYPE_CHECKING:
    from jupyter_runbook.providers.docker.model import Service
    from tests.providers.docker.yard import Yard


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own, without variables from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("TAG", "WORD", "DB_PASSWORD", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def sources(service: Service) -> dict[str, str]:
    """Return where a service's mounts come from, by their targets."""
    return {mount.target: mount.source for mount in service.mounts or ()}


BASE = """\
services:
  web:
    extends: {file: ../root.yaml, service: any}
    build: {args: {A: "1"}}
    env_file: [./web.env, {path: ./none.env, required: false}]
    volumes: [./data:/data, cache:/cache, /abs:/abs, {type: bind, source: conf, target: /conf}]
    command: "tail -f $WORD {{ braces }}"
"""


def test_a_service_extends_one_of_another_file_whose_paths_start_there(folder: Path) -> None:
    write(
        {
            ".env": "WORD=here\n",
            "base/compose.yaml": BASE,
            "base/.env": "WORD=not-of-the-project\n",
            "base/web.env": "B=2\n",
            "root.yaml": "services:\n  any: {labels: [a=1], env_file: root.env, volumes: ['./r:/r']}\n",
            "root.env": "B=1\nC=3\n",
        }
    )
    spec = read(
        "services:\n"
        "  web:\n    extends: {file: base/compose.yaml, service: web}\n"
        "    labels: {b: '2'}\n    volumes: ['./own:/data']\nvolumes: {cache: }\n"
    )
    web = spec.services["web"]
    assert web.build
    assert web.build.context == str(folder / "base")
    assert web.environment == {"B": "2", "C": "3"}
    assert web.labels == {"a": "1", "b": "2"}
    assert web.settings["command"] == ["tail", "-f", "here", "{{", "braces", "}}"]
    assert sources(web) == {
        "/abs": "/abs",
        "/cache": "cache",
        "/conf": str(folder / "base/conf"),
        "/data": str(folder / "own"),
        "/r": str(folder / "r"),
    }


SHOP = """\
services:
  db:
    image: "postgres:${TAG:-16}"
    environment: {DB_PASSWORD: "${DB_PASSWORD}", WORD: $WORD}
    volumes: [data:/data, "./init:/init"]
    networks: [back]
    secrets: [key]
networks: {back: }
volumes: {data: }
secrets: {key: {file: ./key}}
"""


def test_a_file_is_included_with_its_folder_and_its_variables(folder: Path) -> None:
    write(
        {
            "shop/compose.yaml": SHOP,
            "shop/.env": "TAG=17\nWORD=shop\nDB_PASSWORD=hunter22\n",
            "shop/key": "abc",
            ".env": "WORD=ours\n",
        }
    )
    spec = read(
        "name: p\ninclude: [shop/compose.yaml]\nservices:\n"
        "  web: {image: '{{ image }}', depends_on: [db], networks: [back]}\n",
        image="nginx",
    )
    db = spec.services["db"]
    assert db.image == "postgres:17"
    assert db.environment is not None
    assert db.environment["WORD"] == "ours", "the project's own variables come first"
    password = db.environment["DB_PASSWORD"]
    assert isinstance(password, Secret)
    assert password.reveal() == "hunter22"
    assert sources(db) == {"/data": "data", "/init": str(folder / "shop/init")}
    assert [file.target for file in db.files] == ["/run/secrets/key"]
    assert spec.networks["back"].name == "p_back"
    assert spec.volumes["data"].name == "p_data"
    assert spec.services["web"].image == "nginx"
    assert not spec.notices


def test_a_cell_may_be_an_include_alone() -> None:
    write({"compose.yaml": "services:\n  web: {image: nginx, profiles: [debug]}\n  api: {image: x}\n"})
    spec = read("include: compose.yaml\n")
    assert list(spec.services) == ["api"]
    assert list(read("include: compose.yaml\n", "--profile debug").services) == ["web", "api"]


OVERRIDE = """\
services:
  web:
    ports: ["81:81"]
    build: {args: {B: "2"}}
    environment: [A=2, B=3]
    networks: {front: {aliases: [w]}}
    tmpfs: /b
    healthcheck: {test: "false"}
    secrets: [{source: key, target: key, mode: 0o400}]
  command: {image: other}
networks:
  front: {driver_opts: {a: b}}
volumes:
  data:
"""
COMPOSE = """\
services:
  web:
    build: ./web
    ports: ["80:80"]
    environment: {A: "1"}
    networks: {front: {ipv4_address: 10.0.0.2}}
    tmpfs: /a
    volumes: [data:/data]
    healthcheck: {test: "true", interval: 1s}
    secrets: [key]
  command: {image: first, command: sleep 1}
networks:
  front: {internal: true}
volumes:
  data: {driver_opts: {type: tmpfs}}
secrets:
  key: {content: abc}
"""


def test_files_come_over_one_another(folder: Path) -> None:
    write({"in/compose.yaml": COMPOSE, "over/dev.yaml": OVERRIDE, "dev.env": "X=y\n"})
    (folder / "in/web").mkdir()
    spec = read(
        "include:\n  - path: [in/compose.yaml, over/dev.yaml]\n    env_file: dev.env\n    project_directory: ./in\n"
    )
    web = spec.services["web"]
    assert web.build
    assert (web.build.context, web.build.args) == (str(folder / "in/web"), {"B": "2"})
    assert [str(port) for port in web.ports or ()] == ["80:80/tcp", "81:81/tcp"]
    assert web.environment == {"A": "2", "B": "3"}
    assert web.networks == {"front": {"ipv4_address": "10.0.0.2", "aliases": ["w"]}}
    assert set(web.settings["tmpfs"]) == {"/a", "/b"}
    assert web.settings["healthcheck"] == {"test": ["CMD-SHELL", "false"], "interval": 1_000_000_000}
    assert [(file.target, file.mode) for file in web.files] == [("/run/secrets/key", 0o400)]
    assert spec.services["command"].image == "other"
    assert spec.services["command"].settings["command"] == ["sleep", "1"]
    assert (spec.networks["front"].internal, spec.networks["front"].options) == (True, {"a": "b"})
    assert spec.volumes["data"].options == {"type": "tmpfs"}


def test_two_files_may_include_the_same_one() -> None:
    write(
        {
            "one.yaml": "include: [base.yaml]\nservices: {one: {image: a, depends_on: [db]}}\n",
            "two.yaml": "include: [base.yaml]\nservices: {two: {image: b, depends_on: [db]}}\n",
            "base.yaml": "services: {db: {image: c}}\n",
        }
    )
    assert set(read("include: [one.yaml, two.yaml]\n").services) == {"db", "one", "two"}


FILES = {
    "ok.yaml": "services: {db: {image: x}}\nnetworks: {back: }\n",
    "other.yaml": "services: {db: {image: y}}\n",
    "broken.yaml": "services:\n  db: {image: x\n",
    "key.yaml": "services:\n  db:\n    image: x\n    imge: y\n",
    "deep.yaml": "include:\n  - key.yaml\n",
    "loop.yaml": "include: [pool.yaml]\n",
    "pool.yaml": "include: [loop.yaml]\n",
    "list.yaml": "- a\n",
    "must.yaml": "services:\n  db:\n    image: ${TAG:?name it}\n",
    "more.yaml": "services:\n  db:\n    extends: {file: key.yaml, service: db}\n"
    "  self: {extends: {file: more.yaml, service: self}}\n",
    "first.yaml": "services:\n  web:\n    ports: ['80:80']\n",
    "second.yaml": "services:\n  web:\n    image: x\n    ports:\n      - '80:80'\n      - what\n",
    "bad.env": "=\n",
}

BAD = [
    ("include: [nowhere.yaml]\n", 2, "include[0]: No such file or directory: nowhere.yaml"),
    ("include:\n  - ok.yaml\n  - broken.yaml\n", 4, "broken.yaml, line 3: broken YAML"),
    ("include: key.yaml\n", 2, "key.yaml, line 4: services.db.imge: a service has no imge"),
    ("include: deep.yaml\n", 2, "key.yaml, line 4: services.db.imge: a service has no imge"),
    ("include: loop.yaml\n", 2, "pool.yaml, line 1: include[0]: loop.yaml includes itself in the end"),
    ("include: list.yaml\n", 2, "list.yaml, line 1: it is no Compose file"),
    ("include: must.yaml\n", 2, "must.yaml, line 3: the variable TAG has to be set: name it"),
    ("include: [ok.yaml, other.yaml]\n", 2, "db of the services is declared by another file as well"),
    ("include: ok.yaml\nservices:\n  db: {image: z}\n", 4, "services.db: db of the services is declared by another"),
    ("include: ok.yaml\nnetworks:\n  back:\n", 4, "networks.back: back of the networks is declared by another"),
    ("include: https://git.example/a.git\n", 2, "only a file of this machine can be included"),
    ("include: [{project_directory: .}]\n", 2, "path is needed"),
    ("include: [{path: []}]\n", 2, "the path of a file is needed"),
    ("include: [{path: ok.yaml, env: x}]\n", 2, "an include has no env"),
    ("include:\n  - path: ok.yaml\n    env_file: none.env\n", 4, "there is no file none.env"),
    ("include:\n  - path: must.yaml\n    env_file: bad.env\n", 3, "bad.env: line 1: NAME=VALUE is needed"),
    ("include: [{path: [first.yaml, second.yaml]}]\n", 2, "second.yaml, line 6: services.web.ports[1]"),
    ("services:\n  a:\n    extends: {file: none.yaml, service: a}\n", 4, "No such file or directory: none.yaml"),
    ("services:\n  a:\n    extends: {file: ok.yaml, service: a}\n", 4, "a extends 'a', which is no service of ok.yaml"),
    ("services:\n  a:\n    extends: {fil: ok.yaml}\n", 4, "extends has no fil"),
    ("services:\n  a:\n    extends: {file: loop.yaml, service: a}\n", 4, "loop.yaml has no services"),
    (
        "services:\n  a:\n    extends: {file: key.yaml, service: db}\n",
        4,
        "key.yaml, line 4: services.a.imge: a service",
    ),
    ("services:\n  a:\n    extends: {file: more.yaml, service: db}\n", 4, "key.yaml, line 4: services.a.imge: a servi"),
    (
        "services:\n  a:\n    extends: {file: more.yaml, service: self}\n",
        4,
        "more.yaml, line 4: they extend each other",
    ),
    (
        "services:\n  a:\n    extends: {file: first.yaml, service: web}\n    image: x\n    ports: ['80:80', x]\n",
        6,
        "services.a.ports[1]",
    ),
]


@pytest.mark.parametrize(("body", "line", "says"), BAD, ids=[one[2] for one in BAD])
def test_what_is_wrong_in_another_file_is_named_with_its_line_there(body: str, line: int, says: str) -> None:
    write(FILES)
    with pytest.raises(InvalidSpec) as caught:
        read(body)
    assert says in caught.value.message
    assert caught.value.where.line == line
    assert len(str(caught.value).splitlines()) <= 3


def test_an_included_project_runs(yard: Yard) -> None:
    write(
        {
            "shop/compose.yaml": "services:\n  web:\n    build: .\n    environment: {WORD: $WORD}\n"
            "    command: sleep 1000\n    stop_signal: KILL\n",
            "shop/.env": "WORD=hello\n",
            "shop/Dockerfile": "FROM busybox\nCOPY page /page\n",
            "shop/page": "of the shop",
        }
    )
    yard.up("include: [shop/compose.yaml]\n")
    assert yard.execute("web", "sh", "-c", "echo $WORD; cat /page").split("\r\n") == ["hello", "of the shop"]
