"""Identifiers, telephone numbers and addresses of the network that are known, found however they are written.

Rules:
- An identifier is compared by its letters and digits: other separators, spaces, case and leading zeros change nothing.
- It is a hit only as a whole: never inside a longer run of digits. A short one, or one that looks like a year, is a hit
  only behind a word such as ``MRN`` or ``No.``.
- A telephone number is compared by its digits, with and without the code of its country and of its area.
- E-mail addresses and URLs are looked for as they are, in any case.

Deliberately absent: numbers that only look like one of these (recognisers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from oathward.core.words import token_of
from oathward.deid.text.known_units import folded
from oathward.deid.text.lookalikes import latin
from oathward.deid.text.model import Span
from oathward.deid.text.vocabulary import ordinary

KNOWN = "known"
SURE_FROM = 5
"""Characters from which an identifier needs no word before it: 4 where it has a letter too."""

LENGTH_MAX = 64
PHONE_FROM = 7
LITERALS_MAX = 64
"""Addresses of the network that are looked for one by one."""

_RUN = re.compile(r"[a-z]+|[0-9]+")
_GAP = re.compile(r"[ \t\-./_:()#*,|~·\u2010\u2011\u2013]{0,3}|[ \t]?-?\r?\n[ \t]?").fullmatch
_GAP_LENGTH_MAX = 4
_SAID = re.compile(
    r"(?:mrn|nhc|id|ids|number|num|no|nr|nro|n[º°]|acct|account|record|visit|serial|ssn|#)[\s:.#=]{0,3}$"
).search
_YEAR = re.compile(r"(?:19|20)[0-9]{2}").fullmatch
_ABROAD = re.compile(r"(?:(?:\+|\b00)[0-9]{1,3}[ .\-/]?|\b1[ .\-])?(?:\(0\))?[ ]?\(?$").search
_BEFORE = 12
_PARTED = re.compile(r"[;,\s]+")


class Numbers:
    """The numbers of one ``Known``, prepared; made once, asked for each text."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        self.whole: dict[str, str] = {}
        self.phones: dict[str, str] = {}
        self.literals: dict[str, str] = {}
        for cls, value in values:
            if cls.endswith(".contact"):
                self._contact(cls, value)
            else:
                self._identifier(cls, token_of(latin(value)))
        self.beginnings = {key[:i] for key in self.whole for i in range(1, len(key) + 1)}

    def _identifier(self, cls: str, key: str) -> None:
        key = key.lstrip("0")
        if not 1 < len(key) <= LENGTH_MAX or not key.isascii():
            return
        if any(c.isdigit() for c in key) or (len(key) >= SURE_FROM and not ordinary(key)):
            self.whole.setdefault(key, cls)

    def _contact(self, cls: str, value: str) -> None:
        low = folded(value.strip())
        if "@" in low or "://" in low:
            if len(self.literals) < LITERALS_MAX:
                self.literals[low.removeprefix("mailto:")] = cls
            return
        digits = "".join(c for c in low.partition("x")[0] if "0" <= c <= "9")
        bare = digits.removeprefix("00").lstrip("0")
        for key in (bare, bare[-10:], bare[-9:], bare[-7:] if len(bare) in (10, 11) else bare):
            if PHONE_FROM <= len(key) <= LENGTH_MAX:
                self.phones[key] = cls
                self.whole.setdefault(key, cls)


def find_numbers(text: str, numbers: Numbers) -> Iterator[Span]:
    """Give a span for each number that is known."""
    low = folded(text)
    for literal, cls in numbers.literals.items():
        at = low.find(literal)
        while at >= 0:
            yield Span(at, at + len(literal), cls, KNOWN)
            at = low.find(literal, at + len(literal))
    if not numbers.whole:
        return
    runs = [(match[0], match.start(), match.end()) for match in _RUN.finditer(low)]
    for i, (run, start, _) in enumerate(runs):
        first = run.lstrip("0") if run[0] <= "9" else run
        if first in numbers.beginnings:
            yield from _whole(low, runs, i, first, numbers)
        if numbers.phones and run[0] <= "9" and len(run) > PHONE_FROM:
            yield from _behind_code(run, start, numbers)


def _whole(
    low: str, runs: list[tuple[str, int, int]], i: int, joined: str, numbers: Numbers
) -> Iterator[Span]:
    """Put runs together as long as an identifier begins so; give the longest."""
    start, end = runs[i][1:]
    found: Span | None = None
    for j in range(i, len(runs)):
        if j > i:
            run, begins, ends = runs[j]
            gap = low[end:begins]
            joined += run
            if len(gap) > _GAP_LENGTH_MAX or not _GAP(gap) or joined not in numbers.beginnings:
                break
            end = ends
        cls = numbers.whole.get(joined)
        if cls and _sure(low, start, joined):
            left = start - len(_abroad(low, start)) if joined in numbers.phones else _zeros(low, start)
            found = Span(left, end, cls, KNOWN)
    if found is not None:
        yield found


def _sure(low: str, start: int, key: str) -> bool:
    """Say whether an identifier is one wherever it stands, or stands behind a word that says so."""
    mixed = not key.isdecimal()
    if len(key) >= SURE_FROM or (len(key) == SURE_FROM - 1 and (mixed or not _YEAR(key))):
        return True
    return _SAID(low, max(0, start - _BEFORE), start) is not None


def _zeros(low: str, start: int) -> int:
    """Take in zeros that were set apart before an identifier: ``000-123456``."""
    at = start
    while at > 0 and low[at - 1] in "0-":
        at -= 1
    return at if low[at:start].strip("-") and not low[at - 1 : at].isalnum() else start


def _abroad(low: str, start: int) -> str:
    """Give what stands before a telephone number and belongs to it: a country's code, a bracket."""
    found = _ABROAD(low, max(0, start - _BEFORE), start)
    return found[0].lstrip() if found else ""


def _behind_code(run: str, start: int, numbers: Numbers) -> Iterator[Span]:
    """Find a telephone number written in one run behind the code of its country."""
    for length in (1, 2, 3, 4, 5):
        cls = numbers.phones.get(run[length:])
        if cls:
            yield Span(start, start + len(run), cls, KNOWN)
            return
