"""The bytes of a list: as they are, or out of a gzip or zip file, under limits.

Rules:
- Block by block; nothing is kept but the first 64 KB, by which formats know what it is.
- What expands by more than ``EXPANDS_MAX`` is a bomb, and is refused where that shows.
- Names of files inside an archive are places in a report; no path is made of them.

Source: RFC 1952; APPNOTE.TXT 6.3 §4.3.16 (end of central directory).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

BLOCK_BYTES = 65_536
EXPANDS_MAX = 250
"""Times that a list may be larger than its file: GUDID's XML is 25 times larger."""
EXPANDED_FREE_BYTES = 16 * 1024 * 1024
"""Bytes that any file may expand to."""
MEMBERS_MAX = 2_000
_PACKINGS = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
"""What is unpacked piece by piece; of others one piece may be gigabytes."""
DIRECTORY_BYTES_MAX = 1024 * 1024


@dataclass(slots=True)
class Source:
    """One list: its name for reports, its first bytes, and the rest of it once. ``broken``: why not even the first bytes can be had."""

    name: str
    head: bytes
    rest: Iterator[bytes] = field(repr=False)
    broken: InputError | None = None

    def blocks(self) -> Iterator[bytes]:
        """Give all its bytes, once.

        Raises:
            InputError: it is cut off or expands too much.
        """
        self.check()
        if self.head:
            yield self.head
        yield from self.rest

    def check(self) -> None:
        """Refuse what has no first bytes.

        Raises:
            InputError: with what is wrong.
        """
        if self.broken is not None:
            raise self.broken


def sources(name: str, stream: BinaryIO) -> Iterator[Source]:
    """Open a file: one list, or each file of a zip, in turn: the next once the one before was read. One that cannot be read is ``broken``."""
    head = _full(stream)
    name = shown(name)
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        try:
            yield from _members(name, stream)
        except InputError as error:
            yield Source(name, b"", iter(()), error)
    elif head[:2] == b"\x1f\x8b":
        yield _source(name.removesuffix(".gz"), _gunzipped(name, head, stream))
    else:
        yield Source(name, head, _raw(stream))


def shown(name: str) -> str:
    """Write a file's name as reports show it: its last part, printable, cut."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last[:100]) or "list"


def _source(name: str, blocks: Iterator[bytes]) -> Source:
    head = b""
    try:
        for block in blocks:
            head += block
            if len(head) >= BLOCK_BYTES:
                break
    except InputError as error:
        return Source(name, b"", iter(()), error)
    return Source(name, head, blocks)


def _full(stream: BinaryIO) -> bytes:
    head = b""
    while len(head) < BLOCK_BYTES and (block := stream.read(BLOCK_BYTES - len(head))):
        head += block
    return head


def _raw(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        yield block


def _bounded(name: str, taken: int, given: int) -> None:
    if given > EXPANDED_FREE_BYTES and given > taken * EXPANDS_MAX:
        why = f"expands to more than {EXPANDS_MAX} times its size"
        raise InputError(name, why, reason=Reason.LIMIT_EXCEEDED)


def _gunzipped(name: str, head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    taken = given = 0
    inflate, begun = zlib.decompressobj(31), False
    block = head
    try:
        while block:
            taken += len(block)
            while block:
                out, begun = inflate.decompress(block, BLOCK_BYTES), True
                given += len(out)
                _bounded(name, taken, given)
                if out:
                    yield out
                block = inflate.unconsumed_tail
                if inflate.eof:  # another member may follow, or zeros that fill a block (RFC 1952 §2.2)
                    block = inflate.unused_data.lstrip(b"\0")
                    inflate, begun = zlib.decompressobj(31), False
            block = stream.read(BLOCK_BYTES)
        while begun and (out := inflate.decompress(b"", BLOCK_BYTES)):
            given += len(out)
            _bounded(name, taken, given)
            yield out
            begun = not inflate.eof
    except zlib.error as error:
        raise InputError(name, "is broken as gzip", reason=Reason.MESSAGE_UNDECODABLE) from error
    if begun:
        raise InputError(name, "ends in the middle", reason=Reason.TRUNCATED)


def _members(name: str, stream: BinaryIO) -> Iterator[Source]:
    if not stream.seekable():
        raise InputError(name, "is a zip: give its name, or unpack it", reason=Reason.FORMAT_UNSUPPORTED)
    _check_directory(name, stream)
    try:
        with zipfile.ZipFile(stream) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > MEMBERS_MAX:
                why = f"holds more than {MEMBERS_MAX} files"
                raise InputError(name, why, reason=Reason.LIMIT_EXCEEDED)
            for info in infos:
                yield _source(shown(info.filename), _unzipped(archive, info))
    except zipfile.BadZipFile as error:
        raise InputError(name, "is broken as zip", reason=Reason.MESSAGE_UNDECODABLE) from error


def _check_directory(name: str, stream: BinaryIO) -> None:
    """Refuse an archive whose list of files would fill the memory before one is read."""
    end = stream.seek(0, 2)
    stream.seek(max(0, end - 65_557))
    tail = stream.read(65_557)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise InputError(name, "ends in the middle", reason=Reason.TRUNCATED)
    if struct.unpack_from("<I", tail, at + 12)[0] > DIRECTORY_BYTES_MAX:
        raise InputError(name, "has too long a list of files", reason=Reason.LIMIT_EXCEEDED)


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    name, given = shown(info.filename), 0
    if info.compress_type not in _PACKINGS:
        raise InputError(name, "is packed in a way not read here", reason=Reason.FORMAT_UNSUPPORTED)
    try:
        with archive.open(info) as member:
            while block := member.read(BLOCK_BYTES):
                given += len(block)
                _bounded(name, info.compress_size, given)
                yield block
    except EOFError as error:
        raise InputError(name, "ends in the middle", reason=Reason.TRUNCATED) from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise InputError(name, "is broken as zip", reason=Reason.MESSAGE_UNDECODABLE) from error
    except (
        NotImplementedError,
        RuntimeError,
    ) as error:  # a password, or what it says of its packing in two places differs
        raise InputError(
            name, "is packed in a way not read here", reason=Reason.FORMAT_UNSUPPORTED
        ) from error
