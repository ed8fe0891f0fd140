"""Captures of packets (pcap, pcapng, either compressed with gzip): flows, what devices say of themselves, patients' data in clear.

| source | marks | facts (confidence) |
|---|---|---|
| `pcap.arp`, `pcap.nd` | card, address | none |
| `pcap.dhcp` | card, client identifier, host, address once acknowledged or in use | host, dhcp-vendor-class, dhcp-options (0.8) |
| `pcap.dhcpv6` | DUID, host, address | host, dhcp-vendor-class, dhcpv6-options (0.7) |
| `pcap.dns` | address, a private one | host (0.5): somebody else's word |
| `pcap.mdns` | address, host | host (0.7), service, make, model, firmware, serial, os (0.6) |
| `pcap.llmnr`, `pcap.nbns` | address, host | host (0.6) |
| `pcap.ssdp` | address | server-software, upnp-device (0.6), user-agent, service (0.5) |
| `pcap.snmp` | address | description, host, location (0.8) |
| `pcap.lldp`, `pcap.cdp` | card, host, address | host, lldp-port, cdp-port, description, make, model, serial, firmware, software, hardware (0.8) |
| `pcap.http` | address | user-agent, server-software (0.6) |
| `pcap.tls` | address, certificate | fingerprint, JA3 and JA4 (0.5), client-certificate (0.9), certificate-subject, -issuer, -until in seconds (0.8) |
| `pcap.mqtt` | address | mqtt-client (0.8), mqtt-version (0.9) |
| `pcap.hl7` | address, application; of equipment EUI-64, UDI or serial | hl7-version, hl7-profile (0.8), udi (0.7), serial (0.5 to 0.7) |
| `pcap.fhir` | UDI, serial, EUI-64 of a Device | make, model, serial, udi, firmware (0.8) |
| `pcap.dicom` | address, AE title; of a stored object's device serial and station | implementation, implementation-version, sop-class, make, model, serial, firmware, host, modality (0.9) |

Rules:
- A flow's cards are those of its frames: beyond a router they are the router's. Card and address are one thing only where ARP, neighbour
  discovery or DHCP say so.
- A flow seen on several interfaces or in several VLANs counts as often as its packets were captured.

Source: see ``discovery.packets`` and each of its heads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from oathward.discovery.model import FLOW_COLUMNS, Around, Seen
from oathward.discovery.observer import Observer
from oathward.discovery.packets.capture import Capture, known
from oathward.discovery.packets.conversation import Row
from oathward.discovery.packets.flows import Flows
from oathward.discovery.packets.notes import Notes
from oathward.discovery.packets.source import Source, opened

if TYPE_CHECKING:
    import polars as pl

ROWS_MAX = 10_000
PACKETS_MAX = 200_000
WAIT_US = 10_000_000
"""After so many rows, packets, or so much of the capture's time, what was seen is given out."""


def read(stream: BinaryIO, around: Around) -> Iterator[Seen]:
    """Read a capture, part by part."""
    notes = Notes(around)
    source = Source(stream)
    flows = Flows(notes)
    given, given_us = 0, 0
    for _ in flows.run(Capture(source, notes.refused).packets(flows.usual)):
        noted = max(len(flows.rows), len(notes.statements))
        waited = abs(flows.now_us - given_us) >= WAIT_US and noted
        if waited or noted >= ROWS_MAX or flows.packets - given >= PACKETS_MAX:
            given, given_us = flows.packets, flows.now_us
            yield from _seen(flows, notes, source)
    flows.finish()
    yield from _seen(flows, notes, source)


def _seen(flows: Flows, notes: Notes, source: Source) -> Iterator[Seen]:
    """Give what was noted so far, in parts of at most ``ROWS_MAX`` flows, and forget it."""
    rows, clear, statements = flows.rows, flows.clear, notes.statements
    flows.rows, flows.clear, notes.statements = [], [], []
    for start in range(0, max(1, len(rows), len(statements)), ROWS_MAX):
        part = rows[start : start + ROWS_MAX]
        frame = _frame(part) if part else None
        refused = Counter(notes.refused)
        notes.refused.clear()
        told, clear = (clear, []) if start == 0 else ([], clear)
        yield Seen(statements[start : start + ROWS_MAX], frame, told, refused, source.offset)


def _frame(rows: list[Row]) -> pl.DataFrame:
    import polars as pl

    columns = dict(zip(FLOW_COLUMNS, zip(*rows, strict=True), strict=True))
    return pl.DataFrame(columns, schema={name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()})


def _knows(head: bytes, _name: str) -> bool:
    return known(opened(head))


OBSERVER = Observer(words="captures of packets (pcap, pcapng)", knows=_knows, read=read, order=10)
