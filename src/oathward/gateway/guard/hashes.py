"""Keyed hashes of what stands in outgoing bytes: of words, and of pieces with digits that may be tokens.

Rules:
- A piece is hashed in the form of ``core.words.token_of``, so that it meets the hashes of cards; of a date or a
  time of day it is its date, and of a number in hexadecimal the number.
- Memory is bounded and holds values of messages; ``forget`` empties it.

Deliberately absent: where words and pieces stand (``outlines``), and whose they are (``message``).
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable, Hashable, Iterable

from oathward.core.words import WordHasher
from oathward.gateway.guard.normalise import squeeze
from oathward.gateway.guard.tokens import IDENTIFIER_LENGTH_MIN

HASHES_MAX = 65_536
DAYS_MAX = 4_096
ONCE_PLACES = 16_384
"""Of what came once: a byte for each; a power of two."""

_DIGITS_MIN = 8
"""Of a date, and of a number in hexadecimal."""
_BEGINS = b"12"
"""Of a date: pieces begin with what is in them, a letter or a digit."""
_HEX_BEGINS = ord("3")
_HEX_OF_DIGITS = re.compile(rb"(?:3[0-9]){6,}").fullmatch
_TIME = re.compile(
    rb"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[0-9]{2}){0,4}"
).fullmatch


class Once:
    """Tell what comes again from what comes once; now and then wrongly, so it may only decide what to remember."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        self._marks = bytearray(ONCE_PLACES)

    def again(self, value: Hashable) -> bool:
        """Say whether this, or something that looks like it, came before and not too long ago."""
        found = hash(value)
        at, mark = found & (ONCE_PLACES - 1), found >> 48 & 127 | 128
        if self._marks[at] == mark:
            return True
        self._marks[at] = mark
        return False


class Hashes:
    """Hash and remember.

    Args:
        words: hashes as the words of cards were hashed.
    """

    __slots__ = ("_days", "_once", "_tokens", "_words")

    def __init__(self, words: WordHasher) -> None:
        self._words = words
        self._tokens: dict[bytes, bytes] = {}
        self._days: dict[bytes, bytes] = {}
        self._once = Once()

    def words(self, words: Iterable[bytes]) -> frozenset[bytes]:
        """Hash letter words, and the longer ones as tokens too: a name may be written in one."""
        hashed = set()
        for word in words:
            text = word.decode("utf-8", "replace")
            if len(text) >= 3 or not text.isascii():
                hashed.add(self._words.word(text))
                if len(text) >= IDENTIFIER_LENGTH_MIN or not text.isascii():
                    hashed.add(self._words.token(text))
        return frozenset(hashed)

    def word(self, word: bytes) -> bytes:
        """Hash one letter word."""
        return self._words.word(word.decode("utf-8", "replace"))

    @property
    def known(self) -> Callable[[bytes], bytes | None]:
        """Give what looks up a piece that was hashed before; ``token`` hashes."""
        return self._tokens.get

    def token(self, piece: bytes) -> bytes:
        """Hash one piece of a line that may be a token."""
        found = self._tokens.get(piece)
        if found is None:
            token = piece if piece.isdigit() else squeeze(piece)
            if len(token) >= _DIGITS_MIN:
                if token[0] in _BEGINS:
                    token = self.day(piece) or token
                elif token[0] == _HEX_BEGINS and _HEX_OF_DIGITS(token):
                    token = unhexlify(token)
            found = self._words.token(token.decode("utf-8", "replace"))
            if self._once.again(piece):
                if len(self._tokens) >= HASHES_MAX:
                    self._tokens.clear()
                self._tokens[piece] = found
        return found

    def day(self, piece: bytes) -> bytes:
        """Give the date of a piece that is a date or a time, ``YYYYMMDD``; nothing of another one."""
        if piece[:1] not in _BEGINS:
            return b""
        found = self._days.get(piece)
        if found is None:
            token = squeeze(piece)
            if len(self._days) >= DAYS_MAX:
                self._days.clear()
            found = self._days[piece] = token[:8] if _TIME(token) else b""
        return found

    def whole(self, token: str) -> bytes:
        """Hash a whole value in the form of ``token_of``."""
        return self._words.token(token)

    def forget(self) -> None:
        """Drop everything."""
        self._tokens.clear()
        self._days.clear()
        self._words.forget()
