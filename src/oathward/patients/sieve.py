"""A set of keyed identifiers that may say "perhaps" wrongly, and "no" never: most outgoing numbers are nobody's.

Rules:
- A token is 8 bytes of a keyed hash already: its own bits serve as the positions, no further hashing.
- ``perhaps`` is followed by a look into the database; ``no`` spares it.
- Built anew from the database when it has grown too full, and by the owner every minute, so that what other
  processes wrote is in it.

Deliberately absent: removal; an erased person's tokens go with the next building.

Source: B. H. Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13 (1970).
"""

from __future__ import annotations

from collections.abc import Iterable

_POSITIONS = 4
_BITS_PER_TOKEN = 16
"""With 4 positions: one wrong "perhaps" in 400."""
_BITS_MIN = 1 << 20


class Sieve:
    """Say of a token that it is not in the set, or perhaps is."""

    __slots__ = ("_bits", "_mask", "_room")

    def __init__(self, tokens: Iterable[bytes] = (), *, expected: int = 0) -> None:
        size = _BITS_MIN
        while size < expected * _BITS_PER_TOKEN * 2:
            size *= 2
        self._bits, self._mask = bytearray(size // 8), size - 1
        self._room = size // _BITS_PER_TOKEN
        for token in tokens:
            self.add(token)

    @property
    def full(self) -> bool:
        """Whether so many were added that it should be built anew."""
        return self._room <= 0

    def add(self, token: bytes) -> None:
        """Put a token in."""
        self._room -= 1
        for at in self._places(token):
            self._bits[at >> 3] |= 1 << (at & 7)

    def __contains__(self, token: bytes) -> bool:
        """Perhaps (True), or certainly not (False)."""
        bits, mask = self._bits, self._mask
        value = int.from_bytes(token, "big")
        at = value >> 32 & mask
        if not bits[at >> 3] >> (at & 7) & 1:  # most tokens end here
            return False
        return all(bits[at >> 3] >> (at & 7) & 1 for at in self._places(token))

    def _places(self, token: bytes) -> tuple[int, ...]:
        # Two 32-bit halves as start and stride: as good as independent hashes (Kirsch and Mitzenmacher 2006).
        first, stride = int.from_bytes(token[:4], "big"), int.from_bytes(token[4:8], "big") | 1
        mask = self._mask
        return tuple([(first + n * stride) & mask for n in range(_POSITIONS)])
