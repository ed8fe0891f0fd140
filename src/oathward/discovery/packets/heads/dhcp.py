"""DHCP for IPv4: which card has which address, and how a client describes itself.

Rules:
- A client's own messages give its card, client identifier, host name, vendor class and the list of options it asks for, in its order.
- Card and address belong together where a server acknowledges, or where a client uses its address already (ciaddr).
- Who asks for an address from that address (ciaddr), and what a server acknowledges so, goes on with a lease; who asks from none asks anew.
- Options may go on in the fields for file and server name (option 52).

Source: RFC 2131 §2 (messages), §4.3.2 and table 3 (ciaddr), RFC 2132 (options), RFC 3396 (long options), RFC 4361 (client identifiers).
"""

from __future__ import annotations

from socket import inet_ntoa

from oathward.core.reasons import Reason
from oathward.discovery.model import RENEWED, Fact, Mark, MarkKind
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import folded, mac, text

_COOKIE = b"\x63\x82\x53\x63"
_HOST, _OVERLOAD, _TYPE, _ASKED, _VENDOR, _CLIENT, _NAME = 12, 52, 53, 55, 60, 61, 81
_REQUEST = 1
_ASKS, _ACK = b"\x03", b"\x05"
_NOBODY = b"\0\0\0\0"
OPTIONS_MAX = 300


def _datagram(half: Half, data: bytes, us: int) -> None:
    flow = half.flow
    if not _knows(data, 0, 0):  # one behind others of the same ports
        flow.notes.refuse(Reason.OBSERVED_BROKEN, "dhcp")
        return
    card = mac(data[28:34]) if data[1] == 1 and data[2] == 6 else ""
    options = _options(data)
    if options is None:
        flow.notes.refuse(Reason.OBSERVED_BROKEN, "dhcp")
        return
    kind = options.get(_TYPE, b"\0")[:1]
    marks = [Mark(MarkKind.MAC, card)] if card else []
    facts: list[Fact] = []
    if data[0] == _REQUEST:
        address = data[12:16]
        marks += [Mark(MarkKind.CLIENT_ID, options.get(_CLIENT, b"")[:64].hex())]
        host = text(options.get(_HOST, b"").rstrip(b"\0")) or text(options.get(_NAME, b"")[3:]) * (
            not (options.get(_NAME) or b"\0")[0] & 4
        )
        if host:
            marks.append(Mark(MarkKind.HOST, folded(host)))
            facts.append(Fact("host", host, 0.8))
        facts.append(Fact("dhcp-vendor-class", text(options.get(_VENDOR, b"").rstrip(b"\0")), 0.8))
        facts.append(Fact("dhcp-options", ",".join(map(str, options.get(_ASKED, b"")[:60])), 0.8))
    else:
        address = data[16:20] if kind == _ACK or not kind.strip(b"\0") else _NOBODY
        if address == _NOBODY:
            address = data[12:16] if kind == _ACK else _NOBODY
        if address == _NOBODY:
            return
    if _went_on(data, kind):
        facts.append(RENEWED)
    if address != _NOBODY and marks:
        marks.append(Mark(MarkKind.ADDRESS, inet_ntoa(address)))
    flow.notes.say(us, "dhcp", marks, facts, flow.segment)


def _went_on(data: bytes, kind: bytes) -> bool:
    if data[0] == _REQUEST:
        return kind == _ASKS and data[12:16] != _NOBODY
    return kind == _ACK and data[12:16] == data[16:20] != _NOBODY


def _options(data: bytes) -> dict[int, bytes] | None:
    """Read options, those of the overloaded fields after the others; None where one ends beyond its field."""
    found: dict[int, bytes] = {}
    if not _read(data[240:], found):
        return None
    overload = found.get(_OVERLOAD, b"\0")[:1]
    if overload in (b"\x01", b"\x03") and not _read(data[108:236], found):
        return None
    if overload in (b"\x02", b"\x03") and not _read(data[44:108], found):
        return None
    return found


def _read(data: bytes, found: dict[int, bytes]) -> bool:
    at = 0
    for _ in range(OPTIONS_MAX):
        if at >= len(data) or data[at] == 255:
            return True
        if data[at] == 0:
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            return False
        value = data[at + 2 : at + 2 + data[at + 1]]
        found[data[at]] = found.get(data[at], b"") + value
        at += 2 + len(value)
    return True


def _knows(data: bytes, _source: int, _target: int) -> bool:
    return len(data) >= 240 and data[0] in (1, 2) and data[236:240] == _COOKIE


HEAD = Head(service="dhcp", over="udp", knows=_knows, datagram=_datagram, order=20)
