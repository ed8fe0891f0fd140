"""What lies outside the regions of an ultrasound image.

Rules:
- A region is (x0, y0, x1, y1) with the last ones not in it; parts outside the image are cut off, an empty one does not count.
- No region that counts: nothing is known, and nothing is given.

Source: DICOM PS3.3 C.8.5.5.1: (0018,6018), (0018,601A), (0018,601C), (0018,601E), bounds included, from 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from oathward.deid.pixels.model import Box

Rectangle = tuple[int, int, int, int]


def outside(regions: Iterable[Rectangle], columns: int, rows: int) -> tuple[Box, ...]:
    """Cover everything outside the regions with boxes that do not overlap."""
    within = [
        (max(0, x0), max(0, y0), min(columns, x1), min(rows, y1))
        for x0, y0, x1, y1 in regions
        if max(0, x0) < min(columns, x1) and max(0, y0) < min(rows, y1)
    ]
    if not within:
        return ()
    edges = sorted({0, rows} | {y for _, y0, _, y1 in within for y in (y0, y1)})
    boxes: list[Box] = []
    for top, bottom in pairwise(edges):
        x = 0
        for x0, y0, x1, y1 in sorted(within):
            if y0 <= top and bottom <= y1:
                if x < x0:
                    boxes.append(Box(x, top, x0, bottom, "region"))
                x = max(x, x1)
        if x < columns:
            boxes.append(Box(x, top, columns, bottom, "region"))
    return tuple(boxes)
