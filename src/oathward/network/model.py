"""What is kept of the network: conversations with their totals, the plan of its address space, which sources were read how far.

Rules:
- A *conversation* is who asked whom for which service: all flows of one client, server, transport, port, service and TLS version in a realm,
  with the endpoints that the two addresses were then. Another holder of an address is another conversation.
- Totals count; nothing of a payload is here, and of a class of data only how often it was seen.
- What the plan does not name is ``UNPLANNED`` where the address is a site's own by its form, ``EXTERNAL`` elsewhere.

Deliberately absent: single flows (``segments``: Parquet), what was declared (``mapping``).

Source: RFC 7011 (flow), RFC 2663 (realm), IEC 62443-3-2 (zone), RFC 1918, RFC 4193, RFC 6598 and RFC 3927 (a site's own addresses).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

UNPLANNED = "unplanned"
EXTERNAL = "external"


class Place(NamedTuple):
    """Where an address stands by the plan. ``network``: the row that said so; empty where none did."""

    zone: str
    segment: str = ""
    unit: str = ""
    location: str = ""
    network: str = ""


class PlanRow(NamedTuple):
    """One network of the plan. ``network``: in CIDR; ``realm``: where its addresses mean something."""

    realm: str
    network: str
    zone: str
    segment: str = ""
    unit: str = ""
    location: str = ""


class Sums(NamedTuple):
    """What is added up of flows.

    Args:
        flows: that began; answered, unanswered: of these, where the source knew. client_bytes: sent by the client.
    """

    flows: int = 0
    answered: int = 0
    unanswered: int = 0
    client_bytes: int = 0
    server_bytes: int = 0
    client_packets: int = 0
    server_packets: int = 0


class ConversationKey(NamedTuple):
    """What makes a conversation one. Endpoints are ids of the living inventory; empty where nobody is known."""

    realm: str
    client: str
    client_endpoint: str
    server: str
    server_endpoint: str
    transport: str
    port: int
    service: str
    tls: str


class Holding(NamedTuple):
    """An address as one endpoint had it for a time: from ``from_us``, until the hour in which ``until_us`` is. ``parts``: endpoints that became part of it."""

    realm: str
    address: str
    endpoint: str
    from_us: int
    until_us: int
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who asked whom for which service, over all the time it was seen.

    Args:
        id: of its key, 32 hexadecimal digits. classes: of data seen in clear text -> how many elements.
    """

    id: str
    key: ConversationKey
    client_zone: str
    server_zone: str
    first_us: int
    last_us: int
    sums: Sums
    classes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilters:
    """Which conversations are wanted; what is empty asks for nothing.

    Args:
        endpoints: ids of one endpoint, today's and those merged into it, on either side. since_us, until_us: seen in between.
        peers, peer_address: who is on the other side, in the same way.
    """

    endpoints: tuple[str, ...] = ()
    realm: str = ""
    address: str = ""
    peers: tuple[str, ...] = ()
    peer_address: str = ""
    zone: str = ""
    service: str = ""
    port: int = -1
    clear: bool = False
    since_us: int = 0
    until_us: int = 2**62


class Peer(NamedTuple):
    """With whom one endpoint spoke: ``asked``: it was the client; ``endpoint`` empty where only ``address`` is known."""

    endpoint: str
    address: str
    zone: str
    service: str
    transport: str
    port: int
    asked: bool
    tls: str
    first_us: int
    last_us: int
    sent_bytes: int
    received_bytes: int
    flows: int


class ZonePair(NamedTuple):
    """A conduit as it was seen: all that went from one zone to another by one service."""

    client_zone: str
    server_zone: str
    service: str
    transport: str
    tls: str
    conversations: int
    flows: int
    client_bytes: int
    server_bytes: int
    last_us: int


class Use(NamedTuple):
    """What one endpoint did in one hour."""

    hour_us: int
    flows: int
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class ObservedSource:
    """A source as far as it was read.

    Args:
        id: random. head_bytes, head_sha256: how it begins, unpacked: that tells it wherever it lies. offset: up to where it was read, unpacked.
        device, inode: where it lay. finished: it was read to its end as it was then. parts: that were stored of it: what is read whole or not at all
            goes on behind them.
        flows: that it counts. sessions: rows that say more of flows which another source counts, or nobody: TLS, MQTT.
        size_bytes: of the file, packed as it lay, when all of it was read; -1 where something of it waits to be whole, and where it is no file.
    """

    id: str
    observer: str
    name: str
    realm: str
    segment: str
    device: int
    inode: int
    head_bytes: int
    head_sha256: str
    offset: int
    parts: int
    flows: int
    statements: int
    refused: int
    first_us: int
    last_us: int
    updated_us: int
    finished: bool
    sessions: int = 0
    size_bytes: int = -1


@dataclass(frozen=True, slots=True)
class RulesetRow:
    """Rules of one firewall or switch as they were imported.

    Args:
        name: of the device, as the site calls it. by, at_us: who imported them, and when. sha256: of the file. rules: how many there are in it.
        realm: of its addresses; empty: all. columns: of a CSV, field -> header; empty for nftables. interfaces: network -> the interface it stands behind.
        content: the file as it was.
    """

    name: str
    at_us: int
    by: str
    sha256: str
    rules: int
    realm: str
    columns: dict[str, str]
    interfaces: dict[str, str]
    content: bytes
