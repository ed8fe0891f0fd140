"""Tag, length and value, as BER and DER write them: certificates, SNMP.

Source: ITU-T X.690.
"""

from __future__ import annotations

PARTS_MAX = 64
Part = tuple[int, int, int]
"""Tag, where the value begins, where it ends."""


def part(data: bytes, at: int, end: int) -> Part | None:
    """Read the head of a value; None where it does not lie before the end."""
    if at + 2 > end:
        return None
    tag, size = data[at], data[at + 1]
    at += 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or at + count > end:
            return None
        size = int.from_bytes(data[at : at + count], "big")
        at += count
    return (tag, at, at + size) if at + size <= end else None


def parts(data: bytes, at: int, end: int) -> list[Part]:
    """Read the heads of values that follow one another; ``PARTS_MAX`` at most."""
    found: list[Part] = []
    while len(found) < PARTS_MAX and (one := part(data, at, end)):
        found.append(one)
        at = one[2]
    return found
