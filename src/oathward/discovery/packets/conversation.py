"""One flow while it is being seen, and its two halves: what each side sent.

Rules:
- The server is who was asked: by SYN; else by what a reader understood; else whose port is one that servers have; else who spoke second.
- A group or broadcast address is always who was asked.
- ``row`` gives what was counted since the last row, in the order of ``FLOW_COLUMNS``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from oathward.discovery.model import Clear, Mark, MarkKind
from oathward.discovery.packets.notes import mac, written

if TYPE_CHECKING:
    from oathward.discovery.packets.head import Reader
    from oathward.discovery.packets.notes import Notes

Row: TypeAlias = "tuple[Any, ...]"

CLASSES_MAX = 64
"""Different counts of a flow that are kept apart, before they are added up."""

SERVERS = frozenset(
    (
        *(20, 21, 22, 23, 25, 53, 67, 69, 80, 88, 102, 104, 110, 111, 119, 123, 135, 137, 138, 139, 143, 161, 162, 179, 389),
        *(443, 445, 465, 502, 514, 515, 547, 548, 554, 587, 631, 636, 853, 873, 902, 989, 990, 993, 995, 1433, 1521, 1812),
        *(1813, 1883, 1900, 2049, 2123, 2152, 2575, 2762, 3268, 3306, 3389, 3702, 4840, 5060, 5061, 5353, 5355, 5432, 5672),
        *(4789, 6081, 8472, 5683, 5684, 5900, 5985, 5986, 6379, 6661, 8000, 8008, 8042, 8080, 8443, 8883, 9100, 9200, 11112, 20000, 24105, 47808),
    )
)  # fmt: skip
"""Ports on which servers wait, of the registry of IANA and of medical practice (2575 HL7, 104 and 11112 DICOM, 24105 monitors)."""

_TRANSPORTS = {
    6: "tcp",
    17: "udp",
    1: "icmp",
    58: "icmp",
    132: "sctp",
    50: "esp",
    51: "ah",
    2: "igmp",
    47: "gre",
}


def transport_of(protocol: int) -> str:
    """Name a protocol of IP; by its number where it has no name here."""
    return _TRANSPORTS.get(protocol) or f"ip-{protocol}"


class Half:
    """What one side of a flow sent.

    ``raw``: its address as it stood in the packet. ``stream``: what its payload goes to (of TCP a ``Stream``, of UDP who takes a datagram);
    None where nobody looks any more. ``syn``: the number after its SYN; -1 before one was seen.
    """

    __slots__ = ("bytes", "flow", "last_us", "mac", "packets", "port", "raw", "resets", "stream", "syn")

    def __init__(self, flow: Conversation, raw: bytes, port: int, mac: bytes) -> None:
        self.flow = flow
        self.raw = raw
        self.port = port
        self.mac = mac
        self.packets = self.bytes = self.resets = self.last_us = 0
        self.syn = -1
        self.stream: Any = None

    @property
    def address(self) -> str:
        """Its address as text."""
        return written(self.raw)

    @property
    def other(self) -> Half:
        """The other side."""
        return self.flow.server if self.flow.client is self else self.flow.client

    def payload(self, data: bytes, begin: int, end: int, stop: int, number: int, us: int) -> None:
        """Hand on what a segment carries.

        Args:
            begin, end: where it stands in ``data``, by its headers. stop: where the packet ends; what a snap length cut off lies behind.
        """
        if end <= stop:
            self.stream.take(number, data[begin:end], us)
            return
        if begin < stop:
            self.stream.take(number, data[begin:stop], us)
        if self.stream is not None:
            self.stream.cut(end - max(begin, stop))

    def drop(self) -> None:
        """Look at no more of what this side sends."""
        stream, self.stream = self.stream, None
        if close := getattr(stream, "close", None):
            close()

    def mark(self) -> Mark:
        """Its address, as what tells who speaks."""
        return Mark(MarkKind.ADDRESS, self.address)


class Conversation:
    """One flow.

    ``reader``: who understands it. ``classes``: (service, id of counts) -> counts of element
    classes seen in clear, and how often. ``sure``: a SYN said who is the server.
    ``ended``, ``closed``: one side ended it; nothing more is to come. ``key``, ``back``: of its two directions, in the table of ``protocol``.
    """

    __slots__ = (
        *(
            "back",
            "certificate",
            "classes",
            "client",
            "closed",
            "ended",
            "key",
            "notes",
            "protocol",
            "reader",
        ),
        *("segment", "server", "server_name", "service", "start_us", "sure", "tls"),
    )

    def __init__(self, notes: Notes, protocol: int, key: bytes, back: bytes, segment: str, us: int) -> None:
        self.notes = notes
        self.protocol = protocol
        self.key = key
        self.back = back
        self.segment = segment
        self.start_us = us
        self.client: Half
        self.server: Half
        self.sure = self.ended = self.closed = False
        self.service = self.tls = self.server_name = self.certificate = ""
        self.reader: Reader | None = None
        self.classes: dict[tuple[str, int], list[Any]] | None = None

    def served_by(self, half: Half) -> None:
        """Learn who was asked, unless a SYN said so."""
        if not self.sure and half is self.client:
            self.client, self.server = self.server, self.client

    def enough(self) -> None:
        """Look at no more of this flow."""
        self.client.drop()
        self.server.drop()

    def close(self) -> None:
        """Give back what readers and streams keep."""
        if close := getattr(self.reader, "close", None):
            close()
        self.enough()

    def forget(self) -> None:
        """Let go of both halves: what refers to each other would wait for the collector."""
        self.reader = None
        del self.client.flow, self.server.flow

    def clear(self, service: str, counts: Mapping[str, int]) -> None:
        """Count classes of data that stood there in clear.

        Args:
            counts: never changed afterwards; the same ones given again cost no more than a number.
        """
        if self.classes is None:
            self.classes = {}
        known = self.classes.get((service, id(counts)))
        if known is not None:
            known[1] += 1
        elif len(self.classes) >= CLASSES_MAX:
            merged = self._merged()
            self.classes = {(name, id(found)): [found, 1] for name, found in merged.items()}
            self.clear(service, counts)
        else:
            self.classes[service, id(counts)] = [counts, 1]

    def _merged(self) -> dict[str, Counter[str]]:
        """Add up what was counted, by service."""
        found: dict[str, Counter[str]] = {}
        for (service, _), (counts, times) in (self.classes or {}).items():
            whole = found.setdefault(service, Counter())
            for cls, count in counts.items():
                whole[cls] += count * times
        return found

    def row(self) -> tuple[Row, list[Clear]]:
        """Give what was seen since the last row, and begin to count anew."""
        client, server, notes = self.client, self.server, self.notes
        realm, end_us = notes.around.realm, max(client.last_us, server.last_us)
        asks, serves = written(client.raw), written(server.raw)
        transport, port = _TRANSPORTS.get(self.protocol) or transport_of(self.protocol), server.port
        row = (
            self.start_us, end_us, realm, self.segment or notes.around.segment,
            asks, mac(client.mac), serves, mac(server.mac), transport, port, self.service,
            client.bytes, server.bytes, client.packets, server.packets, server.packets > server.resets,
            self.tls, self.server_name or notes.names.get(serves, ""), self.certificate, "pcap",
        )  # fmt: skip
        clear = (
            [
                Clear(self.start_us, realm, asks, serves, transport, port, service, dict(counts))
                for service, counts in self._merged().items()
            ]
            if self.classes
            else []
        )
        self.classes = None
        self.start_us = end_us
        for half in (client, server):
            half.packets = half.bytes = half.resets = 0
        return row, clear


def asked(target: bytes, source_port: int, target_port: int) -> bool:
    """Guess whether the target is the server, of a packet that does not say it."""
    if _to_many(target):
        return True
    known = target_port in SERVERS
    if known != (source_port in SERVERS):
        return known
    if (source_port < 1024) != (target_port < 1024):
        return target_port < 1024
    return True


def _to_many(address: bytes) -> bool:
    if len(address) == 4:
        return 224 <= address[0] < 240 or address == b"\xff\xff\xff\xff"
    return address[0] == 0xFF
