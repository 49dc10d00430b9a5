"""What tab completion offers in a cell of ``%%os``."""

from __future__ import annotations

import pytest

from jupyter_runbook.providers.openstack.body import NAMED
from jupyter_runbook.providers.openstack.completing import words_at
from jupyter_runbook.providers.openstack.kinds import KINDS
from jupyter_runbook.spec.cursor import place_of

BODY = """networks: [{name: back}, {name: front}]
security_groups:
  - name: web
    rules: [{protocol: tcp, RULE}]
routers:
  - {name: out, ROUTER}
servers:
  - name: web1
    SERVER
    networks: [NETWORK]
    security_groups:
      - GROUP
    floating_ip: FLAG
floating_ips: [KIND]
KEY
"""

OFFERED = {
    "KEY": {"networks:", "servers:", "quotas:"},
    "RULE": {"direction:", "port_range_min:"},
    "ROUTER": {"name:", "external_gateway:", "interfaces:"},
    "SERVER": {"image:", "flavor:", "networks:", "name:"},
    "NETWORK": {"back", "front"},
    "GROUP": {"web"},
    "FLAG": {"true", "false"},
    "KIND": set(),
}


@pytest.mark.parametrize("mark", OFFERED)
def test_words(mark: str) -> None:
    before = BODY[: BODY.index(mark)]
    words = list(words_at(place_of(before), BODY.replace(mark, "")))
    assert OFFERED[mark] <= set(words)
    if mark not in {"KEY", "RULE", "ROUTER", "SERVER"}:
        assert set(words) == OFFERED[mark]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("kind", NAMED)
def test_every_field_of_a_kind_is_offered(kind: str) -> None:
    known = KINDS[kind]
    words = set(words_at(place_of(f"{kind}:\n  - "), ""))
    assert words == {f"{name}:" for name in (known.identity, *known.fields)}


def test_nothing_is_offered_where_no_kind_is_known() -> None:
    assert not list(words_at(place_of("nets:\n  - na"), ""))
    assert not list(words_at(place_of("networks:\n  - nome: "), ""))
