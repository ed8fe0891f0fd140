"""Draw numbers over time as the parts of a small SVG: lines where values follow each other, nothing where none came.

Rules:
- Two values further apart than ``gap_us`` are not joined; one that stands alone is a dot.
- The scale is of the values shown; a straight line stands in the middle. All trends of a page have one span of time, from the first
  value there is (``since_us``): what was measured for half a minute is drawn as half a minute.

Deliberately absent: smoothing, and any point that was not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oathward.core.phi import Phi

WIDTH, HEIGHT, EDGE = 240, 36, 3
POINTS_MAX = 400


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trend: the path of its lines, dots of values that stand alone, and the lowest and highest, as text."""

    path: Phi[str]
    dots: tuple[Phi[tuple[float, float]], ...]
    low: Phi[str]
    high: Phi[str]
    breaks: int


def since_us(all_points: Iterable[Sequence[tuple[int, float]]], from_us: int, until_us: int) -> int:
    """Say when the span of trends begins: with the first value in it; with the span asked for where there is none."""
    inside = (at for points in all_points for at, _ in points if from_us <= at <= until_us)
    return min(inside, default=from_us)


def drawn(points: Sequence[tuple[int, float]], from_us: int, until_us: int, gap_us: int) -> Drawn | None:
    """Draw the points of a span; None where fewer than two values are in it."""
    inside = [(at, value) for at, value in points if from_us <= at <= until_us][-POINTS_MAX:]
    if len(inside) < 2:
        return None
    low, high = min(v for _, v in inside), max(v for _, v in inside)
    room = (high - low) or 1.0
    flat = high == low

    def place(at: int, value: float) -> tuple[float, float]:
        x = EDGE + (at - from_us) / max(1, until_us - from_us) * (WIDTH - 2 * EDGE)
        share = 0.5 if flat else (value - low) / room
        return round(x, 1), round(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE), 1)

    runs: list[list[tuple[float, float]]] = []
    last = None
    for at, value in inside:
        if last is None or (gap_us and at - last > gap_us):
            runs.append([])
        runs[-1].append(place(at, value))
        last = at
    lines = ["M" + "L".join(f"{x} {y}" for x, y in run) for run in runs if len(run) > 1]
    dots = tuple(Phi(run[0]) for run in runs if len(run) == 1)
    return Drawn(Phi("".join(lines)), dots, Phi(f"{low:g}"), Phi(f"{high:g}"), len(runs) - 1)
