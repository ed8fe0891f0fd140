"""What one side of a TCP flow sent, put in order, under bounds; and who understands it.

Rules:
- A flow seen from its middle begins at the first packet seen.
- What comes early waits, bounded for each side and over all; what is missing when the bound is met is taken for lost, and the
  reader is told.
- What comes twice counts once: the first bytes win.
- The first bytes of each side are shown to every head. Where none knows them, a reader looks for patients' data in clear, for a while.

Source: RFC 9293 §3.4 (sequence numbers wrap at 2**32).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.discovery.packets.clear import Search
from oathward.discovery.packets.head import heads
from oathward.discovery.packets.notes import HELD_BYTES_MAX

if TYPE_CHECKING:
    from oathward.discovery.packets.conversation import Half

EARLY_BYTES_MAX = 128 * 1024
EARLY_SEGMENTS_MAX = 64
LOOK_BYTES = 12
"""What is collected of a side before heads are asked: the shortest message that any of them knows has so many."""

_MASK = 0xFFFFFFFF
_HALF = 0x80000000


class Stream:
    """Puts one side in order. ``expected``: the next sequence number; None before the first packet."""

    __slots__ = ("_early", "_early_bytes", "_first", "_half", "expected")

    def __init__(self, half: Half) -> None:
        self._half = half
        self.expected: int | None = None
        self._early: dict[int, bytes] | None = None
        self._early_bytes = 0
        self._first = b""

    def take(self, number: int, data: bytes, us: int) -> None:
        """Take a segment's payload, not empty."""
        if number == self.expected and not self._early and (reader := self._half.flow.reader) is not None:
            self.expected = (number + len(data)) & _MASK  # nearly always
            reader.take(self._half, data, us)
            return
        if number != self.expected and not self._in_order(number, data, us):
            return
        if self.expected is None:
            self.expected = number
        self.expected = (self.expected + len(data)) & _MASK
        self._deliver(data, us)
        if self._early:
            self._drain(us)

    def cut(self, missing: int) -> None:
        """Learn that a snap length cut off the last bytes of the segment before."""
        if self.expected is not None:
            self.expected = (self.expected + missing) & _MASK
            self._lost()

    def close(self) -> None:
        """Give back what waits."""
        self._half.flow.notes.held_bytes -= self._early_bytes
        self._early = None
        self._early_bytes = 0

    def _in_order(self, number: int, data: bytes, us: int) -> bool:
        """Say whether a segment is the next one; one that is not waits, or gives what is new of it."""
        if self.expected is None:
            return True
        ahead = (number - self.expected) & _MASK
        if ahead >= _HALF:  # seen before, in part at least
            new = len(data) - (_MASK + 1 - ahead)
            if new > 0:
                self.take(self.expected, data[-new:], us)
            return False
        notes = self._half.flow.notes
        if self._early is None:
            self._early = {}
        old = self._early.get(number)
        if old is None or len(old) < len(data):
            more = len(data) - len(old or b"")
            self._early[number] = data
            self._early_bytes += more
            notes.held_bytes += more
        if (
            self._early_bytes > EARLY_BYTES_MAX
            or len(self._early) > EARLY_SEGMENTS_MAX
            or notes.held_bytes > HELD_BYTES_MAX
        ):
            self._lost()
            expected = self.expected
            self.expected = min(self._early, key=lambda early: (early - expected) & _MASK)
            self._drain(us)
        return False

    def _drain(self, us: int) -> None:
        """Give what waited and is next now."""
        while self._early and self.expected is not None:
            expected = self.expected
            number = expected if expected in self._early else self._overlapping(expected)
            if number is None:
                return
            data = self._early.pop(number)
            self._early_bytes -= len(data)
            self._half.flow.notes.held_bytes -= len(data)
            data = data[(expected - number) & _MASK :]
            if data:
                self.expected = (expected + len(data)) & _MASK
                self._deliver(data, us)

    def _overlapping(self, expected: int) -> int | None:
        return next((early for early in self._early or () if (expected - early) & _MASK < _HALF), None)

    def _lost(self) -> None:
        reader = self._half.flow.reader
        if reader is not None:
            reader.lost(self._half)

    def _deliver(self, data: bytes, us: int) -> None:
        half = self._half
        if half.stream is None:
            return
        reader = half.flow.reader
        if reader is None:
            self._look(data, us)
        else:
            reader.take(half, data, us)

    def _look(self, data: bytes, us: int) -> None:
        """Show the first bytes to the heads."""
        half, flow = self._half, self._half.flow
        first = self._first + data
        if len(first) < LOOK_BYTES:
            self._first = first
            return
        self._first = b""
        for head in heads("tcp"):
            if head.open is not None and head.knows(first, half.port, half.other.port):
                flow.service = head.service or flow.service
                flow.reader = head.open(flow)
                break
        else:
            flow.reader = Search(flow)
        flow.reader.take(half, first, us)
