"""ICC profiles: what their colours need stays, what they say in words and what nothing in them points at is zeros.

Rules:
- A profile is taken by its own structure alone: header, table of tags, elements. What is not one goes whole.
- Kept are the numbers of the colour transform, by tag and by type: all else (descriptions, copyright, names of makers, dates,
  private tags, gaps) is written over with zeros. So no offset moves, and viewers show the same colours.
- Where one element is named by a tag that stays and by one that does not, it stays: it is numbers.

Deliberately absent: whether the numbers are sensible.

Source: ICC.1:2010 §7.2 (header), §7.3 (tag table), §9 (tags), §10 (types); DICOM PS3.3 §C.11.15 (ICC Profile).
"""

from __future__ import annotations

from struct import unpack_from

HEADER, TAG = 128, 12
TAGS_MAX = 100
_SIGNATURE = (36, b"acsp")
_TEXTUAL = ((4, 8), (24, 36), (40, 64), (80, 128))
"""Parts of the header that say by whom and when: preferred program, date, platform and maker, creator and what is reserved."""

TRANSFORM = frozenset(
    b"rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt lumi chad chrm gamt A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 D2B0 D2B1 D2B2 B2D0".split()
)
NUMBERS = frozenset(
    (b"XYZ ", b"curv", b"para", b"sf32", b"chrm", b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet")
)
"""Tags, and types of their elements, that stay."""

NAMES = TRANSFORM | frozenset(
    b"desc cprt dmnd dmdd vued view tech meas targ calt pseq psid clrt clot ncl2 resp rig0 rig2 pre0 pre1 pre2 crdi devs".split()
)
TYPES = NUMBERS | frozenset(b"desc mluc text sig  dtim view meas pseq clrt ncl2 rcs2 devs crdi".split(b" "))
"""Tags and types of the standard: words that stay in the table; others there are somebody's."""


def cleaned(data: bytes) -> bytes:
    """Write a profile without what it says in words; empty where it is none.

    Args:
        data: an ICC profile, padded to an even length or not.
    """
    at, sign = _SIGNATURE
    if len(data) < HEADER + 4 or data[at : at + 4] != sign:
        return b""
    size, count = unpack_from(">L", data)[0], unpack_from(">L", data, HEADER)[0]
    first = HEADER + 4 + TAG * count
    if not (count <= TAGS_MAX and first <= size <= len(data) <= size + 3):
        return b""
    out = bytearray(len(data))
    out[:first] = data[:first]
    for begin, end in _TEXTUAL:
        out[begin:end] = bytes(end - begin)
    for place in range(HEADER + 4, first, TAG):
        name, begin, length = data[place : place + 4], *unpack_from(">LL", data, place + 4)
        if not first <= begin <= begin + length <= size:
            return b""
        if name in TRANSFORM and data[begin : begin + 4] in NUMBERS:
            out[begin : begin + length] = data[begin : begin + length]
        elif data[begin : begin + 4] in TYPES and not any(out[begin : begin + length]):
            out[begin : begin + 4] = data[begin : begin + 4]
        if name not in NAMES:
            out[place : place + 4] = bytes(4)
    return bytes(out)
