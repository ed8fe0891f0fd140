"""What stands in the pixel data of a file and is no pixel: comments of compressed frames, bytes after the last frame, high bits.

Rules:
- Found, not changed: the rewriter writes zeros over what is found, so that no offset moves and no frame is decoded.
- Of JPEG and JPEG-LS: comments, and application segments but for what says how to decode (JFIF without its thumbnail, Adobe's
  and HP's colour transform). Of JPEG 2000: comments. Of each: what follows the end of the image.
- There are as many frames as the header says. Frames that are not what their transfer syntax says, or of one whose comments
  nobody here finds (MPEG, HEVC, JPEG XL), are held.

Deliberately absent: pixels.

Source: DICOM PS3.5 §8.2, Annex A.4 (fragments), §8.1.1 (bits); ISO 10918-1 Annex B (JPEG), ISO 14495-1 Annex C (JPEG-LS),
ISO 15444-1 Annex A (JPEG 2000), ISO 15444-15 (its high throughput).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from struct import Struct
from struct import error as StructError  # noqa: N812  it is named like a module's function

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.protocols.dicom.reader import ITEM, PIXEL_DATA, UNDEFINED, Element, File, text_of

Span = tuple[int, int]
"""Begin and end."""

_JPEG = "1.2.840.10008.1.2.4."
_RLE = "1.2.840.10008.1.2.5"
_LONG_HEAD, _SHORT_HEAD = 12, 8
_ROWS, _COLUMNS, _SAMPLES, _FRAMES = 0x00280010, 0x00280011, 0x00280002, 0x00280008
_ALLOCATED, _STORED, _HIGH, _SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
_PHOTOMETRIC = 0x00280004
_SUBSAMPLED = {"YBR_FULL_422": (2, 3), "YBR_PARTIAL_422": (2, 3), "YBR_PARTIAL_420": (1, 2)}
"""Photometric interpretation -> share of the samples that is written. Source: PS3.3 C.7.6.3.1.2."""

_CHUNK = 1 << 20
_ITEM_HEAD = Struct("<HHL")
_SIZE, _LENGTH = Struct(">H"), Struct(">L")

_SOI, _EOI, _SOS, _COMMENT, _APP0, _APP8, _APP14 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xE8, 0xEE
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))
_SEGMENTS = frozenset((*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xF7, 0xF8, _COMMENT)) - {0xC8}
_KEPT = {_APP0: (b"JFIF\0", 14), _APP8: (b"mrfx", 5), _APP14: (b"Adobe", 12)}
"""Application segment -> how it begins where it says how to decode, and how many of its bytes do."""

_AFTER_SCAN = {
    "jpeg": re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]"),
    "jpeg-ls": re.compile(rb"\xff+[\x80-\xcf\xd8-\xfe]"),
}
"""What ends the coded bytes of a scan: any marker but restarts."""

_J2K_START, _J2K_COMMENT, _J2K_TILE, _J2K_DATA, _J2K_END = 0xFF4F, 0xFF64, 0xFF90, 0xFF93, 0xFFD9
_J2K_SEGMENTS = frozenset(
    0xFF00 | low
    for low in (
        0x50,
        0x51,
        0x52,
        0x53,
        0x55,
        0x57,
        0x58,
        0x59,
        0x5C,
        0x5D,
        0x5E,
        0x5F,
        0x60,
        0x61,
        0x63,
        0x64,
    )
) | {0xFF00 | low for low in range(0x74, 0x7C)}


def hidden(file: File) -> list[Span]:
    """Give the runs of ``file.data`` that stand in its pixel data, are no pixels and are not zero, in order.

    Raises:
        DeidentificationError: PIXELS_HELD: encapsulated frames that are not what the file says, or that nobody here reads.
    """
    one = _element(file, PIXEL_DATA)
    if one is None:
        return []
    if not _encapsulated(file, one):
        return _behind(file, one)
    walk = _walk_of(file.syntax)
    frames = list(_frames(file, one, joins=walk is not _whole))
    if len(frames) != max(1, _whole_number(file, _FRAMES)):
        raise _held("as many frames as (0028,0008)")
    found: list[Span] = []
    for fragments in frames:
        data = b"".join(file.data[begin:end] for begin, end in fragments)
        try:
            spans = [span for span in walk(data) if _filled(data[slice(*span)])]
        except (StructError, IndexError) as error:
            raise _held("frames with all of their bytes") from error
        found += (place for span in spans for place in _placed(span, fragments))
    return found


def high_bits_used(file: File) -> bool:
    """Say whether bits above (0028,0101) are used for something else than the sign: overlays were kept there.

    Of pixels that are not compressed; of others a decoder must say so. True, too, where (0028,0102) is not the highest stored bit.
    """
    one = _element(file, PIXEL_DATA)
    stored, allocated = _whole_number(file, _STORED), _whole_number(file, _ALLOCATED)
    if one is None or not 0 < stored < allocated:
        return False
    if _whole_number(file, _HIGH) != stored - 1:
        return True
    if allocated not in {8, 16, 32} or _encapsulated(file, one):
        return False
    signed = bool(_whole_number(file, _SIGNED))
    size = allocated // 8
    for begin in range(one[3], one[4], _CHUNK):
        part = bytes(file.data[begin : min(begin + _CHUNK, one[4])])
        for place in range(stored // 8, size):
            nth = place if file.encoding.little else size - 1 - place
            if part[nth::size].translate(None, _allowed(stored - 8 * place, signed=signed)):
                return True
    return False


def _allowed(bits: int, *, signed: bool) -> bytes:
    """Give what a byte may be of which so many bits are stored, the lowest: the rest is 0, or of a negative number 1.

    Args:
        bits: below 1: none is, and the sign stands in a lower byte.
    """
    fine = set(range(1 << max(0, bits)))
    if signed:
        sign = max(0, bits - 1)
        fine |= {byte for byte in range(256) if byte >> sign == 0xFF >> sign}
    return bytes(sorted(fine))


def _behind(file: File, one: Element) -> list[Span]:
    """Give what stands after the last frame of pixels that are not compressed; all, where no size says what a frame is."""
    numbers = [_whole_number(file, tag) for tag in (_ROWS, _COLUMNS, _SAMPLES, _ALLOCATED)]
    samples = max(1, _whole_number(file, _FRAMES))
    for number in numbers:
        samples *= number
    part, of = _SUBSAMPLED.get(_text(file, _PHOTOMETRIC), (1, 1))
    begin, end = one[3] + (samples * part // of + 7) // 8, one[4]
    return [(begin, end)] if begin < end and _filled(bytes(file.data[begin:end])) else []


def _filled(data: bytes) -> bool:
    """Say whether anything but zeros stands there."""
    return bool(data.strip(b"\0"))


def _frames(file: File, one: Element, *, joins: bool) -> Iterator[list[Span]]:
    """Give the fragments of each frame. ``joins``: a frame may be of several; each begins as an image of its kind does."""
    fragments = _fragments(file, one)
    start = b"\xff\x4f" if _walk_of(file.syntax) is _jpeg_2000 else b"\xff\xd8"
    frame: list[Span] = []
    for fragment in fragments[1:]:  # the first is the table of offsets
        begins = not joins or bytes(file.data[fragment[0] : fragment[0] + 2]) == start
        if frame and begins:
            yield frame
            frame = []
        if not frame and not begins:
            raise _held("frames that begin as their transfer syntax says")
        frame.append(fragment)
    if frame:
        yield frame


def _fragments(file: File, one: Element) -> list[Span]:
    """Give the items of encapsulated pixel data, the table of offsets first; the reader has walked them."""
    found: list[Span] = []
    at = one[3]
    while True:
        group, number, length = _ITEM_HEAD.unpack_from(file.data, at)
        if group << 16 | number != ITEM:
            return found
        found.append((at + 8, at + 8 + length))
        at += 8 + length


def _placed(span: Span, fragments: list[Span]) -> Iterator[Span]:
    """Give where in the file stands what was found in the joined fragments of a frame."""
    at = 0
    for begin, end in fragments:
        low, high = max(span[0], at), min(span[1], at + end - begin)
        if low < high:
            yield begin + low - at, begin + high - at
        at += end - begin


def _walk_of(syntax: str) -> Callable[[bytes], Iterator[Span]]:
    """Give what finds what is no pixel in one frame."""
    if syntax == _RLE:
        return _whole
    kind = syntax.removeprefix(_JPEG)
    if kind in {"50", "51", "57", "70"}:
        return _jpeg
    if kind in {"80", "81"}:
        return _jpeg_ls
    if kind in {"90", "91", "92", "93", "201", "202", "203"}:
        return _jpeg_2000
    raise _held("frames whose comments are found here")


def _whole(_data: bytes) -> Iterator[Span]:
    """Find nothing: runs of equal bytes have no comments."""
    return iter(())


def _jpeg(data: bytes) -> Iterator[Span]:
    return _segments(data, _AFTER_SCAN["jpeg"])


def _jpeg_ls(data: bytes) -> Iterator[Span]:
    return _segments(data, _AFTER_SCAN["jpeg-ls"])


def _segments(data: bytes, after_scan: re.Pattern[bytes]) -> Iterator[Span]:
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            raise _held("segments that begin with a marker")
        while data[at] == 0xFF:
            at += 1
        marker, at = data[at], at + 1
        if marker == _EOI:
            yield at, len(data)
            return
        if marker in _ALONE:
            continue
        (length,) = _SIZE.unpack_from(data, at)
        begin, end = at + 2, at + length
        if marker not in _SEGMENTS or length < 2 or end > len(data):
            raise _held("segments of its standard")
        if marker == _COMMENT or marker & 0xF0 == 0xE0:
            starts, kept = _KEPT.get(marker, (b"\0", 0))
            yield (begin + kept if data.startswith(starts, begin, end) else begin), end
        at = end
        if marker == _SOS:
            found = after_scan.search(data, at)
            if found is None:  # some devices leave the end out
                return
            at = found.start()


def _jpeg_2000(data: bytes) -> Iterator[Span]:
    at, tile_end = 2, 0
    while at < len(data):
        (marker,) = _SIZE.unpack_from(data, at)
        if marker == _J2K_END:
            yield at + 2, len(data)
            return
        if marker == _J2K_DATA:
            if not tile_end:
                raise _held("tiles with a beginning")
            at, tile_end = tile_end, 0
            continue
        (length,) = _SIZE.unpack_from(data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            raise _held("segments of its standard")
        if marker == _J2K_TILE:
            (size,) = _LENGTH.unpack_from(data, at + 6)
            # Of size 0: up to the end of the image, which is the last of its kind.
            tile_end = at + size if size else max(data.rfind(b"\xff\xd9"), end + 2)
            if tile_end < end:
                raise _held("tiles with all of their bytes")
        elif marker == _J2K_COMMENT:
            yield at + 6, end
        elif marker not in _J2K_SEGMENTS:
            raise _held("segments of its standard")
        at = end


def _encapsulated(file: File, one: Element) -> bool:
    """Say whether an element has an undefined length; it is written in its head."""
    explicit = not file.encoding.implicit
    head = _LONG_HEAD if explicit else _SHORT_HEAD
    length = bytes(file.data[one[2] + head - 4 : one[2] + head])
    return one[3] - one[2] == head and length == UNDEFINED.to_bytes(4, "big")  # the same in either order


def _element(file: File, tag: int) -> Element | None:
    return next((one for one in file.elements if one[0] == tag), None)


def _text(file: File, tag: int) -> str:
    one = _element(file, tag)
    return "" if one is None else text_of(file.data, one)


def _whole_number(file: File, tag: int) -> int:
    """Give a number (US, or IS as text); 0 where there is none."""
    one = _element(file, tag)
    if one is None:
        return 0
    if one[1] == b"IS":
        text = text_of(file.data, one)
        return int(text) if text.isdecimal() else 0
    return int.from_bytes(file.view_of(one)[:2], "little" if file.encoding.little else "big")


def _held(why: str) -> DeidentificationError:
    return DeidentificationError("(7FE0,0010)", why, reason=Reason.PIXELS_HELD)
