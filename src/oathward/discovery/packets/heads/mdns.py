"""Multicast DNS: the host name and services that a host announces of itself.

Rules:
- Only records whose address is the sender's own name it; others repeat what they heard.

Source: RFC 6762 §6 (responding), RFC 6763 §4 and §6 (services, TXT).
"""

from __future__ import annotations

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.answers import AAAA, PTR, SRV, TXT, A, answers, is_answer, looks
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import folded

SERVICES_MAX = 8
_PORT = 5353
_TEXTS = {
    "model": "model",
    "md": "model",
    "ty": "model",
    "usb_mfg": "make",
    "manufacturer": "make",
    "mfg": "make",
    "fv": "firmware",
}
_TEXTS |= {"usb_mdl": "model", "serialnumber": "serial", "osxvers": "os"}


def _datagram(half: Half, data: bytes, us: int) -> None:
    if not is_answer(data):
        return
    flow = half.flow
    found = answers(data)
    if found is None:
        flow.notes.refuse(Reason.OBSERVED_BROKEN, "mdns")
        return
    own = {answer.name for answer in found if answer.kind in (A, AAAA) and answer.value == half.address}
    marks, facts = [half.mark()], []
    for name in sorted(own)[:1]:
        marks.append(Mark(MarkKind.HOST, folded(name)))
        facts.append(Fact("host", folded(name), 0.7))
    offered = {answer.name for answer in found if answer.kind == PTR and answer.name.startswith("_")}
    facts += [Fact("service", name, 0.6) for name in sorted(offered)[:SERVICES_MAX]]
    others = {answer.value for answer in found if answer.kind == SRV} - own
    for answer in found if not others else ():
        for one in answer.texts if answer.kind == TXT else ():
            key, _, value = one.partition("=")
            attribute = _TEXTS.get(key.lower())
            if attribute and value:
                facts.append(Fact(attribute, value, 0.6))
    if facts:
        flow.notes.say(us, "mdns", marks, tuple(dict.fromkeys(facts)), flow.segment)


def _knows(data: bytes, source: int, target: int) -> bool:
    return _PORT in (source, target) and looks(data)


HEAD = Head(service="mdns", over="udp", knows=_knows, datagram=_datagram, order=11)
