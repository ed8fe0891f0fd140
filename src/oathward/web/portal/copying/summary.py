"""What a readable copy says of each kind of value: how many, from when to when, lowest, highest, a trend, the newest.

Rules:
- Bounded however much there is: ``KINDS_MAX`` kinds, ``NEWEST`` values and ``POINTS_MAX`` points of each; a trend of more
  takes every second point, then every fourth. What is left out is counted.
- Nothing is rounded, smoothed or judged; lowest and highest are of all values.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oathward.bedside import trend
from oathward.bedside.picture import longest_us, unit_words, usual_us
from oathward.bedside.reading import read_all
from oathward.core.phi import Phi
from oathward.messages import views as messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oathward.bedside.picture import Called, Reading
    from oathward.vault.keeper.original import Original

KINDS_MAX = 200
NEWEST = 10
POINTS_MAX = 800


@dataclass(slots=True)
class Kind:
    """Values of one code and place."""

    latest: Reading
    count: int = 0
    first_us: int = 0
    low: float | None = field(default=None, repr=False)
    high: float | None = field(default=None, repr=False)
    newest: deque[Reading] = field(default_factory=lambda: deque(maxlen=NEWEST), repr=False)
    points: list[tuple[int, float]] = field(default_factory=list, repr=False)
    step: int = 1

    def add(self, one: Reading) -> None:
        """Count one value in."""
        self.first_us = min(self.first_us or one.at_us, one.at_us)
        if one.at_us >= self.latest.at_us:
            self.latest = one
        self.newest.append(one)
        number = one.number.reveal()
        if number is not None:
            self.low = number if self.low is None else min(self.low, number)
            self.high = number if self.high is None else max(self.high, number)
            if self.count % self.step == 0:
                self.points.append((one.at_us, number))
            if len(self.points) > POINTS_MAX:
                self.points, self.step = self.points[::2], self.step * 2
        self.count += 1

    @property
    def listed(self) -> list[Reading]:
        """Those that came last, the newest measured first."""
        return sorted(self.newest, key=lambda one: one.at_us, reverse=True)

    @property
    def unit(self) -> str:
        """The unit as a device's screen has it."""
        return unit_words(self.latest.unit)

    @property
    def range(self) -> Phi[tuple[str, str]] | None:
        """Lowest and highest as text; None where there is no number."""
        if self.low is None or self.high is None:
            return None
        return Phi((f"{self.low:g}", f"{self.high:g}"))

    @property
    def trend(self) -> trend.Drawn | None:
        """Its trend over its own time."""
        points = sorted(self.points)
        if len(points) < 2:
            return None
        every_us = usual_us([at for at, _ in points])
        return trend.drawn(
            points[-trend.POINTS_MAX :],
            points[-trend.POINTS_MAX :][0][0],
            points[-1][0],
            longest_us(every_us),
        )


@dataclass(slots=True)
class Summary:
    """All of a copy. ``unread``: messages of which nothing is shown; ``others``: values of kinds beyond the most there may be."""

    kinds: dict[tuple[str, str], Kind] = field(default_factory=dict)
    called: Called | None = None
    values: int = 0
    unread: int = 0
    others: int = 0


def summed(parts: Iterable[Sequence[Original]]) -> Summary:
    """Read a copy part by part."""
    found = Summary()
    for part in parts:
        told = read_all(part, messages.time_of)
        found.called = told.called or found.called
        found.unread += told.unread + len(told.alarms)
        for one in told.readings:
            key = (one.code, one.place)
            if key not in found.kinds and len(found.kinds) >= KINDS_MAX:
                found.others += 1
                continue
            found.kinds.setdefault(key, Kind(one)).add(one)
            found.values += 1
    return found
