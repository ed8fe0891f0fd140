"""Read HL7 v2 times (DTM) as moments.

Rules:
- To the day or better; less says no moment. What is no time is 0, never an error: an observation without a time is one.
- A time without an offset is of this machine's zone, as the hospital's clocks are.

Source: HL7 v2.8.2 §2A.3.22 (DTM): ``YYYYMMDD[HHMM[SS[.S[S[S[S]]]]]][+/-ZZZZ]``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from oathward.core.clock import micros

_TIME = re.compile(
    rb"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.(\d{1,6})\d*)?)?)?(?:([+-])(\d\d)(\d\d))?"
)


def time_us(field: bytes) -> int:
    """Give a time as microseconds UTC; 0 where it is none."""
    match = _TIME.match(field)
    if match is None:
        return 0
    *parts, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    zone = None
    try:
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            zone = timezone(-offset if sign == b"-" else offset)
        us = int((fraction or b"0").ljust(6, b"0"))
        at = datetime(year, month, day, hour, minute, min(second, 59), us, zone)
        return max(0, micros(at.astimezone(UTC)))
    except (ValueError, OverflowError, OSError):
        return 0
