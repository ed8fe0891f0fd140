"""Read a date as it stands in a text: ``basic``.

Rules:
- Only what can be read in one way is read: ``03/04/2024`` may be March or April and gives nothing; ``13/04/2024`` and
  ``Mar 4, 2024`` give a day.
- Months by name in the languages that have recognisers.
- A year in two figures is not read: its century is a guess.
"""

from __future__ import annotations

import re
from datetime import date

_MONTHS = (
    ("jan", "ene"),
    ("feb",),
    ("mar",),
    ("apr", "abr"),
    ("may",),
    ("jun",),
    ("jul",),
    ("aug", "ago"),
    ("sep", "set"),
    ("oct",),
    ("nov",),
    ("dec", "dic"),
)
MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
"""The first three letters of a month's name, in lower case -> its number."""

_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\d{4,6})?")
_NUMBERS = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)")
_NAMED = re.compile(r"([A-Za-z]{3})[A-Za-z]*")
_FIGURES = re.compile(r"\d+")
_YEAR_DIGITS = 4
_MONTHS_MAX = 12


def basic(text: str) -> str:
    """Give ``YYYYMMDD``, ``YYYYMM`` or ``YYYY`` for a date that can be read in one way; empty for any other."""
    if found := _ISO.match(text):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if found := _COMPACT.fullmatch(text):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if found := _NUMBERS.match(text):
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if first > _MONTHS_MAX or first == second:
            return _day(year, second, first)
        return _day(year, first, second) if second > _MONTHS_MAX else ""
    return _named(text)


def _named(text: str) -> str:
    months = [MONTH_OF[name] for m in _NAMED.finditer(text) if (name := m[1].lower()) in MONTH_OF]
    figures = _FIGURES.findall(text)
    years = [f for f in figures if len(f) == _YEAR_DIGITS]
    days = [f for f in figures if len(f) < _YEAR_DIGITS - 1]
    if len(years) != 1 or len(months) > 1 or len(days) > 1:
        return ""
    if not months:
        return "" if days else years[0]
    return _day(int(years[0]), months[0], int(days[0])) if days else f"{years[0]}{months[0]:02}"


def _day(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).strftime("%Y%m%d")
    except ValueError:
        return ""
