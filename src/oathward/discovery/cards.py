"""Numbers of network cards and of devices by IEEE's rules, in whatever way they are written.

Rules:
- What names no single card (all zeros, all ones, a group) is none.
- A serial number means something with its maker alone.

Source: IEEE 802-2014 §8 (MAC addresses, the I/G and U/L bits; EUI-64), RFC 4291 appendix A (EUI-64 made of a MAC).
"""

from __future__ import annotations

import re

from oathward.discovery.values import printable

_HEX = re.compile(r"[0-9A-Fa-f]+")
_SEPARATORS = re.compile(r"[:\-. ]")
_OCTETS_MAC, _OCTETS_EUI64 = 6, 8


def mac(text: str) -> str | None:
    """Write a card's number as ``aa:bb:cc:dd:ee:ff``; None where it is none, or names no single card.

    Args:
        text: ``AA-BB-CC-DD-EE-FF``, ``aabb.ccdd.eeff``, ``aabbccddeeff``, ``a:b:c:0:1:2`` …
    """
    octets = _octets(text, _OCTETS_MAC)
    if octets is None or octets[0] & 1 or not any(octets):
        return None
    return octets.hex(":")


def eui64(text: str) -> str | None:
    """Write an EUI-64 as 16 hexadecimal digits in lower case; None where it is none or names nothing."""
    octets = _octets(text, _OCTETS_EUI64)
    if octets is None or not any(octets) or octets == b"\xff" * _OCTETS_EUI64:
        return None
    return octets.hex()


def serial(make: str, number: str) -> str:
    """Write a serial number as marks hold it: ``maker|serial``, folded."""
    return f"{printable(make)}|{printable(number)}".casefold()


def _octets(text: str, count: int) -> bytes | None:
    text = text.strip()
    if len(text) > 3 * count:
        return None
    parts = _SEPARATORS.split(text)
    if not all(_HEX.fullmatch(part) for part in parts):
        return None
    if len(parts) == count and all(len(part) <= 2 for part in parts):
        return bytes(int(part, 16) for part in parts)
    same = {len(part) for part in parts}  # groups of one length: 1 × 12, 2 × 6, 3 × 4, and 4 × 4 of an EUI-64
    digits = "".join(parts)
    return bytes.fromhex(digits) if len(same) == 1 and len(digits) == 2 * count else None
