"""Server time that never goes back unnoticed.

Rules:
- Decisions use aware UTC from one ``Clock``; nothing else calls ``datetime.now``.
- A persisted high-water mark survives restarts: time before it is unsure.
- A jump of the wall clock against the monotonic clock by more than ``jump_s_max`` is unsure.
- While unsure, time-bound permits become Indeterminate (``Reason.CLOCK_UNSURE``); reading time
  still works, because alarms and records need one.

Deliberately absent: NTP, and any trust in device time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

JUMP_S_MAX = 60.0
SETTLE_S = 300.0
"""After a jump, how long time must run evenly before it is trusted again."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock:
    """Tell the time and whether it can be trusted.

    Args:
        mark_path: file with the high-water mark (seconds since 1970, text); absent means in memory.
        wall, monotonic: sources in seconds, replaced in tests.
    """

    def __init__(
        self,
        mark_path: Path | None = None,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        jump_s_max: float = JUMP_S_MAX,
    ) -> None:
        self._wall, self._monotonic, self._jump_s_max = wall, monotonic, jump_s_max
        self._mark_path = mark_path
        self._mark = self._read_mark()
        self._offset = wall() - monotonic()
        self._even_since = monotonic() if wall() < self._mark - jump_s_max else float("-inf")

    def now(self) -> datetime:
        """Give aware UTC; never fails, may be unsure (see ``sure``)."""
        return datetime.fromtimestamp(self._wall(), UTC)

    def sure(self) -> bool:
        """Say whether time-bound permits may be decided on this clock now."""
        wall, mono = self._wall(), self._monotonic()
        if abs((wall - mono) - self._offset) > self._jump_s_max:
            self._even_since = mono
            self._offset = wall - mono
        if wall < self._mark - self._jump_s_max:
            return False
        self._mark = max(self._mark, wall)
        return mono - self._even_since >= SETTLE_S

    def persist(self) -> None:
        """Write the high-water mark; call it about once a second off the hot path."""
        self.sure()
        if self._mark_path is None:
            return
        partial = self._mark_path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(f"{self._mark:.3f}\n")
        partial.replace(self._mark_path)

    def _read_mark(self) -> float:
        if self._mark_path is None or not self._mark_path.exists():
            return 0.0
        try:
            return float(self._mark_path.read_text())
        except ValueError:
            # A broken mark must not look like "any time is fine": be unsure until it is mended.
            return float("inf")


def wall_s() -> float:
    """Seconds since 1970 for status files and ages shown to people; never for a decision."""
    return time.time()


def iso(at: datetime) -> str:
    """Write a time as records do: UTC, microseconds, ``Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC: the form times take in database columns."""
    return (at - _EPOCH) // _MICROSECOND  # exact, as no float is


def from_micros(value: int) -> datetime:
    """Invert ``micros``."""
    return _EPOCH + timedelta(microseconds=value)


def standard_offset_min(zone: tzinfo, year: int) -> int:
    """Give how far a zone is ahead of UTC without summer time, in minutes: the least of the year's first and middle month."""
    offsets = (datetime(year, month, 1, tzinfo=zone).utcoffset() or timedelta() for month in (1, 7))
    return int(min(offsets).total_seconds()) // 60


def zone_of(name: str) -> tzinfo | None:
    """Find a time zone by its name in the IANA database; None where this machine has none of that name."""
    if name == "UTC":  # known without any database
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
