"""NetFlow v5 and v9 and IPFIX: datagrams of exporters, and files of their messages one behind the other.

Rules:
- Where a file is broken, the next head of a message that can be one is looked for, byte by byte and forward only.
- What datagrams of a realm said (templates, halves of flows that wait) is kept between them, bounded. Flows are given when there are
  ``ROWS_MAX`` of them or after ``GIVEN_US``; an empty datagram of no exporter, which a socket never gives, ends a realm and gives all that waits.

Source: RFC 3954, RFC 7011 §3 and §10 (messages, UDP), RFC 5655 (files).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from oathward.core.reasons import Reason
from oathward.discovery.logs.exports import IPFIX, V5, V9, Exports
from oathward.discovery.logs.frames import flow_type, flows_of
from oathward.discovery.logs.gathering import Gathered
from oathward.discovery.logs.halves import COLUMNS, Halves, Row, bounded
from oathward.discovery.logs.pairs import Pairs
from oathward.discovery.model import Around, Seen
from oathward.discovery.observer import Observer

ROWS_MAX = 5_000
GIVEN_US = 5_000_000
AHEAD_US = 86_400_000_000
"""So far behind its receipt the time of a datagram's flows may lie: it comes from anybody."""
REALMS_MAX = 256
_PIECE_BYTES = 1_048_576
_MESSAGE_BYTES_MAX = 65_535
_VERSIONS = frozenset((V5, V9, IPFIX))
_MAY_BEGIN = re.compile(rb"\x00(?=[\x05\x09\x0a])")
_YEAR_2000_S, _YEAR_2100_S = 946_684_800, 4_102_444_800


class _Collector:
    """What is known of one realm's exporters."""

    def __init__(self, around: Around) -> None:
        self.gathered = Gathered(around)
        self._exports = Exports()
        self._halves = Halves()
        self._pairs = Pairs(self.gathered, "netflow")
        self._rows: list[Row] = []
        self._given_us = 0

    def take(self, message: bytes, exporter: str, until_us: int) -> None:
        for half in self._exports.message(message, exporter, self.gathered):
            if bounded(half, self.gathered.around.from_us, until_us):
                self._rows.extend(self._halves.take(half))
            else:
                self.gathered.refuse(Reason.OBSERVED_TIME, "time")

    def is_due(self, at_us: int) -> bool:
        """Say whether there is enough to give, or it waits too long."""
        return len(self._rows) >= ROWS_MAX or abs(at_us - self._given_us) >= GIVEN_US

    def part(self, offset: int, at_us: int = 0) -> Seen:
        import polars as pl

        self._given_us = at_us
        if self._rows:
            schema = {name: pl.Int64() if name == "port" else flow_type(name) for name in COLUMNS}
            flows = flows_of(pl.DataFrame(self._rows, schema=schema, orient="row"), self.gathered, "netflow")
            self._rows = []
            self.gathered.flows(flows)
            self._pairs.take(flows)
        return self.gathered.part(offset)

    def end(self, offset: int) -> Seen:
        self._exports.end(self.gathered)
        self._rows.extend(self._halves.end())
        return self.part(offset)


_LISTENING: dict[Around, _Collector] = {}
"""Collectors of sockets by what is around them: a datagram means nothing without those before it."""


def _datagram(data: bytes, exporter: str, at_us: int, around: Around) -> Seen:
    collector = _LISTENING.get(around)
    if collector is None:
        if len(_LISTENING) >= REALMS_MAX:
            _LISTENING.pop(next(iter(_LISTENING)))
        collector = _LISTENING[around] = _Collector(around)
    if not data and not exporter:
        return _LISTENING.pop(around).end(-1)
    collector.take(data, exporter, min(around.until_us, at_us + AHEAD_US))
    return collector.part(-1, at_us) if collector.is_due(at_us) else Seen()


def _knows(head: bytes, _: str) -> bool:
    return _length(head, last=True) > 0 and _can_be(head)


def _can_be(data: bytes) -> bool:
    """Say whether bytes can be the head of a message: a version, a time of this century, and what must follow."""
    version = int.from_bytes(data[:2])
    if version == V5:
        return len(data) >= 24 and 0 < int.from_bytes(data[2:4]) <= 30 and _in_century(data[8:12])
    if version == V9:
        return (
            len(data) >= 24
            and int.from_bytes(data[2:4]) > 0
            and _in_century(data[8:12])
            and _is_set(data[20:24], (0, 1))
        )
    return (
        len(data) >= 16
        and version == IPFIX
        and _in_century(data[4:8])
        and (len(data) < 20 or _is_set(data[16:20], (2, 3)))
    )


def _in_century(raw: bytes) -> bool:
    return _YEAR_2000_S <= int.from_bytes(raw) < _YEAR_2100_S


def _is_set(raw: bytes, templates: tuple[int, int]) -> bool:
    number = int.from_bytes(raw[:2])
    return (number in templates or number >= 256) and int.from_bytes(raw[2:4]) >= 4


def _length(data: bytes, *, last: bool) -> int:
    """Give how long the message is that data begins with: 0 where it is none, -1 where more of it must be read first.

    Args:
        last: nothing comes behind data.
    """
    if len(data) < 24 and not last:
        return -1
    version = int.from_bytes(data[:2])
    if version == IPFIX:
        said = int.from_bytes(data[2:4])
        length = said if said >= 16 else 0
    elif version == V5:
        length = 24 + 48 * min(int.from_bytes(data[2:4]), 30)
    else:
        return _length_v9(data, last=last) if version == V9 else 0
    return length if length <= len(data) or last else -1


def _length_v9(data: bytes, *, last: bool) -> int:
    """Add up sets until the next message begins: v9 does not say its length, and no set has a number that is a version."""
    at = 20
    while at + 4 <= len(data):
        number, length = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
        if number in _VERSIONS or length < 4 or at + length > _MESSAGE_BYTES_MAX:
            return at
        at += length
    return at if last or at > _MESSAGE_BYTES_MAX else -1


def _read(stream: BinaryIO, around: Around) -> Iterator[Seen]:
    collector = _Collector(around)
    data, at, offset, last = b"", 0, 0, False
    while not last:
        piece = stream.read(_PIECE_BYTES)
        last = not piece
        data, offset, at = data[at:] + piece, offset + at, 0
        while at < len(data):
            window = data[at : at + _MESSAGE_BYTES_MAX + 24]
            length = _length(window, last=last)
            if length < 0:
                break
            if length and _can_be(window):
                if length > len(window):
                    collector.gathered.refuse(Reason.OBSERVED_CUT, "message")
                collector.take(window[:length], "", around.until_us)
                at = min(at + length, len(data))
            else:
                collector.gathered.refuse(Reason.OBSERVED_BROKEN, "message")
                at = _next(data, at + 1, last=last)
            if collector.is_due(0):
                yield collector.part(offset + at)
    yield collector.end(offset + at)


def _next(data: bytes, at: int, *, last: bool) -> int:
    """Find where the next message may begin; where none does, the last bytes that could be a part of one."""
    for found in _MAY_BEGIN.finditer(data, at):
        if _can_be(data[found.start() : found.start() + 24]):
            return found.start()
    return len(data) if last else max(len(data) - 23, at)


OBSERVER = Observer(words="NetFlow v5 and v9, IPFIX", knows=_knows, read=_read, datagram=_datagram, order=30)
