"""Sightings as a file: CSV or lines of JSON, as tools that watch a network write them.

| column | what |
|---|---|
| ``party`` or ``maker`` | who gets it: recipient of the bundle, or a name |
| ``device``, ``subject`` | of the inventory; the random id of the patient; both may be empty |
| ``classes`` | of data, with ``;`` between; ``*`` and words like ``observation.*`` too |
| ``purpose`` | code, may be empty |
| ``first``, ``last`` | seen, ISO 8601 |
| ``evidence`` | the tool's own code of it |

Rules:
- Every mistake names line, column and a reason code, never what stands there; with any mistake nothing is imported.
- A column nobody knows is a mistake: it might hold what must not be here.
- Limits on bytes, lines and cells are met before anything is parsed.

Deliberately absent: whether device, subject and party are there (``uploading``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.foreign import parsed
from oathward.core.labels import expand
from oathward.core.reasons import Reason
from oathward.uploads.actions import SEEN_MAX, fault
from oathward.uploads.model import Sighting, Source

BYTES_MAX = 1024 * 1024
CELL_LENGTH_MAX = 400
COLUMNS = ("party", "maker", "device", "subject", "classes", "purpose", "first", "last", "evidence")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in one cell; ``line`` 0 is the whole file. ``code``: of ``core.reasons``."""

    line: int
    column: str
    why: str
    code: str = Reason.INPUT_INVALID.code


def parse(
    data: bytes, now_us: int, source: Source = Source.IMPORTED
) -> tuple[list[tuple[int, Sighting]], list[Mistake]]:
    """Read a file; gives sightings with their lines, or mistakes alone."""
    if len(data) > BYTES_MAX:
        return [], [Mistake(0, "", f"at most {BYTES_MAX} bytes", Reason.LIMIT_EXCEEDED.code)]
    found: list[tuple[int, Sighting]] = []
    mistakes: list[Mistake] = []
    try:
        for line, row in _lines(data) if data.lstrip()[:1] == b"{" else _csv(data):
            if len(found) + len(mistakes) >= SEEN_MAX:
                return [], [Mistake(0, "", f"at most {SEEN_MAX} lines", Reason.LIMIT_EXCEEDED.code)]
            said, field, why = _read(row, now_us, source)
            if said is None:
                mistakes.append(Mistake(line, field, why))
            else:
                found.append((line, said))
    except InputError as error:
        return [], [Mistake(0, "", error.why)]
    if not found and not mistakes:
        return [], [Mistake(0, "", "holds no line")]
    return ([], mistakes) if mistakes else (found, [])


def parse_apart(data: bytes, now_us: int, source: Source) -> tuple[list[tuple[int, Sighting]], list[Mistake]]:
    """Parse as ``parse``, in a process that can do nothing else. Raises as ``foreign.parsed``."""

    def check(found: tuple[list[tuple[int, Sighting]], list[Mistake]]) -> None:
        for _, said in found[0]:
            texts = (said.party, said.device, said.subject)
            if said.source is not source or not all(map(_fine, texts)) or fault(said, now_us)[0]:
                raise ValueError("line")

    return parsed(parse, data, now_us, source, check=check)


def _fine(cell: str) -> bool:
    return len(cell) <= CELL_LENGTH_MAX and cell.isprintable()


def _csv(data: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("file", "must be UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [cell.strip().casefold() for cell in next(reader, [])]
        if not set(names) <= set(COLUMNS) or len(set(names)) < len(names):
            raise InputError("file", f"must have columns of {', '.join(COLUMNS)}, each once")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise InputError("file", "is not CSV") from error


def _lines(data: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError("file", f"line {number} is not JSON") from error
        if not isinstance(row, dict) or not set(row) <= set(COLUMNS):
            raise InputError(
                "file", f"line {number} must be an object of {', '.join(COLUMNS)} and nothing else"
            )
        yield number, row


def _read(row: Mapping[str, Any], now_us: int, source: Source) -> tuple[Sighting | None, str, str]:
    cells = {}
    for name in COLUMNS:
        cell = row.get(name) or ""
        if isinstance(cell, list) and name == "classes" and all(isinstance(one, str) for one in cell):
            cell = ";".join(cell)
        if not isinstance(cell, str) or not _fine(cell):
            return None, name, f"at most {CELL_LENGTH_MAX} printable characters"
        cells[name] = cell.strip()
    times = {}
    for name in ("first", "last"):
        try:
            times[name] = micros(datetime.fromisoformat(cells[name]).astimezone())
        except (ValueError, OverflowError, OSError):
            return None, name, "a time as in 2026-05-04T07:00Z"
    try:
        classes = expand(one.strip() for one in cells["classes"].split(";") if one.strip())
    except KeyError:
        return None, "classes", "a class there is not"
    said = Sighting(
        *(cells["party"], cells["maker"], cells["device"], cells["subject"], classes, cells["purpose"]),
        *(times["first"], times["last"], source, cells["evidence"]),
    )
    field, why = fault(said, now_us)
    return (None, field, why) if field else (said, "", "")
