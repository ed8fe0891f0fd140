"""What recognisers of Spanish texts share: our word lists without accents, and what stands before a name that names nobody.

Rules:
- Words are compared without case and accents: reports are written with and without them.
- A name after the word of a finding, a method or a thing and ``de`` is an eponym (``síndrome de X``, ``sonda de X``): it stays.

Deliberately absent: what a name is (``recognisers/names_es``).
"""

from __future__ import annotations

from functools import cache, lru_cache

from oathward.core.words import plain
from oathward.deid.text.dictionary import listed, said
from oathward.deid.text.tokens import Tokens

PARTICLES = said("de del la las los y i e da do dos das van von der den di san santa sant")
"""What may stand between the parts of a name, written small or large."""

_OF = frozenset({"de", "del", "von"})
_ARTICLES = frozenset({"la", "el", "los", "las"})
_BACK = 4

LARGE = "[A-ZÀ-Þ]"
"""A large letter, for RE2: two ranges, because whole Unicode classes make its automata a thousand times larger."""
CAPITALISED = LARGE + "[A-Za-zÀ-ž'’\u00b4]*"
"""A word written large, for RE2."""

fold = lru_cache(maxsize=8192)(plain)
"""A word without case and accents; the usual ones are remembered."""


@cache
def folded(name: str) -> frozenset[str]:
    """Give the words of ``words/NAME.txt`` without accents."""
    return frozenset(plain(word) for word in listed(name))


def large(word: str) -> bool:
    """Whether a word begins with a large letter and holds no digit."""
    return word[0].isupper() and (word.isalpha() or not any(c.isdigit() for c in word))


def joined(words: Tokens, i: int) -> bool:
    """Whether only a space or a hyphen stands between word ``i`` and the next, on one line and in one column."""
    gap = words.gap(i)
    return gap in (" ", "-", "  ", "\u00b4", "\u00a0", " - ")


def eponymous(words: Tokens, i: int) -> bool:
    """Whether what begins at word ``i`` stands after a finding, a method or a thing and ``de``: an eponym."""
    j = i - 1
    while j >= 0 and fold(words.words[j]) in _ARTICLES and joined(words, j):
        j -= 1
    if j < 0 or not joined(words, j):
        return False
    things = folded("eponyms_es")
    if fold(words.words[j]) in things:  # ``test Gleason``, ``sonda Foley``
        return True
    if fold(words.words[j]) not in _OF:
        return False
    for k in range(j - 1, max(j - 1 - _BACK, -1), -1):
        if not joined(words, k):
            return False
        if fold(words.words[k]) in things:
            return True
    return False
