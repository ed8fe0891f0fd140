"""MUD files: what devices of one model may speak, as their maker says.

Rules:
- What a rule says and is not understood makes that rule refused, never wider.
- Drafts that makers still ship (``access-lists``, ``ipv4-acl``, ports inside the address part) are read as the standard is.
- The file's signature is not checked here: a file given by hand is a person's word, not its maker's.

Source: RFC 8520; RFC 8519 (ACLs); draft-ietf-opsawg-mud-08 (the older names).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from typing import Any

import orjson

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists.opening import Source
from oathward.discovery.lists.reading import How, ListFormat, MayDo, MayRule, Peer, Refused, Told, refusals
from oathward.discovery.values import printable

BYTES_MAX = 1024 * 1024
RULES_MAX = 5_000
_ANY = (0, 65_535)
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
_NO_VALUE = ("my-controller", "local-networks", "same-manufacturer")
_FAMILIES = {"ipv4": 4, "ipv6": 6, "ipv4-acl": 4, "ipv6-acl": 6}
_LAYER_3 = {"protocol", "ietf-acldns:src-dnsname", "ietf-acldns:dst-dnsname", "source-ipv4-network", "destination-ipv4-network", "source-ipv6-network", "destination-ipv6-network"}  # fmt: skip
_PORTS = {"source-port": "source", "destination-port": "destination", "source-port-range-or-operator": "source", "destination-port-range-or-operator": "destination"}  # fmt: skip


def read(sources: Iterable[Source], how: How) -> Iterator[Told | Refused]:
    """Read MUD files, one model each."""
    _ = how
    for one in sources:
        yield from refusals(one.name, lambda: 0, _read(one))


def _read(source: Source) -> Iterator[Told | Refused]:
    data = b""
    for block in source.blocks():
        data += block
        if len(data) > BYTES_MAX:
            raise InputError("file", f"at most {BYTES_MAX} bytes", reason=Reason.LIMIT_EXCEEDED)
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InputError("file", "is not JSON", reason=Reason.JSON_INVALID) from error
    model, refused = may_do(document)
    for where, wrong in refused:
        yield Refused(
            source.name, 0, f"{where}{f'.{wrong.where}' if wrong.where else ''}", wrong.reason, wrong.why
        )
    yield Told(source.name, 0, model)


def may_do(document: Any) -> tuple[MayDo, list[tuple[str, InputError]]]:
    """Read a MUD file; gives the rules that were refused beside it, with their places.

    Raises:
        InputError: it is none.
    """
    top = _object(document, "file")
    mud = _object(top.get("ietf-mud:mud"), "ietf-mud:mud")
    url = _text(mud, "mud-url")
    if not url.startswith("https://"):
        raise InputError("mud-url", "is an https URL (RFC 8520 §3.1)", reason=Reason.VALUE_INVALID)
    acls = {}
    lists = top.get("ietf-access-control-list:acls", top.get("ietf-access-control-list:access-lists"))
    for acl in _array(_object(lists, "acls").get("acl"), "acls.acl"):
        acls[_text(_object(acl, "acl"), "name")] = acl
    rules: list[MayRule] = []
    refused: list[tuple[str, InputError]] = []
    for key, from_device in (("from-device-policy", True), ("to-device-policy", False)):
        for number, name in enumerate(_named(mud, key), 1):
            where = f"{key} {number}"
            if name not in acls:
                refused.append(
                    (where, InputError("", "names a list that is not there", reason=Reason.ELEMENT_MISSING))
                )
                continue
            _rules(acls[name], where, rules, refused, from_device=from_device)
    if len(rules) > RULES_MAX:
        raise InputError("acls", f"at most {RULES_MAX} rules", reason=Reason.LIMIT_EXCEEDED)
    model = MayDo(
        url=printable(url),
        make=_text(mud, "mfg-name"),
        model=_text(mud, "model-name"),
        firmware=_text(mud, "firmware-rev"),
        words=_text(mud, "systeminfo"),
        updated=_text(mud, "last-update"),
        supported=mud.get("is-supported") is not False,
        documentation=_text(mud, "documentation"),
        rules=tuple(rules),
    )
    return model, refused


def _named(mud: Mapping[str, Any], key: str) -> list[str]:
    if key not in mud:
        return []
    lists = _object(_object(mud[key], key).get("access-lists"), f"{key}.access-lists")
    return [
        _text(_object(one, key), "name") for one in _array(lists.get("access-list"), f"{key}.access-list")
    ]


def _rules(
    acl: Mapping[str, Any],
    where: str,
    rules: list[MayRule],
    refused: list[tuple[str, InputError]],
    *,
    from_device: bool,
) -> None:
    entries = _object(acl.get("aces", acl.get("access-list-entries")), f"{where}.aces")
    for number, ace in enumerate(_array(entries.get("ace"), f"{where}.ace"), 1):
        try:
            rules.append(_rule(_object(ace, "ace"), from_device=from_device))
        except InputError as error:
            refused.append((f"{where}, rule {number}", error))


def _rule(ace: Mapping[str, Any], *, from_device: bool) -> MayRule:
    forwarding = _text(_object(ace.get("actions"), "actions"), "forwarding").rpartition(":")[2]
    if forwarding not in {"accept", "drop", "reject"}:
        raise InputError("actions.forwarding", "accept, drop or reject", reason=Reason.CODE_NOT_ALLOWED)
    matches = _object(ace.get("matches"), "matches")
    peers: list[Peer] = []
    transport, version, initiated = "", 0, ""
    ports = {"source": _ANY, "destination": _ANY}
    for key, part in matches.items():
        part = _object(part, key)
        if key == "ietf-mud:mud":
            peers += _peers(part)
        elif key in _FAMILIES:
            version = _FAMILIES[key]
            said = _layer_3(part, key, peers, ports, from_device=from_device)
            transport = said or transport
        elif key in {"tcp", "udp"}:
            transport = key
            initiated = _layer_4(part, key, ports)
        elif key in {"icmp", "icmpv4", "icmpv6"} and not part:
            transport = "icmpv6" if key == "icmpv6" else "icmp"
        else:
            raise InputError("matches", "has a part not understood", reason=Reason.ELEMENT_UNKNOWN)
    far, own = ("destination", "source") if from_device else ("source", "destination")
    return MayRule(
        from_device,
        forwarding == "accept",
        tuple(dict.fromkeys(peers)) or (Peer("any"),),
        transport,
        version,
        ports[far],
        ports[own],
        initiated,
    )


def _peers(part: Mapping[str, Any]) -> list[Peer]:
    found = []
    for key, value in part.items():
        name = key.rpartition(":")[2]
        if name in _NO_VALUE:
            found.append(Peer(name))
        elif name in {"controller", "manufacturer", "model"} and isinstance(value, str):
            found.append(Peer(name, printable(value)))
        else:
            raise InputError(
                "matches.ietf-mud:mud", "has a part not understood", reason=Reason.ELEMENT_UNKNOWN
            )
    return found


def _layer_3(
    part: Mapping[str, Any],
    where: str,
    peers: list[Peer],
    ports: dict[str, tuple[int, int]],
    *,
    from_device: bool,
) -> str:
    """Read the part about addresses; gives the protocol it names."""
    far = "dst" if from_device else "src"
    transport = ""
    for key, value in part.items():
        if key in _PORTS:
            ports[_PORTS[key]] = _range(value, key)
        elif key not in _LAYER_3:
            raise InputError(f"matches.{where}", "has a part not understood", reason=Reason.ELEMENT_UNKNOWN)
        elif key == "protocol":
            if not isinstance(value, int) or not 0 <= value <= 255:
                raise InputError("protocol", "is a number below 256", reason=Reason.VALUE_INVALID)
            transport = _PROTOCOLS.get(value, str(value))
        elif key.endswith("-dnsname"):
            _far(key, f"{far}-dnsname")
            peers.append(Peer("name", printable(_text(part, key)).rstrip(".").lower()))
        else:
            _far(key.replace("source", "src").replace("destination", "dst"), far)
            peers.append(Peer("network", _network(value, key)))
    return transport


def _far(key: str, wanted: str) -> None:
    """Refuse an address of the device itself: a model has none (RFC 8520 §3.8)."""
    if wanted not in key:
        raise InputError("matches", "names an address at the device's own end", reason=Reason.RULE_BROKEN)


def _layer_4(part: Mapping[str, Any], where: str, ports: dict[str, tuple[int, int]]) -> str:
    initiated = ""
    for key, value in part.items():
        if key in _PORTS:
            ports[_PORTS[key]] = _range(value, key)
        elif key == "ietf-mud:direction-initiated" and value in {"from-device", "to-device"}:
            initiated = str(value)
        else:
            raise InputError(f"matches.{where}", "has a part not understood", reason=Reason.ELEMENT_UNKNOWN)
    return initiated


def _range(value: Any, where: str) -> tuple[int, int]:
    """Read RFC 8519's ports: an operator with one, or the lower and the upper."""
    said = _object(value, where)
    lower, upper = said.get("lower-port", said.get("port")), said.get("upper-port", said.get("port"))
    operator = said.get("operator", "eq")
    if not all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= 65_535 for one in (lower, upper)) or lower > upper:  # fmt: skip
        raise InputError(where, "ports from 0 to 65535", reason=Reason.VALUE_INVALID)
    if operator not in {"eq", "lte", "gte"}:  # neq would be two ranges
        raise InputError(where, "operator eq, lte or gte", reason=Reason.CODE_NOT_ALLOWED)
    return {"eq": (lower, upper), "lte": (0, upper), "gte": (lower, 65_535)}[operator]


def _network(value: Any, where: str) -> str:
    try:
        return str(ip_network(value if isinstance(value, str) else "", strict=False))
    except ValueError as error:
        raise InputError(where, "a network as in 192.0.2.0/24", reason=Reason.VALUE_INVALID) from error


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError(where, "is an object", reason=Reason.ELEMENT_TYPE)
    return value


def _array(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(where, "is an array", reason=Reason.ELEMENT_TYPE)
    return value


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key, "")
    if not isinstance(found, str):
        raise InputError(key, "is a text", reason=Reason.ELEMENT_TYPE)
    return printable(found)


def _knows(head: bytes, _name: str) -> bool:
    return b'"ietf-mud:mud"' in head


LIST = ListFormat(words="MUD file (RFC 8520)", source="mud", knows=_knows, read=read, order=20)
