"""Find one date in text, however people write it.

Rules:
- A date is day, month and year. A year of two digits needs a month's name, or two digits and one separator each.
- Numbers are read in every order that people use: 1970-01-31, 31/01/1970, 01/31/1970, 19700131, 31011970.
- Eight digits may be parted once anywhere (``1970.0131``); six (``700131``) must be a field or a word.
- Month names of eight languages, whole or shortened, in any order: ``Jan 31 1970``, ``31. Januar 70``.

Deliberately absent: ages, weekdays, ISO ordinal and week dates, other calendars.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from datetime import date
from itertools import chain

_NAMES = {
    1: "jan january januar janv janvier ene enero gen gennaio januari jän jänner",
    2: "feb february februar fevr fev fevrier febrero febbraio februari",
    3: "mar march marz mrz mars marzo maart mrt",
    4: "apr april avr avril abr abril aprile",
    5: "may mai mayo mag maggio mei maj",
    6: "jun june juni juin junio giu giugno",
    7: "jul july juli juil juillet julio lug luglio",
    8: "aug august aout ago agosto augustus augusti",
    9: "sep sept september septembre septiembre set settembre",
    10: "oct october okt oktober octobre octubre ott ottobre",
    11: "nov november novembre noviembre",
    12: "dec december dez dezember decembre dic diciembre dicembre",
}
MONTHS: dict[bytes, int] = {
    name.replace("ä", "a").encode(): month for month, names in _NAMES.items() for name in names.split()
}
"""Words of months in plain form."""

_ALONE = rb"(?<![0-9])(?<![0-9]\.)"
_ENDS = rb"(?![0-9])(?!\.[0-9])"  # 1.31.70.4 is no date
_NUMBERS = re.compile(
    _ALONE + rb"(?:([0-9]{4})([ .,/\-_^]{1,2})([0-9]{1,2})\2([0-9]{1,2})"
    rb"|([0-9]{1,2})([ .,/\-_^]{1,2})([0-9]{1,2})\6([0-9]{4})"
    rb"|([0-9]{2})([./\-])([0-9]{2})\10([0-9]{2}))" + _ENDS
)  # fmt: skip
_OUTLINE = re.compile(rb"(?<!0)(0{1,4})(?!0)(?P<gap>[ .,/\-_^]{1,2})(00?)(?P=gap)(0000|00?)(?!0)(?!\.0)")
_WHOLE = frozenset(((4, 2, 2), (2, 2, 4)))
_SPLIT = re.compile(_ALONE + rb"([0-9]{1,7})[./\-_]([0-9]{1,7})" + _ENDS)
_SHORT = re.compile(rb"(?<![^|\r\n ])([0-9]{6})(?![^|\r\n ])")
_TOGETHER = re.compile(rb"(?<![0-9])([0-9]{8})(?=(?:[0-9]{2}){0,4}(?![0-9]))")
_LONGEST_FIRST = b"|".join(name for _, name in sorted((-len(name), name) for name in MONTHS))
# Where the three numbers stand, by the last group that took part.
_GROUPS = {4: (1, 3, 4), 8: (5, 7, 8), 12: (9, 11, 12)}
_GAP = rb"[ .,/\-_:^']{0,3}"
_WORDS = re.compile(
    rb"(?<![0-9])([0-9]{1,4})(?:st|nd|rd|th|er|de|\.)?" + _GAP + rb"(?:de|of)?" + _GAP + rb"(" + _LONGEST_FIRST
    + rb")[a-z]{0,6}" + _GAP + rb"(?:de|del|of)?" + _GAP + rb"([0-9]{1,4})(?![0-9])"
)  # fmt: skip
_MONTH_FIRST = re.compile(
    rb"(?<![a-z])(" + _LONGEST_FIRST + rb")[a-z]{0,6}" + _GAP + rb"([0-9]{1,2})(?:st|nd|rd|th)?" + _GAP
    + rb"([0-9]{4}|[0-9]{2})(?![0-9])"
)  # fmt: skip


def together(born: date) -> tuple[bytes, ...]:
    """List the eight digits of a date in each order."""
    return tuple(dict.fromkeys(born.strftime(order).encode() for order in ("%Y%m%d", "%d%m%Y", "%m%d%Y")))


def short(born: date) -> tuple[bytes, ...]:
    """List the six digits of a date, year first; in other orders too many numbers would be dates."""
    return (born.strftime("%y%m%d").encode(),)


def may_hold(outline: bytes, words: AbstractSet[bytes]) -> bool:
    """Say whether lines of a folded outline (every digit a 0) may hold a short date in parts or one with a month's name."""
    if not words.isdisjoint(MONTHS):
        return True
    # What stands behind a full stop is the middle of a number like 1.1.1.3. Of a date with all its digits these make one
    # of the eight digits that are looked for anyway (``together``).
    return any(
        outline[match.start() - 1 : match.start()] != b"."
        and (len(match[1]), len(match[3]), len(match[4])) not in _WHOLE
        for match in _OUTLINE.finditer(outline)
    )


def holds(text: bytes, born: date) -> bool:
    """Say whether folded text holds the date in any of its forms."""
    return which(text, (born,)) is not None


def which(text: bytes, dates: Iterable[date]) -> date | None:
    """Give the first of the dates that folded text holds in any of its forms; the text is read once."""
    sought: dict[tuple[int, int, int] | bytes, date] = {}
    for born in dates:
        for year in (born.year, born.year % 100):
            sought.setdefault((year, born.month, born.day), born)
            sought.setdefault((year, born.day, born.month), born)
        for form in short(born):
            sought.setdefault(form, born)
    for found in chain(_dates(text), (match[1] for match in _SHORT.finditer(text))):
        if found in sought:
            return sought[found]
    return None


def _dates(text: bytes) -> Iterator[tuple[int, int, int]]:
    """Give year, month and day of each date; month and day in the order of writing where it is unclear."""
    parted = (match[1] + match[2] for match in _SPLIT.finditer(text))
    for digits in chain((match[1] for match in _TOGETHER.finditer(text)), parted):
        if len(digits) != 8:
            continue
        yield int(digits[:4]), int(digits[4:6]), int(digits[6:])
        yield int(digits[4:]), int(digits[2:4]), int(digits[:2])
    for match in _NUMBERS.finditer(text):
        first, second, last = (int(part) for part in match.group(*_GROUPS[match.lastindex or 4]))
        yield first, second, last
        yield last, second, first
    for match in _WORDS.finditer(text):
        first, month, last = int(match[1]), MONTHS[match[2]], int(match[3])
        yield last, month, first
        yield first, month, last
    for match in _MONTH_FIRST.finditer(text):
        yield int(match[3]), MONTHS[match[1]], int(match[2])
