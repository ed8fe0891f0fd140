"""Words of a text in one plain form, and their keyed hashes.

The card of a subject (``patients``) and the outgoing bytes of a message (``gateway.guard``) are
hashed by the same functions, so that the gateway can see a patient's words leave without ever
seeing the card.

Rules:
- Plain form: compatibility decomposition, no accents and no invisible marks, casefolded; letters that do not decompose
  (``ø``, ``ł``, ``æ`` …) by a table. Words are runs of letters and digits.
- A word has at least 3 characters; 2 where the script writes without spaces (Han, Kana, Hangul).
- A *token* is a whole value (identifier, phone number, e-mail, full name) with everything but letters and
  digits taken out. Words and tokens hash under different personalisation: a word never equals a token.
- ``variants`` adds the spellings people write for the same name (``Müller``, ``Muller``, ``Mueller``);
  only the card's side does that, the guard's side hashes what it sees.

Deliberately absent: stop words, phonetics, any judgement of how strong a hit is.

Source: Unicode UAX #15 (NFKD), Unicode 15 §5.18 (case folding); RFC 7693 (keyed BLAKE2b).
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b

WORD_LENGTH_MIN = 3
WORD_HASH_BYTES = 8
"""64 bits: among 10^4 outgoing words and 10^2 card words a false hit comes once in 10^13 messages."""

_MEMO_WORDS_MAX = 20_000
_MEMO_LENGTH_MAX = 64

_LETTERS = str.maketrans(
    {
        "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d", "Đ": "d", "ð": "d", "Ð": "d", "ħ": "h", "Ħ": "h",
        "ŧ": "t", "Ŧ": "t", "\u0131": "i", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "þ": "th", "Þ": "th",
    }
)  # fmt: skip
_UMLAUTS = str.maketrans(
    {
        "ä": "ae",
        "Ä": "ae",
        "ö": "oe",
        "Ö": "oe",
        "ü": "ue",
        "Ü": "ue",
        "å": "aa",
        "Å": "aa",
        "ø": "oe",
        "Ø": "oe",
    }
)
_ASCII_WORDS = re.compile(r"[a-z0-9]{3,}").findall
_RUNS = re.compile(r"[^\W_]+").findall
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_INVISIBLE = frozenset(("Mn", "Me", "Cf"))
"""Accents and enclosing marks; soft hyphens, zero-width and direction marks: they change no word."""
_UNSPACED_FROM = "\u2e80"


def plain(text: str) -> str:
    """Fold case and strip accents; other characters stay."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if unicodedata.category(c) not in _INVISIBLE)
    return unicodedata.normalize("NFKC", bare.translate(_LETTERS).casefold())


def words_in(text: str) -> list[str]:
    """List the words of a text in plain form, in order, repeats kept."""
    if text.isascii():
        return _ASCII_WORDS(text.lower())
    return [run for run in _RUNS(plain(text)) if len(run) >= WORD_LENGTH_MIN or _is_unspaced(run)]


def token_of(text: str) -> str:
    """Give a whole value in plain form with only its letters and digits; may be empty."""
    return _NOT_ALPHANUMERIC.sub("", plain(text))


def variants(text: str) -> frozenset[str]:
    """Give the texts people write for one name: as it is, and with umlauts spelled out."""
    composed = unicodedata.normalize("NFC", text)
    return frozenset((composed, composed.translate(_UMLAUTS)))


class WordHasher:
    """Hash words and tokens under one site's word key.

    Invariant: ``word(w) == word(w)`` for ever under one key; the memo only saves time. It holds words of
    messages in memory, so its owner calls ``forget`` whenever it drops its epoch's keys.
    """

    __slots__ = ("_begun", "_key", "_memo")

    def __init__(self, word_key: bytes) -> None:
        if not 16 <= len(word_key) <= blake2b.MAX_KEY_SIZE:
            raise ValueError("a word key has 16 to 64 bytes")
        self._key = word_key
        self._begun = blake2b(digest_size=WORD_HASH_BYTES, key=word_key, person=b"token")
        self._memo: dict[str, bytes] = {}

    def word(self, word: str) -> bytes:
        """Hash one word that is in plain form (from ``words_in``): 8 bytes."""
        found = self._memo.get(word)
        if found is None:
            if len(self._memo) >= _MEMO_WORDS_MAX:
                self._memo.clear()
            found = blake2b(
                word.encode(), digest_size=WORD_HASH_BYTES, key=self._key, person=b"word"
            ).digest()
            if len(word) <= _MEMO_LENGTH_MAX:
                self._memo[word] = found
        return found

    def token(self, token: str) -> bytes:
        """Hash one whole value in the form of ``token_of``: 8 bytes."""
        begun = self._begun.copy()  # half the time of beginning anew
        begun.update(token.encode())
        return begun.digest()

    def words(self, text: str) -> set[bytes]:
        """Hash every word of a text."""
        memo, word = self._memo, self.word
        return {memo.get(w) or word(w) for w in words_in(text)}

    def forget(self) -> None:
        """Drop the words held in memory."""
        self._memo.clear()


def _is_unspaced(run: str) -> bool:
    return len(run) >= WORD_LENGTH_MIN - 1 and run[0] >= _UNSPACED_FROM
