"""Put what is counted of traffic together: by day and kind of device, and by day and link. Pure.

Rules:
- Each number says what it counts and of what; a share is of the messages that were stored.
- Malformed are messages that could not be read as their protocol; unknown devices, messages of nobody we know. Both are
  counted when they come, whatever becomes of them in quarantine.

Deliberately absent: where the rows come from (``messages.traffic``; this context may not ask it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

UNKNOWN_KIND = "unknown"
_COUNTED = (
    "messages", "late", "late_hour", "late_day", "ahead", "untimed", "unidentified", "duplicates", "malformed", "unknown_device",
)  # fmt: skip


@dataclass(slots=True)
class QualityRow:
    """Counts of one day and one link, or one kind of device. ``about``: the link or the kind."""

    day_us: int
    about: str
    messages: int = 0
    late: int = 0
    late_hour: int = 0
    late_day: int = 0
    ahead: int = 0
    untimed: int = 0
    unidentified: int = 0
    duplicates: int = 0
    malformed: int = 0
    unknown_device: int = 0

    def share(self, name: str) -> float:
        """Give a count as a share of the messages; 0 where there were none."""
        found: int = getattr(self, name)
        return found / self.messages if self.messages else 0.0


Of = tuple[int, str, str, tuple[int, ...]]
"""Day, kind of device, link, and counts in the order of ``messages.traffic.Counts``."""


def by_kind(counts: Iterable[Of]) -> list[QualityRow]:
    """Sum up by day and kind of device, the newest day first."""
    found: dict[tuple[int, str], QualityRow] = {}
    for day_us, kind, link, numbers in counts:
        if not link:
            _add(_row(found, day_us, kind or UNKNOWN_KIND), numbers)
    return _ordered(found)


def by_link(counts: Iterable[Of]) -> list[QualityRow]:
    """Sum up what left on each link by day, the newest day first."""
    found: dict[tuple[int, str], QualityRow] = {}
    for day_us, _, link, numbers in counts:
        if link:
            _add(_row(found, day_us, link), numbers)
    return _ordered(found)


def _row(found: dict[tuple[int, str], QualityRow], day_us: int, about: str) -> QualityRow:
    return found.setdefault((day_us, about), QualityRow(day_us, about))


def _add(row: QualityRow, numbers: tuple[int, ...]) -> None:
    for name, number in zip(_COUNTED, numbers, strict=True):
        setattr(row, name, getattr(row, name) + number)


def _ordered(found: Mapping[tuple[int, str], QualityRow]) -> list[QualityRow]:
    return [found[key] for key in sorted(found, key=lambda key: (-key[0], key[1]))]
