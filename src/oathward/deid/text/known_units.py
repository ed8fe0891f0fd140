"""The words of a text as what is known is compared with them: in plain form, whatever accents or marks they are written with.

Rules:
- A *unit* is a word of ``tokens``; two that only accents or invisible marks part (``Mu`` + U+0308 + ``ller``) are one.
- Its keys are its plain forms: without accents, with umlauts spelled out (``core.words``), and with Latin letters for others that
  look like them (``lookalikes``); what stands between its letters is no part of them.
- ``folded`` keeps every place: one character for each of the text.

Deliberately absent: what a word means.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from oathward.core.words import plain, token_of, variants
from oathward.deid.text.lookalikes import latin
from oathward.deid.text.tokens import Tokens

_MARKS = frozenset(("Mn", "Me", "Cf"))


class Unit(NamedTuple):
    """One word: where it stands, how it is written, and its plain forms."""

    start: int
    end: int
    raw: str
    keys: tuple[str, ...]

    @property
    def large(self) -> bool:
        """Whether it begins with a capital, or its script has none."""
        first = self.raw[:1]
        return first.isupper() or first.upper() == first.lower()


def units_of(words: Tokens) -> list[Unit]:
    """Give the words of a text with their plain forms; linear."""
    text, starts, ends = words.text, words.starts, words.ends
    if text.isascii():
        return [
            Unit(start, end, word, (low if low.isalnum() else token_of(low),))
            for start, end, word, low in zip(starts, ends, words.words, words.lowers, strict=True)
        ]
    found: list[Unit] = []
    i = 0
    while i < len(starts):
        start, end = starts[i], ends[i]
        while i + 1 < len(starts) and _only_marks(text[end : starts[i + 1]]):
            i += 1
            end = ends[i]
        end = _with_marks(text, end)
        raw = text[start:end]
        found.append(Unit(start, end, raw, keys_of(raw)))
        i += 1
    return found


def keys_of(word: str) -> tuple[str, ...]:
    """Give the plain forms of a word."""
    if word.isascii():
        return (token_of(word),)
    return tuple(dict.fromkeys(token_of(form) for form in (*sorted(variants(word)), latin(word))))


def folded(text: str) -> str:
    """Give the text in lower case, digits of every script as 0-9, Latin letters for what looks like them, no accents; as long."""
    if text.isascii():
        return text.lower()
    return "".join([c.lower() if c.isascii() else _folded(c) for c in text])


def _folded(character: str) -> str:
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    made = plain(latin(character))
    return made if len(made) == 1 else character


def _only_marks(gap: str) -> bool:
    return bool(gap) and not gap.isascii() and all(unicodedata.category(c) in _MARKS for c in gap)


def _with_marks(text: str, end: int) -> int:
    while end < len(text) and not text[end].isascii() and unicodedata.category(text[end]) in _MARKS:
        end += 1
    return end
