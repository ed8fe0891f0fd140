"""Private attributes of which their makers said that they name nobody.

Only those whose values are numbers or dates of nothing: what else stands at such a place is removed all the same.

Source: DICOM PS3.15 table E.3.10-1 (Safe Private Attributes), those of numeric VR that we are sure of.
"""

from __future__ import annotations

from collections.abc import Sequence

from oathward.protocols.dicom.reader import Element

_BLOCK = 0x10

SAFE: dict[tuple[int, str], frozenset[int]] = {
    (0x7053, "Philips PET Private Group"): frozenset((0x00, 0x09)),
    (0x01E1, "ELSCINT1"): frozenset((0x26,)),
    (0x01F1, "ELSCINT1"): frozenset((0x07, 0x26, 0x27)),
    (0x0019, "GEMS_ACQU_01"): frozenset((0x23, 0x24, 0x27)),
    (0x0025, "GEMS_SERS_01"): frozenset((0x07,)),
    (0x0043, "GEMS_PARM_01"): frozenset((0x27, 0x39, 0x6F)),
    (0x0045, "GEMS_HELIOS_01"): frozenset((0x01, 0x02)),
    (0x2001, "Philips Imaging DD 001"): frozenset((0x03,)),
    (0x0019, "SIEMENS MR HEADER"): frozenset((0x0C, 0x0E, 0x27)),
}
"""(Group, private creator) -> the last two hexadecimal digits of elements."""


def safe_places(view: memoryview, elements: Sequence[Element]) -> frozenset[int]:
    """Give where the safe private elements of one data set begin, and the creators that reserve their blocks."""
    creators: dict[int, tuple[frozenset[int], int]] = {}
    found: set[int] = set()
    for tag, _vr, start, value, end, _items in elements:
        group, number = tag >> 16, tag & 0xFFFF
        if not group & 1:
            continue
        if _BLOCK <= number <= 0xFF:
            name = bytes(view[value:end]).decode("ascii", "replace").strip(" \0")
            creators[group << 8 | number] = SAFE.get((group, name), frozenset()), start
        elif number > 0xFF:
            safe, creator = creators.get(group << 8 | number >> 8, (frozenset[int](), 0))
            if number & 0xFF in safe:
                found |= {start, creator}
    return frozenset(found)
