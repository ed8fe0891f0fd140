"""Read a date as it stands in a text, and write another in its form: ``basic``, ``like``.

Rules:
- Only what can be read in one way is read: ``03/04/2024`` may be March or April and gives nothing; ``13/04/2024`` and
  ``Mar 4, 2024`` give a day.
- Months by name in the languages that have recognisers.
- A year in two figures is not read: its century is a guess. Of a day with a time the day is read.
- A date is written in the form of another: order, marks, noughts, names of months and weekdays with their case and language.
  Where that form is none we know, or what is written in it could be read in two ways, it is ``YYYY-MM-DD``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from oathward.core.words import plain

_MONTHS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    "es": (
        "enero", "febrero", "marzo", "abril", "mayo", "junio",
        "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
    ),
}  # fmt: skip
_WEEKDAYS: Mapping[str, tuple[str, ...]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
}
_SHORT = 3
"""Letters of a short name."""
_SHORT_MOST = 4

MONTH_OF = {
    plain(name)[:_SHORT]: number for names in _MONTHS.values() for number, name in enumerate(names, 1)
} | {"set": 9}
"""The first three letters of a month's name, in lower case -> its number."""
_WEEKDAY_OF = {
    plain(name)[:_SHORT]: (language, number)
    for language, names in _WEEKDAYS.items()
    for number, name in enumerate(names)
}

WEEKDAY_NAMES: Mapping[str, str] = {
    **{
        form: language
        for language, names in _WEEKDAYS.items()
        for whole in names
        for name in (whole, plain(whole))
        for form in (name.lower(), name[:_SHORT].lower())
    },
    **dict.fromkeys(("tues", "weds", "thur", "thurs"), "en"),
}
"""A weekday's name in lower case, whole or short, with its accents or without -> its language."""

_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})([-/.])(\d{1,2})(?!\d)")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\d{4,6})?(?:[+-]\d{4})?")
_NUMBERS = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)")
_MONTH_FIRST = re.compile(r"(\d{1,2})([-/])(\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})([-/])(\d{1,2})")
_CLOCK = re.compile(r"(?i)(?:,? (?:at )?|(?<=\d)T)(?:[01]?\d|2[0-4])[:.h][0-5]\d.*$", re.DOTALL)
_NAMED = re.compile(r"([A-Za-z]{3})[A-Za-z]*")
_FIGURES = re.compile(r"\d+")
_PIECES = re.compile(r"(?P<day>\d{1,2})(?:(?P<nth> ?(?:st|nd|rd|th))\b|\.?[ºª°]|(?:ro|er)\b)?(?!\d)|(?P<year>\d{4})|(?P<word>[^\W\d_]+)", re.IGNORECASE)  # fmt: skip
_GLUE: Mapping[str, str] = {"de": "es", "del": "es", "el": "es", "dia": "es", "of": "en", "the": "en", "on": "en"}  # fmt: skip
"""Words that may stand inside a date -> of which language they are."""
_LED = re.compile(r"(?P<weekday>[^\W\d_]{3,9})(?P<gap>\W{1,3}(?:(?:the|el|on) )?)(?P<date>.+)", re.IGNORECASE | re.DOTALL)  # fmt: skip
_FOLLOWED = re.compile(r"(?P<date>.+\d)(?P<gap>\W{1,3})(?P<weekday>[^\W\d_]{3,9})", re.DOTALL)
"""A date with a weekday before it or behind it."""
_YEAR_DIGITS = 4
_MONTHS_MAX = 12
_LENGTHS = (4, 6, 8)


def basic(text: str) -> str:
    """Give ``YYYYMMDD``, ``YYYYMM`` or ``YYYY`` for a date that can be read in one way; empty for any other."""
    read = _basic(text)
    if not read and (beside := _beside_weekday(text)):
        read = _basic(beside["date"])
    return read


def _beside_weekday(text: str) -> re.Match[str] | None:
    """Part a day from a weekday beside it; ``mar`` before a year is a month."""
    for form in (_LED, _FOLLOWED):
        found = form.fullmatch(text)
        if (
            found
            and found["weekday"].lower() in WEEKDAY_NAMES
            and len(_basic(found["date"])) == max(_LENGTHS)
        ):
            return found
    return None


def _basic(text: str) -> str:
    if found := _COMPACT.fullmatch(text):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    text = _CLOCK.sub("", text)
    if found := _ISO.match(text):
        return _day(int(found[1]), int(found[3]), int(found[5]))
    if found := _NUMBERS.match(text):
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if first > _MONTHS_MAX or first == second:
            return _day(year, second, first)
        return _day(year, first, second) if second > _MONTHS_MAX else ""
    return _of_month(text) or _named(text)


def _of_month(text: str) -> str:
    """Read a month and a year in figures."""
    if found := _MONTH_FIRST.fullmatch(text):
        return _month(int(found[3]), int(found[1]))
    found = _YEAR_FIRST.fullmatch(text)
    return _month(int(found[1]), int(found[3])) if found else ""


def like(text: str, moved: str, language: str = "") -> str:
    """Write a date in the form of another.

    Args:
        text: a date that ``basic`` reads.
        moved: another one, as ``basic`` gives it; anything else is given back as it is.
        language: of the text, for names that are the same in several; empty: English.
    """
    if not (moved.isdigit() and len(moved) in _LENGTHS) or _COMPACT.fullmatch(text):
        return moved
    if beside := _beside_weekday(text):
        return _with_weekday(beside, moved, language)
    if len(moved) != len(basic(text)):
        return _dashed(moved)
    text = _CLOCK.sub("", text)
    return _in_figures(text, moved) or _in_words(text, moved, language) or _dashed(moved)


def _with_weekday(beside: re.Match[str], moved: str, language: str) -> str:
    """Write a date with the weekday it has, where one stood beside it; of less than a day without."""
    written = like(beside["date"], moved, language)
    if len(moved) != max(_LENGTHS):
        return written
    at = date(int(moved[:4]), int(moved[4:6]), int(moved[6:]))
    names = _WEEKDAYS[WEEKDAY_NAMES[beside["weekday"].lower()]]
    weekday = _cased(beside["weekday"], names[at.weekday()])
    if beside.start("weekday"):
        return written + beside["gap"] + weekday
    return weekday + beside["gap"] + written


def _in_figures(text: str, moved: str) -> str:
    """Write a date without names; empty where its form is another, or could be read in two ways."""
    year, month, day = moved[:4], moved[4:6], moved[6:]
    if found := _ISO.match(text):
        return f"{year}{found[2]}{_as(found[3], month)}{found[4]}{_as(found[5], day)}"
    if found := _NUMBERS.match(text):
        two = (day, month) if int(found[1]) > _MONTHS_MAX else (month, day)
        if found[1] == found[3] or (int(day) <= _MONTHS_MAX and day != month):
            return ""
        return found[2].join((_as(found[1], two[0]), _as(found[3], two[1]), year))
    if found := _MONTH_FIRST.fullmatch(text):
        return f"{_as(found[1], month)}{found[2]}{year}"
    found = _YEAR_FIRST.fullmatch(text)
    return f"{year}{found[2]}{_as(found[3], month)}" if found else ""


def _named(text: str) -> str:
    months = [MONTH_OF[name] for m in _NAMED.finditer(text) if (name := m[1].lower()) in MONTH_OF]
    figures = _FIGURES.findall(text)
    years = [f for f in figures if len(f) == _YEAR_DIGITS]
    days = [f for f in figures if len(f) < _YEAR_DIGITS - 1]
    if len(years) != 1 or len(months) > 1 or len(days) > 1:
        return ""
    if not months:
        return "" if days else years[0]
    return _day(int(years[0]), months[0], int(days[0])) if days else _month(int(years[0]), months[0])


def _day(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).strftime("%Y%m%d")
    except ValueError:
        return ""


def _month(year: int, month: int) -> str:
    return _day(year, month, 1)[:6]


# --- writing


def _dashed(moved: str) -> str:
    return "-".join(part for part in (moved[:4], moved[4:6], moved[6:]) if part)


def _as(figures: str, value: str) -> str:
    """Write a month or day with a nought before it where one stood, or could not be seen to be missing."""
    return value if len(figures) > 1 else str(int(value))


def _in_words(text: str, moved: str, language: str) -> str:
    """Write a date with a month's name; empty where something else stands beside it."""
    words = [plain(word) for word in (m["word"] for m in _PIECES.finditer(text)) if word]
    told = {_GLUE[word] for word in words if word in _GLUE}
    told |= {name for word in words if (name := _language_of(word))}
    if not words or len(told) > 1 or not all(word in _GLUE or _is_name(word) for word in words):
        return ""
    language = told.pop() if told else language
    names, weekdays = (table.get(language) or table["en"] for table in (_MONTHS, _WEEKDAYS))

    def piece(found: re.Match[str]) -> str:
        if found["year"]:
            return moved[:4]
        if found["day"]:
            spaced = text[found.end() :][:1] in ("", " ", ",") and found["day"][0] != "0"
            day = moved[6:].lstrip("0") if found["nth"] or spaced else _as(found["day"], moved[6:])
            return day + (_nth(int(day)) if found["nth"] else "")
        word = plain(found["word"])
        if word in _GLUE:
            return found["word"]
        if word[:_SHORT] in MONTH_OF and not _is_weekday(word, words):
            short = word == "may" and text[found.end() :][:1] in ("-", "/", ".", *"0123456789")
            return _cased(found["word"], names[int(moved[4:6]) - 1], short=short)
        at = date(int(moved[:4]), int(moved[4:6]), int(moved[6:]))
        return _cased(found["word"], weekdays[at.weekday()])

    return _PIECES.sub(piece, text)


def _is_name(word: str) -> bool:
    return word[:_SHORT] in MONTH_OF or word[:_SHORT] in _WEEKDAY_OF


def _is_weekday(word: str, words: list[str]) -> bool:
    """Whether ``mar`` and ``martes`` are a day: where another word is the month."""
    others = [other for other in words if other != word and other[:_SHORT] in MONTH_OF]
    return word[:_SHORT] in _WEEKDAY_OF and bool(others)


def _language_of(word: str) -> str:
    """Give the language of a month or weekday; empty where it is one in both, or none."""
    if word in _GLUE:
        return ""
    found = {
        language
        for table in (_MONTHS, _WEEKDAYS)
        for language, names in table.items()
        if any(plain(name).startswith(word) for name in names)
    }
    return found.pop() if len(found) == 1 else ""


def _cased(like_word: str, name: str, *, short: bool = False) -> str:
    """Write a name short where another is, and in its case; ``short``: the other is, though it does not show."""
    if short or (len(like_word) <= _SHORT_MOST and plain(like_word) not in _WHOLE):
        name = name[:_SHORT]
    if like_word.isupper():
        return name.upper()
    return name.lower() if like_word.islower() else name.capitalize()


_WHOLE = frozenset(plain(name) for names in _MONTHS.values() for name in names if len(name) <= _SHORT_MOST)
"""Names that are whole in as few letters as a short one has: ``May``, ``June``, ``July``."""


def _nth(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
