"""SSDP: what a device says of its software, and the number it announces itself with.

Source: UPnP Device Architecture 2.0 §1.2 (advertisement), §1.3 (search).
"""

from __future__ import annotations

import re

from oathward.discovery.model import Fact
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import text

_FIELD = re.compile(rb"(?im)^(server|user-agent|usn|nt|st):[ \t]*([^\r\n]*)")
_UUID = re.compile(rb"uuid:([0-9A-Za-z-]{8,64})")


def _datagram(half: Half, data: bytes, us: int) -> None:
    fields = {name.lower(): value for name, value in _FIELD.findall(data[:4_096])}
    asks = data.startswith(b"M-SEARCH")
    facts = [Fact("user-agent", text(fields.get(b"user-agent", b"")), 0.5)]
    if not asks:
        number = _UUID.search(fields.get(b"usn", b""))
        facts += [
            Fact("server-software", text(fields.get(b"server", b"")), 0.6),
            Fact("upnp-device", text(number[1]) if number else "", 0.6),
        ]
        kind = fields.get(b"nt", fields.get(b"st", b""))
        facts.append(Fact("service", text(kind) if b":device:" in kind else "", 0.5))
    if any(fact.value for fact in facts):
        half.flow.notes.say(us, "ssdp", [half.mark()], facts, half.flow.segment)


def _knows(data: bytes, _source: int, _target: int) -> bool:
    return data.startswith((b"M-SEARCH * HTTP/1.1", b"NOTIFY * HTTP/1.1")) or (
        data.startswith(b"HTTP/1.1 200") and b"USN:" in data.upper()
    )


HEAD = Head(service="ssdp", over="udp", knows=_knows, datagram=_datagram, order=40)
