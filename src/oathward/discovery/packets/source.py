"""The bytes of a capture, in blocks: as they are, or inflated where the file is compressed with gzip.

Rules:
- No more than a block is asked for, and no more than is there is waited for: a pipe gives what it has.
- What is inflated is bounded at each step, however much a few bytes become.
- A compressed file that breaks off gives what came before; ``broken`` says so.

Source: RFC 1952 (gzip, several members one after the other).
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

BLOCK_BYTES = 1 << 18
"""Few enough that a processor keeps them near while they are read."""

GZIP = b"\x1f\x8b"
_GZIP_BITS = 31


class Source:
    """A stream as blocks. ``offset``: bytes of the stream read so far, compressed ones where it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._read = getattr(stream, "read1", stream.read)
        self._inflater: zlib._Decompress | None = None
        self._waiting = b""
        self._begun = False
        self.offset = 0
        self.broken = False

    def block(self) -> bytes:
        """Give the next bytes, at most a block; empty at the end."""
        if not self._begun:
            self._begin()
        if self._inflater is None:
            found, self._waiting = self._waiting, b""
            return found or self._more()
        return self._inflated(self._inflater)

    def _begin(self) -> None:
        self._begun = True
        head = self._more()
        while 0 < len(head) < len(GZIP) and (more := self._more()):
            head += more
        self._waiting = head
        if head.startswith(GZIP):
            self._inflater = zlib.decompressobj(_GZIP_BITS)

    def _more(self) -> bytes:
        found: bytes = self._read(BLOCK_BYTES) or b""
        self.offset += len(found)
        return found

    def _inflated(self, inflater: zlib._Decompress) -> bytes:
        """Inflate until there is something to give, or nothing more comes."""
        while not self.broken:
            if inflater.eof:
                packed = inflater.unused_data or self._more()
                while packed and not (packed := packed.lstrip(b"\0")):  # padding behind the last member
                    packed = self._more()
                if not packed:
                    return b""
                self._inflater = inflater = zlib.decompressobj(_GZIP_BITS)
            else:
                packed = self._waiting or self._more()
                if not packed:
                    self.broken = True
                    break
            try:
                found = inflater.decompress(packed, BLOCK_BYTES)
            except zlib.error:
                self.broken = True
                break
            self._waiting = inflater.unconsumed_tail
            if found:
                return found
        return b""


def opened(head: bytes) -> bytes:
    """Give the first bytes of what a head stands for: inflated where it is compressed."""
    if not head.startswith(GZIP):
        return head
    try:
        return zlib.decompressobj(_GZIP_BITS).decompress(head, 64)
    except zlib.error:
        return b""
