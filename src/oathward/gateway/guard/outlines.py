"""What the guard knows about lines: their words, and where tokens may stand, looked at once per outline.

Rules:
- Two lines with one outline (``normalise.outline``) differ in digits only, so words, escapes and places of
  digits are the same. Runs of letters *and* digits, which may be an encoding, are compared with the line itself:
  a line whose runs are others than those remembered is a new outline.
- Memory is bounded and holds values of messages; ``forget`` empties it.

Deliberately absent: persons. Nothing here depends on whose line it is.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oathward.core.words import WordHasher
from oathward.gateway.guard.dates import may_hold
from oathward.gateway.guard.normalise import (
    decoded,
    fold,
    is_layered,
    letter_words,
    outline,
    runs,
    squeeze,
)
from oathward.gateway.guard.tokens import IDENTIFIER_LENGTH_MIN
from oathward.protocols.hl7v2.reader import Message

OUTLINES_MAX = 16_384
HASHES_MAX = 65_536
TOKEN_LENGTH_MAX = 64
JOINED_DIGITS_MAX = 16
WHOLE_DIGITS_MIN = 7
_NO_LETTERS = b"0123456789-./ ()"

_DIGITS = re.compile(rb"0{6,}")
# Runs are bounded and start where digits start: a long row of digits is looked at once.
_GROUPS = re.compile(rb"(?<!0)0{1,16}(?!0)(?:[ \-./()]{1,2}0{1,16}(?!0))+")
_SEPARATORS = re.compile(rb"[\-./]")
_RUNS = bytes(
    code if chr(code) in "-./" or (chr(code).isalnum() and code < 128) else 32 for code in range(256)
)
_HEX_OF_DIGITS = re.compile(rb"(?:3[0-9]){6,}").fullmatch
_HIDDEN = re.compile(rb"0[^0A-Za-z|]{0,3}[\x80-\xff][^0A-Za-z|]{0,9}0")
# Letters and digits in base64 never give one of these, so what hides a token has no short parts.
_PART = re.compile(rb"[0A-Za-z]{8,}")
_TIME = re.compile(
    rb"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[0-9]{2}){0,4}"
).fullmatch


Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """What all lines of one outline have in common; compared by identity.

    ``letters``: the line squeezed, without digits. ``hashes``: keyed hashes of its words, and of the longer
    ones as tokens. ``spans``: where tokens with digits may stand; ``whole``: those that are hardly a measured value
    or a code (``whole_of``). ``mixed``: where runs of letters and
    digits stand that may be an encoding. ``encoded``: a run decodes to something. ``opened``: a line like this must be opened
    each time. ``dated``: it may hold a date in parts.
    """

    shape: bytes
    words: frozenset[bytes]
    letters: bytes
    hashes: frozenset[bytes]
    spans: Spans
    whole: Spans
    mixed: Spans
    encoded: bool
    opened: bool
    dated: bool

    @property
    def plain(self) -> bool:
        """Say whether lines of this outline need no other look than at their digits."""
        return not (self.mixed or self.encoded or self.opened or self.dated)


class Outlines:
    """Remember outlines and hashes."""

    __slots__ = ("_hashes", "_known", "_runs", "_variants", "_words", "times")

    def __init__(self, words: WordHasher) -> None:
        self._words = words
        self._hashes: dict[bytes, bytes] = {}
        self._known: dict[bytes, Outline] = {}
        self._runs: dict[bytes, bool] = {}
        self._variants: dict[tuple[bytes, ...], Outline] = {}
        self.times: set[bytes] = set()

    def of(self, shape: bytes, line: bytes, original: Message) -> Outline:
        """Give what is known of a line; ``shape`` is its outline."""
        facts = self._known.get(shape)
        if facts is not None and facts.mixed:
            facts = self._variants.get((shape, *(line[start:end] for start, end in facts.mixed)))
        return facts or self._learn(shape, line, original)

    def _learn(self, shape: bytes, line: bytes, original: Message) -> Outline:
        """Look at a line for the first time. ``original`` says character set and escape character."""
        folded = fold(shape, original.charset)
        words = frozenset(letter_words(folded))
        spans = spans_of(shape)
        found = Outline(
            shape=shape,
            words=words,
            letters=squeeze(folded).translate(None, b"0123456789"),
            hashes=self.hashes_of(words),
            spans=spans,
            whole=whole_of(shape, spans),
            mixed=tuple(match.span() for match in _PART.finditer(shape) if _is_mixed(match[0])),
            encoded=any(map(self._decodes, runs(line))),
            opened=is_layered(shape, original.separators.escape)
            or (not shape.isascii() and _hides_digits(shape, folded)),
            dated=may_hold(folded, words),
        )
        if len(self._known) + len(self._variants) >= OUTLINES_MAX:
            self._known.clear()
            self._variants.clear()
        self._known[shape] = found
        if found.mixed:
            self._variants[shape, *(line[start:end] for start, end in found.mixed)] = found
        return found

    def _decodes(self, run: bytes) -> bool:
        found = self._runs.get(run)
        if found is None:
            if len(self._runs) >= OUTLINES_MAX:
                self._runs.clear()
            found = self._runs[run] = bool(decoded(run))
        return found

    def hashes_of(self, words: Iterable[bytes]) -> frozenset[bytes]:
        """Hash letter words, and the longer ones as tokens too: a name may be written in one."""
        hashed = set()
        for word in words:
            text = word.decode("utf-8", "replace")
            if len(text) >= 3 or not text.isascii():
                hashed.add(self._words.word(text))
                if len(text) >= IDENTIFIER_LENGTH_MIN or not text.isascii():
                    hashed.add(self._words.token(text))
        return frozenset(hashed)

    def hash_of(self, word: bytes) -> bytes:
        """Hash one letter word."""
        return self._words.word(word.decode("utf-8", "replace"))

    def token_hashes(self, pieces: set[bytes]) -> set[bytes]:
        """Hash pieces of lines that may be tokens; of a time stamp its date (and it is noted in ``times``)."""
        hashes = self._hashes
        if len(hashes) + len(pieces) > HASHES_MAX:
            hashes.clear()
            self.times.clear()
        for piece in pieces.difference(hashes):
            self._hash(piece)
        return set(map(hashes.__getitem__, pieces))

    def token_hash(self, piece: bytes) -> bytes:
        """Hash one piece."""
        return self._hashes.get(piece) or self._hash(piece)

    def _hash(self, piece: bytes) -> bytes:
        token = squeeze(piece)
        if _TIME(token):
            self.times.add(piece)
            token = token[:8]
        elif _HEX_OF_DIGITS(token):
            token = unhexlify(token)
        found = self._hashes[piece] = self._words.token(token.decode("utf-8", "replace"))
        return found

    def forget(self) -> None:
        """Drop everything."""
        self._hashes.clear()
        self._known.clear()
        self._variants.clear()
        self._runs.clear()
        self.times.clear()


def spans_of(shape: bytes) -> Spans:
    """List where in an outline tokens with digits may stand: runs, and runs joined by single separators."""
    found = [match.span() for match in _DIGITS.finditer(shape)]
    found += [match.span() for match in _GROUPS.finditer(shape) if _is_number(match[0])]
    at = 0
    for run in [
        one for one in shape.translate(_RUNS).split() if len(one) >= IDENTIFIER_LENGTH_MIN and 48 in one
    ]:
        at = shape.index(run, at)
        found += _in_run(run, at)
        at += len(run)
    return tuple(span for span in dict.fromkeys(found) if span[1] - span[0] <= TOKEN_LENGTH_MAX)


def whole_of(shape: bytes, spans: Spans) -> Spans:
    """Choose spans with letters, and rows of digits that are no fraction, no range and longer than a code.

    A hospital of some size has given out every number of six digits: each code and count would be a patient's.
    """
    return tuple(
        (start, end)
        for start, end in spans
        if shape[start:end].translate(None, _NO_LETTERS)
        or (
            end - start >= WHOLE_DIGITS_MIN
            and shape[start:end].isdigit()
            and shape[start - 1 : start] != b"."
        )
    )


def _in_run(run: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Give spans of a run of letters, digits and separators: all of it, and its parts with letters and digits."""
    parts = _SEPARATORS.split(run)
    digits = run.count(b"0")
    letters = len(run) - digits - len(parts) + 1
    if not letters:
        return
    if len(parts) > 1 and IDENTIFIER_LENGTH_MIN - 2 <= digits <= JOINED_DIGITS_MAX:
        yield at, at + len(run)
    for part in parts:
        if len(part) >= IDENTIFIER_LENGTH_MIN and 48 in part and part.strip(b"0"):
            yield at, at + len(part)
        at += len(part) + 1


def _is_number(group: bytes) -> bool:
    return IDENTIFIER_LENGTH_MIN <= group.count(b"0") <= JOINED_DIGITS_MAX


def pieces_of(text: bytes, *, whole: bool = False) -> set[bytes]:
    """List the pieces of a text that may be tokens with digits."""
    shape = outline(text)
    spans = spans_of(shape)
    return {text[start:end] for start, end in (whole_of(shape, spans) if whole else spans)}


def _is_mixed(part: bytes) -> bool:
    return not (part.isalpha() or part.isdigit())


def _hides_digits(shape: bytes, folded: bytes) -> bool:
    """Say whether digits of another script, or marks between digits, may hide a number."""
    return _HIDDEN.search(shape) is not None or bool(folded.translate(None, _NOT_1_TO_9))


_NOT_1_TO_9 = bytes(code for code in range(256) if not 49 <= code <= 57)
