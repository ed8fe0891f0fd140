"""An on-call roster as a file: whose staff number was on call for which unit, from when until when; CSV or JSON.

Rules:
- Columns, or names of each JSON object: ``number``, ``unit``, ``from``, ``until``; any other is an error, since it might
  have meant something.
- Every mistake names line and column, never what stands there; with any mistake nothing is imported.
- Times are ISO 8601; one without an offset is of this machine's zone. ``until`` is the first moment no longer.
- A line lasts at most ``DAYS_MAX``: who is on call for ever would be explained for ever.

Deliberately absent: whether that person or unit is known; a line about nobody explains nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from oathward.accesses.model import Duty
from oathward.core.foreign import parsed
from oathward.vault.care_sheet import Mistake, time_us

LINES_MAX = 20_000
BYTES_MAX = 4 * 1024 * 1024
CELL_LENGTH_MAX = 200
DAYS_MAX = 31
COLUMNS = ("number", "unit", "from", "until")
_DAY_US = 86_400_000_000


def parse(data: bytes, source: str) -> tuple[list[Duty], list[Mistake]]:
    """Read a roster; where there is a mistake no line counts.

    Args:
        source: the roster's name.
    """
    if len(data) > BYTES_MAX:
        return [], [Mistake(0, "", f"must be at most {BYTES_MAX} bytes")]
    duties: list[Duty] = []
    mistakes: list[Mistake] = []
    try:
        for number, row in _json(data) if data.lstrip()[:1] in (b"[", b"{") else _csv(data):
            if len(duties) + len(mistakes) >= LINES_MAX:
                return [], [Mistake(0, "", f"must have at most {LINES_MAX} lines")]
            _read(row, number, source, duties, mistakes)
    except _UnreadableError as error:
        return [], [Mistake(0, "", str(error))]
    if not duties and not mistakes:
        return [], [Mistake(0, "", "holds no line")]
    return ([], mistakes) if mistakes else (duties, [])


def parse_apart(data: bytes, source: str) -> tuple[list[Duty], list[Mistake]]:
    """Parse as ``parse``, in a process that can do nothing else. Raises as ``foreign.parsed``."""

    def check(found: tuple[list[Duty], list[Mistake]]) -> None:
        for one in found[0]:
            if one.source != source or not all(map(_fine, (one.number, one.unit))):
                raise ValueError("line")
            if not 0 < one.until_us - one.from_us <= DAYS_MAX * _DAY_US or one.from_us <= 0:
                raise ValueError("time")

    return parsed(parse, data, source, check=check)


def _fine(cell: str) -> bool:
    return 0 < len(cell) <= CELL_LENGTH_MAX and cell.isprintable()


class _UnreadableError(Exception):
    """The file as a whole is not what it has to be; says why, never what stands in it."""


def _csv(data: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _UnreadableError("must be UTF-8") from error
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [cell.strip().casefold() for cell in next(reader, [])]
        if sorted(names) != sorted(COLUMNS):
            raise _UnreadableError(f"must have the columns {', '.join(COLUMNS)}, each once")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(names, (one.strip() for one in cells), strict=False))
    except csv.Error as error:
        raise _UnreadableError("is not CSV: a quotation mark is open or stands alone") from error


def _json(data: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        rows = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _UnreadableError("is not JSON") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _UnreadableError("must be a list of objects")
    for number, row in enumerate(rows, 1):
        if sorted(row) != sorted(COLUMNS):
            raise _UnreadableError(f"must have objects of {', '.join(COLUMNS)} and nothing else")
        yield number, row


def _read(
    row: Mapping[str, Any], line: int, source: str, duties: list[Duty], mistakes: list[Mistake]
) -> None:
    before = len(mistakes)
    cells = {}
    for name in COLUMNS:
        cell = row.get(name)
        fine = isinstance(cell, str) and _fine(cell)
        cells[name] = cell if fine and isinstance(cell, str) else ""
        if not fine:
            mistakes.append(Mistake(line, name, f"must be 1 to {CELL_LENGTH_MAX} printable characters"))
    times = [time_us(cells[name]) for name in ("from", "until")]
    for name, at_us in zip(("from", "until"), times, strict=True):
        if cells[name] and not at_us:
            mistakes.append(Mistake(line, name, "a time as in 2026-05-04T07:00"))
    if all(times) and not 0 < times[1] - times[0] <= DAYS_MAX * _DAY_US:
        mistakes.append(Mistake(line, "until", f"is after its beginning, by {DAYS_MAX} days at most"))
    if len(mistakes) == before:
        duties.append(Duty(cells["number"], cells["unit"], times[0], times[1], source))
