"""A source cut into blocks of whole lines, unpacked where it is gzip.

Rules:
- A block is at most ``BLOCK_BYTES`` and one line; memory does not grow with the source.
- A line longer than ``LINE_BYTES_MAX`` is passed over and counted, however long it is.
- What stands behind the last line's end is a block of its own, ``whole=False``: it may be a line that is still being written.
- Packed data is unpacked piece by piece, so that a bomb costs time in proportion to what comes out, and no memory.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from oathward.core.reasons import Reason
from oathward.discovery.observer import HEAD_BYTES

BLOCK_BYTES = 8_388_608
"""What is read at once where the source has it: a frame of Polars costs milliseconds whatever is in it."""
PART_BYTES = 1_048_576
"""What is looked at line by line at once: lines of a few bytes cost fifty times as much in memory."""
AHEAD_BYTES = 32_768
"""A source that gives so much at once has more: it is waited for. One that gives less is a sensor's, at work."""
LINE_BYTES_MAX = 1_048_576
_GZIP = b"\x1f\x8b"
_WITH_GZIP_HEADER = 31  # zlib's window bits for a gzip member


class Block(NamedTuple):
    """Lines of a source: ``offset``, bytes of the source up to their end (of a packed one: that were read so far); ``whole``: the last has its end."""

    data: bytes
    offset: int
    whole: bool = True
    packed: bool = False

    def parts(self) -> Iterator[Block]:
        """Cut it into blocks of about ``PART_BYTES``, for who looks at each line."""
        begin = 0
        while begin < len(self.data):
            end = self.data.find(b"\n", begin + PART_BYTES) + 1 or len(self.data)
            left = 0 if self.packed else len(self.data) - end
            yield self._replace(data=self.data[begin:end], offset=self.offset - left)
            begin = end


def plain_head(head: bytes) -> bytes:
    """Unpack the first bytes of a source where they are gzip, as far as they go."""
    if not head.startswith(_GZIP):
        return head
    try:
        return zlib.decompressobj(_WITH_GZIP_HEADER).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""


def blocks(stream: BinaryIO, refused: Counter[tuple[Reason, str]]) -> Iterator[Block]:
    """Cut a source, packed or not, into blocks of lines; what cannot be one is counted in ``refused``."""
    rest, too_long, offset = b"", False, 0
    mark = stream.read(len(_GZIP))
    packed = mark == _GZIP
    for piece, offset in _unpacked(stream, refused) if packed else _pieces(stream, mark):
        end = piece.rfind(b"\n") + 1
        if too_long:
            begin = piece.find(b"\n") + 1
            if not begin:
                continue
            too_long, piece = False, piece[begin:]
            end -= begin
        if end:
            yield Block(rest + piece[:end], offset if packed else offset - (len(piece) - end), packed=packed)
            rest = piece[end:]
        else:
            rest += piece
        if len(rest) > LINE_BYTES_MAX:
            refused[Reason.OBSERVED_SIZE, "line"] += 1
            rest, too_long = b"", True
    if rest:
        yield Block(rest, offset, whole=False, packed=packed)


def _pieces(stream: BinaryIO, begin: bytes) -> Iterator[tuple[bytes, int]]:
    """Give pieces of a source whose first bytes were read, each with the bytes of the source read so far."""
    read = getattr(stream, "read1", stream.read)  # what a socket has, without waiting for a whole block
    offset, had, last = 0, [begin], False
    while not last:
        size = len(had[0]) if had else 0
        while size < BLOCK_BYTES:
            more = read(BLOCK_BYTES - size)
            last = not more
            had.append(more)
            size += len(more)
            if len(more) < AHEAD_BYTES:
                break
        offset += size
        if size:
            yield b"".join(had), offset
        had = []


def _unpacked(stream: BinaryIO, refused: Counter[tuple[Reason, str]]) -> Iterator[tuple[bytes, int]]:
    """Give the members of a gzip file, which was read up to its mark; damage and a cut are counted and end it."""
    packed, offset, inside = _GZIP, len(_GZIP), True
    member = zlib.decompressobj(_WITH_GZIP_HEADER)
    while True:
        more = packed or stream.read(BLOCK_BYTES // 4)
        offset += 0 if packed else len(more)
        try:
            piece = member.decompress(more, BLOCK_BYTES)
        except zlib.error:
            refused[Reason.OBSERVED_BROKEN, "gzip"] += 1
            return
        if piece:
            yield piece, offset
        elif not more:
            break
        packed, inside = member.unconsumed_tail, inside or bool(more)
        if member.eof:
            packed = member.unused_data.lstrip(b"\0")  # tapes and some writers pad members
            member, inside = zlib.decompressobj(_WITH_GZIP_HEADER), bool(packed)
    if inside:
        refused[Reason.OBSERVED_CUT, "gzip"] += 1
