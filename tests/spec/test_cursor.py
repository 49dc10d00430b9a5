"""Where the cursor is in a body that is not whole yet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_runbook.spec.cursor import Place, place_of

SERVERS = """networks:
  - name: back
servers:
  - name: web
    image: debian  # and a remark
"""

PLACES = {
    "": Place((), ""),
    "net": Place((), "net"),
    "networks:\n": Place((), ""),
    "networks:\n  ": Place(("networks",), ""),
    "networks:\n  -": Place(("networks",), ""),
    "networks:\n  - ": Place(("networks",), ""),
    "networks:\n  - na": Place(("networks",), "na"),
    "networks:\n- na": Place(("networks",), "na"),
    "networks:   # ours\n  - name: back\n    mt": Place(("networks",), "mt"),
    "networks:\n  - name: ba": Place(("networks", "name"), "ba", inline=True),
    "networks: [": Place(("networks",), "", inline=True),
    "networks: [{name: a, m": Place(("networks",), "m"),
    "networks: [{name: a}, ": Place(("networks",), "", inline=True),
    "networks: [{name: a}, {": Place(("networks",), ""),
    "networks:\n  - {name: back, is_shared: t": Place(("networks", "is_shared"), "t", inline=True),
    "networks:\n  - {name: back, description: a new ne": Place(("networks", "description"), "ne", inline=True),
    "networks:\n  - {name: 'a, b: {', m": Place(("networks",), "m"),
    f"{SERVERS}    fl": Place(("servers",), "fl"),
    f"{SERVERS}    networks: [ba": Place(("servers", "networks"), "ba", inline=True),
    f"{SERVERS}    networks: [back, ": Place(("servers", "networks"), "", inline=True),
    f"{SERVERS}    networks: [{{network: back, fi": Place(("servers", "networks"), "fi"),
    f"{SERVERS}    networks:\n      - net": Place(("servers", "networks"), "net"),
    f"{SERVERS}    networks:\n      - network: back\n        fi": Place(("servers", "networks"), "fi"),
    f"{SERVERS}    networks:\n    - network: back\n    fl": Place(("servers",), "fl"),
    f"{SERVERS}    metadata: {{a: b}}\n    fl": Place(("servers",), "fl"),
    f"{SERVERS}vol": Place((), "vol"),
    "users:\n  - {name: a, password: {{ PASS": Place(("users", "password"), "PASS"),
}


@pytest.mark.parametrize("before", PLACES)
def test_place(before: str) -> None:
    assert place_of(before) == PLACES[before]


@given(st.text(alphabet=" \n-:{}[],'\"#ab", max_size=40))
def test_any_text_leads_somewhere(before: str) -> None:
    place = place_of(before)
    assert before.endswith(place.typed)
    assert all(place.path)
