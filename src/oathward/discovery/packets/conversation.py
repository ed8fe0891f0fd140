"""One flow while it is being seen, and its two halves: what each side sent.

Rules:
- The server is who was asked: by SYN; else by what a reader understood; else whose port is one that servers have; else who spoke second.
- A group or broadcast address is always who was asked.
- ``row`` gives what was counted since the last row, in the order of ``FLOW_COLUMNS``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from socket import AF_INET, AF_INET6, inet_ntop
from typing import TYPE_CHECKING, Any, TypeAlias

from oathward.discovery.model import Clear, Mark, MarkKind
from oathward.discovery.packets.notes import mac

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
    """What one side of a flow sent. ``stream``: what its payload goes to; None where nobody looks any more."""

    __slots__ = ("address", "bytes", "flow", "last_us", "mac", "packets", "port", "resets", "stream")

    def __init__(self, flow: Conversation, address: bytes, port: int, mac: bytes) -> None:
        self.flow = flow
        self.address = inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)
        self.port = port
        self.mac = mac
        self.packets = self.bytes = self.resets = 0
        self.last_us = 0
        self.stream: Any = None

    @property
    def other(self) -> Half:
        """The other side."""
        return self.flow.server if self.flow.client is self else self.flow.client

    def payload(self, data: bytes, begin: int, size: int, number: int, us: int) -> None:
        """Hand on what a segment carries; of what a snap length cut off, how much it was."""
        there = data[begin : begin + size]
        if there:
            self.stream.take(number, there, us)
        if size > len(there) and self.stream is not None:
            self.stream.cut(size - len(there))

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
    ``syn``: whether the client's -> the number after a side's SYN. ``ended``, ``closed``: one side ended it; nothing more is to come.
    """

    __slots__ = (
        *(
            "certificate",
            "classes",
            "client",
            "closed",
            "ended",
            "keys",
            "notes",
            "reader",
            "segment",
            "server",
        ),
        *("server_name", "service", "start_us", "sure", "syn", "tls", "transport"),
    )

    def __init__(self, notes: Notes, protocol: int, segment: str, us: int) -> None:
        self.notes = notes
        self.transport = transport_of(protocol)
        self.segment = segment
        self.start_us = us
        self.keys: tuple[int, bytes, bytes] = (protocol, b"", b"")
        self.client: Half
        self.server: Half
        self.sure = self.ended = self.closed = False
        self.syn: dict[bool, int] = {}
        self.service = self.tls = self.server_name = self.certificate = ""
        self.reader: Reader | None = None
        self.classes: dict[tuple[str, int], list[Any]] = {}

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
        for (service, _), (counts, times) in self.classes.items():
            whole = found.setdefault(service, Counter())
            for cls, count in counts.items():
                whole[cls] += count * times
        return found

    def row(self) -> tuple[Row, list[Clear]]:
        """Give what was seen since the last row, and begin to count anew."""
        client, server, notes = self.client, self.server, self.notes
        realm, end_us = notes.around.realm, max(client.last_us, server.last_us)
        name = self.server_name or notes.names.get(server.address, "")
        row = (
            self.start_us, end_us, realm, self.segment or notes.around.segment,
            client.address, mac(client.mac), server.address, mac(server.mac), self.transport, server.port, self.service,
            client.bytes, server.bytes, client.packets, server.packets, server.packets > server.resets,
            self.tls, name, self.certificate, "pcap",
        )  # fmt: skip
        clear = [
            Clear(
                self.start_us,
                realm,
                client.address,
                server.address,
                self.transport,
                server.port,
                service,
                dict(counts),
            )
            for service, counts in self._merged().items()
        ]
        self.classes = {}
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
