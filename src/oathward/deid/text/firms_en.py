"""Firms of English texts that only what stands around them tells: an employer, an insurer, partners in a row.

Deliberately absent: firms and hospitals whose own words tell (``capitals_en``).
"""

from __future__ import annotations

from collections.abc import Iterator

from oathward.deid.text.closed_en import EMPLOYED, FUNCTION, TITLES
from oathward.deid.text.reading_en import Reader
from oathward.deid.text.recogniser import Word
from oathward.deid.text.vocabulary_en import Kind

_EMPLOYER_WORDS = 5
_PARTNERS = 2


def employers(reader: Reader) -> Iterator[Word]:
    """Whoever somebody works for or is insured with: one to five words written large, ordinary or not."""
    words = reader.words
    if reader.large:
        return
    for i, lower in enumerate(words.lowers):
        if lower not in ("for", "at", "by", "of", "with") or not i:
            continue
        if f"{words.lowers[i - 1]} {lower}" not in EMPLOYED:
            continue
        last = i + 1
        while (
            last < len(words)
            and last - i <= _EMPLOYER_WORDS
            and words.gap(last - 1) in (" ", " & ", "-")
            and words.words[last][0].isupper()
            and words.lowers[last] not in FUNCTION
            and words.lowers[last] not in TITLES
        ):
            last += 1
        if last > i + 1:
            yield Word(words.starts[i + 1], words.ends[last - 1], "organisation", 0.6)


def partners(reader: Reader, strengths: list[Kind]) -> Iterator[Word]:
    """``Vrelant, Munga and Quarn``: a firm, or its partners. They are persons as long as nobody says what they are."""
    words = reader.words
    for i, lower in enumerate(words.lowers):
        if lower != "and" or i < _PARTNERS or i + 1 >= len(words) or reader.large:
            continue
        named = [strengths[j] for j in (i - 2, i - 1, i + 1)]
        surnames = all(words.words[j][0].isupper() or reader.small for j in (i - 2, i - 1, i + 1))
        gaps = words.gap(i - 2) == ", " and words.gap(i - 1) == " " and words.gap(i) == " "
        if gaps and surnames and min(named) and sum(n >= Kind.UNKNOWN for n in named) >= _PARTNERS:
            yield Word(words.starts[i - 2], words.ends[i + 1], "name", 0.6)
