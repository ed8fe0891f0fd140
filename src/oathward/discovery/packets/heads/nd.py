"""Neighbour discovery of IPv6: which card has which address.

Source: RFC 4861 §4.3 (solicitation), §4.4 (advertisement), §4.6.1 (link-layer addresses); hop limits of 255 are not seen here.
"""

from __future__ import annotations

from socket import AF_INET6, inet_ntop

from oathward.discovery.model import Mark, MarkKind
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.layers import Framed
from oathward.discovery.packets.notes import Notes, mac

_SOLICITATION, _ADVERTISEMENT = 135, 136
_SOURCE_CARD, _TARGET_CARD = 1, 2
OPTIONS_MAX = 8


def _frame(notes: Notes, data: bytes, framed: Framed, us: int) -> None:
    """Take a message of ICMPv6; 24 bytes before it stands the sender's address, unless there are extensions."""
    at = framed.begin
    kind = data[at] if at < len(data) else 0
    if kind not in (_SOLICITATION, _ADVERTISEMENT) or len(data) < at + 24 or at < 40:
        return
    address = data[at + 8 : at + 24] if kind == _ADVERTISEMENT else data[at - 32 : at - 16]
    wanted = _TARGET_CARD if kind == _ADVERTISEMENT else _SOURCE_CARD
    option = at + 24
    for _ in range(OPTIONS_MAX):
        if option + 8 > len(data) or not data[option + 1]:
            return
        card = data[option + 2 : option + 8]
        if (
            data[option] == wanted
            and any(address)
            and address[0] != 0xFF
            and framed.source_mac in (card, b"")
            and mac(card)
        ):
            marks = (Mark(MarkKind.MAC, mac(card)), Mark(MarkKind.ADDRESS, inet_ntop(AF_INET6, address)))
            notes.say(us, "nd", marks, (), framed.segment)
            return
        option += 8 * data[option + 1]


HEAD = Head(service="nd", over="frame", kind="icmp6", frame=_frame)
