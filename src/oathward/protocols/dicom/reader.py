"""Read a DICOM file as it is encoded: where each element begins and ends, nothing of what it says.

Rules:
- Nothing is copied: an element is its tag, its VR and three offsets. Pixel data is stepped over.
- Explicit VR little endian is the usual way; implicit VR, big endian and files without a header are read as well. A deflated
  data set is inflated under a limit, and its offsets are then of what was inflated.
- Everything is checked: lengths within what encloses them, VRs that exist, sequences no deeper than a limit. An odd length is
  taken: devices write them, and where the next element begins is as certain.
- The preamble is never looked at: it may hold another file.

Deliberately absent: values, character sets, and directories (DICOMDIR): a directory is made anew from what it lists.

Source: DICOM PS3.5 §7 (data sets, sequences), Annex A (transfer syntaxes); PS3.10 §7.1 (file meta information).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from struct import error as StructError  # noqa: N812  it is named like a module's function
from typing import Any, NamedTuple, TypeAlias

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.dicom.dictionary import LONG, SHORT, VRS, vr_of

DEPTH_MAX = 32
"""Sequences within sequences; the deepest of the standard's own are about ten."""

ELEMENTS_MAX = 1_000_000
INFLATED_BYTES_MAX = 256 * 1024 * 1024
UNDEFINED = 0xFFFFFFFF
PREFIX_END = 132

EXPLICIT_LE = "1.2.840.10008.1.2.1"
IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED = frozenset(("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"))
_STANDARD = re.compile(r"1\.2\.840\.10008\.1\.2(?:\.[0-9]{1,3}){1,4}").fullmatch
DIRECTORY = "1.2.840.10008.1.3.10"

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010


class Encoding(NamedTuple):
    """How elements are written: with their VR or not, and in which order of bytes."""

    implicit: bool
    little: bool


EXPLICIT = Encoding(implicit=False, little=True)
IMPLICIT = Encoding(implicit=True, little=True)
BIG = Encoding(implicit=False, little=False)


class Item(NamedTuple):
    """One item of a sequence: ``start`` to ``end`` with its tag and delimiter, ``value`` to ``stop`` what it holds."""

    start: int
    value: int
    stop: int
    end: int
    elements: list[Element]


Element: TypeAlias = "tuple[int, bytes, int, int, int, list[Item] | None]"
"""Tag, VR (of implicit VR: the dictionary's), start, where its value begins, end; items of a sequence. Where it has an
undefined length, end is after its delimiter."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as read.

    ``data``: what offsets are of. ``meta``: file meta information, always explicit little endian. ``syntax``: UID of the
    transfer syntax ``data`` is in. ``body``: where the data set begins. ``inflated``: ``data`` is not what was given.
    """

    data: memoryview = field(repr=False)
    meta: list[Element] = field(repr=False)
    elements: list[Element] = field(repr=False)
    encoding: Encoding
    syntax: str
    body: int
    inflated: bool = False

    def view_of(self, one: Element | None) -> bytes:
        """Give a value as it is written; empty for none."""
        return b"" if one is None else bytes(self.data[one[3] : one[4]])


def decode(
    data: bytes | memoryview,
    *,
    inflated_bytes_max: int = INFLATED_BYTES_MAX,
    elements_max: int = ELEMENTS_MAX,
) -> File:
    """Read one file.

    Args:
        data: the whole of it; a memoryview over a mapped file will do, pages of pixel data are not touched.
        inflated_bytes_max: of a deflated data set.
        elements_max: elements and items, at all depths.

    Raises:
        DecodeError: MESSAGE_EMPTY; HEADER_MISSING, no DICOM; TRUNCATED; ELEMENT_TYPE, a VR that does not exist; VALUE_INVALID, a
            delimiter out of place; LIMIT_EXCEEDED, too deep, too many, inflates too far; FORMAT_UNSUPPORTED, a
            directory or a transfer syntax of nobody's. ``where`` is a tag.
    """
    view = memoryview(data)
    if not view:
        raise DecodeError("file", "some bytes", reason=Reason.MESSAGE_EMPTY)
    meta: list[Element] = []
    start = 0
    if bytes(view[128:PREFIX_END]) == b"DICM":
        meta, start = _Walker(view, EXPLICIT, 0, elements_max).meta(PREFIX_END)
    syntax = _uid(view, meta, 0x00020010)
    if _uid(view, meta, 0x00020002) == DIRECTORY:
        raise DecodeError("(0002,0002)", "no directory", reason=Reason.FORMAT_UNSUPPORTED)
    inflated = syntax in DEFLATED
    if inflated:
        view, start, syntax = memoryview(_inflated(view[start:], inflated_bytes_max)), 0, EXPLICIT_LE
    encoding = _encoding(view, start, syntax)
    elements = _Walker(view, encoding, 0, elements_max).dataset(start, len(view))
    if not syntax:
        syntax = _guessed(encoding)
    return File(view, meta, elements, encoding, syntax, start, inflated)


def pixels_of(file: File) -> tuple[int, int]:
    """Give where pixel data begins and ends, at the end of ``data`` where there is none; they are the last elements of nearly every file."""
    begin = end = len(file.data)
    for one in reversed(file.elements):
        if one[0] >> 16 == PIXEL_DATA >> 16:
            begin, end = one[2], max(end, one[4]) if begin < len(file.data) else one[4]
        elif begin < len(file.data):
            break
    return begin, end


def place(tag: int) -> str:
    """Write a tag as the standard does."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def text_of(view: memoryview, element: Element) -> str:
    """Give a value of an ASCII VR without its padding; what is not ASCII becomes a question mark."""
    return bytes(view[element[3] : element[4]]).decode("ascii", "replace").strip(" \0")


def _uid(view: memoryview, elements: list[Element], tag: int) -> str:
    return next((text_of(view, element) for element in elements if element[0] == tag), "")


def _encoding(view: memoryview, start: int, syntax: str) -> Encoding:
    if syntax == IMPLICIT_LE:
        return IMPLICIT
    if syntax == EXPLICIT_BE:
        return BIG
    if _STANDARD(syntax):
        return EXPLICIT
    if syntax:
        raise DecodeError(
            "(0002,0010)", "a transfer syntax of the standard", reason=Reason.FORMAT_UNSUPPORTED
        )
    return _guess(bytes(view[start : start + 8]))


def _guess(head: bytes) -> Encoding:
    """Guess how a data set is written of which nobody says it, by its first element: groups 0002 to 0020 are first.

    Raises:
        DecodeError: HEADER_MISSING, it looks like no data set.
    """
    explicit = head[4:6] in VRS
    if (
        head[1:2] == b"\0"
        and head[:1]
        and head[0] in range(2, 0x21, 2)
        and (explicit or head[6:8] <= b"\x01\0")
    ):
        return EXPLICIT if explicit else IMPLICIT
    if head[:1] == b"\0" and explicit and head[1] in range(2, 0x21, 2):
        return BIG
    raise DecodeError("file", "DICM after a preamble, or a data set", reason=Reason.HEADER_MISSING)


def _guessed(encoding: Encoding) -> str:
    if encoding.implicit:
        return IMPLICIT_LE
    return EXPLICIT_LE if encoding.little else EXPLICIT_BE


def _inflated(packed: memoryview, most: int) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, most)
    except zlib.error as error:
        raise DecodeError("data set", "deflated bytes", reason=Reason.MESSAGE_UNDECODABLE) from error
    if inflater.unconsumed_tail:
        raise DecodeError("data set", f"at most {most} bytes inflated", reason=Reason.LIMIT_EXCEEDED)
    if not inflater.eof:
        raise DecodeError("data set", "the end of what was deflated", reason=Reason.TRUNCATED)
    return data


def _unpackers(order: str) -> tuple[Callable[..., tuple[Any, ...]], ...]:
    return tuple(Struct(order + form).unpack_from for form in ("HH2sH", "HHL", "L"))


_UNPACK = {True: _unpackers("<"), False: _unpackers(">")}
"""Little endian or not -> head of an element with its VR, head without it, a long length."""


class _Walker:
    """Steps over elements; ``left`` is how many more there may be."""

    def __init__(
        self, view: memoryview, encoding: Encoding, depth: int = 0, left: int = ELEMENTS_MAX
    ) -> None:
        self._view = view
        self._encoding = encoding
        self._depth = depth
        self.left = left
        self._short: frozenset[bytes] = frozenset() if encoding.implicit else SHORT
        self._head, self._tag, self._long = _UNPACK[encoding.little]

    def meta(self, start: int) -> tuple[list[Element], int]:
        """Read the file meta information; give its elements and where they end."""
        found: list[Element] = []
        pos = start
        while bytes(self._view[pos : pos + 2]) == b"\x02\0":
            found.append(self._element(pos, len(self._view)))
            pos = found[-1][4]
        return found, pos

    def dataset(self, start: int, stop: int) -> list[Element]:
        """Read all elements from ``start`` to ``stop``."""
        found: list[Element] = []
        add, head, view, element, short = found.append, self._head, self._view, self._element, self._short
        pos, last = start, stop - 8
        for _ in range(self.left):
            if pos >= stop:
                break
            # The usual element, in place; every other, and every mistake, the long way.
            if pos <= last:
                group, number, vr, length = head(view, pos)
                if vr in short and (end := pos + 8 + length) <= stop:
                    add((group << 16 | number, vr, pos, pos + 8, end, None))
                    pos = end
                    continue
            one = element(pos, stop)
            add(one)
            pos = one[4]
        else:
            if pos < stop:
                raise DecodeError(
                    "data set", f"at most {ELEMENTS_MAX} elements", reason=Reason.LIMIT_EXCEEDED
                )
        self.left -= len(found)
        return found

    def _element(self, pos: int, stop: int) -> Element:
        """Read one element; ``stop`` is the end of what encloses it."""
        tag = 0
        try:
            if self._encoding.implicit:
                group, number, length = self._tag(self._view, pos)
                tag = group << 16 | number
                vr, value = vr_of(tag) or (b"SQ" if length == UNDEFINED else b"UN"), pos + 8
            else:
                group, number, vr, length = self._head(self._view, pos)
                tag = group << 16 | number
                value = pos + 8
                if vr in LONG:
                    (length,) = self._long(self._view, value)
                    value += 4
                elif vr not in VRS:
                    raise DecodeError(place(tag), "a VR of the standard", reason=Reason.ELEMENT_TYPE)
        except StructError as error:
            raise _truncated(tag) from error
        if length != UNDEFINED:
            end = value + length
            if end > stop:
                raise _truncated(tag)
            if vr == b"SQ":
                return tag, vr, pos, value, end, self._items(tag, value, end, self._encoding)[0]
            if vr == b"UN" and vr_of(tag) == b"SQ":
                return tag, vr, pos, value, end, self._unknown(tag, value, end)
            return tag, vr, pos, value, end, None
        return self._undefined(tag, vr, pos, value, stop)

    def _undefined(self, tag: int, vr: bytes, pos: int, value: int, stop: int) -> Element:
        if vr == b"SQ" or (vr == b"UN" and tag != PIXEL_DATA):
            # Source: PS3.5 §6.2.2 note: UN of undefined length is a sequence in implicit VR little endian.
            encoding = self._encoding if vr == b"SQ" else IMPLICIT
            items, end = self._items(tag, value, stop, encoding, delimited=True)
            return tag, vr, pos, value, end, items
        if tag == PIXEL_DATA and vr in (b"OB", b"OW", b"UN"):
            return tag, vr, pos, value, self._fragments(tag, value, stop), None
        raise DecodeError(place(tag), "a length", reason=Reason.VALUE_INVALID)

    def _unknown(self, tag: int, value: int, end: int) -> list[Item] | None:
        """Read a sequence somebody wrote without knowing that it is one; None where it is not to be read."""
        try:
            return self._items(tag, value, end, IMPLICIT)[0]
        except DecodeError:
            return None

    def _fragments(self, tag: int, pos: int, stop: int) -> int:
        """Step over encapsulated pixel data; give where it ends."""
        while True:
            if pos + 8 > stop:
                raise _truncated(tag)
            group, number, length = self._tag(self._view, pos)
            pos += 8
            mark = group << 16 | number
            if mark == SEQUENCE_END:
                return pos
            if mark != ITEM or length == UNDEFINED:
                raise DecodeError(place(tag), "fragments of known length", reason=Reason.VALUE_INVALID)
            pos += length

    def _items(
        self, tag: int, pos: int, stop: int, encoding: Encoding, *, delimited: bool = False
    ) -> tuple[list[Item], int]:
        """Read the items of a sequence; give them and where it ends."""
        if self._depth >= DEPTH_MAX:
            raise DecodeError(place(tag), f"at most {DEPTH_MAX} sequences deep", reason=Reason.LIMIT_EXCEEDED)
        inner = _Walker(self._view, encoding, self._depth + 1, self.left)
        found: list[Item] = []
        while pos < stop or delimited:
            if pos + 8 > stop:
                raise _truncated(tag)
            group, number, length = inner._tag(self._view, pos)
            mark = group << 16 | number
            if mark == SEQUENCE_END:
                pos += 8
                delimited = False
                break
            if mark != ITEM:
                raise DecodeError(place(tag), "items", reason=Reason.VALUE_INVALID)
            item = inner.item(tag, pos, stop, length)
            found.append(item)
            pos = item.end
            inner.left -= 1
            if inner.left < 0:
                raise _too_many(tag)
        self.left = inner.left
        return found, pos

    def item(self, tag: int, pos: int, stop: int, length: int) -> Item:
        """Read one item that begins at ``pos``."""
        value = pos + 8
        if length != UNDEFINED:
            end = value + length
            if end > stop:
                raise _truncated(tag)
            return Item(pos, value, end, end, self.dataset(value, end))
        elements: list[Element] = []
        at = value
        for _ in range(self.left):
            if at + 8 > stop:
                raise _truncated(tag)
            group, number, _length = self._tag(self._view, at)
            if group << 16 | number == ITEM_END:
                self.left -= len(elements)
                return Item(pos, value, at, at + 8, elements)
            elements.append(self._element(at, stop))
            at = elements[-1][4]
        raise _too_many(tag)


def _too_many(tag: int) -> DecodeError:
    where = place(tag) if tag else "data set"
    return DecodeError(where, "fewer elements and items", reason=Reason.LIMIT_EXCEEDED)


def _truncated(tag: int) -> DecodeError:
    return DecodeError(place(tag) if tag else "data set", "all of its bytes", reason=Reason.TRUNCATED)
