"""NetBIOS names: what a host registers itself as.

Source: RFC 1001 §14.1 (first level encoding), RFC 1002 §4.2.2 (name registration), §4.2.13 (positive response).
"""

from __future__ import annotations

from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.answers import looks
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import folded, text

_PORT = 137
_REGISTRATION, _REFRESH = 5, 8
_HOSTS = frozenset((0x00, 0x20))
"""Suffixes of the workstation and the file server: both are the host's own name."""


def _datagram(half: Half, data: bytes, us: int) -> None:
    if len(data) < 46 or data[2] & 0x80 or data[12] != 32:
        return
    if data[2] >> 3 & 15 not in (_REGISTRATION, _REFRESH):
        return
    coded = data[13:45]
    if not all(65 <= byte <= 80 for byte in coded):
        return
    plain = bytes((coded[i] - 65) << 4 | (coded[i + 1] - 65) for i in range(0, 32, 2))
    grouped = len(data) >= 68 and data[-6] & 0x80
    name = text(plain[:15])
    if plain[15] in _HOSTS and name and not grouped:
        marks = [half.mark(), Mark(MarkKind.HOST, folded(name))]
        half.flow.notes.say(us, "nbns", marks, [Fact("host", name, 0.6)], half.flow.segment)


def _knows(data: bytes, source: int, target: int) -> bool:
    return _PORT in (source, target) and looks(data)


HEAD = Head(service="netbios-ns", over="udp", knows=_knows, datagram=_datagram, order=13)
