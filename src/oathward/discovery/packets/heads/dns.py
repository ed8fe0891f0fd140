"""DNS: the addresses that names were answered with, for those names that flows then use.

Rules:
- An answer names the servers of later flows (``Notes.names``); a private address gets a statement as well: it stands in the estate.
- Nothing is kept of who asked for what.

Source: RFC 1035 §4; RFC 1918 and RFC 4193 (private addresses).
"""

from __future__ import annotations

from ipaddress import ip_address

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.answers import AAAA, A, answers, is_answer, looks
from oathward.discovery.packets.conversation import Half
from oathward.discovery.packets.head import Head

_PORTS = frozenset((53, 5300))


def _datagram(half: Half, data: bytes, us: int) -> None:
    if not is_answer(data):
        return
    flow = half.flow
    found = answers(data)
    if found is None:
        flow.notes.refuse(Reason.OBSERVED_BROKEN, "dns")
        return
    asked = next((answer.name for answer in found), "")
    for answer in found:
        if answer.kind in (A, AAAA) and flow.notes.names.get(answer.value) != asked:
            flow.notes.named(answer.value, asked)
            if _is_private(answer.value):
                flow.notes.say(
                    us, "dns", [Mark(MarkKind.ADDRESS, answer.value)], [Fact("host", answer.name, 0.5)]
                )


def _is_private(address: str) -> bool:
    """Say whether an address is one that only means something inside an estate."""
    if address.startswith(("10.", "192.168.", "fc", "fd")):
        return True
    return address.startswith("172.") and ip_address(address).is_private


def _knows(data: bytes, source: int, target: int) -> bool:
    return (source in _PORTS or target in _PORTS) and looks(data)


HEAD = Head(service="dns", over="udp", knows=_knows, datagram=_datagram, order=10)
