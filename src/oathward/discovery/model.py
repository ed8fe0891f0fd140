"""What an observer saw: statements of endpoints, flows between them, the classes of data in clear text.

Rules:
- A *statement* is what one source says of one endpoint at one moment: marks (what tells which endpoint it is) and facts (what it is like).
- A *flow* is a conversation of two addresses; the *server* is who was asked, its *port* the one that was asked.
- An address means something inside its *realm* alone (RFC 2663 §2.1): two sites may both have a 10.0.0.5.
- A mark says what sort of thing it is, and only ``endpoints`` says what follows from it.
- Everything is frozen, but the bound of times of a source that lasts; nothing holds a value of a patient.

Deliberately absent: endpoints, zones and links; a record for each packet.

Source: RFC 2663 (address realm), RFC 7011 (flow), ISO 15459 and 21 CFR 830 (UDI), PS3.8 (AE title), HL7 v2 MSH-3 and MSH-4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from oathward.core.reasons import Reason

if TYPE_CHECKING:
    import polars as pl

VALUE_LENGTH_MAX = 200
"""Characters of a value that an endpoint gave itself; more is cut."""


class MarkKind(StrEnum):
    """What sort of thing tells an endpoint from others, the surest first."""

    DEVICE = "device"  # id of a declared device, by the gateway's own identification
    TAG = "tag"  # the site's own number of it, as a list of the site writes it (CMMS tag)
    CERTIFICATE = "certificate"  # SHA-256 of its own certificate, hex: it showed it in a handshake
    UDI = "udi"  # with a serial or lot of its own, as it is written on the device
    EUI64 = "eui64"  # 16 hexadecimal digits
    SERIAL = "serial"  # "maker|serial", folded: a serial means something with its maker
    MAC = "mac"  # aa:bb:cc:dd:ee:ff
    CLIENT_ID = "client-id"  # DHCP option 61 or DUID, hex
    ACCOUNT = "account"  # "vendor|id" of what is off the network: a wearable, a hub, a phone
    HOST = "host"  # a host name, folded
    AE_TITLE = "ae-title"
    APPLICATION = "application"  # "MSH-3|MSH-4"
    ADDRESS = "address"  # IP address; inside its realm and for a time


class Mark(NamedTuple):
    """One thing that tells which endpoint it is."""

    kind: MarkKind
    value: str


class Fact(NamedTuple):
    """One thing a source says an endpoint is like.

    Args:
        attribute: of ``endpoints.attributes``: ``make``, ``model``, ``firmware``, ``os``, ``host``, ``location`` …
        value: as text. confidence: 0 to 1, of this source's word on this attribute: 1 is the site's own list, 0.3 a maker by its MAC prefix.
    """

    attribute: str
    value: str
    confidence: float


RENEWED = Fact("lease", "renewed", 1.0)
"""A card went on with the address that DHCP had given it: it asked its server itself, from that address (RFC 2131 §4.4.5). Of who asked anew nothing is said.
Packets, Zeek and Suricata tell; the logs of servers do not: who came back and asked for its old address is "renewed" there too."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one source says of one endpoint at one moment.

    Args:
        at_us: microseconds UTC, by the source's clock.
        source: observer and what of it: ``zeek.dhcp``, ``pcap.dicom``, ``cmms``.
        realm: where its addresses mean something. segment: VLAN, SSID or port, as the source names it; empty where it does not.
        marks: what tells which it is, never empty. behind: marks of the gateway or hub it was heard through; empty where it speaks itself.
    """

    at_us: int
    source: str
    realm: str
    marks: tuple[Mark, ...]
    facts: tuple[Fact, ...] = ()
    segment: str = ""
    behind: tuple[Mark, ...] = ()


class Clear(NamedTuple):
    """Classes of data that were seen in clear text in one flow: class -> how many elements; ``service``: what they were read as.

    ``at_us`` to ``port`` tell the flow, as its row does.
    """

    at_us: int
    realm: str
    client: str
    server: str
    transport: str
    port: int
    service: str
    classes: Mapping[str, int]


FLOW_COLUMNS: Mapping[str, str] = {
    "start_us": "Int64",
    "end_us": "Int64",
    "realm": "String",
    "segment": "String",
    "client": "String",
    "client_mac": "String",
    "server": "String",
    "server_mac": "String",
    "transport": "String",
    "port": "UInt16",
    "service": "String",
    "client_bytes": "Int64",
    "server_bytes": "Int64",
    "client_packets": "Int64",
    "server_packets": "Int64",
    "answered": "Boolean",
    "tls": "String",
    "server_name": "String",
    "certificate": "String",
    "source": "String",
}
"""Column of a frame of flows -> its Polars type.

``client_bytes``: sent by the client, payload where the source knows it, else with headers. ``answered``: the server said something; null where
the source does not know. ``service``: lower case, as Zeek names it where it does (``hl7``, ``dicom``, ``http``, ``mqtt``, ``dns``), but ``tls``, never ``ssl``; empty where
nobody recognised it. Counts that are all null: the row says more of a flow that another row counts. ``tls``: ``TLSv1.2`` …; empty in clear or not known. ``certificate``: SHA-256 of the server's, hex. MACs: empty where not seen.
"""


@dataclass(slots=True)
class Seen:
    """A part of what an observer read: at most some ten thousand rows, so that memory stays bounded.

    Args:
        flows: a frame with ``FLOW_COLUMNS`` exactly; None where there are none.
        refused: (reason, place) -> how many things of that place could not be read: ``line``, ``packet``, ``field`` …
        offset: bytes of the source that were read so far; -1 where it has no size.
    """

    statements: list[Statement] = field(default_factory=list)
    flows: pl.DataFrame | None = None
    clear: list[Clear] = field(default_factory=list)
    refused: Counter[tuple[Reason, str]] = field(default_factory=Counter)
    offset: int = -1


@dataclass(slots=True, kw_only=True, unsafe_hash=True)
class Around:
    """What an observer must know besides the bytes.

    Args:
        realm: of the addresses in it. segment: where its sensor stands, for sources that name none.
        name: of the file or socket, for choosing among logs; no path. from_us, until_us: what is older or newer is the sensor's clock
            gone wrong: refused (``observation.time``). ``until_us`` goes on with the time while a source lasts, and tells no two apart.
    """

    realm: str
    segment: str = ""
    name: str = ""
    from_us: int = 0
    until_us: int = field(default=2**62, compare=False)
