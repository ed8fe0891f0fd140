"""LLDP: a switch or device that names itself, its port, and what it is.

Rules:
- What a switch says of its port is a fact of the switch; who is behind that port is what its tables say, not this.

Source: IEEE 802.1AB §8 (TLVs), ANSI/TIA-1057 §10.2.6 (inventory).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.layers import Framed
from oathward.discovery.packets.notes import Notes, folded, mac, text

TLVS_MAX = 64
_PORT, _NAME, _ADDRESS, _OWN = 2, 5, 8, 127
_TEXTS = {4: "lldp-port-description", 5: "host", 6: "description"}
_INVENTORY = {
    5: "hardware",
    6: "firmware",
    7: "software",
    8: "serial",
    9: "make",
    10: "model",
    11: "tag-by-device",
}
_TIA = b"\x00\x12\xbb"


def _frame(notes: Notes, data: bytes, framed: Framed, us: int) -> None:
    at = framed.begin
    marks: list[Mark] = [Mark(MarkKind.MAC, mac(framed.source_mac))]
    facts: list[Fact] = []
    for _ in range(TLVS_MAX):
        if at + 2 > len(data):
            break
        kind, size = data[at] >> 1, (data[at] & 1) << 8 | data[at + 1]
        value = data[at + 2 : at + 2 + size]
        if kind == 0:
            break
        if len(value) < size:
            notes.refuse(Reason.OBSERVED_CUT, "lldp")
            return
        at += 2 + size
        marks += _mark(kind, value)
        facts += _fact(kind, value)
    notes.say(us, "lldp", marks, facts, framed.segment)


def _mark(kind: int, value: bytes) -> Iterator[Mark]:
    if kind == _NAME:
        yield Mark(MarkKind.HOST, folded(value))
    elif kind == _ADDRESS and value[:2] == b"\x05\x01" and len(value) >= 6:
        yield Mark(MarkKind.ADDRESS, str(ip_address(value[2:6])))


def _fact(kind: int, value: bytes) -> Iterator[Fact]:
    if kind == _PORT:
        yield Fact("lldp-port", mac(value[1:]) if value[:1] == b"\x03" else text(value[1:]), 0.8)
    elif kind in _TEXTS:
        yield Fact(_TEXTS[kind], text(value), 0.8)
    elif kind == _OWN and value[:3] == _TIA and len(value) > 4 and value[3] in _INVENTORY:
        yield Fact(_INVENTORY[value[3]], text(value[4:]), 0.8)


HEAD = Head(service="lldp", over="frame", kind="lldp", frame=_frame)
