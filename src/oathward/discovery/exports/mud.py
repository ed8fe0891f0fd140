"""What devices of one model were seen to speak, as a MUD file: what each of them needs, and nothing that only one ever did.

Rules:
- A conversation is in where enough devices had it (``devices_min``) and somebody answered; what is left out is counted by why.
- A peer with a name is its name; one in the site's own networks is ``local-networks``, another of the same make ``same-manufacturer``;
  an address outside without a name is that address alone.
- Each conversation is two entries, one a direction; of TCP with who began (``direction-initiated``).
- Learned is not permitted: a person looks at it.

Source: RFC 8520; RFC 8519.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple

from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

RULES_MAX = 500
_TRANSPORTS = {"tcp": 6, "udp": 17}


class Spoke(NamedTuple):
    """What one device had with one peer.

    Args:
        device: id. began: it asked; else it was asked. peer: address; name: of the peer, empty where unknown.
        own: the peer is in the site's own networks. same: it is of the same maker. answered: flows that somebody answered, or of which that is not known.
    """

    device: str
    began: bool
    peer: str
    name: str
    own: bool
    same: bool
    transport: str
    port: int
    answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Of what the file is. ``url``: https, where it will be found; ``at_us``: when it was learned."""

    url: str
    make: str
    model: str
    at_us: int


class _Key(NamedTuple):
    version: int
    kind: str
    value: str
    transport: str
    port: int
    began: bool


def learn(
    spoken: Iterable[Spoke], model: Model, *, devices_min: int = 2
) -> tuple[dict[str, Any], Mapping[str, int]]:
    """Write a MUD file; gives what was left out too, by why.

    Args:
        devices_min: devices that must have had a conversation; of a model of which fewer spoke at all, all of them.

    Raises:
        InputError: the URL is not https, nobody spoke, or too much would have to stand in it.
    """
    if not model.url.startswith("https://"):
        raise InputError("url", "is an https URL (RFC 8520 §3.1)", reason=Reason.VALUE_INVALID)
    having: dict[_Key, set[str]] = defaultdict(set)
    left: Counter[str] = Counter()
    devices: set[str] = set()
    for one in spoken:
        devices.add(one.device)
        if one.transport not in _TRANSPORTS:
            left["transport"] += 1
        elif not one.answered:
            left["unanswered"] += 1
        else:
            having[_key(one)].add(one.device)
    least = min(devices_min, len(devices))
    keys = sorted(key for key, who in having.items() if len(who) >= least)
    left["rare"] = len(having) - len(keys)
    if not keys:
        raise InputError("flows", "hold no conversation that enough devices had", reason=Reason.MESSAGE_EMPTY)
    if len(keys) > RULES_MAX:
        raise InputError(
            "flows", f"need more than {RULES_MAX} rules: no model needs that", reason=Reason.LIMIT_EXCEEDED
        )
    return _document(keys, model), left


def _key(one: Spoke) -> _Key:
    version = ip_address(one.peer).version
    if one.same:
        kind, value = "same-manufacturer", ""
    elif one.name and not one.own:
        kind, value = "name", one.name.rstrip(".").lower()
    elif one.own:
        kind, value = "local-networks", ""
    else:
        kind, value = "network", f"{one.peer}/{32 if version == 4 else 128}"
    return _Key(version, kind, value, one.transport, one.port, one.began)


def _document(keys: Iterable[_Key], model: Model) -> dict[str, Any]:
    aces: dict[tuple[int, bool], list[dict[str, Any]]] = defaultdict(list)
    for number, key in enumerate(keys, 1):
        for outward in (True, False):
            aces[key.version, outward].append(
                _ace(key, f"c{number}-{'from' if outward else 'to'}", outward=outward)
            )
    names = {at: f"mud-v{at[0]}-{'from' if at[1] else 'to'}" for at in aces}
    policies = {
        f"{'from' if outward else 'to'}-device-policy": {
            "access-lists": {"access-list": [{"name": names[at]} for at in sorted(aces) if at[1] is outward]}
        }
        for outward in (True, False)
    }
    mud: dict[str, Any] = {
        "mud-version": 1,
        "mud-url": model.url,
        "last-update": iso(from_micros(model.at_us)),
        "cache-validity": 48,
        "is-supported": True,
        "systeminfo": f"{model.make} {model.model}, learned from traffic"[:60],
        "mfg-name": model.make,
        "model-name": model.model,
        **policies,
    }
    acls = [
        {"name": names[at], "type": f"ipv{at[0]}-acl-type", "aces": {"ace": aces[at]}} for at in sorted(aces)
    ]
    return {"ietf-mud:mud": mud, "ietf-access-control-list:acls": {"acl": acls}}


def _ace(key: _Key, name: str, *, outward: bool) -> dict[str, Any]:
    ip: dict[str, Any] = {"protocol": _TRANSPORTS[key.transport]}
    matches: dict[str, Any] = {}
    if key.kind == "name":
        ip[f"ietf-acldns:{'dst' if outward else 'src'}-dnsname"] = key.value
    elif key.kind == "network":
        ip[f"{'destination' if outward else 'source'}-ipv{key.version}-network"] = key.value
    else:
        matches["ietf-mud:mud"] = {key.kind: [None]}
    port = "destination-port" if outward is key.began else "source-port"
    layer: dict[str, Any] = {port: {"operator": "eq", "port": key.port}}
    if key.transport == "tcp":
        layer["ietf-mud:direction-initiated"] = "from-device" if key.began else "to-device"
    matches |= {f"ipv{key.version}": ip, key.transport: layer}
    return {"name": name, "matches": matches, "actions": {"forwarding": "accept"}}
