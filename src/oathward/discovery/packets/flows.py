"""The table of flows: each packet counted where it belongs, what it carries handed on, what is over given out as a row.

Rules:
- Both directions of a flow have a key of their own, made of the bytes of the packet as they stand. The usual packet (Ethernet, IPv4
  without options, TCP or UDP) is counted where it stands in the block, by one unpacking and one look-up. All that is rare happens
  elsewhere, by name, and gives the same for the usual packet.
- A flow ends after ``IDLE_US`` without a packet, ``CLOSED_US`` after both sides or one reset ended it, or when the table is full: then
  those go that were silent longest. One that goes on gives a row every ``ACTIVE_US``.
- Time is the capture's. Where it jumps back nothing ends early; what is outside of what can be is refused.
- A port that is used again begins a new flow: a SYN with another number, or after the end.
- The table is looked through no more often than there are packets for it: time that jumps to and fro costs nothing.

Source: RFC 7011 §2 (flow), RFC 5470 §5 (expiry), RFC 9293 §3.1 (header).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from struct import Struct
from typing import Any

from oathward.core.reasons import Reason
from oathward.discovery.model import Clear
from oathward.discovery.packets.capture import PACKET_BYTES_MAX, Packet
from oathward.discovery.packets.conversation import Conversation, Half, Row, asked
from oathward.discovery.packets.head import heads
from oathward.discovery.packets.layers import (
    ICMP6,
    TCP,
    TUNNEL_PORTS,
    TUNNELS_MAX,
    UDP,
    Datagram,
    Framed,
    unwrapped,
    within,
)
from oathward.discovery.packets.notes import Notes
from oathward.discovery.packets.streams import Stream

FLOWS_MAX = 100_000
SWEEP_US = 5_000_000
IDLE_US = {TCP: 300_000_000, UDP: 60_000_000}
IDLE_OTHER_US = 60_000_000
CLOSED_US = 10_000_000
ACTIVE_US = 900_000_000
EVICTED_SHARE = 8
"""One of so many flows goes where the table is full."""

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_record = Struct("<LLL16xHBxBB2xHxB2x12s8xH").unpack_from
"""Of a record of pcap: seconds, fraction, bytes kept; of its packet: type (bytes swapped), version and length of a header, two bytes of its
length, fragment (bytes swapped), protocol, key, offset and flags (bytes swapped)."""

_RECORD_BYTES, _RECORD_HEAD_BYTES, _RECORD_NUMBER_AT = 64, 16, 54
_IPV4_SWAPPED, _IPV4_PLAIN, _FRAGMENT_SWAPPED = 0x0008, 0x45, 0xFF3F
_IP_AT, _UDP_AT = 14, 42
_tcp = Struct(">4xL4xBB").unpack_from
_number = Struct(">L").unpack_from
_KEYS = {12: Struct(">4s4sHH"), 36: Struct(">16s16sHH")}
"""Bytes of a key -> its parts: source, target, their ports."""

_HEAD_BYTES = {TCP: 20, UDP: 8}
_TCP_WORDS = 0x50
_TCP_FRAME_BYTES, _TCP_BYTES, _UDP_BYTES = 54, 40, 28
_USUAL_BYTES = [
    20 + (offset >> 4 << 2) if offset >= _TCP_WORDS and not flags & (_FIN | _SYN | _RST) else 0
    for flags in range(256)
    for offset in range(256)
]
"""By offset and flags (bytes swapped) of a segment that neither begins nor ends a flow: bytes of its headers, that of IP among them; of others 0."""

_Where = tuple[bytes, bytes, str, int]
"""Of a packet: source card, target card, segment, when."""


class Flows:
    """All flows of one capture. ``rows`` and ``clear``: what is over since somebody took them. ``now_us``: the capture's time."""

    def __init__(self, notes: Notes, flows_max: int = FLOWS_MAX) -> None:
        self.notes = notes
        self.rows: list[Row] = []
        self.clear: list[Clear] = []
        self.packets = self.now_us = 0
        self._flows_max = flows_max
        self._flows: dict[int, Conversation] = {}
        self._tables: dict[int, dict[bytes, Half]] = {TCP: {}, UDP: {}}
        self._low_us = notes.around.from_us
        self._high_us = self._low_us
        self._swept_at = 0
        self._depth = 0

    def __len__(self) -> int:
        return len(self._flows)

    def run(self, packets: Iterator[Packet | None]) -> Iterator[None]:
        """Take all packets; yields wherever what is at hand is used up, for what was noted to be taken."""
        for packet in packets:
            if packet is None:
                yield
                continue
            us, data, _, link = packet
            self.packets += 1
            if self._low_us <= us < self._high_us or self._is_due(us):
                self._otherwise(data, link, us)

    def usual(self, block: bytes, at: int, parts: int) -> tuple[int, int]:
        """Take the usual packets of a block of records, from ``at`` on: where the first stands that is another, and the time of the last.

        Args:
            parts: of a microsecond in a unit of the capture's time.
        """
        record, headers, known = _record, _USUAL_BYTES, self._tables[TCP].get
        low_us, high_us, fraction_max = self._low_us, self._high_us, 1_000_000 * parts
        end, last, taken, last_us, second, second_us = len(block), len(block) - _RECORD_BYTES, 0, 0, -1, 0
        while at <= last:
            seconds, fraction, kept, kind, version, size, less, fragment, protocol, key, flags = record(
                block, at
            )
            begin = at + _RECORD_HEAD_BYTES
            stop = begin + kept
            if seconds != second:
                second, second_us = seconds, seconds * 1_000_000
            us = second_us + (fraction if parts == 1 else fraction // parts)
            if (
                kind != _IPV4_SWAPPED
                or version != _IPV4_PLAIN
                or fragment & _FRAGMENT_SWAPPED
                or stop > end
                or kept > PACKET_BYTES_MAX
                or fraction >= fraction_max
                or not low_us <= us < high_us
            ):
                break
            size = size << 8 | less
            header = headers[flags] if protocol == TCP else 0
            if not header or (half := known(key)) is None:
                if not self._seldom(block[begin:stop], protocol, size, key, us):
                    break
            elif kept < _TCP_FRAME_BYTES or header > size:
                break
            else:
                half.packets += 1
                half.last_us = us
                if size > header:
                    half.bytes += size - header
                    if half.stream is not None:
                        begin += _IP_AT
                        number = _number(block, at + _RECORD_NUMBER_AT)[0]
                        if begin + size <= stop:
                            half.stream.take(number, block[begin + header : begin + size], us)
                        else:
                            half.payload(block, begin + header, begin + size, stop, number, us)
            last_us = us
            taken += 1
            at = stop
        self.packets += taken
        return at, last_us

    def _seldom(self, data: bytes, protocol: int, size: int, key: bytes, us: int) -> bool:
        """Take a frame of plain IPv4 that begins or ends a flow of TCP, or one of UDP; say whether it was one."""
        if protocol == TCP and len(data) >= _TCP_FRAME_BYTES and size >= _TCP_BYTES:
            self._segment(data, 34, _IP_AT + size, key, (data[6:12], data[:6], "", us))
            return True
        if protocol != UDP or len(data) < _UDP_AT or size < _UDP_BYTES:
            return False
        half = self._tables[UDP].get(key) or self._new(UDP, key, (data[6:12], data[:6], "", us))
        half.packets += 1
        half.bytes += size - _UDP_BYTES
        half.last_us = us
        if half.stream is not None:
            half.stream(half, data[_UDP_AT : _IP_AT + size], us)
        return True

    def _is_due(self, us: int) -> bool:
        """Look at time where it left the bounds of what is usual: whether a packet of then counts; and what is over."""
        if not self.notes.around.from_us <= us <= self.notes.around.until_us:
            self.packets -= 1
            self.notes.refuse(Reason.OBSERVED_TIME, "packet")
            return False
        if us >= self._high_us:
            self._sweep(us)
        return True

    def finish(self) -> None:
        """Give out all that is left."""
        for flow in list(self._flows.values()):
            self._end(flow)

    # --- all that is not the usual packet of a flow that is known

    def _otherwise(self, data: bytes, link: int, us: int, segment: str = "", at: int = 0) -> None:
        found = unwrapped(data, link, segment, at)
        if isinstance(found, Framed):
            self._frame(found, data, us)
        elif isinstance(found, Datagram):
            self._datagram(found, data, us)
            if not found.fragment and found.protocol != UDP:
                self._carried(data, found, us)
        elif found is not None:
            self.notes.refuse(found, "packet")

    def _carried(self, data: bytes, outer: Datagram, us: int) -> None:
        """Take what a tunnel carries."""
        inner = within(data, outer)
        if inner is None:
            return
        if self._depth >= TUNNELS_MAX:
            self.notes.refuse(Reason.OBSERVED_FULL, "packet")
            return
        at, link, segment = inner
        self._depth += 1
        self._otherwise(data, link, us, segment, at)
        self._depth -= 1

    def _tunnelled(self, half: Half, payload: bytes, us: int) -> None:
        """Take a datagram of a tunnel over UDP; its ports are written before it again, for it to be told by them."""
        half.flow.service = "tunnel"
        data = (half.port << 16 | half.other.port).to_bytes(4, "big") + bytes(4) + payload
        self._carried(data, Datagram(UDP, b"", b"", 0, len(data), b"", b"", half.flow.segment), us)

    def _frame(self, framed: Framed, data: bytes, us: int) -> None:
        for head in heads("frame"):
            if head.kind == framed.kind and head.frame is not None:
                head.frame(self.notes, data, framed, us)

    def _datagram(self, found: Datagram, data: bytes, us: int) -> None:
        protocol, begin, end = found.protocol, found.begin, found.end
        heads_bytes = _HEAD_BYTES.get(protocol, 0)
        if found.fragment:
            self.notes.refuse(Reason.OBSERVED_FRAGMENT, "packet")
            return
        if len(data) < begin + heads_bytes:
            self.notes.refuse(Reason.OBSERVED_CUT, "packet")
            return
        ports = data[begin : begin + 4] if heads_bytes else bytes(4)
        key = found.source + found.target + ports
        where = found.source_mac, found.target_mac, found.segment, us
        if protocol == TCP:
            self._segment(data, begin, end, key, where)
            return
        if protocol == ICMP6:
            self._frame(Framed("icmp6", begin, found.source_mac, found.segment), data, us)
        half = self._tables.setdefault(protocol, {}).get(key) or self._new(protocol, key, where)
        half.packets += 1
        half.bytes += max(0, end - begin - heads_bytes)
        half.last_us = us
        if half.stream is not None:
            half.stream(half, data[begin + heads_bytes : end], us)

    def _segment(self, data: bytes, begin: int, end: int, key: bytes, where: _Where) -> None:
        """Take a segment of TCP that begins or ends a flow, or is of an unusual form."""
        us = where[-1]
        number, offset, flags = _tcp(data, begin)
        size = end - begin - (offset >> 4 << 2)
        if offset < _TCP_WORDS or size < 0:
            self.notes.refuse(Reason.OBSERVED_BROKEN, "packet")
            return
        half = self._tables[TCP].get(key)
        if half is None or (flags & _SYN and self._is_again(half, (number + 1) & 0xFFFFFFFF)):
            half = self._new(TCP, key, where)
        if flags & _SYN:
            _begun(half, (number + 1) & 0xFFFFFFFF, asks=not flags & _ACK)
        half.packets += 1
        half.bytes += size
        half.last_us = us
        if size and half.stream is not None and not flags & _SYN:
            half.payload(data, end - size, end, len(data), number, us)
        if flags & (_FIN | _RST):
            half.resets += bool(flags & _RST)
            half.flow.closed |= bool(flags & _RST) or half.flow.ended
            half.flow.ended = True

    def _is_again(self, half: Half, following: int) -> bool:
        """Say whether a SYN is of a new flow, because the one that is known began with another number; that one is given out."""
        first = half.stream is not None and half.stream.expected is None
        if not half.packets or half.syn == following or (first and half.syn < 0):
            return False
        self._end(half.flow)
        return True

    def _new(self, protocol: int, key: bytes, where: _Where) -> Half:
        """Begin a flow, by what its first packet says; give the half that sent it."""
        if len(self._flows) >= self._flows_max:
            self._evict()
        mac, other_mac, segment, us = where
        parts = _KEYS[len(key)]
        sender, receiver, source, target = parts.unpack(key)
        back = parts.pack(receiver, sender, target, source)
        flow = Conversation(self.notes, protocol, key, back, segment, us)
        half = Half(flow, sender, source, mac)
        other = Half(flow, receiver, target, other_mac)
        if asked(receiver, source, target):
            flow.client, flow.server = half, other
        else:
            flow.client, flow.server = other, half
        table = self._tables[protocol]
        table[key] = half
        table.setdefault(back, other)  # the same where something speaks with itself
        self._flows[id(flow)] = flow
        if protocol == TCP:
            half.stream, other.stream = Stream(half), Stream(other)
        elif protocol == UDP:
            tunnel = target in TUNNEL_PORTS or source in TUNNEL_PORTS
            half.stream = other.stream = self._tunnelled if tunnel else _first
        return half

    # --- the end of flows

    def _end(self, flow: Conversation) -> None:
        table = self._tables[flow.protocol]
        table.pop(flow.key, None)
        table.pop(flow.back, None)
        self._flows.pop(id(flow), None)
        if flow.protocol == TCP:
            flow.close()
        self._give(flow)
        flow.forget()

    def _give(self, flow: Conversation) -> None:
        row, clear = flow.row()
        self.rows.append(row)
        self.clear += clear

    def _sweep(self, us: int) -> None:
        """Give out what is over, at most as often as there were packets for it."""
        self.now_us = us
        self._high_us = min(us + SWEEP_US, self.notes.around.until_us + 1)
        if self.packets - self._swept_at < len(self._flows) // 4:
            return
        self._swept_at = self.packets
        for flow in list(self._flows.values()):
            last_us = max(flow.client.last_us, flow.server.last_us)
            silent_us = us - last_us
            if silent_us > IDLE_US.get(flow.protocol, IDLE_OTHER_US) or (
                flow.closed and silent_us > CLOSED_US
            ):
                self._end(flow)
            elif us - flow.start_us > ACTIVE_US and (flow.client.packets or flow.server.packets):
                self._give(flow)

    def _evict(self) -> None:
        """Make room: those go that were silent longest."""
        self.notes.refuse(Reason.OBSERVED_FULL, "flow")
        ordered = sorted(self._flows.values(), key=lambda flow: max(flow.client.last_us, flow.server.last_us))
        for flow in ordered[: max(1, len(ordered) // EVICTED_SHARE)]:
            self._end(flow)


def _begun(half: Half, following: int, *, asks: bool) -> None:
    """Learn from a SYN who was asked, and which number is the next."""
    flow = half.flow
    if not flow.sure:
        flow.served_by(half.other if asks else half)
        flow.sure = True
    half.syn = following
    if half.stream is not None and half.stream.expected is None:
        half.stream.expected = following


def _first(half: Half, data: bytes, us: int) -> None:
    """Show the first datagram of a side to the heads; whoever knows it takes all of them."""
    flow, source = half.flow, half.port
    target = (flow.server if flow.client is half else flow.client).port
    for knows, taken, service in _takers():
        if knows(data, source, target):
            flow.service = service
            half.stream = taken
            taken(half, data, us)
            return
    half.stream = None


@cache
def _takers() -> tuple[tuple[Any, Any, str], ...]:
    """Give who takes datagrams: whether it knows one, what takes it, what a flow of it is called."""
    return tuple((head.knows, head.datagram, head.service) for head in heads("udp") if head.datagram)
