"""Read what a message says of its own time: MSH-7 of HL7 v2; ``issued``, ``effective…`` or ``timestamp`` of FHIR.

Rules:
- Read by its first digits, to the second; those of one second, or minute, are reckoned once. A time is all it costs the data path.
- A time without a zone is one of this machine's zone; half of one, or none, is 0: not known.

Deliberately absent: any use of it for a decision, and the clock.

Source: HL7 v2.8.2 §2.A.22 (DTM), §2.14.9.7 (MSH-7); FHIR R4 §2.24.0.1 (dateTime, instant).
"""

from __future__ import annotations

import calendar
import re
import time
from functools import lru_cache

_DTM = re.compile(rb"([0-9]{12})([0-5][0-9])?").fullmatch
_ISO = re.compile(
    rb'"(?:issued|effectiveDateTime|effectiveInstant|timestamp)"\s*:\s*'
    rb'"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-5][0-9])(?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"'
).search
_SIGNS = (b"+", b"-")
_ISO_LOOK_BYTES = 16_384


def of_dtm(text: bytes) -> int:
    """Read an HL7 time in microseconds UTC; 0 where it names no minute."""
    zone = text[-5:]
    if zone[:1] in _SIGNS:
        return _second(text[:-5][:14], zone)
    return _second(text[:14], b"")


def of_fhir(raw: bytes) -> int:
    """Find the time a FHIR request says of itself, in microseconds UTC; 0 where it says none near its beginning."""
    found = _ISO(raw, 0, _ISO_LOOK_BYTES)
    if found is None:
        return 0
    *date, second, zone = found.groups()
    at_s = _minute(b"".join(date), b"+0000" if zone == b"Z" else zone.replace(b":", b""))
    return (at_s + int(second)) * 1_000_000 if at_s else 0


@lru_cache(maxsize=4_096)
def _second(text: bytes, zone: bytes) -> int:
    """Reckon a time of HL7 without its fractions; those of one second come together."""
    found = _DTM(text)
    if found is None or (zone and not zone[1:].isdigit()):
        return 0
    at_s = _minute(found[1], zone)
    return (at_s + int(found[2] or 0)) * 1_000_000 if at_s else 0


@lru_cache(maxsize=4_096)
def _minute(text: bytes, zone: bytes) -> int:
    """Reckon the seconds since 1970 of a minute; 0 for one that is none."""
    year, rest = int(text[:4]), text[4:]
    month, day, hour, minute = (int(rest[at : at + 2]) for at in (0, 2, 4, 6))
    parts = (year, month, day, hour, minute, 0)
    if not (1970 < year < 3_000 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60):
        return 0
    if not zone:
        try:
            return int(time.mktime((*parts, 0, 0, -1)))
        except OverflowError:
            return 0
    ahead_s = (int(zone[1:3]) * 60 + int(zone[3:5])) * 60
    return calendar.timegm(parts) - (ahead_s if zone[:1] == b"+" else -ahead_s)
