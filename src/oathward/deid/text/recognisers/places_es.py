"""Places of Spanish texts that our list knows, and the postcode beside one.

Rules:
- A place is written large; one whose name is also an ordinary word is one only after a postcode or a word of place (``en Toro``).
- After a finding or a thing and ``de`` a place is an eponym (``fiebre de Malta``): it stays.

Source: 45 CFR 164.514(b)(2)(i)(B); postcodes have five figures (Correos).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from oathward.deid.text.dictionary import listed, said
from oathward.deid.text.recogniser import Recogniser, Word
from oathward.deid.text.spanish import eponymous, fold, folded, joined
from oathward.deid.text.tokens import Tokens

_POSTCODE_DIGITS = 5
_PLACE_WORDS = said(
    "en desde hacia vive reside residente natural procedente viaje viajado viajo estancia provincia ciudad"
)
_BESIDE = " ,.-()"
_TOWN_WORDS_MAX = 4


@cache
def _first_words() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """First word of a place -> the places that begin with it, longest first."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for place in listed("places_es"):
        parts = tuple(fold(part) for part in place.split())
        found.setdefault(parts[0], []).append(parts)
    return {first: tuple(sorted(all_, key=len, reverse=True)) for first, all_ in found.items()}


def _at(words: Tokens, i: int, folds: list[str]) -> int:
    """Give the word after the place that begins at word ``i``; ``i`` where none does."""
    for parts in _first_words().get(folds[i], ()):
        end = i + len(parts)
        if tuple(folds[i:end]) == parts and words.words[end - 1][0].isupper() and _whole(words, i, end):
            return end
    return i


def _whole(words: Tokens, i: int, end: int) -> bool:
    return all(joined(words, k) or words.gap(k) in ("/", ". ", ".") for k in range(i, end - 1))


def _postcode(words: Tokens, i: int) -> bool:
    word = words.words[i]
    return len(word) == _POSTCODE_DIGITS and word.isdigit()


def _beside(words: Tokens, i: int) -> bool:
    """Whether only space, a comma or a bracket stands between word ``i`` and the next."""
    gap = words.gap(i)
    return len(gap) <= 4 and all(c in _BESIDE for c in gap)


def _find(words: Tokens) -> Iterator[Word]:
    folds = [fold(w) for w in words.words]
    after = -1  # the word after the last place or postcode
    i = 0
    while i < len(words):
        if words.words[i][0].isupper() and (end := _at(words, i, folds)) > i:
            before = i > 0 and _beside(words, i - 1)
            coded = before and _postcode(words, i - 1)
            if coded or (before and after == i) or _certain(words, i, end, folds):
                if not coded and (code := _code_before(words, i)):
                    yield Word(words.starts[code - 1], words.ends[i - 1], "place", 0.85)
                if coded:
                    yield Word(words.starts[i - 1], words.ends[i - 1], "place", 0.9)
                yield Word(words.starts[i], words.ends[end - 1], "place", 0.9 if coded else 0.75)
                after = end
                i = end
                continue
        i += 1


def _code_before(words: Tokens, i: int) -> int:
    """Give the word after a postcode that stands before word ``i`` with a town unknown to us between them; 0: there is none."""
    for j in range(i - 1, max(i - 1 - _TOWN_WORDS_MAX, 0), -1):
        if not words.words[j][0].isupper() or not _beside(words, j) or not _beside(words, j - 1):
            return 0
        if _postcode(words, j - 1):
            return j
    return 0


def _certain(words: Tokens, i: int, end: int, folds: list[str]) -> bool:
    if eponymous(words, i):
        return False
    if end - i > 1 or folds[i] not in folded("ordinary_es"):
        return True
    return i > 0 and folds[i - 1] in _PLACE_WORDS and not words.opens(i)


RECOGNISER = Recogniser(
    categories={"place": "patient.address"},
    words=_find,
    languages=frozenset({"es"}),
)
