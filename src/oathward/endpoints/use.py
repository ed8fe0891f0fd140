"""When in the week an endpoint is busy, and when it may be taken for maintenance, by its traffic alone. Pure.

Rules:
- A week has 168 hours, Monday 0 first, in UTC. Of each the share of weeks in which it did anything is what counts, not how much: a pump that
  sends a byte every minute is in use, a backup that sends a terabyte once is not.
- Only weeks that were seen count: from the first hour of traffic seen at the site to the last, by whole hours.
- A window is offered only where each of its hours was seen in ``WEEKS_MIN`` weeks at least. Too little seen is no window, not a quiet one.
- Quiet traffic is no proof that no patient is attached: who takes a device asks the unit.

Deliberately absent: what happens in the window; care state, which messages tell (``caring``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oathward.endpoints.picture import HOUR_US

HOURS = 168
WEEKS_MIN = 2
_MONDAY_HOURS = 96
"""Hours from 1970-01-01, a Thursday, to the Monday after."""


@dataclass(frozen=True, slots=True)
class Heat:
    """How often an endpoint did something in each hour of the week.

    Args:
        seen: in how many weeks each hour was seen, 168 of them. active: in how many of these it did something.
    """

    seen: tuple[int, ...]
    active: tuple[int, ...]

    def share(self, hour: int) -> float | None:
        """Give the share of weeks in which it was active in an hour of the week; None where that hour was never seen."""
        return self.active[hour] / self.seen[hour] if self.seen[hour] else None

    @property
    def weeks(self) -> int:
        """In how many weeks the hour that was seen least was seen."""
        return min(self.seen)


@dataclass(frozen=True, slots=True)
class Window:
    """Some hours of the week in which an endpoint is least active.

    Args:
        begins: hour of the week, 0 to 167, UTC. hours: how many. share: of the weeks and hours seen, those in which it did something.
    """

    begins: int
    hours: int
    share: float


def heat(active: Iterable[int], first_us: int, last_us: int) -> Heat:
    """Count by hour of the week.

    Args:
        active: starts of the hours in which it did something, microseconds UTC. first_us, last_us: from when to when traffic was seen at all.
    """
    first, last = first_us // HOUR_US, last_us // HOUR_US
    hours = max(0, last - first + 1)
    whole, rest = divmod(hours, HOURS)
    seen = [whole] * HOURS
    for number in range(rest):
        seen[(first + number - _MONDAY_HOURS) % HOURS] += 1
    counts = [0] * HOURS
    for hour in {at // HOUR_US for at in active}:
        if first <= hour <= last:
            counts[(hour - _MONDAY_HOURS) % HOURS] += 1
    return Heat(tuple(seen), tuple(counts))


def window(of: Heat, hours: int) -> Window | None:
    """Find when it is least active for some hours on end; None where too little was seen.

    Of equals the one in the middle of the longest quiet time, then the first of the week.

    Raises:
        ValueError: not 1 to 168 hours.
    """
    if not 0 < hours <= HOURS:
        raise ValueError("hours")
    best: tuple[float, int, int] | None = None
    for begins in range(HOURS):
        run = [(begins + number) % HOURS for number in range(hours)]
        if min(of.seen[hour] for hour in run) < WEEKS_MIN:
            continue
        share = sum(of.active[hour] for hour in run) / sum(of.seen[hour] for hour in run)
        found = (share, -_room(of, begins, hours), begins)
        best = min(best, found) if best is not None else found
    return None if best is None else Window(best[2], hours, best[0])


def _room(of: Heat, begins: int, hours: int) -> int:
    """Give how many hours before and behind a window are without any activity: the smaller of the two."""
    before = behind = 0
    while before < HOURS - hours and not of.active[(begins - before - 1) % HOURS]:
        before += 1
    while behind < HOURS - hours and not of.active[(begins + hours + behind) % HOURS]:
        behind += 1
    return min(before, behind)
