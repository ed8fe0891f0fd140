"""Lines of a list as text, in bounded pieces, whatever its encoding.

Rules:
- The encoding is that of the byte order mark, else the declared one, else what the first bytes can be: UTF-8, UTF-16, Windows-1252.
- A line that is no text, has a NUL, or is too long, is given cut or mended and named in ``faults``: who reads it refuses what stands there.
- A cut line closes the quotation mark that it cut, so that the rows behind it are read.

Source: Unicode 15 §2.6 (byte order mark); RFC 4180 (quotation marks).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists.opening import Source

LINE_BYTES_MAX = 1024 * 1024

ENCODINGS = {
    "utf-8": "utf-8",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "windows-1252": "cp1252",
    "latin-1": "latin-1",
}
"""As a mapping names it -> as Python does."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_HIGH = re.compile(rb"[\x80-\xff]")


class Fault(NamedTuple):
    """What is wrong with a line."""

    line: int
    reason: Reason
    why: str


class Lines:
    """Gives the lines of a source with their ends; ``number`` is that of the last one given, from 1.

    Args:
        declared: encoding of the mapping; empty to find it out.

    Raises:
        InputError: the source is cut off or expands too much; an encoding that is not in ``ENCODINGS``.
    """

    def __init__(self, source: Source, declared: str = "") -> None:
        self.encoding = encoding_of(source.head, declared)
        self.number = 0
        self.faults: list[Fault] = []
        self._lines = self._split(self._bytes(source))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw, cut = next(self._lines)
        self.number += 1
        if cut:
            self._fault(Reason.LIMIT_EXCEEDED, f"a line has at most {LINE_BYTES_MAX} bytes")
        try:
            text = raw.decode("cp1252" if self.encoding == "windows-1252" else self._bytewise)
        except UnicodeDecodeError:
            self._fault(Reason.CHARSET_BROKEN, f"is not {self.encoding}")
            text = raw.decode("utf-8", "replace")
        if "\0" in text:
            self._fault(Reason.VALUE_INVALID, "holds a NUL")
        elif "\N{REPLACEMENT CHARACTER}" in text and self.encoding.startswith("utf-16"):
            self._fault(Reason.CHARSET_BROKEN, f"is not {self.encoding}")
        return text

    def _fault(self, reason: Reason, why: str) -> None:
        self.faults.append(Fault(self.number, reason, why))

    @property
    def _bytewise(self) -> str:
        return "utf-8" if self.encoding.startswith("utf-16") else ENCODINGS[self.encoding]

    def _bytes(self, source: Source) -> Iterator[bytes]:
        """Give blocks without the byte order mark, UTF-16 as UTF-8."""
        blocks = source.blocks()
        first = next(blocks, b"")
        for mark, _ in _MARKS:
            first = first.removeprefix(mark)
        if not self.encoding.startswith("utf-16"):
            yield first
            yield from blocks
            return
        decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        yield decoder.decode(first).encode("utf-8", "replace")
        for block in blocks:
            yield decoder.decode(block).encode("utf-8", "replace")
        yield decoder.decode(b"", final=True).encode("utf-8", "replace")

    def _split(self, blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
        end, kept, quotes, cut = b"", b"", 0, False
        for block in blocks:
            if not end and block:
                end = b"\r" if b"\r" in block and b"\n" not in block else b"\n"
            at = 0
            while block:
                to = block.find(end, at) + 1
                piece = block[at : to or None]
                room = LINE_BYTES_MAX - len(kept)
                kept, left = kept + piece[:room], piece[room:]
                cut, quotes = cut or bool(left), quotes + left.count(b'"')
                if not to:
                    break
                yield _closed(kept, quotes) if cut else kept, cut
                kept, quotes, cut, at = b"", 0, False, to
        if kept:
            yield _closed(kept, quotes) if cut else kept, cut


def _closed(kept: bytes, quotes_dropped: int) -> bytes:
    return kept + (b'"\n' if quotes_dropped % 2 else b"\n")


def encoding_of(head: bytes, declared: str = "") -> str:
    """Name the encoding, of ``ENCODINGS``.

    Raises:
        InputError: the declared one is none of them.
    """
    if declared and declared not in ENCODINGS:
        raise InputError("encoding", f"one of {', '.join(ENCODINGS)}", reason=Reason.CHARSET_UNSUPPORTED)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if declared:
        return declared
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) // 8:  # Latin letters in UTF-16 have a zero byte each
        return "utf-16-be" if even > odd else "utf-16-le"
    return _of_bytes(head)


def _of_bytes(head: bytes) -> str:
    """UTF-8 where any line with other letters than ASCII is that, so that a stray line is refused and not misread."""
    whole = head.rpartition(b"\n")[0] or head
    others = 0
    for line in whole.splitlines():
        if _HIGH.search(line):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                others += 1
            else:
                return "utf-8"
    return "windows-1252" if others else "utf-8"
