"""The rows of ``segments.tsv`` at work: a field into its element, and the element into its field again.

Rules:
- Rows are compiled once. Rows whose kind begins with ``=`` are done by name elsewhere; they stand in the table so
  that both directions and the published page know them.
- On the way back an item of a list belongs to the row whose mark it bears; what bears none belongs to the first
  row of that list without a mark.

Deliberately absent: any rule about one field; that is a row.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

from oathward.protocols.v2fhir import tables
from oathward.protocols.v2fhir.composites import kind_of
from oathward.protocols.v2fhir.paths import Step, find, matches, put, steps
from oathward.protocols.v2fhir.primitives import Kind
from oathward.protocols.v2fhir.reading import NULL, Reading


class Row(NamedTuple):
    """One row, compiled.

    ``place``: component and sub-component that are meant (``(1,)``, ``(1, 1)``), empty for the whole field.
    """

    segment: str
    field: int
    place: tuple[int, ...]
    kind: str
    resource: str
    path: tuple[Step, ...]
    text: str
    mark: dict[str, Any]
    unless: str
    repeats: bool


@cache
def every() -> tuple[Row, ...]:
    """Give all rows in the order of the table."""
    return tuple(_row(cells) for cells in tables.rows("segments.tsv", 7))


def _row(cells: list[str]) -> Row:
    segment, field, kind, resource, path, mark, unless = cells
    n, *place = (int(part) for part in field.split("."))
    compiled = () if kind.startswith("=") else steps(path)
    repeats = any(step.kind in {"new", "ext+"} for step in compiled)
    marks = json.loads(mark) if mark else {}
    return Row(segment, n, tuple(place), kind, resource, compiled, path, marks, unless, repeats)


@cache
def rows_of(segment: str, resource: str) -> tuple[tuple[Row, Kind], ...]:
    """Give the rows that this module does, for one segment and resource."""
    return tuple(
        (row, kind_of(row.kind))
        for row in every()
        if row.segment == segment and row.resource == resource and not row.kind.startswith("=")
    )


def fill(target: dict[str, Any], fields: list[bytes], segment: str, resource: str, r: Reading) -> None:
    """Write what a segment says into a resource; ``fields``: item n is field n."""
    count = len(fields)
    for row, kind in rows_of(segment, resource):
        if row.field >= count:
            continue
        raw = fields[row.field]
        if raw and raw != NULL and not (row.unless and (row.unless in target or f"_{row.unless}" in target)):
            _fill_one(target, raw, row, kind, r)


def _fill_one(target: dict[str, Any], raw: bytes, row: Row, kind: Kind, r: Reading) -> None:
    for piece in raw.split(r.repetition) if r.repetition in raw else (raw,):
        if row.place:
            piece = _part(piece, row.place, r)
        if piece and piece != NULL:
            value, beside = kind.forward(piece, r)
            if value is not None or beside:
                put(target, row.path, value, beside, row.mark)
        if not row.repeats:
            return


def _part(piece: bytes, place: tuple[int, ...], r: Reading) -> bytes:
    for n, separator in zip(place, (r.component, r.sub), strict=False):
        pieces = piece.split(separator, n)
        piece = pieces[n - 1] if n <= len(pieces) else b""
    return piece


def values(target: dict[str, Any], segment: str, resource: str) -> list[tuple[Row, int, Any, Any]]:
    """Find what belongs to each row again: (row, repetition from 1, JSON, what stands beside)."""
    rows = rows_of(segment, resource)
    listed: list[tuple[Row, int, Any, Any]] = []
    for row, _ in rows:
        rivals = [other for other, _ in rows if other is not row and _same_list(other, row)]
        n = 0
        for item, value, beside in find(target, row.path):
            holder = item if item is not None else value
            if rivals and not _owns(row, rivals, holder):
                continue
            n += 1
            listed.append((row, n, value, beside))
    return listed


def _same_list(one: Row, other: Row) -> bool:
    return one.repeats and other.repeats and _list_of(one) == _list_of(other)


def _list_of(row: Row) -> tuple[Step, ...]:
    ends = next(i for i, step in enumerate(row.path) if step.kind in {"new", "ext+"})
    return row.path[: ends + 1]


def _owns(row: Row, rivals: list[Row], holder: dict[str, Any]) -> bool:
    if row.mark:
        return matches(holder, row.mark)
    return not any(matches(holder, rival.mark) for rival in rivals)
