"""Write a text as a QR code: byte mode, level L, versions 1 to 13; the dark squares as one path of an SVG.

Steps: 1 mode, length and bytes, padded to the version's capacity · 2 check bytes a block, and blocks interleaved ·
3 patterns that find and align · 4 bits up and down the columns · 5 the mask with the least penalty, with format and version.

Rules:
- Sizes and block structures are a table of the standard's; what does not fit is refused.

Deliberately absent: other modes and levels, structured append, any picture around it: the quiet zone is the page's.

Source: ISO/IEC 18004:2015 §7, Annexes A, C, D.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

_BLOCKS = {
    1: (7, 1, 19, 0), 2: (10, 1, 34, 0), 3: (15, 1, 55, 0), 4: (20, 1, 80, 0), 5: (26, 1, 108, 0),
    6: (18, 2, 68, 0), 7: (20, 2, 78, 0), 8: (24, 2, 97, 0), 9: (30, 2, 116, 0), 10: (18, 2, 68, 2),
    11: (20, 4, 81, 0), 12: (24, 2, 92, 2), 13: (26, 4, 107, 0),
}  # fmt: skip
"""Version -> check bytes a block, blocks, data bytes in each, and how many more blocks have one byte more (level L)."""

_ALIGN = {
    1: (), 2: (6, 18), 3: (6, 22), 4: (6, 26), 5: (6, 30), 6: (6, 34), 7: (6, 22, 38), 8: (6, 24, 42),
    9: (6, 26, 46), 10: (6, 28, 50), 11: (6, 30, 54), 12: (6, 32, 58), 13: (6, 34, 62),
}  # fmt: skip
_LEVEL_L = 0b01
_MASKS: tuple[Callable[[int, int], int], ...] = (
    lambda r, c: (r + c) % 2,
    lambda r, _c: r % 2,
    lambda _r, c: c % 3,
    lambda r, c: (r + c) % 3,
    lambda r, c: (r // 2 + c // 3) % 2,
    lambda r, c: r * c % 2 + r * c % 3,
    lambda r, c: (r * c % 2 + r * c % 3) % 2,
    lambda r, c: ((r + c) % 2 + r * c % 3) % 2,
)
_QUIET = 4

Square = list[list[int]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A code to draw: the side of its view box, quiet zone included, and the path of its dark squares."""

    side: int
    path: str


def encode(text: str) -> Drawn:
    """Draw a text.

    Raises:
        InputError: it is too long.
    """
    square = matrix(text.encode())
    parts = []
    for r, row in enumerate(square):
        c = 0
        while c < len(row):
            if row[c]:
                begin = c
                while c < len(row) and row[c]:
                    c += 1
                parts.append(f"M{begin + _QUIET} {r + _QUIET}h{c - begin}v1h{begin - c}z")
            c += 1
    return Drawn(len(square) + 2 * _QUIET, "".join(parts))


def matrix(data: bytes) -> Square:
    """Give the squares, 1 for dark, row by row.

    Raises:
        InputError: it is too long.
    """
    version = next((v for v in _BLOCKS if len(data) <= _capacity(v) - (2 if v < 10 else 3)), 0)
    if not version:
        raise InputError("QR code", "is of a text that is too long", reason=Reason.LIMIT_EXCEEDED)
    bits = _bits(_interleaved(_padded(data, version), version))
    blank, taken = _patterns(version)
    _place(blank, taken, bits)
    return min((_masked(blank, taken, mask, version) for mask in range(8)), key=_penalty)


def _capacity(version: int) -> int:
    _, blocks, size, longer = _BLOCKS[version]
    return blocks * size + longer * (size + 1)


def _padded(data: bytes, version: int) -> bytes:
    count = 8 if version < 10 else 16
    whole = (0b0100 << count | len(data)) << (8 * len(data)) | int.from_bytes(data)
    length = 4 + count + 8 * len(data)
    whole <<= 4  # the terminator; data end within a byte, so that it always fills it
    found = whole.to_bytes((length + 4) // 8)
    room = _capacity(version) - len(found)
    return found + (b"\xec\x11" * room)[:room]


def _interleaved(data: bytes, version: int) -> bytes:
    check, count, size, longer = _BLOCKS[version]
    blocks, at = [], 0
    for n in range(count + longer):
        end = at + size + (n >= count)
        blocks.append(data[at:end])
        at = end
    checks = [_check(block, check) for block in blocks]
    longest = max(map(len, blocks))
    mixed = [block[n] for n in range(longest) for block in blocks if n < len(block)]
    return bytes(mixed + [one[n] for n in range(check) for one in checks])


@cache
def _field() -> tuple[list[int], list[int]]:
    """Powers and logarithms of GF(256) under x^8 + x^4 + x^3 + x^2 + 1."""
    powers, logs, value = [0] * 255, [0] * 256, 1
    for n in range(255):
        powers[n], logs[value] = value, n
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    return powers, logs


def _times(a: int, b: int) -> int:
    powers, logs = _field()
    return powers[(logs[a] + logs[b]) % 255] if a and b else 0


def _check(block: bytes, count: int) -> list[int]:
    """Reed-Solomon: the remainder of the block by the generator of that degree."""
    generator = [1]
    for n in range(count):
        root = _field()[0][n]
        generator = [a ^ _times(b, root) for a, b in zip([*generator, 0], [0, *generator], strict=True)]
    rest = list(block) + [0] * count
    for n in range(len(block)):
        for k, factor in enumerate(generator[1:], 1):
            rest[n + k] ^= _times(rest[n], factor)
    return rest[len(block) :]


def _bits(data: bytes) -> list[int]:
    return [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]


def _patterns(version: int) -> tuple[Square, Square]:
    """Draw what is the same in every code of a version; the second square says what is taken."""
    side = 17 + 4 * version
    canvas = _Canvas(side)
    for n in range(side):
        canvas.put(6, n, 1 - n % 2)
        canvas.put(n, 6, 1 - n % 2)
    for top, left in ((3, 3), (3, side - 4), (side - 4, 3)):
        canvas.rings(top, left, 4, {2, 4})
    centres = _ALIGN[version]
    corners = {(6, 6), (6, side - 7), (side - 7, 6)}
    for top, left in ((a, b) for a in centres for b in centres if (a, b) not in corners):
        canvas.rings(top, left, 2, {1})
    for n in range(9):  # room for the format
        for r, c in ((8, n), (n, 8)):
            canvas.taken[r][c] = 1
    for n in range(side - 8, side):
        canvas.taken[8][n] = canvas.taken[n][8] = 1
    canvas.drawn[side - 8][8] = 1
    for n, bit in enumerate(reversed(f"{_version(version):018b}") if version >= 7 else ()):
        canvas.put(n // 3, side - 11 + n % 3, int(bit))
        canvas.put(side - 11 + n % 3, n // 3, int(bit))
    return canvas.drawn, canvas.taken


class _Canvas:
    """Squares drawn, and squares taken by a pattern."""

    def __init__(self, side: int) -> None:
        self._side = side
        self.drawn, self.taken = ([[0] * side for _ in range(side)] for _ in range(2))

    def put(self, r: int, c: int, dark: int) -> None:
        """Draw one square of a pattern, if it is on the canvas."""
        if 0 <= r < self._side and 0 <= c < self._side:
            self.drawn[r][c], self.taken[r][c] = dark, 1

    def rings(self, top: int, left: int, reach: int, light: set[int]) -> None:
        """Draw squares around a centre, all dark but the rings named."""
        for r in range(-reach, reach + 1):
            for c in range(-reach, reach + 1):
                self.put(top + r, left + c, int(max(abs(r), abs(c)) not in light))


def _place(drawn: Square, taken: Square, bits: list[int]) -> None:
    """Write the bits in pairs of columns from the right, up and down in turn, around what is taken."""
    side, left = len(drawn), iter(bits)
    for turn, right in enumerate((*range(side - 1, 6, -2), 5, 3, 1)):
        for n in range(side):
            r = n if turn % 2 else side - 1 - n
            for c in (right, right - 1):
                if not taken[r][c]:
                    drawn[r][c] = next(left, 0)


def _masked(blank: Square, taken: Square, mask: int, version: int) -> Square:
    side, flips = 17 + 4 * version, _MASKS[mask]
    drawn = [
        [value ^ int(not taken[r][c] and flips(r, c) == 0) for c, value in enumerate(row)]
        for r, row in enumerate(blank)
    ]
    for n, bit in enumerate(reversed(f"{_format(mask):015b}")):
        along = n if n < 6 else n + 1 if n < 8 else side - 15 + n
        drawn[along][8] = int(bit)
        across = side - 1 - n if n < 8 else 15 - n if n == 8 else 14 - n
        drawn[8][across] = int(bit)
    drawn[side - 8][8] = 1
    return drawn


def _format(mask: int) -> int:
    data = _LEVEL_L << 3 | mask
    return (data << 10 | _remainder(data << 10, 0b10100110111)) ^ 0b101010000010010


def _version(version: int) -> int:
    return version << 12 | _remainder(version << 12, 0b1111100100101)


def _remainder(value: int, by: int) -> int:
    while value.bit_length() >= by.bit_length():
        value ^= by << (value.bit_length() - by.bit_length())
    return value


def _penalty(square: Square) -> int:
    side, found = len(square), 0
    for lines in (square, [list(column) for column in zip(*square, strict=True)]):
        for line in lines:
            text = "".join(map(str, line))
            found += sum(len(run) - 2 for run in text.replace("01", "0 1").replace("10", "1 0").split() if len(run) >= 5)  # fmt: skip
            found += 40 * sum(text[n : n + 11] in {"10111010000", "00001011101"} for n in range(side - 10))
    for r in range(side - 1):
        for c in range(side - 1):
            found += 3 * (square[r][c] == square[r][c + 1] == square[r + 1][c] == square[r + 1][c + 1])
    dark = sum(map(sum, square))
    return found + 10 * (abs(20 * dark - 10 * side * side) // (side * side))
