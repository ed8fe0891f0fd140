"""ARP: which card has which address.

Rules:
- The sender's own pair alone counts, and where the frame came from the card it names. A probe names no address yet.

Source: RFC 826, RFC 5227 §1.1 (probes).
"""

from __future__ import annotations

from socket import inet_ntoa

from oathward.core.reasons import Reason
from oathward.discovery.model import Mark, MarkKind
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.layers import Framed
from oathward.discovery.packets.notes import Notes, mac

_ETHERNET_IPV4 = b"\0\x01\x08\0\x06\x04"


def _frame(notes: Notes, data: bytes, framed: Framed, us: int) -> None:
    at = framed.begin
    if len(data) < at + 28:
        notes.refuse(Reason.OBSERVED_CUT, "arp")
        return
    card, address = data[at + 8 : at + 14], data[at + 14 : at + 18]
    if (
        data[at : at + 6] == _ETHERNET_IPV4
        and any(address)
        and framed.source_mac in (card, b"")
        and mac(card)
    ):
        marks = (Mark(MarkKind.MAC, mac(card)), Mark(MarkKind.ADDRESS, inet_ntoa(address)))
        notes.say(us, "arp", marks, (), framed.segment)


HEAD = Head(service="arp", over="frame", kind="arp", frame=_frame)
