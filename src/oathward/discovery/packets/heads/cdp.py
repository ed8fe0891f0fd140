"""CDP: a switch or telephone that names itself, its port, its platform and software.

Source: the public description of the Cisco Discovery Protocol, version 2 (TLVs 1 to 6).
"""

from __future__ import annotations

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.layers import Framed
from oathward.discovery.packets.notes import Notes, folded, mac, text

TLVS_MAX = 64
_DEVICE, _PORT, _SOFTWARE, _PLATFORM = 1, 3, 5, 6


def _frame(notes: Notes, data: bytes, framed: Framed, us: int) -> None:
    at = framed.begin + 4
    marks, facts = [Mark(MarkKind.MAC, mac(framed.source_mac))], []
    for _ in range(TLVS_MAX):
        if at + 4 > len(data):
            break
        kind, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if size < 4 or at + size > len(data):
            if any(data[at : at + 4]):
                notes.refuse(Reason.OBSERVED_CUT, "cdp")
                return
            break
        value = data[at + 4 : at + size]
        at += size
        if kind == _DEVICE and text(value):
            marks.append(Mark(MarkKind.HOST, folded(value)))
            facts.append(Fact("host", text(value), 0.8))
        elif kind == _PORT:
            facts.append(Fact("cdp-port", text(value), 0.8))
        elif kind == _SOFTWARE:
            facts.append(Fact("description", text(value), 0.8))
        elif kind == _PLATFORM:
            facts.append(Fact("model", text(value), 0.8))
    notes.say(us, "cdp", marks, facts, framed.segment)


HEAD = Head(service="cdp", over="frame", kind="cdp", frame=_frame)
