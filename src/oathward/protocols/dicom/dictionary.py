"""What the standard's dictionary says of a tag, and what a VR is.

The dictionary itself is pydicom's, imported when it is first asked.

Source: DICOM PS3.5 table 6.2-1 (VRs), PS3.6 (dictionary).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
"""VRs with a length of four bytes, after two that are reserved."""

TEXTS = frozenset((b"LO", b"SH", b"ST", b"LT", b"UT", b"UC"))
"""Free text, in the file's character set. PN is that too, and is told apart where it matters."""

SINGLE = frozenset((b"ST", b"LT", b"UT"))
"""Texts in which a backslash is a backslash."""

TIMES = frozenset((b"DA", b"DT", b"TM"))
BINARY_SIZES = {b"AT": 4, b"FD": 8, b"FL": 4, b"SL": 4, b"SS": 2, b"SV": 8, b"UL": 4, b"US": 2, b"UV": 8}
"""Bytes of one value."""

OPAQUE = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"))
VRS = LONG | TEXTS | TIMES | OPAQUE | {b"AE", b"AS", b"CS", b"DS", b"IS", b"PN", b"UI"} | BINARY_SIZES.keys()
SHORT = VRS - LONG

LENGTHS_MAX = {b"AE": 16, b"CS": 16, b"LO": 64, b"SH": 16, b"UI": 64, b"LT": 10240, b"ST": 1024, b"PN": 64}
"""Characters of one value (of one component group of a PN), where the VR has a limit."""


@cache
def _vrs() -> dict[int, bytes]:
    from pydicom._dicom_dict import DicomDictionary

    # Where the standard leaves a choice, the first: it says as well what may happen to the value.
    return {tag: entry[0][:2].encode() for tag, entry in DicomDictionary.items() if entry[0] != "NONE"}


@cache
def keyword(tag: int) -> str:
    """Give the keyword of a tag; empty where the standard does not know it."""
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag)


def tags() -> Iterable[int]:
    """Give every tag of the standard that has a VR, but those of which there are several groups (50xx, 60xx)."""
    return _vrs()


def vr_of(tag: int) -> bytes | None:
    """Give the VR of a tag of an even group; None where the standard does not know it."""
    found = _vrs().get(tag)
    if found is None and tag >> 24 in (0x50, 0x60):
        found = _vrs().get(tag & 0xFF00FFFF) or _repeated(tag)
    return found


@cache
def _repeated(tag: int) -> bytes | None:
    from pydicom.datadict import dictionary_VR

    try:
        return dictionary_VR(tag)[:2].encode()
    except KeyError:
        return None
