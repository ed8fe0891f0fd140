"""The map as a picture: what was seen put together until it fits, placed in columns of zones, drawn as SVG. Pure.

Rules:
- At most ``NODES_MAX`` nodes: single endpoints where they fit, else by model in their unit, by unit, by zone; the smallest zones last as one.
- A column is a zone, outside at the right; in it, who speaks with each other stands at about the same height. The same rows give the same picture.
- No line runs over a box: past columns that lie between it goes where no row has one, beyond their last box where that is near.
- Every text is escaped and cut; colours are classes of the page's style, so that both themes and print are the page's.

Deliberately absent: script, and anything that the table does not say.

Source: Sugiyama, Tagawa, Toda 1981 (barycentres); SVG 2.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from oathward.network.model import EXTERNAL, UNPLANNED

NODES_MAX = 300
EDGES_MAX = 1_500
COLUMN, ROW, WIDE, HIGH, TOP = 250, 34, 190, 24, 44
WORDS_MAX = 26
_SWEEPS = 4
_CROSSED, _BESIDE = 4, 3
_BY = ("endpoint", "model", "unit", "zone")
_OTHERS = "\x1eothers"
DECLARED, UNDECLARED, OTHERWISE, UNSEEN = "declared", "undeclared", "otherwise", "unseen"
_WORST = (OTHERWISE, UNDECLARED, UNSEEN, DECLARED)


class End(NamedTuple):
    """One endpoint as the picture knows it. ``id``: stable; ``words``: what stands on it."""

    id: str
    words: str
    zone: str
    unit: str = ""
    model: str = ""


class Line(NamedTuple):
    """What went from one endpoint to another. ``state``: of the four above; ``weight``: conversations."""

    client: str
    server: str
    state: str
    weight: int = 1


class Node(NamedTuple):
    """A box: one endpoint, or ``members`` of them together."""

    id: str
    words: str
    zone: str
    members: int
    x: int = 0
    y: int = 0


class Edge(NamedTuple):
    """A line between two boxes, with the gravest state of what it stands for."""

    client: str
    server: str
    state: str
    weight: int


class Picture(NamedTuple):
    """Boxes and lines with their places. ``by``: what a box stands for; ``left``: lines that are not drawn."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    zones: tuple[str, ...]
    by: str
    width: int
    height: int
    left: int = 0


def picture(ends: Sequence[End], lines: Iterable[Line], *, most: int = NODES_MAX) -> Picture:
    """Put together and place."""
    by, group, words = _collapsed(ends, most)
    counts = Counter(group.values())
    zone_of = {group[end.id]: end.zone for end in ends} | {_OTHERS: ""}
    edges = _edges(lines, group)
    zones = _zones({key: zone_of[key] for key in counts})
    where = {key: zone if zone in zones else "" for key, zone in zone_of.items()}
    columns: dict[str, list[str]] = {
        zone: sorted(key for key in counts if where[key] == zone) for zone in zones
    }
    _ordered(columns, edges)
    nodes = []
    for at, zone in enumerate(zones):
        for row, key in enumerate(columns[zone]):
            nodes.append(Node(key, words[key], zone, counts[key], 20 + at * COLUMN, TOP + row * ROW))
    height = TOP + max((len(rows) for rows in columns.values()), default=0) * ROW + 10
    shown = edges[:EDGES_MAX]
    return Picture(
        tuple(nodes),
        tuple(shown),
        tuple(zones),
        by,
        max(len(zones), 1) * COLUMN,
        height,
        len(edges) - len(shown),
    )


def _collapsed(ends: Sequence[End], most: int) -> tuple[str, dict[str, str], dict[str, str]]:
    """Choose the finest grouping that fits: what a box stands for, endpoint -> box, box -> its words."""
    by = next((by for by in _BY if len({_group(end, by)[0] for end in ends}) <= most), _BY[-1])
    group = {end.id: _group(end, by)[0] for end in ends}
    words = {group[end.id]: _group(end, by)[1] or "unnamed" for end in ends}
    counts = Counter(group.values())
    if len(counts) > most:
        kept = {name for name, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))[: most - 1]}
        group = {id_: name if name in kept else _OTHERS for id_, name in group.items()}
        words = {name: text for name, text in words.items() if name in kept} | {_OTHERS: "all others"}
    return by, group, words


def _group(end: End, by: str) -> tuple[str, str]:
    """Give the box an endpoint is in, and what stands on it."""
    parts = {
        "endpoint": ((end.zone, end.id), end.words),
        "model": ((end.zone, end.unit, end.model), end.model or "unknown"),
        "unit": ((end.zone, end.unit), end.unit or end.zone),
        "zone": ((end.zone,), end.zone),
    }
    key, words = parts[by]
    return "\x1f".join(key), words


def _edges(lines: Iterable[Line], group: Mapping[str, str]) -> list[Edge]:
    states: dict[tuple[str, str], set[str]] = defaultdict(set)
    weights: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.client in group and line.server in group:
            pair = (group[line.client], group[line.server])
            states[pair].add(line.state)
            weights[pair] += line.weight
    found = [
        Edge(*pair, next(state for state in _WORST if state in states[pair]), weight)
        for pair, weight in weights.items()
    ]
    return sorted(found, key=lambda one: (_WORST.index(one.state), -one.weight, one.client, one.server))


def _zones(where: Mapping[str, str]) -> list[str]:
    """Order columns: zones by name, then what no plan names, then outside; a column of many zones behind forty."""
    names = sorted({*where.values()} - {EXTERNAL, UNPLANNED, ""})
    last = [zone for zone in (UNPLANNED, EXTERNAL) if zone in where.values()]
    rest = [""] if "" in where.values() or len(names) > 40 else []
    return names[:40] + rest + last


def _ordered(columns: dict[str, list[str]], edges: Sequence[Edge]) -> None:
    """Bring those that speak with each other to about the same height: sweeps of barycentres, from left to right and back."""
    near: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        near[edge.client].append(edge.server)
        near[edge.server].append(edge.client)
    for sweep in range(_SWEEPS):
        height = {key: row for rows in columns.values() for row, key in enumerate(rows)}
        for zone in list(columns) if sweep % 2 == 0 else reversed(list(columns)):
            rows = columns[zone]
            aims = {
                key: _mean([height[one] for one in near[key] if one in height], height[key]) for key in rows
            }
            rows.sort(key=lambda key: (aims[key], key))
            height |= {key: row for row, key in enumerate(rows)}


def _mean(numbers: Sequence[int], otherwise: int) -> float:
    return sum(numbers) / len(numbers) if numbers else float(otherwise)


class Drawn(NamedTuple):
    """What stands in the picture, ready to be written: texts are printable and cut, and not yet escaped.

    Args:
        heads: (x, words) of each column. lines: (state, path, words). boxes: (x, y, words, whole words).
    """

    heads: tuple[tuple[int, str], ...]
    lines: tuple[tuple[str, str, str], ...]
    boxes: tuple[tuple[int, int, str, str], ...]


def drawn(found: Picture) -> Drawn:
    """Give lines as paths and boxes with their words."""
    at = {node.id: node for node in found.nodes}
    ends = Counter(node.x for node in found.nodes)
    heads = [(20 + column * COLUMN, _cut(zone or "other zones")) for column, zone in enumerate(found.zones)]
    lines = []
    for edge in found.edges:
        a, b = at[edge.client], at[edge.server]
        lines.append(
            (edge.state, _path(a, b, ends), _cut(f"{a.words} to {b.words}: {edge.state}, {edge.weight}", 120))
        )
    boxes = []
    for node in found.nodes:
        many = f" ×{node.members}" if node.members > 1 else ""
        boxes.append(
            (node.x, node.y, _cut(node.words, WORDS_MAX - len(many)) + many, _cut(node.words + many, 200))
        )
    return Drawn(tuple(heads), tuple(lines), tuple(boxes))


def svg(found: Picture, title: str) -> str:
    """Draw it as a file of its own, with its own style for both themes and print."""
    it = drawn(found)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {found.width} {found.height}" role="img">',
        f"<title>{_text(_cut(title, 200))}</title><style>{_STYLE}</style>",
        *(f'<text class="zone" x="{x}" y="24">{_text(words)}</text>' for x, words in it.heads),
        *(
            f'<path class="line {state}" d="{path}"><title>{_text(words)}</title></path>'
            for state, path, words in it.lines
        ),
        *(
            f'<g class="node"><title>{_text(whole)}</title><rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="4"/>'
            f'<text x="{x + 8}" y="{y + 16}">{_text(words)}</text></g>'
            for x, y, words, whole in it.boxes
        ),
    ]
    return "".join(parts) + "</svg>"


def _path(a: Node, b: Node, rows: Mapping[int, int]) -> str:
    """Write a line from box to box.

    Args:
        rows: x of a column -> how many boxes it has.
    """
    y1, y2 = a.y + HIGH // 2, b.y + HIGH // 2
    if a.x == b.x:
        x = a.x + WIDE
        return f"M{x} {y1}C{x + 40} {y1} {x + 40} {y2} {x} {y2}"
    x1, x2 = (a.x + WIDE, b.x) if a.x < b.x else (a.x, b.x + WIDE)
    over = range(min(a.x, b.x) + COLUMN, max(a.x, b.x), COLUMN)
    if not over:
        return f"M{x1} {y1}{_bend(x1, y1, x2, y2)}"
    gap = COLUMN - WIDE if a.x < b.x else WIDE - COLUMN
    y = _lane(y1, y2, [rows.get(x, 0) for x in over])
    return f"M{x1} {y1}{_bend(x1, y1, x1 + gap, y)}H{x2 - gap}{_bend(x2 - gap, y, x2, y2)}"


def _bend(x1: int, y1: int, x2: int, y2: int) -> str:
    middle = (x1 + x2) // 2
    return f"C{middle} {y1} {middle} {y2} {x2} {y2}"


def _lane(y1: int, y2: int, between: Sequence[int]) -> int:
    """Give the height at which a line passes columns of so many boxes: between two rows; past fewer boxes where that is not far."""
    lanes = range(max(between, default=0) + 1)

    def far(lane: int) -> tuple[int, int]:
        y = _above(lane)
        crossed = sum(0 < lane < rows for rows in between)
        return abs(y - y1) + abs(y - y2) + crossed * _CROSSED * ROW, lane

    # Lines that pass at the same height lie beside each other, as far as there is room between two boxes.
    return _above(min(lanes, key=far)) + (y1 // ROW + y2 // ROW * 2) % (2 * _BESIDE + 1) - _BESIDE


def _above(row: int) -> int:
    """Give the height between a row and the one above it."""
    return TOP + row * ROW - (ROW - HIGH) // 2


def _cut(text: str, most: int = WORDS_MAX) -> str:
    """Make a text of the network printable, and no longer than fits."""
    plain = "".join(c if c.isprintable() else "·" for c in text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _text(text: str) -> str:
    return escape(text, quote=True)


_STYLE = (
    "svg{font:12px system-ui,sans-serif;background:#fff;color:#111}text{fill:#111}.zone{font-weight:700}"
    ".node rect{fill:#f3f4f6;stroke:#6b7280}.line{fill:none;stroke:#6b7280;stroke-width:1.2}"
    ".line.undeclared{stroke:#b45309;stroke-dasharray:6 3}.line.otherwise{stroke:#b91c1c;stroke-width:2}"
    ".line.unseen{stroke:#9ca3af;stroke-dasharray:2 3}"
    "@media (prefers-color-scheme:dark){svg{background:#111;color:#eee}text{fill:#eee}.node rect{fill:#1f2937;stroke:#9ca3af}"
    ".line{stroke:#9ca3af}.line.undeclared{stroke:#f59e0b}.line.otherwise{stroke:#f87171}}"
    "@media print{svg{background:#fff}text{fill:#000}.node rect{fill:#fff;stroke:#000}}"
)
