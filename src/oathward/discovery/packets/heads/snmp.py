"""SNMP in clear (versions 1 and 2c): the description, name and place that a device answers with.

Rules:
- The community is a password: it is stepped over.
- Only answers; only the objects of the system group.

Source: RFC 1157 §4.1, RFC 3416 §3 (messages), RFC 3418 (system group).
"""

from __future__ import annotations

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact
from oathward.discovery.packets import tlv
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import text

_RESPONSE, _OCTETS, _OID = 0xA2, 0x04, 0x06
_SYSTEM = bytes.fromhex("2b06010201")
_OBJECTS = {b"\x01\x01\x00": "description", b"\x01\x05\x00": "host", b"\x01\x06\x00": "location"}


def _datagram(half: Half, data: bytes, us: int) -> None:
    whole = tlv.part(data, 0, len(data))
    parts = tlv.parts(data, whole[1], whole[2]) if whole else []
    if len(parts) < 3 or parts[2][0] != _RESPONSE:
        if whole is None:
            half.flow.notes.refuse(Reason.OBSERVED_BROKEN, "snmp")
        return
    inner = tlv.parts(data, *parts[2][1:])
    facts = []
    for one in tlv.parts(data, *inner[3][1:]) if len(inner) == 4 else ():
        pair = tlv.parts(data, *one[1:])
        if len(pair) == 2 and pair[0][0] == _OID and pair[1][0] == _OCTETS:
            name = data[pair[0][1] : pair[0][2]]
            attribute = _OBJECTS.get(name[len(_SYSTEM) :]) if name.startswith(_SYSTEM) else None
            if attribute:
                facts.append(Fact(attribute, text(data[pair[1][1] : pair[1][2]]), 0.8))
    if facts:
        half.flow.notes.say(us, "snmp", [half.mark()], facts, half.flow.segment)


def _knows(data: bytes, source: int, target: int) -> bool:
    """A sequence that begins with version 0 or 1, and a string: the community."""
    if data[:1] != b"\x30" or not {161, 162}.intersection((source, target)):
        return False
    at = 2 + (data[1] & 0x7F if len(data) > 1 and data[1] & 0x80 else 0)
    return (
        data[at : at + 2] == b"\x02\x01"
        and data[at + 2 : at + 3] in (b"\0", b"\x01")
        and data[at + 3 : at + 4] == b"\x04"
    )


HEAD = Head(service="snmp", over="udp", knows=_knows, datagram=_datagram, order=60)
