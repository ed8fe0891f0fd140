"""Rows of a CSV list: its dialect and header found, its rows streamed, each with the line it begins in.

Rules:
- What the mapping declares of dialect and header is not guessed.
- A row whose length is not the header's is refused: its cells may have moved. Empty cells at its end do no harm.
- Columns that are read must have one name; where names repeat, a mapping names them by number.

Source: RFC 4180.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists.attributes import named
from oathward.discovery.lists.lines import Lines
from oathward.discovery.lists.mapping import DELIMITERS, ColumnMap
from oathward.discovery.lists.opening import Source

HEADER_LINES_MAX = 30
"""Lines at the front in which a header is looked for."""
SAMPLE_ROWS = 200
COLUMNS_MAX = 2_000


class Shape(NamedTuple):
    """How a list is written. ``header_line``: from 1; ``names``: of its columns, in their order."""

    encoding: str
    delimiter: str
    header_line: int
    names: tuple[str, ...]


class Row(NamedTuple):
    """Cells of one row, and the line it begins in."""

    line: int
    cells: Sequence[str]


class Broken(NamedTuple):
    """Lines that are no row."""

    line: int
    reason: Reason
    why: str


def shape_of(source: Source, said: ColumnMap | None = None) -> Shape:
    """Find out how a list is written, by its first bytes and what was declared of it.

    Raises:
        InputError: no header in its first lines.
    """
    source.check()
    lines = Lines(Source(source.name, source.head, iter(())), said.encoding if said else "")
    whole = list(lines)
    if len(whole) > 1 and not whole[-1].endswith(("\n", "\r")):
        whole.pop()  # cut by the size of the head
    skipped = 0
    delimiter = said.delimiter if said else ""
    if whole and whole[0].casefold().startswith("sep=") and whole[0][4:5] in DELIMITERS:
        delimiter, skipped = delimiter or whole[0][4], 1
    delimiter = delimiter or max(DELIMITERS, key=lambda one: _regular(whole, one))
    if said and said.header_line:
        at = said.header_line
    else:
        at = skipped + _header_of(whole[skipped : skipped + HEADER_LINES_MAX], delimiter)
    names = next(_records(iter(whole[at - 1 :]), delimiter), [])
    if not any(name.strip() for name in names):
        raise InputError("header", "no line with names of columns", reason=Reason.OBSERVED_COLUMNS)
    if len(names) > COLUMNS_MAX:
        raise InputError("header", f"at most {COLUMNS_MAX} columns", reason=Reason.LIMIT_EXCEEDED)
    return Shape(lines.encoding, delimiter, at, tuple(" ".join(name.split()) for name in names))


def rows(shape: Shape, lines: Lines) -> Iterator[Row | Broken]:
    """Give the rows behind the header.

    Args:
        lines: of the source, at its front.

    Raises:
        InputError: the source is cut off or expands too much.
    """
    for _skipped in range(shape.header_line - 1):
        next(lines, "")
    lines.faults.clear()
    reader = csv.reader(lines, delimiter=shape.delimiter, strict=True)
    width, header = len(shape.names), True
    while True:
        begin = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _unread(error, begin, lines.number)
            lines.faults.clear()
            continue
        if header:
            header = False
        elif lines.faults:
            yield Broken(*lines.faults[0])
        elif any(cells[width:]) or (len(cells) < width and any(cells)):
            why = f"{len(cells)} cells under {width} headers"
            yield Broken(begin, Reason.OBSERVED_COLUMNS, why)
        elif any(cells):
            yield Row(begin, cells)
        lines.faults.clear()


def places(shape: Shape, said: ColumnMap) -> list[tuple[int, str, str, str]]:
    """Give (index of the cell, attribute, name, form of dates) for each column that is read.

    Raises:
        InputError: a column of the mapping is not there, or there twice.
    """
    repeated = Counter(shape.names)
    found = []
    for name, attribute, form in said.columns:
        number = int(name[1:]) if name[:1] == "#" and name[1:].isdigit() and len(name) < 6 else 0
        if not attribute:
            continue
        if number and name not in repeated:
            if not 1 <= number <= len(shape.names):
                raise InputError(f"column {name}", "is not there", reason=Reason.OBSERVED_COLUMNS)
            found.append((number - 1, attribute, f"#{number}", form))
            continue
        plain = " ".join(name.split())
        if repeated[plain] > 1:
            why = f"stands there {repeated[plain]} times: name it by its number, as in #3"
            raise InputError(f"column {name}", why, reason=Reason.OBSERVED_COLUMNS)
        if not repeated[plain]:
            raise InputError(f"column {name}", "is not in the header", reason=Reason.OBSERVED_COLUMNS)
        found.append((shape.names.index(plain), attribute, plain, form))
    return found


def sample(source: Source, shape: Shape) -> list[Sequence[str]]:
    """Give the first rows, of its first bytes, for a proposal."""
    head = Source(source.name, source.head, iter(()))
    found: list[Sequence[str]] = []
    for row in rows(shape, Lines(head, shape.encoding)):
        if isinstance(row, Row):
            found.append(row.cells)
        if len(found) >= SAMPLE_ROWS:
            break
    return found


def _unread(error: csv.Error, first: int, last: int) -> Broken:
    if "field larger" in str(error):  # csv has one error for all
        reason, why = Reason.LIMIT_EXCEEDED, f"a cell has at most {csv.field_size_limit()} characters"
    else:
        reason, why = Reason.OBSERVED_COLUMNS, "not CSV: a quotation mark is open or stands alone"
    return Broken(first, reason, f"{why}; lines {first} to {last} were not read" if last > first else why)


def _records(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue


def _regular(lines: list[str], delimiter: str) -> tuple[int, int]:
    """Rate a delimiter: how many rows have the commonest number of cells above one, then that number."""
    widths = Counter(
        len(row) for row, _ in zip(_records(iter(lines), delimiter), range(SAMPLE_ROWS), strict=False)
    )
    several = [(count, width) for width, count in widths.items() if width > 1]
    return max(several, default=(0, 0))


def _header_of(lines: list[str], delimiter: str) -> int:
    """Give the line of the header, from 1: whose cells have most known names, else the first as wide as most."""
    best, at = (-1, -1, 0), 1
    widths = Counter(len(row) for row in _records(iter(lines), delimiter))
    common = max(widths, key=lambda width: (width > 1, widths[width]), default=1)
    for number, line in enumerate(lines, 1):
        cells = next(_records(iter([line]), delimiter), [])
        known = sum(bool(named(cell)) for cell in cells)
        rated = (known, int(len(cells) == common and all(cells)), -number)
        if rated > best:
            best, at = rated, number
    return at
