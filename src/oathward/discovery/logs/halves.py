"""Two flows of one direction each as one flow with its client and its server.

Rules:
- A half waits for the other direction of the same addresses and ports, for ``WAIT_US`` of the exporter's time and among ``WAITING_MAX`` others; what
  waited in vain is a flow whose other direction nobody saw.
- The server is on the side whose port is no client's own, where the other's is; else on that whose half began later; else on the lower port.
  Ports come first: of a connection that an exporter tells in pieces, either side's piece may begin first.

Source: RFC 5103 §2 (biflows of two uniflows), RFC 6335 §6 (ranges of ports).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oathward.discovery.logs.frames import EPHEMERAL
from oathward.discovery.totals import COUNT_MAX

WAIT_US = 300_000_000
WAITING_MAX = 50_000
_SYSTEM_PORTS = 1_024


@dataclass(slots=True)
class Half:
    """What went one way. ``back_*``: what the same record says of the other way; None where it says nothing."""

    start_us: int
    end_us: int
    source: str
    source_port: int
    source_mac: str
    target: str
    target_port: int
    target_mac: str
    transport: str
    bytes: int
    packets: int
    segment: str = ""
    service: str = ""
    back_bytes: int | None = None
    back_packets: int | None = None
    initiator: bool | None = (
        None  # whether the exporter says that the source began; None where it does not say
    )
    estimated: bool = False  # counts are scaled up from a sample


Row = tuple[object, ...]
COLUMNS = (
    *(
        "start_us",
        "end_us",
        "client",
        "client_mac",
        "server",
        "server_mac",
        "transport",
        "port",
        "service",
        "segment",
    ),
    *("client_bytes", "server_bytes", "client_packets", "server_packets", "answered", "source"),
)


class Halves:
    """Halves that wait for their other direction, the oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str, int, str, int], Half] = {}
        self._newest_us = 0

    def take(self, half: Half) -> Iterator[Row]:
        """Take a half; gives the flows that are whole by it, and those that waited too long."""
        if half.back_bytes is not None or half.back_packets is not None:
            yield _whole(half)
            return
        here = (half.transport, half.source, half.source_port, half.target, half.target_port)
        there = (half.transport, half.target, half.target_port, half.source, half.source_port)
        other = self._waiting.get(there) if here != there else None
        if other is not None and abs(other.end_us - half.end_us) <= WAIT_US:
            del self._waiting[there]
            yield _joined(other, half)
            return
        before = self._waiting.pop(here, None)
        if before is not None:
            yield _alone(before)
        self._waiting[here] = half
        self._newest_us = max(self._newest_us, half.end_us)
        yield from self._waited(self._newest_us - WAIT_US)

    def _waited(self, until_us: int) -> Iterator[Row]:
        while self._waiting:
            key = next(iter(self._waiting))
            if len(self._waiting) <= WAITING_MAX and self._waiting[key].end_us >= until_us:
                return
            yield _alone(self._waiting.pop(key))

    def end(self) -> Iterator[Row]:
        """Give what still waits."""
        while self._waiting:
            yield _alone(self._waiting.pop(next(iter(self._waiting))))


def bounded(half: Half, from_us: int, until_us: int) -> bool:
    """Cut what a record says to what can be kept; false where its time cannot be: those that wait would be given up for it."""
    half.end_us = max(half.start_us, min(half.end_us, until_us))
    half.bytes, half.packets = min(half.bytes, COUNT_MAX), min(half.packets, COUNT_MAX)
    half.back_bytes = None if half.back_bytes is None else min(half.back_bytes, COUNT_MAX)
    half.back_packets = None if half.back_packets is None else min(half.back_packets, COUNT_MAX)
    return from_us <= half.start_us <= until_us


def _asked(half: Half) -> bool | None:
    """Say by the ports whether the target is the server; None where they do not tell."""
    for limit in (EPHEMERAL, _SYSTEM_PORTS):
        source_own, target_own = half.source_port >= limit, half.target_port >= limit
        if source_own != target_own:
            return source_own
    return None


def _alone(half: Half) -> Row:
    forward = _asked(half)
    if forward is None:
        forward = half.target_port <= half.source_port
    return _row(half, forward=forward, back_bytes=0, back_packets=0, answered=None if forward else True)


def _whole(half: Half) -> Row:
    back_bytes, back_packets = half.back_bytes or 0, half.back_packets or 0
    forward = half.initiator is not False
    there = back_packets or back_bytes if forward else half.packets or half.bytes
    return _row(half, forward=forward, back_bytes=back_bytes, back_packets=back_packets, answered=bool(there))


def _joined(one: Half, two: Half) -> Row:
    forward = _asked(one)
    if forward is None:
        forward = (
            one.start_us < two.start_us
            if one.start_us != two.start_us
            else one.target_port <= one.source_port
        )
    one.start_us, one.end_us = min(one.start_us, two.start_us), max(one.end_us, two.end_us)
    one.segment, one.service = one.segment or two.segment, one.service or two.service
    one.estimated |= two.estimated
    one.source_mac, one.target_mac = one.source_mac or two.target_mac, one.target_mac or two.source_mac
    return _row(one, forward=forward, back_bytes=two.bytes, back_packets=two.packets, answered=True)


def _row(half: Half, *, forward: bool, back_bytes: int, back_packets: int, answered: bool | None) -> Row:
    source, target = (half.source, half.source_mac), (half.target, half.target_mac)
    counts = (half.bytes, back_bytes, half.packets, back_packets)
    if not forward:
        source, target, counts = target, source, (back_bytes, half.bytes, back_packets, half.packets)
    port = half.target_port if forward else half.source_port
    return (
        half.start_us,
        half.end_us,
        *source,
        *target,
        half.transport,
        port,
        half.service,
        half.segment,
        *counts,
        answered,
        "netflow.estimated" if half.estimated else "netflow",
    )
