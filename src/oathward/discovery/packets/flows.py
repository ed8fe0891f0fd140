"""The table of flows: each packet counted where it belongs, what it carries handed on, what is over given out as a row.

Rules:
- Both directions of a flow have a key of their own, made of the bytes of the packet as they stand; so the usual packet costs one slice
  and one look-up. All that is rare happens elsewhere, by name.
- A flow ends after ``IDLE_US`` without a packet, ``CLOSED_US`` after both sides or one reset ended it, or when the table is full: then
  those go that were silent longest. One that goes on gives a row every ``ACTIVE_US``.
- Time is the capture's. Where it jumps back nothing ends early; what is outside of what can be is refused.
- A port that is used again begins a new flow: a SYN with another number, or after the end.
- The table is looked through no more often than there are packets for it: time that jumps to and fro costs nothing.

Source: RFC 7011 §2 (flow), RFC 5470 §5 (expiry), RFC 9293 §3.1 (header).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from struct import Struct
from typing import Any

from oathward.core.reasons import Reason
from oathward.discovery.model import Clear
from oathward.discovery.packets.capture import Packet
from oathward.discovery.packets.conversation import Conversation, Half, Row, asked
from oathward.discovery.packets.head import heads
from oathward.discovery.packets.layers import (
    ETHERNET,
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
_usual = Struct(">16xH2xHxB14xL4xBB").unpack_from
_tcp = Struct(">HHL4xBB").unpack_from
_ports = Struct(">HH").unpack_from
_USUAL_BYTES = 54
_HEAD_BYTES = {TCP: 20, UDP: 8}
_UDP_BYTES = 28
_TCP_WORDS = 0x50
_IPV4_PLAIN = b"\x08\x00\x45"


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
        self._tcp, self._udp = self._tables[TCP].get, self._tables[UDP].get
        self._low_us = notes.around.from_us
        self._high_us = self._low_us
        self._swept_at = 0
        self._depth = 0

    def __len__(self) -> int:
        return len(self._flows)

    def run(self, packets: Iterator[Packet | None]) -> Iterator[None]:
        """Take all packets; yields wherever what is at hand is used up, for what was noted to be taken."""
        usual, known, datagram, otherwise = _usual, self._tcp, self._usual_datagram, self._otherwise
        for packet in packets:
            if packet is None:
                yield
                continue
            us, data, _, link = packet
            self.packets += 1
            if not self._low_us <= us < self._high_us and not self._is_due(us):
                continue
            # The usual packet, in place. What it is not goes the long way, which gives the same.
            if link == ETHERNET and data[12:15] == _IPV4_PLAIN and len(data) >= _USUAL_BYTES:
                total, fragment, protocol, number, offset, flags = usual(data)
                if protocol == TCP and offset >= _TCP_WORDS and not (flags & 7 or fragment & 0x3FFF):
                    half = known(data[26:38])
                    if half is not None:
                        half.packets += 1
                        half.last_us = us
                        size = total - 20 - (offset >> 4 << 2)
                        if size > 0:
                            half.bytes += size
                            if half.stream is not None:
                                half.payload(data, 14 + total - size, size, number, us)
                        continue
                elif protocol == UDP and not fragment & 0x3FFF and datagram(data, total, us):
                    continue
            otherwise(data, link, us)

    def _usual_datagram(self, data: bytes, total: int, us: int) -> bool:
        """Take a datagram of a flow that is known; say whether it was one."""
        half = self._udp(data[26:38])
        if half is None or total < _UDP_BYTES:
            return False
        half.packets += 1
        half.bytes += total - _UDP_BYTES
        half.last_us = us
        if half.stream is not None:
            half.stream(data[42 : 14 + total], us)
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
        elif len(data) < begin + heads_bytes:
            self.notes.refuse(Reason.OBSERVED_CUT, "packet")
        elif protocol == TCP:
            self._segment(found, data, us)
        else:
            if protocol == ICMP6:
                self._frame(Framed("icmp6", begin, found.source_mac, found.segment), data, us)
            source, target = _ports(data, begin) if protocol == UDP else (0, 0)
            half = self._half(found, source, target, us)
            half.packets += 1
            half.bytes += max(0, end - begin - heads_bytes)
            half.last_us = us
            if half.stream is not None:
                half.stream(data[begin + heads_bytes : end], us)

    def _segment(self, found: Datagram, data: bytes, us: int) -> None:
        """Take a segment of TCP that begins or ends a flow, or is of an unusual form."""
        source, target, number, offset, flags = _tcp(data, found.begin)
        begin, end = found.begin + (offset >> 4 << 2), found.end
        if begin < found.begin + 20 or begin > end:
            self.notes.refuse(Reason.OBSERVED_BROKEN, "packet")
            return
        half = self._half(found, source, target, us)
        if flags & _SYN:
            half = self._begun(found, half, source, target, number, flags, us)
        half.packets += 1
        half.bytes += end - begin
        half.last_us = us
        if end > begin and half.stream is not None and not flags & _SYN:
            half.payload(data, begin, end - begin, number, us)
        if flags & (_FIN | _RST):
            half.resets += bool(flags & _RST)
            half.flow.closed |= bool(flags & _RST) or half.flow.ended
            half.flow.ended = True

    def _begun(
        self, found: Datagram, half: Half, source: int, target: int, number: int, flags: int, us: int
    ) -> Half:
        """Take a SYN: a new flow where the old one is over, or this one begins with another number."""
        following = (number + 1) & 0xFFFFFFFF
        first = isinstance(half.stream, Stream) and half.stream.expected is None
        again = half.flow.syn.get(half is half.flow.client)
        if half.packets and again != following and not (first and again is None):
            self._end(half.flow)
            half = self._half(found, source, target, us)
        flow = half.flow
        asks = not flags & _ACK
        if not flow.sure:
            flow.served_by(half.other if asks else half)
            flow.sure = True
        flow.syn[half is flow.client] = following
        if isinstance(half.stream, Stream) and half.stream.expected is None:
            half.stream.expected = following
        return half

    def _half(self, found: Datagram, source: int, target: int, us: int) -> Half:
        """Find the half of a flow that a packet belongs to, or begin a flow."""
        ports = (source << 16 | target).to_bytes(4, "big")
        key = found.source + found.target + ports
        table = self._tables.setdefault(found.protocol, {})
        half = table.get(key)
        return half if half is not None else self._new(found, source, target, key, table, us)

    def _new(
        self, found: Datagram, source: int, target: int, key: bytes, table: dict[bytes, Half], us: int
    ) -> Half:
        if len(self._flows) >= self._flows_max:
            self._evict()
        flow = Conversation(self.notes, found.protocol, found.segment, us)
        half = Half(flow, found.source, source, found.source_mac)
        other = Half(flow, found.target, target, found.target_mac)
        asks = asked(found.target, source, target)
        flow.client, flow.server = (half, other) if asks else (other, half)
        back = found.target + found.source + (target << 16 | source).to_bytes(4, "big")
        flow.keys = (found.protocol, key, back)
        table[key] = half
        table.setdefault(back, other)  # the same where something speaks with itself
        self._flows[id(flow)] = flow
        if found.protocol == TCP:
            half.stream, other.stream = Stream(half), Stream(other)
        elif found.protocol == UDP:
            taken = self._tunnelled if target in TUNNEL_PORTS or source in TUNNEL_PORTS else _first
            half.stream, other.stream = partial(taken, half), partial(taken, other)
        return half

    # --- the end of flows

    def _end(self, flow: Conversation) -> None:
        protocol, key, back = flow.keys
        table = self._tables[protocol]
        table.pop(key, None)
        table.pop(back, None)
        self._flows.pop(id(flow), None)
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
            if silent_us > IDLE_US.get(flow.keys[0], IDLE_OTHER_US) or (
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


def _first(half: Half, data: bytes, us: int) -> None:
    """Show the first datagram of a side to the heads; whoever knows it takes all of them."""
    flow = half.flow
    for head in heads("udp"):
        if head.datagram is not None and head.knows(data, half.port, half.other.port):
            flow.service = head.service
            taken: Any = partial(head.datagram, half)
            half.stream = taken
            taken(data, us)
            return
    half.stream = None
