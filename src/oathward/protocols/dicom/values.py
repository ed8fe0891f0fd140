"""Values of each VR: what is one, a dummy for one, and how an element is written.

Source: DICOM PS3.5 table 6.2-1, §7.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from struct import pack

from oathward.protocols.dicom.dictionary import BINARY_SIZES, LENGTHS_MAX, LONG, OPAQUE, SINGLE, TEXTS
from oathward.protocols.dicom.reader import Encoding

REMOVED = b"REMOVED"

_DA = rb"(?:(?:18|19|20|21)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))"
_DA_OLD = rb"[12][0-9]{3}\.[01][0-9]\.[0-3][0-9]"
_TM_OLD = rb"[0-2][0-9]:[0-5][0-9](?::[0-6][0-9](?:\.[0-9]{1,6})?)?"
"""As ACR-NEMA wrote them, and devices do."""

_TM = rb"(?:(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9]|60)?(?:(?<=[0-9]{6})\.[0-9]{1,6})?)?)"
_DT = (
    rb"(?:(?:18|19|20|21)[0-9]{2}(?:(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12][0-9]|3[01])"
    rb"(?:[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?)?)?)?(?:[+-][0-9]{4})?)"
)
_VALUES = {
    b"AS": rb"[0-9]{3}[DWMY]",
    b"CS": rb"[A-Z0-9 _]{0,16}",
    b"DA": rb"(?:%b|%b)" % (_DA, _DA_OLD),
    b"DS": rb" *[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]{1,3})? *",
    b"DT": _DT,
    b"IS": rb" *[+-]?[0-9]{0,12} *",
    b"TM": rb"(?:%b|%b)" % (_TM, _TM_OLD),
    b"UI": rb"[0-9.]{0,64}",
}
PATTERNS = {vr: re.compile(rb"(?:%b *(?:\\%b *)*)?[ \0]*" % (one, one)) for vr, one in _VALUES.items()}
"""VR -> what a value of it, all of them and padded, looks like."""

ONE = {vr: re.compile(one + rb" *") for vr, one in _VALUES.items()}
"""VR -> what one value of it looks like."""

_DUMMIES = {
    b"AE": REMOVED,
    b"AS": b"000Y",
    b"CS": REMOVED,
    b"DA": b"19000101",
    b"DS": b"0",
    b"DT": b"19000101000000",
    b"IS": b"0",
    b"PN": REMOVED,
    b"TM": b"000000",
    b"UR": b"urn:removed",
}


def dummy(vr: bytes, length: int) -> bytes:
    """Give a value that says nothing and is valid for the VR.

    Args:
        length: of the old value in bytes: what is binary keeps it.
    """
    if vr in TEXTS:
        return REMOVED
    if vr in OPAQUE or vr in BINARY_SIZES:
        return bytes(max(length + (length & 1), BINARY_SIZES.get(vr, 2)))
    return _DUMMIES[vr]


def is_valid(vr: bytes, value: bytes) -> bool:
    """Say whether bytes are values of a VR: those of a fixed form by it, texts by their length."""
    pattern = PATTERNS.get(vr)
    if pattern is not None:
        return bool(value) and pattern.fullmatch(value) is not None
    most = LENGTHS_MAX.get(vr)
    return bool(value) and (most is None or len(value) <= most)


def fitting(vr: bytes, text: str) -> str:
    """Cut each value of a text to what its VR may hold, in characters."""
    most = LENGTHS_MAX.get(vr)
    if most is None or len(text) <= most:
        return text
    if vr in SINGLE:
        return text[:most]
    return "\\".join(value[:most] for value in text.split("\\"))


def replaced(vr: bytes, value: bytes, stays: Callable[[bytes], object]) -> bytes:
    """Put a dummy in the place of those of several values that do not stay."""
    values = value.rstrip(b" \0").split(b"\\")
    return b"\\".join(each if stays(each) else dummy(vr, len(each)) for each in values)


def element(encoding: Encoding, tag: int, vr: bytes, value: bytes) -> bytes:
    """Write one element; an odd value is padded as its VR asks.

    Args:
        value: items of a sequence included, in the same encoding.
    """
    if len(value) & 1:
        value += b"\0" if vr == b"UI" or vr in OPAQUE else b" "
    order = "<" if encoding.little else ">"
    group, number = tag >> 16, tag & 0xFFFF
    if encoding.implicit:
        return pack(f"{order}HHL", group, number, len(value)) + value
    if vr in LONG:
        return pack(f"{order}HH2sHL", group, number, vr, 0, len(value)) + value
    return pack(f"{order}HH2sH", group, number, vr, len(value)) + value


def item(encoding: Encoding, value: bytes) -> bytes:
    """Write one item of known length."""
    return pack("<HHL" if encoding.little else ">HHL", 0xFFFE, 0xE000, len(value)) + value
