"""Move a date by the subject's secret number of days, the same in every format; the time of day stays.

Rules:
- Dates and times as HL7 v2 (DT, DTM, TS), FHIR (date, dateTime, instant) and DICOM (DA, DT) write them; the precision stays.
- A time with an offset is written with the one offset of the site, the same all year, over midnight too: an instant stays one
  instant however it is written, and no offset says when summer time began, which would show by how many days. Without an
  offset the time of day stays as written.
- A month moves as its 15th, a year as its 1 July: to the nearest one.
- What is 90 years or more before the current one, before or after it moved, becomes 1 January of the year 90 years before
  the current one, in the precision it had: one category, "90 or older". Without the current year nothing passes.
- A time of day alone (part ``time``, or written with colons) stays.
- What is no date, or no day of the calendar, is removed. Without the number of days nothing passes.
- When a system wrote or sent something (``message.time``) is removed: one moment of an export stands in the files of many
  patients, and moved by the days of each it would tie them together.

Deliberately absent: live links. Whoever receives at once knows the day: the check of a bundle refuses it there.

Source: 45 CFR 164.514(b)(2)(i)(C); HL7 v2.8.2 §2A.3.20-22, §2A.3.75; FHIR R4 §2.24.0.1; DICOM PS3.5 §6.2 (DA, DT).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import NamedTuple

from oathward.core.errors import DeidentificationError
from oathward.deid.action import Action, Parameters, Seeds
from oathward.deid.actions.birth_year import AGE_YEARS_MAX
from oathward.protocols.shaping import REMOVE, Ruling

CLOCK, SYSTEM = "time", "message.time"
_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_SECOND = r"(?:[0-5][0-9]|60)(?:\.[0-9]{1,9})?"
_ZONE = "(?:0[0-9]|1[0-4])"
_QUARTER = "(?:00|15|30|45)"
_compact = re.compile(
    rf"([0-9]{{4}})()(?:([0-9]{{2}})(?:([0-9]{{2}})({_HOUR}(?:{_SIXTY}(?:{_SECOND})?)?)?([+-]{_ZONE}{_QUARTER})?)?)?"
).fullmatch
"""A zone behind a year or a month is not read: it is more likely somebody's way to write a day."""

_extended = re.compile(
    rf"([0-9]{{4}})(?:(-)([0-9]{{2}})(?:-([0-9]{{2}})([T ]{_HOUR}:{_SIXTY}(?::{_SECOND})?)?(Z|[+-]{_ZONE}:{_QUARTER})?)?)?"
).fullmatch
_dotted = re.compile(r"([0-9]{4})(\.)([0-9]{2})\.([0-9]{2})()()").fullmatch
"""DA as ACR-NEMA wrote it."""
_clock = re.compile(rf"{_HOUR}:{_SIXTY}(?::{_SECOND})?").fullmatch
_clock_compact = re.compile(rf"{_HOUR}(?:{_SIXTY}(?:{_SECOND})?)?(?:[+-]{_ZONE}{_QUARTER})?").fullmatch
_digit = re.compile("[0-9]")


class _Written(NamedTuple):
    """A date as it was written: what stands for it in the calendar, and the parts around it."""

    day: date
    parts: int
    mark: str
    clock: str
    zone: str


def shifted(value: str, days: int, year: int, offset_min: int = 0) -> str:
    """Move one date; empty where it is none, or cannot be moved.

    Args:
        value: as HL7 v2, FHIR or DICOM writes it.
        days: negative moves back; the same for every date of a subject.
        year: the current one, UTC.
        offset_min: of the site from UTC, in minutes, without summer time.

    Raises:
        DeidentificationError: ``days`` is 0.
    """
    if not days:
        raise DeidentificationError("seeds", "how many days the dates of this subject move")
    text = value.strip()
    if _clock(text):
        return text
    found = _read(text)
    if found is None or not year:
        return ""
    try:
        found = _at_offset(found, offset_min) if found.zone else found
        moved = found.day + timedelta(days=days)
    except OverflowError:
        return ""
    if year - min(found.day.year, moved.year) > AGE_YEARS_MAX:
        return written_as(text, year - AGE_YEARS_MAX - 1)
    return _write(found._replace(day=moved))


def written_as(value: str, year: int) -> str:
    """Give 1 January of a year, midnight, in the form and precision of a date; empty where ``value`` is none."""
    found = _read(value)
    if found is None:
        return ""
    clock, zone = (_digit.sub("0", part) for part in (found.clock, found.zone))
    return _write(found._replace(day=date(year, 1, 1), clock=clock, zone=zone))


def _read(text: str) -> _Written | None:
    found = _compact(text) or _extended(text) or _dotted(text)
    if found is None:
        return None
    year, mark, month, day, clock, zone = found.groups()
    parts = 1 + (month is not None) + (day is not None)
    try:
        at = date(int(year), int(month or 7), int(day or (1 if month is None else 15)))
    except ValueError:
        return None
    return _Written(at, parts, mark or "", clock or "", zone or "")


def _at_offset(found: _Written, offset_min: int) -> _Written:
    """Write a time with another offset: one instant, the finest digit it has and no finer."""
    sign, hours, minutes = "-" if offset_min < 0 else "+", *divmod(abs(offset_min), 60)
    mark = ":" if found.mark else ""
    zone = "Z" if found.mark and not offset_min else f"{sign}{hours:02}{mark}{minutes:02}"
    told = "".join(_digit.findall(found.clock))
    if not told:
        return found._replace(zone=zone)
    # Hours and minutes are the first four figures, in either form; seconds do not change.
    late = int(told[:2]) * 60 + int(told[2:4] or 0) + offset_min - _minutes_of(found.zone)
    days, minute = divmod(late, 24 * 60)
    clock = found.clock[: len(found.clock) - len(found.clock.lstrip("T "))]
    begin = len(clock)
    clock += f"{minute // 60:02}"
    if len(told) > len("HH"):
        clock += f"{':' if mark else ''}{minute % 60:02}"
        clock += found.clock[begin + len("HH:MM" if mark else "HHMM") :]
    return found._replace(day=found.day + timedelta(days=days), clock=clock, zone=zone)


def _minutes_of(zone: str) -> int:
    if zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes


def _write(found: _Written) -> str:
    day = found.day
    parts = (f"{day.year:04}", f"{day.month:02}", f"{day.day:02}")[: found.parts]
    return found.mark.join(parts) + found.clock + found.zone


def _shift(value: str, seeds: Seeds) -> str:
    return shifted(value, seeds.days, seeds.year, seeds.offset_min)


def _time_of_day(value: str, _seeds: Seeds) -> str:
    text = value.strip()
    return text if _clock_compact(text) or _clock(text) else ""


def _rule(cls: str, part: str, _parameters: Parameters) -> Ruling:
    if cls == SYSTEM:
        return REMOVE
    if part:
        return _time_of_day if part == CLOCK else REMOVE
    return _shift


ACTION = Action(_rule, keyed=True, shifts=True)
