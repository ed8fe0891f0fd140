"""LLMNR: the name that a host answers to with its own address.

Source: RFC 4795 §2 (messages as those of DNS).
"""

from __future__ import annotations

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.answers import AAAA, A, answers, is_answer, looks
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import folded

_PORT = 5355


def _datagram(half: Half, data: bytes, us: int) -> None:
    if not is_answer(data):
        return
    found = answers(data)
    if found is None:
        half.flow.notes.refuse(Reason.OBSERVED_BROKEN, "llmnr")
        return
    for answer in found:
        if answer.kind in (A, AAAA) and answer.value == half.address:
            name = folded(answer.name)
            half.flow.notes.say(
                us,
                "llmnr",
                [half.mark(), Mark(MarkKind.HOST, name)],
                [Fact("host", name, 0.6)],
                half.flow.segment,
            )


def _knows(data: bytes, source: int, target: int) -> bool:
    return _PORT in (source, target) and looks(data)


HEAD = Head(service="llmnr", over="udp", knows=_knows, datagram=_datagram, order=12)
