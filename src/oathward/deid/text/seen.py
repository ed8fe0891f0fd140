"""A text as somebody sees it, for recognisers: a letter and its accents are one, spaces are one kind, and what has no width is not there.

Rules:
- A letter and a mark after it become the one letter that Unicode has for both (``e`` and U+0301 are ``é``); a mark for which it
  has none is left out. So are soft hyphens, joiners and marks of direction.
- A space of another kind is a space.
- A place leads back to the letter it came from and all that was left out after it: what is found goes with its marks.

Deliberately absent: letters that look like others, and what is known (``known_units`` reads it whatever its marks are).

Source: Unicode Standard Annex 15 (composition), chapter 4.5 (general categories).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from unicodedata import category, normalize

_MARKS = frozenset(("Mn", "Me", "Cf"))
_SPACE = "Zs"


@dataclass(frozen=True, slots=True)
class Seen:
    """``text``: as it is seen. ``origins``: for each of its places, and its end, the place in the original; empty: the same."""

    text: str = field(repr=False)
    origins: tuple[int, ...] = field(default=(), repr=False)

    def back(self, place: int) -> int:
        """Give the place in the original."""
        return self.origins[place] if self.origins else place


def seen(text: str) -> Seen:
    """Read a text; linear."""
    if text.isascii():
        return Seen(text)
    kinds = {c: category(c) for c in set(text) if not c.isascii()}
    odd = {c: kind for c, kind in kinds.items() if kind in _MARKS or kind == _SPACE}
    if not odd:
        return Seen(text)
    letters: list[str] = []
    origins: list[int] = []
    for place, letter in enumerate(text):
        kind = odd.get(letter, "")
        if kind in _MARKS:
            # One mark at a time: a letter with thousands of them takes no longer for each.
            if letters and len(both := normalize("NFC", letters[-1] + letter)) == 1:
                letters[-1] = both
        else:
            letters.append(" " if kind == _SPACE else letter)
            origins.append(place)
    return Seen("".join(letters), (*origins, len(text)))
