"""Find a person's tokens in one text, whatever stands between their characters.

Rules:
- A hit in squeezed text is looked up in the text itself before it counts: numbers that happen to follow each
  other are no identifier. Digits touch no other digits; short ones (under 8) are not put together across
  fields, nor out of the middle of a row of numbers; none out of a series of 16 numbers, in which a second of an ECG
  would write somebody's number by chance every day. A number of the series that is the token by itself is found.
- A full name is a family and a given name at most ``WORDS_BETWEEN_MAX`` words apart in one field, in any order,
  also spelled backwards, or both joined into one run of letters.
- What cannot be seen in squeezed text or its words is not looked for again in the text.

Deliberately absent: encodings (``normalise.views``) and memory (``guard``).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import compress, pairwise

from oathward.gateway.guard.dates import which
from oathward.gateway.guard.normalise import Unsearchable, letter_words, squeeze
from oathward.gateway.guard.payload import OBJECT
from oathward.gateway.guard.tokens import Name, Needle, Tokens

WORDS_BETWEEN_MAX = 3
GAP_BYTES_MAX = 3
SHORT = 8
"""Characters below which a match must stand alone."""
HITS_MAX = 10_000
"""Of one token in one text that may be looked at closely."""
_BEFORE_BYTES = 20
_IS_ALNUM = bytes(code > 127 or chr(code).isalnum() for code in range(256))

_NUMBER = rb"[-+]?\d+(?:\.\d+)?"
_BETWEEN = rb"[ ^~,]{1,2}"
_SERIES = re.compile(_NUMBER + rb"(?:" + _BETWEEN + _NUMBER + rb"){15,}")
_SERIES_BYTES = 256
"""Before and after a match; where 16 numbers fit."""
_WITHIN_FIELD = frozenset(b" \t-./_,:;()'+#\"*")
_LETTERS = bytes(range(97, 123)) + bytes(range(128, 256))
_COMPONENTS = re.compile(rb"[|^~&\r\n]")
_PARTS = re.compile(rb"[{|^~&\r\n/:#?=]")
"""In JSON also of URLs and references."""
_FIELDS = re.compile(rb"[|\r\n]")


@dataclass(frozen=True, slots=True)
class Hit:
    """What was found: its kind, and the place in the original it comes from."""

    kind: str
    place: str


def strong(text: bytes, tokens: Tokens) -> Hit | None:
    """Search folded text for every strong token."""
    squeezed = squeeze(text)
    found = numbers(text, squeezed, tokens) or birth(text, tokens)
    if found is None:
        letters = squeezed.translate(None, b"0123456789")
        found = full_name(text, frozenset(letter_words(text)), letters, tokens)
    return found


def numbers(text: bytes, squeezed: bytes, tokens: Tokens) -> Hit | None:
    """Search for needles and birth dates written together.

    Args:
        text: as it is, or folded.
        squeezed: the same text squeezed, or that of which it is a part.
    """
    if not _may_hold(squeezed, tokens):
        return None
    for form, needle in tokens.needles.items():
        if form in squeezed and _stands(text, form, tail=needle.tail):
            return Hit(needle.kind, needle.place)
    return birth(text.lower(), tokens) if tokens.births else None


def _may_hold(squeezed: bytes, tokens: Tokens) -> bool:
    digits = squeezed.translate(None, _LETTERS)
    for form in tokens.digit_forms:
        if form in digits:
            return True
    return any(form in squeezed for form in tokens.other_forms) if tokens.other_forms else False


def birth(text: bytes, tokens: Tokens) -> Hit | None:
    """Search folded text for birth dates in every form."""
    born = which(text, (one.born for one in tokens.births))
    return next((Hit("birth-date", one.place) for one in tokens.births if one.born == born), None)


def full_name(text: bytes, words: AbstractSet[bytes], letters: bytes, tokens: Tokens) -> Hit | None:
    """Search folded text for full names.

    Args:
        words: the letter words of the text.
        letters: the text squeezed, without its digits.
    """
    for name in tokens.names:
        if may_hold_name(words, letters, name) and _holds_name(text, name):
            return Hit("name", name.place)
    return None


def may_hold_name(words: AbstractSet[bytes], letters: bytes, name: Name) -> bool:
    """Say whether it is worth looking closer."""
    if name.family & words and name.given & words:
        return True
    if any(joined in letters for joined in name.joined):
        return True
    return not (name.family_backwards.isdisjoint(words) or name.given_backwards.isdisjoint(words))


def weak(text: bytes, squeezed: bytes, tokens: Tokens) -> Iterator[str]:
    """Give the places of the weak numbers that stand in the text as they are."""
    for form, place in tokens.weak_numbers.items():
        if form in squeezed and _as_it_is(text, form):
            yield place


def _as_it_is(text: bytes, form: bytes) -> bool:
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        if not _is_alnum(text[start - 1 : start] if start else b"") and not _is_alnum(text[end : end + 1]):
            return True
        start = text.find(form, end)
    return False


def near(
    fields_of_words: Iterator[list[bytes]], first: AbstractSet[bytes], second: AbstractSet[bytes], apart: int
) -> bool:
    """Say whether words of two sets stand at most ``apart`` places from each other in one field."""
    for words in fields_of_words:
        last_first = last_second = -apart - 1
        for i, word in enumerate(words):
            if (word in first and i - last_second <= apart) or (word in second and i - last_first <= apart):
                return True
            last_first = i if word in first else last_first
            last_second = i if word in second else last_second
    return False


def alone(text: bytes) -> Iterator[bytes]:
    """Give the words that are all the letters of a component of a folded text (``MDC_`` is no word)."""
    for piece in (_PARTS if text[:1] == OBJECT else _COMPONENTS).split(text):
        words = [word for word in letter_words(piece) if word != b"mdc"]
        if len(words) == 1:
            yield words[0]


def is_code(lines: Iterable[bytes], form: bytes, component: bytes) -> bool:
    """Say whether OBX-3 (of whatever coding system) or OBX-4 is nothing but this."""
    for line in lines:
        fields = line.split(line[3:4], 5) if line.startswith(b"OBX") and len(line) > 4 else []
        if len(fields) > 4 and form in (fields[4], *fields[4].split(component)):
            return True
        code = fields[3].split(component) if len(fields) > 3 else [b""]
        if code[0] == form and not any(code[1:2] + code[3:]):
            return True
    return False


def words_by_field(text: bytes) -> Iterator[list[bytes]]:
    """Give the letter words of each field of a folded text, in order; an object is one field."""
    return (letter_words(piece) for piece in ([text] if text[:1] == OBJECT else _FIELDS.split(text)))


def _holds_name(text: bytes, name: Name) -> bool:
    shortest = min(map(len, name.family)) + min(map(len, name.given))
    apart = WORDS_BETWEEN_MAX + 1 if shortest > 5 else 1
    if near(words_by_field(text), name.family, name.given, apart):
        return True
    if near(words_by_field(text), name.family_backwards, name.given_backwards, apart):
        return True
    letters = bytes(code if code > 57 or code < 48 else 32 for code in text)
    return any(_stands(letters, joined, tail=False) for joined in name.joined)


def _stands(text: bytes, form: bytes, *, tail: bool) -> bool:
    """Say whether a form stands in the text with little between its characters, and alone where it must."""
    squeezed = squeeze(text)
    start = squeezed.find(form)
    if start < 0:
        return False
    at = array("q", compress(range(len(text)), text.translate(_IS_ALNUM)))
    tries = HITS_MAX
    while start >= 0:
        if _is_one(text, at[start : start + len(form)], form, tail=tail):
            return True
        tries -= 1
        if not tries:
            raise Unsearchable
        start = squeezed.find(form, start + 1)
    return False


def _is_one(text: bytes, at: array[int], form: bytes, *, tail: bool) -> bool:
    if at[-1] - at[0] > (GAP_BYTES_MAX + 1) * len(form):
        return False
    gaps = [text[i + 1 : j] for i, j in pairwise(at) if j > i + 1]
    if any(len(gap) > GAP_BYTES_MAX or b"\r" in gap for gap in gaps) or (
        gaps and _in_a_series(text, at[0], at[-1])
    ):
        return False
    before, after = text[max(0, at[0] - _BEFORE_BYTES) : at[0]], text[at[-1] + 1 : at[-1] + 3]
    if not form.isdigit():
        return len(form) >= SHORT or not (_is_alnum(before[-1:]) or _is_alnum(after[:1]))
    if after[:1].isdigit() or (not tail and before[-1:].isdigit() and not _only_zeros(before)):
        return False
    if len(form) >= SHORT or not gaps:
        return True
    return _WITHIN_FIELD.issuperset(b"".join(gaps)) and not _in_a_row(before, after, gaps[0][:1])


def _is_alnum(one: bytes) -> bool:
    return one.isalnum() or one > b"\x7f"


def _only_zeros(before: bytes) -> bool:
    head = before.rstrip(b"0")
    return not head[-1:].isdigit()


def _in_a_series(text: bytes, first: int, last: int) -> bool:
    """Say whether a match is put together of numbers in the middle of many."""
    start = max(0, first - _SERIES_BYTES)
    series = _SERIES.finditer(text, start, last + _SERIES_BYTES)
    return any(one.start() <= first and last < one.end() for one in series)


def _in_a_row(before: bytes, after: bytes, separator: bytes) -> bool:
    """Say whether more numbers follow or precede with the same separator."""
    if after[:1] == separator and after[1:2].isdigit():
        return True
    return before[-1:] == separator and before[-2:-1].isdigit()


__all__ = [
    "Hit", "Needle", "alone", "birth", "full_name", "is_code", "may_hold_name", "near", "numbers", "strong", "weak", "words_by_field",
]  # fmt: skip
