"""What one match of nftables asks of a packet: as products of sets (``model.Match``). Pure.

Rules:
- ``conditions`` gives the matches that together say it, or says in ``unclear`` what it did not understand and gives what the packet must
  be at least (``icmp type`` asks for ICMP, whatever the type).

Source: libnftables-json(5), Expressions; nft(8), Payload and Meta expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple

from oathward.network.rules import spans
from oathward.network.rules.model import STATES, Match, Names, but
from oathward.network.rules.spans import PORTS, PROTOCOLS, V4, V6, Spans
from oathward.network.rules.words import PROTOCOL, SERVICE

MATCHES_MAX = 4_096
"""Matches that one rule may come to; beyond it is unclear."""

Elements = Callable[[str], list[Any] | None]
"""Elements of a named set; None where it is unknown or changes by itself."""

_L4 = {
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "sctp": 132,
    "udplite": 136,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "esp": 50,
    "ah": 51,
    "comp": 108,
}
_IP4 = Match(sources=V4, destinations=V4)
_IP6 = Match(sources=V6, destinations=V6)
_SIDES = {"saddr": "sources", "daddr": "destinations", "sport": "source_ports", "dport": "ports"}
_INTERFACES = {"iif": "inward", "iifname": "inward", "oif": "outward", "oifname": "outward"}
_FAMILY = {"ipv4": _IP4, "ip": _IP4, "ipv6": _IP6, "ip6": _IP6, 2: _IP4, 10: _IP6}


class Unclear(Exception):  # noqa: N818  no error: what was not understood, in words
    """A value or a key that is not understood."""


class _Key(NamedTuple):
    """What a key reads: the field of ``Match`` (empty where unknown), and what it implies."""

    field: str
    base: Match


def met(a: Match, b: Match) -> Match | None:
    """Give what both ask; None where nothing can be both."""
    both = Match(
        spans.common(a.sources, b.sources),
        spans.common(a.destinations, b.destinations),
        spans.common(a.protocols, b.protocols),
        spans.common(a.source_ports, b.source_ports),
        spans.common(a.ports, b.ports),
        a.states & b.states,
        both_names(a.inward, b.inward),
        both_names(a.outward, b.outward),
    )
    return None if empty(both) else both


def empty(match: Match) -> bool:
    """Say whether nothing can match."""
    sets = (match.sources, match.destinations, match.protocols, match.source_ports, match.ports, match.states)
    return not all(sets) or any(not one.names and not one.all_but for one in (match.inward, match.outward))


def named(name: str, names: frozenset[str]) -> bool:
    """Say whether an interface is one of these; ``eth*`` is every one that begins so."""
    return name in names or any(one.endswith("*") and name.startswith(one[:-1]) for one in names)


def both_names(a: Names, b: Names) -> Names:
    """Give the interfaces that are in both."""
    if a.all_but and b.all_but:
        return Names(a.names | b.names)
    if a.all_but:
        a, b = b, a
    if b.all_but:
        return Names(frozenset(name for name in a.names if not named(name, b.names)), all_but=False)
    found = {name for name in a.names if named(name, b.names)} | {
        name for name in b.names if named(name, a.names)
    }
    return Names(frozenset(found), all_but=False)


def conditions(left: Any, op: str, right: Any, elements: Elements, unclear: list[str]) -> list[Match]:
    """Give the matches of ``left op right``; what is not understood goes to ``unclear``."""
    keys = left["concat"] if isinstance(left, dict) and "concat" in left else [left]
    found = [_key(key) for key in keys]
    base = reduce(lambda one, key: met(one, key.base) or key.base, found, Match())
    try:
        if not all(key.field for key in found):
            raise Unclear(said(left))
        if len(found) == 1:
            return _single(found[0], op, right, elements)
        return _concatenated(found, op, right, elements)
    except (Unclear, ValueError, TypeError, KeyError, IndexError):
        unclear.append(said(left))
        return [base]


def said(left: Any) -> str:
    """Say which key was not understood, in the words of the format and without a value."""
    if isinstance(left, dict) and left:
        kind, body = next(iter(left.items()))
        if isinstance(body, dict):
            words = [
                str(body[name])
                for name in ("protocol", "field", "key", "name")
                if isinstance(body.get(name), str)
            ]
            return " ".join([str(kind) if kind != "payload" else "", *words]).strip()[:60]
        return str(kind)[:60]
    return "match"


def _key(left: Any) -> _Key:
    if not isinstance(left, dict):
        return _Key("", Match())
    payload, meta, ct = left.get("payload"), left.get("meta"), left.get("ct")
    if isinstance(payload, dict) and "protocol" in payload:
        return _payload(str(payload["protocol"]), str(payload.get("field")))
    if isinstance(meta, dict):
        name = str(meta.get("key"))
        fields = _INTERFACES | {"l4proto": "protocols", "nfproto": "family", "protocol": "family"}
        return _Key(fields.get(name, ""), Match())
    if isinstance(ct, dict) and ct.get("key") == "state" and "dir" not in ct:
        return _Key("states", Match())
    return _Key("", Match())


def _payload(protocol: str, name: str) -> _Key:
    if protocol in {"ip", "ip6"}:
        base = _IP4 if protocol == "ip" else _IP6
        is_protocol = name == ("protocol" if protocol == "ip" else "nexthdr")
        return _Key(
            "protocols" if is_protocol else _SIDES.get(name, "") if name.endswith("addr") else "", base
        )
    if protocol == "th":
        return _Key(_SIDES.get(name, ""), Match())
    number = _L4.get(protocol)
    if number is None:
        return _Key("", Match())
    base = replace(Match(), protocols=((number, number),))
    return _Key(_SIDES.get(name, "") if name.endswith("port") else "", base)


def _single(key: _Key, op: str, right: Any, elements: Elements) -> list[Match]:
    values = _flat(right, elements)
    whole = "*" in values
    values = [value for value in values if value != "*"]
    if key.field == "family":
        if op != "==" or whole:
            raise Unclear
        return [_FAMILY[value] for value in values]
    if key.field == "states":
        states = frozenset(values)
        if not states <= STATES or op not in {"==", "in", "!="} or whole:
            raise Unclear
        return _kept(replace(key.base, states=STATES - states if op == "!=" else states))
    if key.field in {"inward", "outward"}:
        if op not in {"==", "!="} or whole or not all(isinstance(value, str) for value in values):
            raise Unclear
        return _kept(but(key.base, key.field, Names(frozenset(values), all_but=op == "!=")))
    domain = getattr(key.base, key.field)
    asked = domain if whole else spans.joined(_span(key.field, value) for value in values)
    if op in {"<", "<=", ">", ">="}:
        asked = _ordered(op, asked, domain)
    elif op == "!=":
        asked = spans.without(domain, asked)
    elif op not in {"==", "in"} or (op == "in" and len(values) > 1):
        raise Unclear
    return _kept(but(key.base, key.field, spans.common(asked, domain)))


def _kept(match: Match) -> list[Match]:
    return [] if empty(match) else [match]


def _ordered(op: str, asked: Spans, domain: Spans) -> Spans:
    if len(asked) != 1 or asked[0][0] != asked[0][1]:
        raise Unclear
    at = asked[0][0]
    low, high = {"<": (0, at - 1), "<=": (0, at), ">": (at + 1, domain[-1][1]), ">=": (at, domain[-1][1])}[op]
    return spans.common(((low, high),), domain) if low <= high else ()


def _concatenated(keys: list[_Key], op: str, right: Any, elements: Elements) -> list[Match]:
    values = _flat(right, elements)
    if op not in {"==", "in"} or len(values) > MATCHES_MAX:
        raise Unclear
    found = []
    for value in values:
        parts = value["concat"]
        if len(parts) != len(keys):
            raise Unclear
        one: Match | None = Match()
        for key, part in zip(keys, parts, strict=True):
            single = _single(key, "==", part, elements)
            one = met(one, single[0]) if one and single else None
        if one:
            found.append(one)
    return found


def _flat(right: Any, elements: Elements) -> list[Any]:
    """Give the values of the right side: of a set, of a named one, or the one."""
    if isinstance(right, str) and right.startswith("@"):
        known = elements(right[1:])
        if known is None:
            raise Unclear
        right = known
    elif isinstance(right, dict) and "set" in right:
        right = right["set"]
    values = right if isinstance(right, list) else [right]
    found = []
    for value in values:
        inner = value["elem"] if isinstance(value, dict) and "elem" in value else None
        if inner is not None and ("timeout" in inner or "expires" in inner):
            raise Unclear
        found.append(inner["val"] if inner is not None else value)
    return found


def _span(field: str, value: Any) -> tuple[int, int]:
    if field in {"sources", "destinations"}:
        return _addresses(value)
    names: Mapping[str, int] = PROTOCOL if field == "protocols" else SERVICE
    limit = (PROTOCOLS if field == "protocols" else PORTS)[0][1]
    ends = value["range"] if isinstance(value, dict) else [value, value]
    first, last = (names[end] if isinstance(end, str) and not end.isdecimal() else int(end) for end in ends)
    if not 0 <= first <= last <= limit:
        raise Unclear
    return first, last


def _addresses(value: Any) -> tuple[int, int]:
    if isinstance(value, dict) and "prefix" in value:
        return spans.address_span(f"{value['prefix']['addr']}/{int(value['prefix']['len'])}")
    if isinstance(value, dict):
        first, last = value["range"]
        return spans.address_span(f"{first}-{last}")
    if not isinstance(value, str):
        raise Unclear
    return spans.address_span(value)
