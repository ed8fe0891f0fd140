"""Words that a file says of persons, searched for in what is kept: codes, schemes, models, UIDs, what its maker calls safe.

Rules:
- Whatever its case, accents and separators, a word is found: alone from two letters on, within others from ``WITHIN_MIN`` on.
  ``Li`` is no part of ``CLINICAL``; ``Moreau`` is one of ``CT_MOREAU2``.
- Numbers count from ``NUMBER_MIN`` characters on; where all values are numbers, those of ``DIGITS_MIN`` digits or more, whole.
- First a whole file is asked (``near``, by bytes): of most, nothing of these is left anywhere, and no value of theirs is read again.

Deliberately absent: misspellings, and what becomes of a value (``ops``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from oathward.core.words import plain
from oathward.protocols.dicom.charset import UnreadableError, bytes_of

NAME_MIN, NUMBER_MIN, WITHIN_MIN, DIGITS_MIN = 2, 4, 6, 6
OPAQUE_MIN = 5
RUN_MIN = 5
PART_MIN = 3
"""Letters of one word of a name of several."""

_SHORT = 4
"""What has fewer characters is in every file as a part of other words: by its bytes too it is asked for alone."""

_RUNS = re.compile(r"[^\W\d_]+|\d+").findall
_ESCAPES = re.compile(rb"\x1b[\x20-\x2f]*[\x30-\x7e]").split
_UNSPACED_FROM = "\u2e80"
_UTF_8 = b"ISO_IR 192"
_SEPARATORS = b" -._/"
CHARSETS_MAX = 8


class Words:
    """Words of persons, prepared.

    Args:
        names: of persons, component by component. numbers: identifiers, telephone numbers, addresses, dates: values as written.
        passed: words of names that say nothing by themselves, in plain form: particles, titles.
    """

    __slots__ = ("_alone", "_digits", "_forms", "_texts", "_within")

    def __init__(self, names: Iterable[str], numbers: Iterable[str], passed: frozenset[str]) -> None:
        self._alone: set[str] = set()
        self._within: set[str] = set()
        self._digits: set[str] = set()
        self._texts: set[str] = set()
        self._forms: dict[bytes, _Forms] = {}
        for name in names:
            self._name(name, passed)
        for number in numbers:
            self._number(number)

    def __bool__(self) -> bool:
        return bool(self._alone)

    def near(self, data: bytes, charset: bytes) -> bool:
        """Say whether some word may stand in bytes; never no where one does that was written in one of the forms looked for.

        Args:
            charset: of the file, as (0008,0005) says it.
        """
        forms = self._forms.get(charset)
        if forms is None:
            if len(self._forms) >= CHARSETS_MAX:
                self._forms.clear()
            forms = self._forms[charset] = _Forms(self._texts, charset)
        return forms.near(data)

    def stand_in(self, text: str) -> bool:
        """Say whether one stands in a text, alone or within others."""
        runs = _RUNS(plain(text))
        spaced, joined = f" {' '.join(runs)} ", "".join(runs)
        return (
            any(f" {word} " in spaced for word in self._alone)
            or any(word in joined for word in self._within)
            or any(word in spaced for word in self._digits)
        )

    def are_in(self, numbers: str) -> bool:
        """Say whether one is one of several numbers: an ``IS``, a component of a UID."""
        return not self._digits.isdisjoint(_RUNS(numbers))

    def lie_in(self, data: bytes) -> bool:
        """Say whether one lies in what is no text; short ones lie anywhere by chance."""
        found = data.upper()
        return any(
            len(word) >= OPAQUE_MIN and word.upper().encode() in found for word in self._alone | self._within
        )

    def _name(self, name: str, passed: frozenset[str]) -> None:
        runs = _RUNS(plain(name))
        whole = "".join(runs)
        if all(run in passed for run in runs) or len(whole) < NAME_MIN - (whole >= _UNSPACED_FROM):
            return
        self._take(name, runs)
        for part in _RUNS(name):
            folded = plain(part)
            if len(folded) >= PART_MIN and folded not in passed and not folded.isdecimal():
                self._take(part, [folded])

    def _number(self, number: str) -> None:
        runs = _RUNS(plain(number))
        if len("".join(runs)) < NUMBER_MIN:
            return
        self._take(number, runs)
        longest = max(runs, key=len)
        if longest.isdecimal() and len(longest) >= DIGITS_MIN:
            self._take(longest, [longest])

    def _take(self, text: str, runs: list[str]) -> None:
        whole = "".join(runs)
        self._alone.add(" ".join(runs))
        if whole.isdecimal():
            if len(whole) >= DIGITS_MIN:
                self._digits.add(whole)
        elif len(whole) >= (NAME_MIN if whole >= _UNSPACED_FROM else WITHIN_MIN):
            self._within.add(whole)
        self._texts |= {_written(text), _written(plain(text))}


class _Forms:
    """The bytes that words are written as in one character set, upper case where that is ASCII's, without what sets numbers apart."""

    __slots__ = ("_alone", "_parts")

    def __init__(self, texts: Iterable[str], charset: bytes) -> None:
        forms = {form.upper() for text in texts for form in _encoded(text, charset)}
        self._parts = tuple(
            sorted(form.translate(None, _SEPARATORS) for form in forms if len(form) >= _SHORT)
        )
        short = b"|".join(re.escape(form) for form in sorted(forms) if len(form) < _SHORT)
        # What stands before a value is a zero, or, in big endian, its length, which may look like a letter after one; what stands
        # behind it is the next tag, which may look like a letter before one.
        self._alone = (
            re.compile(rb"(?:(?<![A-Z])|(?<=\0[A-Z]))(?:%b)(?![A-Z](?!\0))" % short) if short else None
        )

    def near(self, data: bytes) -> bool:
        found = data.upper()
        joined = found.translate(None, _SEPARATORS)
        return any(form in joined for form in self._parts) or bool(self._alone and self._alone.search(found))


def _written(text: str) -> str:
    """Give what of a word is always written in one: its longest run, or of a number of short ones all of it."""
    runs = _RUNS(text)
    longest = max(runs, key=len)
    return longest if not longest.isdecimal() or len(longest) >= RUN_MIN else "".join(runs)


def _encoded(text: str, charset: bytes) -> Iterator[bytes]:
    if text.isascii():
        yield text.encode()
        return
    for each in (text, text.upper(), text.lower(), text.capitalize()):
        for named in (charset, _UTF_8):
            try:
                yield max(_ESCAPES(bytes_of(each, named)), key=len)
            except UnreadableError:
                continue
