"""The time of a FHIR Period: ``dateTime`` of any precision, with its zone.

Rules:
- A start is the first instant of what is written, an end the first one after it: ``2026`` ends with the year.
- A date has no zone in FHIR; the caller says in which it is meant. A time of day has one, or cannot be read.

Deliberately absent: ``instant``, ``Timing``.

Source: FHIR R4 §2.24.0.1 (dateTime), §2.24.0.9 (Period: an end with less precision is inclusive).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from oathward.core.clock import micros

_FORM = re.compile(
    r"(?P<year>(?!0000)\d{4})(?:-(?P<month>0[1-9]|1[0-2])(?:-(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:T(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d|60)(?P<part>\.\d+)?"
    r"(?P<zone>Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00))?)?)?"
)
_YEAR_MAX = 9999
_MICROSECOND = timedelta(microseconds=1)


def moment(text: str, *, end: bool, zone: tzinfo) -> int | None:
    """Give the microsecond, UTC, at which a period starts, or before which it ends; ``None``: after all time.

    Raises:
        ValueError: no FHIR ``dateTime``.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("not a dateTime")
    try:
        first, after = _span(found, zone)
        return micros((after if end else first).astimezone(UTC))
    except OverflowError:
        return None


def _span(found: re.Match[str], zone: tzinfo) -> tuple[datetime, datetime]:
    """Give the first instant of what is written, and the first after it."""
    year, month, day = (int(found[name] or 1) for name in ("year", "month", "day"))
    if found["hour"] is None:
        first = datetime(year, month, day, tzinfo=zone)
        return first, _next_day(found, first, zone)
    whole = found["zone"]
    offset = timedelta()
    if whole != "Z":
        sign = -1 if whole[0] == "-" else 1
        offset = sign * timedelta(hours=int(whole[1:3]), minutes=int(whole[4:6]))
    second = int(found["second"])
    at = datetime(year, month, day, int(found["hour"]), int(found["minute"]), tzinfo=UTC)
    at += timedelta(seconds=second) - offset
    if not found["part"]:
        return at, at + timedelta(seconds=1)
    at += timedelta(microseconds=int(found["part"][1:7].ljust(6, "0")))
    size = len(found["part"]) - 1
    return at, at + (timedelta(microseconds=10 ** (6 - size)) if size < 6 else _MICROSECOND)


def _next_day(found: re.Match[str], first: datetime, zone: tzinfo) -> datetime:
    if found["month"] is None:
        year, month = first.year + 1, 1
    elif found["day"] is None:
        year, month = (first.year, first.month + 1) if first.month < 12 else (first.year + 1, 1)
    else:
        # By the calendar and not by 24 hours: a day with a change of the clock is longer or shorter.
        later = first.replace(tzinfo=None) + timedelta(days=1)
        return later.replace(tzinfo=zone)
    if year > _YEAR_MAX:
        raise OverflowError
    return datetime(year, month, 1, tzinfo=zone)
