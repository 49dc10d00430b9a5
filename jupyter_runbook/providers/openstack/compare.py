"""Compare what a cell wants of a resource with what the service reports, field by field. Pure.

What a cell does not give is not compared. A mapping is compared by the keys that the cell gives, a list as a whole.
What the service does not report is unknown: it is no difference.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_runbook.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Rule = Mapping[str, Any]

    from jupyter_runbook.providers.openstack.kinds import Change, Field, Kind

__all__ = ["UNKNOWN", "Difference", "differences", "extra_rules", "missing_rules", "rule"]


class _Unknown:
    """What a service does not report."""

    def __repr__(self) -> str:
        return "unknown"


#: Stands where a service does not report an attribute: it is equal to all that a cell may want.
UNKNOWN: Any = _Unknown()

# Names and numbers of the protocols that people write in security groups (IANA's protocol numbers).
PROTOCOLS = {
    "1": "icmp",
    "6": "tcp",
    "17": "udp",
    "58": "ipv6-icmp",
    "icmpv6": "ipv6-icmp",
    "132": "sctp",
    "47": "gre",
    "112": "vrrp",
}
ALL_PORTS = (1, 65535)
EVERYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
# The rules of every new group.
OUT: tuple[Rule, ...] = tuple({"direction": "egress", "ether_type": version} for version in EVERYWHERE)


@dataclass(frozen=True)
class Difference:
    """One field that is not as the cell wants it.

    Parameters
    ----------
    name
        The field's.
    before, after
        As it is, and as it shall be.
    change
        What it takes: a call, or a new resource.
    """

    name: str
    before: Any
    after: Any
    change: Change


def differences(kind: Kind, wanted: Mapping[str, Any], observed: Mapping[str, Any]) -> list[Difference]:
    """Return what is not as it shall be.

    Parameters
    ----------
    kind
        The resource's kind.
    wanted
        The fields that the cell gives, references as IDs; of one that is yet to be made, anything that is no ID.
    observed
        The same fields as they are; one that is left out is unknown.
    """
    found = []
    for name, value in wanted.items():
        field = kind.fields[name]
        before = observed.get(name, UNKNOWN)
        known = field.change != "once" and value is not UNKNOWN and before is not UNKNOWN
        if known and not _same(field, name, value, before):
            change = field.change
            if change == "grow":
                change = "update" if value > before else "replace"
            found.append(Difference(name, before, value, change))
    return found


def rule(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a security group's rule in one form: two of the same form let the same through (TRAPS, OpenStack 6).

    An address alone is a range of one, -1 and no port are every port, as 1 to 65535 are, and a protocol has one name.
    """
    ether_type = values.get("ether_type") or "IPv4"
    protocol = str(values.get("protocol") or "any").lower()
    protocol = PROTOCOLS.get(protocol, "any" if protocol in {"-1", "0"} else protocol)
    least, most = (_port(values.get(key)) for key in ("port_range_min", "port_range_max"))
    if protocol in {"tcp", "udp", "sctp"}:
        if (least or 1, most or least or ALL_PORTS[1]) == ALL_PORTS:
            least = most = None
        elif most is None:
            most = least
    prefix = values.get("remote_ip_prefix")
    prefix = str(ipaddress.ip_network(prefix, strict=False)) if prefix else None
    if prefix == EVERYWHERE.get(ether_type):
        prefix = None
    group = values.get("remote_group")
    return (values.get("direction") or "ingress", ether_type, protocol, least, most, prefix, group)


def _port(value: Any) -> Any:
    return None if value == -1 else value


def _same(field: Field, name: str, wanted: Any, observed: Any) -> bool:
    special = _SPECIAL.get(name)
    if special:
        return special(wanted, observed)
    compare = _FORMS.get(field.form)
    return compare(field, wanted, observed) if compare else bool(wanted == observed)


def _switch(_field: Field, wanted: Any, observed: Any) -> bool:
    # True is any, False is none.
    return wanted == bool(observed) if isinstance(wanted, bool) else bool(wanted == observed)


def missing_rules(wanted: Iterable[Rule], observed: Iterable[Rule]) -> list[Rule]:
    """Return the rules that are wanted and are not there, each once."""
    there = {rule(one) for one in observed}
    return list({rule(one): one for one in wanted if rule(one) not in there}.values())


def extra_rules(wanted: Iterable[Rule], observed: Iterable[Rule]) -> list[Rule]:
    """Return the rules that are there and are not wanted.

    A new group lets everything out (TRAPS, OpenStack 5): where the cell has no rule for that way, those rules stay.
    """
    named = {rule(one) for one in wanted}
    kept = set() if any(one[0] == "egress" for one in named) else {rule(one) for one in OUT}
    return [one for one in observed if rule(one) not in named | kept]


def _match(field: Field, wanted: Iterable[Mapping[str, Any]], observed: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether each wanted mapping has an observed one to itself, by the keys that it gives, and none is left."""
    left = list(observed)
    for one in wanted if field.ordered else sorted(wanted, key=len, reverse=True):
        candidates = left[:1] if field.ordered else left
        found = next((it for it in candidates if all(_equal(one[key], it.get(key)) for key in one)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def _equal(wanted: Any, observed: Any) -> bool:
    return observed is UNKNOWN or _text(wanted) == _text(observed)


def _texts(field: Field, values: Any) -> list[str]:
    found = [_text(one) for one in values or ()]
    return found if field.ordered else sorted(set(found))


def _text(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    return "" if value is None else str(value)


def _same_key(wanted: Any, observed: Any) -> bool:
    return str(wanted).split()[:2] == str(observed).split()[:2]


_FORMS: dict[str, Callable[[Field, Any, Any], bool]] = {
    "text": lambda _field, wanted, observed: _text(wanted) == _text(observed),
    # By the keys that are given.
    "mapping": lambda _field, wanted, observed: (wanted or {}).items() <= (observed or {}).items(),
    "names": lambda field, wanted, observed: _texts(field, wanted) == _texts(field, observed),
    "items": _match,
    "item": lambda field, wanted, observed: _match(field, [wanted] if wanted else [], [observed] if observed else []),
    "switch": _switch,
}
_SPECIAL: dict[str, Callable[[Any, Any], bool]] = {
    "rules": lambda wanted, observed: not missing_rules(wanted, observed) and not extra_rules(wanted, observed),
    # What comes after the key itself is a comment.
    "public_key": _same_key,
    "private_key_file": _same_key,
}
