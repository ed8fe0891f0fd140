"""A grouped bar chart as SVG text: no dependency, the same bytes for the same numbers.

Rules:
- Bars carry their value; a thin line over a bar is the spread of its runs.
- Series differ in shade too, and stand in the order of the legend, so that colour alone tells nothing apart.
- Numbers come in; nothing here measures or sorts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _TOP, _PLOT, _BOTTOM = 960, 64, 70, 300, 40
_FILLS = ("#12436d", "#28a197", "#801650", "#f46a25", "#3d3d3d", "#a285d1", "#8aa4b8", "#c9b458")
_BAR_MAX = 46.0


@dataclass(frozen=True, slots=True)
class Series:
    """One colour: a name, and for each group (middle, lowest, highest), or none."""

    name: str
    values: Sequence[tuple[float, float, float] | None]


def grouped_bars(title: str, note: str, groups: Sequence[str], series: Sequence[Series], unit: str) -> str:
    """Draw groups of bars side by side.

    Args:
        groups: names under the axis, one for each value of a series.
    """
    top = max((v[2] for s in series for v in s.values if v), default=1.0)
    step = _nice(top / 4)
    top = step * -(-top // step)
    above = _TOP + 20 * -(-len(series) // 2) + 24
    height = above + _PLOT + _BOTTOM
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
            f'font-family="system-ui, sans-serif" font-size="12" aria-label="{escape(title)}">'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(_LEFT, 26, title, size=16, weight=600),
        _text(_LEFT, 46, note, fill="#555555"),
    ]
    for n, one in enumerate(series):
        x, y = _LEFT + 440 * (n % 2), _TOP + 20 * (n // 2)
        parts += [
            f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{_FILLS[n % len(_FILLS)]}"/>',
            _text(x + 18, y, one.name),
        ]
    value = 0.0
    while value <= top + step / 2:
        y = above + _PLOT * (1 - value / top)
        parts += [
            f'<line x1="{_LEFT}" x2="{_WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>',
            _text(_LEFT - 6, y + 4, _short(value), anchor="end", fill="#555555"),
        ]
        value += step
    parts.append(_text(_LEFT - 6, above - 12, unit, anchor="start", fill="#555555"))
    room = (_WIDTH - 20 - _LEFT) / len(groups)
    for g, group in enumerate(groups):
        present = [(n, s.values[g]) for n, s in enumerate(series) if s.values[g] is not None]
        width = min(_BAR_MAX, room * 0.86 / max(1, len(present)))
        left = _LEFT + room * g + (room - width * len(present)) / 2
        for place, (n, triple) in enumerate(present):
            assert triple is not None
            parts += _bar(left + width * place, width, above, top, triple, _FILLS[n % len(_FILLS)])
        parts.append(_text(_LEFT + room * (g + 0.5), above + _PLOT + 20, group, anchor="middle"))
    return "\n".join([*parts, "</svg>", ""])


def _bar(x: float, width: float, above: float, top: float, triple: tuple[float, ...], fill: str) -> list[str]:
    middle, low, high = (above + _PLOT * (1 - v / top) for v in triple)
    centre, bottom = x + width / 2, above + _PLOT
    return [
        f'<rect x="{x + 1:.1f}" y="{middle:.1f}" width="{width - 2:.1f}" height="{bottom - middle:.1f}" fill="{fill}"/>',
        f'<line x1="{centre:.1f}" x2="{centre:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="#000000" stroke-opacity="0.6"/>',
        _text(centre, min(middle, high) - 4, _short(triple[0]), anchor="middle", size=10),
    ]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = "#111111",
    size: int = 12,
    weight: int = 400,
) -> str:
    style = f'text-anchor="{anchor}" fill="{fill}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _short(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1_000:.0f}k"
    return f"{value / 1_000:.1f}k" if value >= 1_000 else f"{value:.0f}"


def _nice(step: float) -> float:
    scale = 1.0
    while step >= 10:
        step, scale = step / 10, scale * 10
    return scale * next(n for n in (1, 2, 2.5, 5, 10) if step <= n)
