"""The beginning of a DICOM data set: which elements stand there, as far as it goes.

Rules:
- Sequences and items are stepped into, never held: one pass, whatever their depth, until pixel data or the end of what is there.
- Pixel data, and what follows, is not looked at.

Deliberately absent: ``protocols.dicom.reader``, which reads whole files and refuses half ones.

Source: DICOM PS3.5 §7 (data elements, sequences).
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from struct import Struct

from oathward.protocols.dicom.catalogue import class_of
from oathward.protocols.dicom.dictionary import LONG, VRS, vr_of
from oathward.protocols.dicom.reader import DEFLATED, EXPLICIT_BE, IMPLICIT_LE, PIXEL_DATA, UNDEFINED

ELEMENTS_MAX = 4_000
INFLATED_BYTES_MAX = 262_144
_ITEMS = 0xFFFE
_HEADS = {
    order: (
        Struct(order + "HHL").unpack_from,
        Struct(order + "HH2sH").unpack_from,
        Struct(order + "L").unpack_from,
    )
    for order in "<>"
}


def elements(data: bytes, syntax: str) -> Iterator[tuple[int, bytes, bytes]]:
    """Give tag, VR and value of each element that is whole, those of items among them.

    Args:
        syntax: UID of the transfer syntax; of an unknown one, explicit VR is taken where a VR stands there.
    """
    if syntax in DEFLATED:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, INFLATED_BYTES_MAX)
        except zlib.error:
            return
    implicit = syntax == IMPLICIT_LE or (not syntax and data[4:6] not in VRS)
    order = ">" if syntax == EXPLICIT_BE else "<"
    plain = _HEADS[order][0]
    at, end = 0, len(data)
    for _ in range(ELEMENTS_MAX):
        if at + 8 > end:
            return
        group, number, length = plain(data, at)
        tag = group << 16 | number
        if group == _ITEMS:
            at += 8
            continue
        if tag >= PIXEL_DATA:
            return
        if implicit:
            vr, begin = vr_of(tag) or b"UN", at + 8
        else:
            vr, begin, length = _explicit(data, at, order)
        at = begin
        if vr != b"SQ" and length != UNDEFINED:
            at += length
        if at > end:
            return
        yield tag, vr, data[begin:at]


def _explicit(data: bytes, at: int, order: str) -> tuple[bytes, int, int]:
    """Read a head with its VR: that, where the value begins, its length; what is none begins behind the end."""
    _, explicit, long = _HEADS[order]
    _, _, vr, length = explicit(data, at)
    if vr not in VRS or (vr in LONG and at + 12 > len(data)):
        return b"UN", len(data) + 1, 0
    if vr in LONG:
        return vr, at + 12, long(data, at + 8)[0]
    return vr, at + 8, length


def counted(found: Iterable[tuple[int, bytes, bytes]]) -> Counter[str]:
    """Count the elements of a data set that say something, by class."""
    return Counter([class_of(tag, vr)[0] for tag, vr, value in found if value.strip(b" \0")])
