"""Read pcap and pcapng: the packets of a capture, one after the other.

Rules:
- Either order of bytes; times in micro- or nanoseconds (pcap), or in whatever unit an interface says (pcapng).
- A packet is (microseconds UTC, its bytes, length on the wire, link type). What a snap length cut off is no mistake.
- A header that cannot be one (longer than any packet, ends before it begins) is counted; the search goes on for the next that can:
  in pcap by the time of those before, in pcapng by a block whose two lengths agree.
- A capture that breaks off gives all whole packets.

Deliberately absent: options but the unit of time, names, statistics and secrets of pcapng.

Source: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; the list of link types of tcpdump.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Literal, TypeAlias

from oathward.core.reasons import Reason
from oathward.discovery.packets.layers import ETHERNET
from oathward.discovery.packets.source import Source

Packet: TypeAlias = "tuple[int, bytes, int, int]"
"""Microseconds UTC, bytes, length on the wire, link type."""

Usual: TypeAlias = "Callable[[bytes, int, int], tuple[int, int]]"
"""Takes the usual packets of a block of records, from a place on: where it stopped, and the time of the last that it took; 0 for none."""

PACKET_BYTES_MAX = 262_144
"""As the largest snap length of the programs that write captures."""

BLOCK_BYTES_MAX = 1024 * 1024
"""Of pcapng; what is longer is taken for a mistake."""

INTERFACES_MAX = 4_096

_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1),
    b"\xa1\xb2\xc3\xd4": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000),
}
"""Magic -> order of bytes, parts of a microsecond in one."""

_SECTION = b"\x0a\x0d\x0d\x0a"
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED = 1, 2, 3, 6
_TIME_UNIT, _TIME_OFFSET = 9, 14
_FRACTION_MAX = 1_000_000_000
_KEPT_BEHIND = 64
_PACKET_BYTES_MIN = 14


def known(head: bytes) -> bool:
    """Say whether a file begins as a capture does."""
    return head[:4] in _PCAP or (head[:4] == _SECTION and head[8:12] in _ORDERS)


def _nothing(_block: bytes, at: int, _parts: int) -> tuple[int, int]:
    """Take no packet as a usual one."""
    return at, 0


class Capture:
    """The packets of one stream. ``refused``: what could not be read, by reason and place."""

    def __init__(self, source: Source, refused: Counter[tuple[Reason, str]]) -> None:
        self._source = source
        self._refused = refused
        self._buffer = b""
        self._interfaces: list[tuple[int, int, int, int]] = []
        self._last_us = 0
        self._section("<")

    def packets(self, usual: Usual | None = None) -> Iterator[Packet | None]:
        """Give each packet that ``usual`` did not take; None where the bytes at hand are used up, before more are waited for."""
        while len(self._buffer) < 12 and self._fill():
            pass
        if self._buffer[:4] in _PCAP:
            yield from self._pcap(*_PCAP[self._buffer[:4]], usual)
        elif known(self._buffer):
            yield from self._pcapng()
        elif self._buffer:
            self._count(Reason.OBSERVED_UNKNOWN, "file")
        if self._source.broken:
            self._count(Reason.OBSERVED_CUT, "file")

    def _fill(self, at: int = 0) -> bool:
        """Drop what lies before ``at`` and read more behind the rest."""
        more = self._source.block()
        self._buffer = self._buffer[at:] + more if more else self._buffer[at:]
        return bool(more)

    def _count(self, reason: Reason, place: str) -> None:
        self._refused[reason, place] += 1

    # --- pcap

    def _pcap(self, order: str, parts: int, usual: Usual | None) -> Iterator[Packet | None]:
        link = self._pcap_link(order)
        head = Struct(order + "LLLL").unpack_from
        if usual is None or link != ETHERNET or order != "<":
            usual = _nothing
        at, fraction_max = 24, 1_000_000 * parts
        while link >= 0:
            buffer = self._buffer
            end = len(buffer)
            while at + 16 <= end:
                at, us = usual(buffer, at, parts)
                self._last_us = us or self._last_us
                if at + 16 > end:
                    break
                seconds, fraction, kept, length = head(buffer, at)
                if kept > PACKET_BYTES_MAX or fraction >= fraction_max:
                    at = self._found_again(at, order)
                    if at < 0:
                        return
                    buffer, end = self._buffer, len(self._buffer)
                    continue
                stop = at + 16 + kept
                if stop > end:
                    break
                self._last_us = us = seconds * 1_000_000 + (fraction if parts == 1 else fraction // parts)
                yield us, buffer[at + 16 : stop], length, link
                at = stop
            yield None
            if not self._fill(at):
                if self._buffer:
                    self._count(Reason.OBSERVED_CUT, "packet")
                return
            at = 0

    def _pcap_link(self, order: str) -> int:
        """Wait for the head of the file, give its link type; -1 where it is cut."""
        while len(self._buffer) < 24 and self._fill():
            pass
        if len(self._buffer) < 24:
            self._count(Reason.OBSERVED_CUT, "file")
            return -1
        return int(Struct(order + "L").unpack_from(self._buffer, 20)[0]) & 0x0FFFFFFF

    def _found_again(self, at: int, order: str) -> int:
        """Find the next header that can be one: of the same 18 hours as those before, of a length that can be; -1 for none."""
        self._count(Reason.OBSERVED_BROKEN, "packet")
        head = Struct(order + "LLLL").unpack_from
        high = (self._last_us // 1_000_000 or head(self._buffer, at)[0]) >> 16
        width: Literal["little", "big"] = "little" if order == "<" else "big"
        marks = b"|".join(re.escape(n.to_bytes(2, width)) for n in (high, min(high + 1, 0xFFFF)))
        behind = 2 if order == "<" else 0
        search = re.compile(marks).search
        at += 1
        while True:
            found = search(self._buffer, at + behind)
            while found and (begin := found.start() - behind) + 16 <= len(self._buffer):
                _, fraction, kept, length = head(self._buffer, begin)
                if fraction < _FRACTION_MAX and _PACKET_BYTES_MIN <= kept <= length <= PACKET_BYTES_MAX:
                    return begin
                found = search(self._buffer, found.start() + 1)
            if not self._fill(max(at, len(self._buffer) - _KEPT_BEHIND)):
                return -1
            at = 0

    # --- pcapng

    def _pcapng(self) -> Iterator[Packet | None]:
        at = 0
        while True:
            buffer, end = self._buffer, len(self._buffer)
            while at + 12 <= end:
                if buffer[at : at + 4] == _SECTION:
                    self._section(_ORDERS.get(buffer[at + 8 : at + 12], self._order))
                kind, size = self._head(buffer, at)
                stop = at + size
                if self._is_wrong(buffer, size, stop):
                    at = self._next_block(at)
                    if at < 0:
                        return
                    buffer, end = self._buffer, len(self._buffer)
                    continue
                if stop > end:
                    break
                packet = (
                    self._enhanced(buffer, at, size)
                    if kind == _ENHANCED
                    else self._other(kind, buffer[at + 8 : stop - 4])
                )
                if packet is not None:
                    yield packet
                at = stop
            yield None
            if not self._fill(at):
                if self._buffer:
                    self._count(Reason.OBSERVED_CUT, "packet")
                return
            at = 0

    def _section(self, order: str) -> None:
        """Begin a section: its order of bytes, no interface yet."""
        self._order = order
        self._interfaces = []
        self._head, self._word = Struct(order + "LL").unpack_from, Struct(order + "L").unpack_from
        self._packet = Struct(order + "LLLLL").unpack_from

    def _is_wrong(self, buffer: bytes, size: int, stop: int) -> bool:
        """Say whether a block cannot be one: its length, or the same again at its end."""
        if size % 4 or not 12 <= size <= BLOCK_BYTES_MAX:
            return True
        return stop <= len(buffer) and self._word(buffer, stop - 4)[0] != size

    def _enhanced(self, buffer: bytes, at: int, size: int) -> Packet | None:
        if size >= 32:
            interface, high, low, kept, length = self._packet(buffer, at + 8)
            if interface < len(self._interfaces) and kept <= size - 32:
                link, _, units, offset_us = self._interfaces[interface]
                us = high << 32 | low
                self._last_us = us = (us if units == 1_000_000 else us * 1_000_000 // units) + offset_us
                return us, buffer[at + 28 : at + 28 + kept], length, link
        self._count(Reason.OBSERVED_BROKEN, "packet")
        return None

    def _other(self, kind: int, body: bytes) -> Packet | None:
        if kind == _INTERFACE:
            self._describe(body)
        return self._old(kind, body) if kind in (_SIMPLE, _OLD_PACKET) else None

    def _describe(self, body: bytes) -> None:
        """Take an interface: its link type, snap length and how it counts time."""
        if len(body) < 8 or len(self._interfaces) >= INTERFACES_MAX:
            self._count(Reason.OBSERVED_BROKEN, "interface")
            return
        order = self._order
        link, snap = Struct(order + "H2xL").unpack_from(body)
        units, offset_us, at = 1_000_000, 0, 8
        option = Struct(order + "HH").unpack_from
        while at + 4 <= len(body):
            code, size = option(body, at)
            value = body[at + 4 : at + 4 + size]
            if code == 0:
                break
            if code == _TIME_UNIT and len(value) == 1:
                power = value[0] & 0x7F
                units = 2**power if value[0] & 0x80 else 10 ** min(power, 18)
            elif code == _TIME_OFFSET and len(value) == 8:
                offset_us = Struct(order + "q").unpack(value)[0] * 1_000_000
            at += 4 + size + -size % 4
        self._interfaces.append((link, snap, units, offset_us))

    def _old(self, kind: int, body: bytes) -> Packet | None:
        """Read a simple packet, which has no time and gets that of the one before it, or one of the obsolete kind."""
        begin, order = 4 if kind == _SIMPLE else 20, self._order
        if len(body) >= begin:
            if kind == _SIMPLE:
                interface, length = 0, Struct(order + "L").unpack_from(body)[0]
            else:
                interface, high, low, kept, length = Struct(order + "H2xLLLL").unpack_from(body)
            if interface < len(self._interfaces):
                link, snap, units, offset_us = self._interfaces[interface]
                if kind == _SIMPLE:
                    kept = min(length, snap or length)
                else:
                    self._last_us = (high << 32 | low) * 1_000_000 // units + offset_us
                if kept <= len(body) - begin:
                    return self._last_us, body[begin : begin + kept], length, link
        self._count(Reason.OBSERVED_BROKEN, "packet")
        return None

    def _next_block(self, at: int) -> int:
        """Find the next block whose two lengths agree: of packets, or a section; -1 for none."""
        self._count(Reason.OBSERVED_BROKEN, "packet")
        mark = re.compile(re.escape(Struct(self._order + "L").pack(_ENHANCED)) + b"|" + re.escape(_SECTION))
        length = self._word
        at += 1
        while True:
            for found in mark.finditer(self._buffer, at):
                begin = found.start()
                if begin + 12 > len(self._buffer):
                    break
                if found[0] == _SECTION:
                    if self._buffer[begin + 8 : begin + 12] in _ORDERS:
                        return begin
                    continue
                size = length(self._buffer, begin + 4)[0]
                if (
                    not size % 4
                    and 32 <= size <= BLOCK_BYTES_MAX
                    and begin + size <= len(self._buffer)
                    and length(self._buffer, begin + size - 4)[0] == size
                ):
                    return begin
            keep = max(at, len(self._buffer) - PACKET_BYTES_MAX)
            if not self._fill(keep):
                return -1
            at = 0
