"""Dates that are known, found in a text in whatever form they are written.

Rules:
- A date in a text is read in every way it may be meant (year first, month first, day first, two digits of the year, months
  as words in English and Spanish, with ordinals); it is a hit if one of these is a known date.
- Day and month without the year, or month and year, are a hit beside another hit only, or beside a word that says what they
  are (``born``, ``DOB``, ``nacido``).
- So whatever number is known, the text is read once.

Deliberately absent: dates nobody knows (recognisers), numbers written as words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from oathward.deid.text.known_units import folded
from oathward.deid.text.model import Span

KNOWN = "known"
NEAR = 60
"""Code points within which a hit or a word makes a part of a date one."""

_DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_MONTHS: dict[str, int] = {}
for _n, _words in enumerate(
    (
        "january jan enero ene", "february feb febrero febr", "march mar marzo", "april apr abril abr", "may mayo",
        "june jun junio", "july jul julio", "august aug agosto ago", "september sep sept septiembre setiembre set",
        "october oct octubre", "november nov noviembre", "december dec diciembre dic",
    ),
    1,
):  # fmt: skip
    _MONTHS |= dict.fromkeys(_words.split(), _n)
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\.?"
_NTH = r"(?P<day>0?[1-9]|[12][0-9]|3[01])(?:st|nd|rd|th|[ºª.])?"
_YEAR4 = r"(?P<year>'?[0-9]{2}(?:[0-9]{2})?)"
_GAP = r"[ \t,\-/.]{0,3}(?:\r?\n[ \t]{0,3})?"
_OF = rf"(?:{_GAP}(?:of|de|del)\b)?{_GAP}(?:the[ \t])?"
_WORDED = (
    re.compile(
        rf"(?<![0-9a-z]){_NTH}{_OF}{_MONTH}(?:(?:{_GAP}(?:of|de|del)\b)?{_GAP}{_YEAR4}(?![0-9a-z]))?(?![a-z])"
    ),
    re.compile(
        rf"(?<![0-9a-z]){_MONTH}{_OF}{_NTH}(?![0-9a-z])(?:{_GAP}(?:(?:of|de|del)\b)?{_GAP}{_YEAR4}(?![0-9a-z]))?"
    ),
    re.compile(rf"(?<![0-9a-z]){_YEAR4}{_GAP}{_MONTH}{_GAP}{_NTH}(?![0-9a-z])"),
    re.compile(
        rf"(?<![0-9a-z]){_MONTH}(?P<day>){_GAP}(?:(?:of|de|del)\b)?{_GAP}(?P<year>'?[0-9]{{4}})(?![0-9a-z])"
    ),
)
_NUMBERED = re.compile(
    r"(?<![0-9a-z])([0-9]{1,4})[ ]?([-/. ])[ ]?([0-9]{1,2})[ ]?\2[ ]?([0-9]{1,4})(?![0-9])"
)
_PARTED = re.compile(r"(?<![0-9a-z./\-])([0-9]{1,4})([-/.])([0-9]{1,4})(?![0-9a-z/\-]|\.[0-9])")
_SOLID = re.compile(r"(?<![0-9a-z])(?:[0-9]{14}|[0-9]{12}|[0-9]{8}|[0-9]{6})(?![0-9a-z])")
_SAYS = re.compile(
    r"\b(?:born|birth|birthday|birthdate|dob|b\.|bday|nacid[oa]|nacimiento|nac|fn|cumple\w*|died|death|deceased|fallecid[oa])\b"
)

Day = tuple[int, int, int]


class Dates:
    """The dates of one ``Known``: (year, month, day) -> class; made once, asked for each text."""

    def __init__(self, values: Iterable[tuple[str, str]]) -> None:
        self.days: dict[Day, str] = {}
        for cls, value in values:
            found = _DAY.match(value.strip())
            day = _valid(*map(int, found.groups())) if found else None
            if day:
                self.days[day] = min(cls, self.days.get(day, cls), key=lambda c: not c.endswith("birth-date"))
        self.short = {(0, y % 100, m, d): cls for (y, m, d), cls in self.days.items()}
        self.yearless = {(m, d): cls for (_, m, d), cls in self.days.items()}
        self.dayless = {(y, m): cls for (y, m, _), cls in self.days.items()}

    def of(self, year: str, month: int, day: int) -> str:
        """Give the class of a date as it is written; empty for none."""
        year = year.lstrip("'")
        if len(year) == 4:
            return self.days.get((int(year), month, day), "")
        return self.short.get((0, int(year), month, day), "") if len(year) == 2 else ""


def find_dates(text: str, dates: Dates, hits: Sequence[Span]) -> Iterator[Span]:
    """Give a span for each date that is known.

    Args:
        hits: what else was found, in order.
    """
    if not dates.days:
        return
    low = folded(text)
    found = [*_numbered(low, dates), *_solid(low, dates)]
    parts: list[Span] = []
    for span, whole in _worded(low, dates):
        (found if whole else parts).append(span)
    yield from found
    parts += _parted(low, dates)
    if parts:
        places = [(s.start, s.end) for s in (*hits, *found)] + [m.span() for m in _SAYS.finditer(low)]
        yield from _near(parts, places)


def _numbered(low: str, dates: Dates) -> Iterator[Span]:
    for match in _NUMBERED.finditer(low):
        one, _, two, three = match.groups()
        cls = _either(one, two, three, dates)
        if cls:
            yield Span(*match.span(), cls, KNOWN)


def _either(one: str, two: str, three: str, dates: Dates) -> str:
    """Read three numbers as a date in each order that is in use."""
    if len(three) in (2, 4):
        cls = dates.of(three, int(one), int(two)) or dates.of(three, int(two), int(one))
        if cls:
            return cls
    return dates.of(one, int(two), int(three)) if len(one) in (2, 4) and len(three) < 3 else ""


def _solid(low: str, dates: Dates) -> Iterator[Span]:
    for match in _SOLID.finditer(low):
        run = match[0] if len(match[0]) < 12 else match[0][:8]
        if len(run) == 6:
            cls = _either(run[:2], run[2:4], run[4:], dates)
        else:
            cls = dates.of(run[:4], int(run[4:6]), int(run[6:])) or _either(run[:2], run[2:4], run[4:], dates)
        if cls:
            yield Span(*match.span(), cls, KNOWN)


def _worded(low: str, dates: Dates) -> Iterator[tuple[Span, bool]]:
    """Give dates with a month as a word, and whether all of it is there."""
    for pattern in _WORDED:
        for match in pattern.finditer(low):
            month, day, year = _MONTHS[match["month"]], match["day"], match["year"] or ""
            if not day:
                cls = dates.dayless.get((int(year.lstrip("'")), month), "")
            elif year and (cls := dates.of(year, month, int(day))):
                yield Span(*match.span(), cls, KNOWN), True
                continue
            else:
                cls = dates.yearless.get((month, int(day)), "")
                if year and len(year) == 4:
                    cls = ""  # the same day of another year
            if cls:
                end = match.end("year") if not day else max(match.end("day"), match.end("month"))
                yield Span(match.start(), end, cls, KNOWN), False


def _parted(low: str, dates: Dates) -> Iterator[Span]:
    """Give numbers that may be a day and a month, or a month and a year."""
    for match in _PARTED.finditer(low):
        one, _, two = match.groups()
        pair = (int(one), int(two))
        if len(one) <= 2 and len(two) <= 2:
            cls = dates.yearless.get(pair) or dates.yearless.get(pair[::-1])
        elif len(two) == 4 and len(one) <= 2:
            cls = dates.dayless.get(pair[::-1])
        else:
            cls = dates.dayless.get(pair) if len(one) == 4 and len(two) <= 2 else None
        if cls:
            yield Span(*match.span(), cls, KNOWN)


def _near(parts: Sequence[Span], places: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """Give the parts of dates that stand near one of some places; linear beside sorting."""
    waiting = sorted(places)
    i, reached = 0, -NEAR - 1
    for part in sorted(parts):
        while i < len(waiting) and waiting[i][0] <= part.end + NEAR:
            reached = max(reached, waiting[i][1])
            i += 1
        if reached >= part.start - NEAR:
            yield part


def _valid(year: int, month: int, day: int) -> Day | None:
    try:
        date(year, month, day)
    except ValueError:
        return None
    return year, month, day
