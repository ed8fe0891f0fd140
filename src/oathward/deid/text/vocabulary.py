"""Whether a word is an ordinary one: a name that is nearly written like it is not meant by it.

Deliberately absent: names. A word may be both; who asks knows whether a name is expected.
"""

from __future__ import annotations

from functools import cache

from oathward.core.words import plain
from oathward.deid.text.dictionary import listed

LISTS = ("near_names",)
ENDINGS = ("s", "es", "ed", "d", "ing", "er", "ly")


@cache
def _ordinary() -> frozenset[str]:
    return frozenset(plain(word) for name in LISTS for word in listed(name))


def ordinary(word: str) -> bool:
    """Say whether a word in plain form (``core.words.plain``), or what it is a form of, is an ordinary one."""
    known = _ordinary()
    return word in known or any(
        word.endswith(ending) and len(word) - len(ending) > 2 and word[: -len(ending)] in known
        for ending in ENDINGS
    )
