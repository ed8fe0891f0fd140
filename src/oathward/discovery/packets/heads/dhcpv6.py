"""DHCP for IPv6: a client's DUID, name, vendor class and the address it uses.

Source: RFC 8415 §8 (messages), §11 (DUID), §21 (options), RFC 4704 (client FQDN).
"""

from __future__ import annotations

from socket import AF_INET6, inet_ntop

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import folded, mac, text

_CLIENT_ID, _IA_NA, _IA_ADDRESS, _ASKED, _VENDOR, _FQDN = 1, 3, 5, 6, 16, 39
_REPLY = 7
_PORTS = frozenset((546, 547))
_KINDS = frozenset(range(1, 12))


def _datagram(half: Half, data: bytes, us: int) -> None:
    flow = half.flow
    options = _options(data, 4) if len(data) >= 4 else None
    if options is None:
        flow.notes.refuse(Reason.OBSERVED_BROKEN, "dhcpv6")
        return
    duid = options.get(_CLIENT_ID, b"")[:130]
    marks = [Mark(MarkKind.CLIENT_ID, duid.hex())]
    if duid[:4] in (
        b"\0\x01\0\x01",
        b"\0\x03\0\x01",
    ):  # made of a card of the client, which may have been moved since
        marks.append(Mark(MarkKind.MAC, mac(duid[-6:])) if duid[1] == 3 else Mark(MarkKind.MAC, ""))
    name = _name(options.get(_FQDN, b"")[1:])
    facts = [Fact("host", name, 0.7), Fact("dhcp-vendor-class", text(options.get(_VENDOR, b"")[6:]), 0.7)]
    facts.append(Fact("dhcpv6-options", ",".join(map(str, _numbers(options.get(_ASKED, b"")[:120]))), 0.7))
    if name and data[0] != _REPLY:
        marks.append(Mark(MarkKind.HOST, folded(name)))
    if data[0] == _REPLY:
        inner = _options(options.get(_IA_NA, b""), 12) or {}
        address = inner.get(_IA_ADDRESS, b"")[:16]
        if len(address) == 16 and duid:
            marks.append(Mark(MarkKind.ADDRESS, inet_ntop(AF_INET6, address)))
        facts = []
    elif duid:
        marks.append(half.mark())
    flow.notes.say(us, "dhcpv6", marks, facts, flow.segment)


def _options(data: bytes, at: int) -> dict[int, bytes] | None:
    found: dict[int, bytes] = {}
    while at + 4 <= len(data):
        kind, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 4 + size > len(data):
            return None
        found.setdefault(kind, data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def _name(data: bytes) -> str:
    labels, at = [], 0
    while at < len(data) and 0 < data[at] < 64:
        labels.append(text(data[at + 1 : at + 1 + data[at]]))
        at += 1 + data[at]
    return ".".join(labels)


def _numbers(data: bytes) -> list[int]:
    return [data[i] << 8 | data[i + 1] for i in range(0, len(data) - 1, 2)]


def _knows(data: bytes, source: int, target: int) -> bool:
    return len(data) >= 8 and data[0] in _KINDS and source in _PORTS and target in _PORTS


HEAD = Head(service="dhcpv6", over="udp", knows=_knows, datagram=_datagram, order=30)
