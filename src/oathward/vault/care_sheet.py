"""A list of shifts and assignments as CSV: who works where, or cares for whom, from when until when.

Rules:
- Columns by name: ``person`` (the employer's number), ``unit`` or ``patient`` (as in PID-3), ``from``, ``until``; any other
  column is an error, since it might have meant something.
- Every mistake names line and column, never what stands there; with any mistake nothing is imported.
- Times are ISO 8601; one without an offset is of this machine's zone. ``until`` is the first moment no longer.
- The same line twice is one assignment: its id is made of what it says.

Deliberately absent: finding who and whose these are (the command).
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

from oathward.core.clock import micros
from oathward.core.foreign import parsed
from oathward.core.phi import Phi
from oathward.vault.primitives import bind

ROWS_MAX = 20_000
BYTES_MAX = 16 * 1024 * 1024
CELL_LENGTH_MAX = 200
COLUMNS_MAX = 100
COLUMNS = ("person", "unit", "patient", "from", "until")
_NEEDED = frozenset(("person", "from", "until"))


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``patient``: as in PID-3; empty where ``unit`` is named."""

    number: int
    person: str
    unit: str
    patient: Phi[str]
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in one cell; ``line`` 0 is the whole file."""

    line: int
    column: str
    why: str


@dataclass(slots=True)
class Sheet:
    """What a file says; with ``mistakes`` none of it may be imported."""

    lines: list[Line] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


def parse(data: bytes) -> Sheet:
    """Read a CSV file: UTF-8, comma or semicolon, first line the header."""
    sheet = Sheet()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _bad("must be UTF-8")
    if len(data) > BYTES_MAX or "\0" in text:
        return _bad(f"must be text of at most {BYTES_MAX} bytes")
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    try:
        names = [cell.strip().casefold() for cell in next(reader, [])]
        unknown = [str(n) for n, name in enumerate(names[:COLUMNS_MAX], 1) if name not in COLUMNS]
        if unknown or not set(names) >= _NEEDED or len(set(names)) < len(names):
            return _bad(
                f"must have the columns {', '.join(COLUMNS)}, each once (unknown: {', '.join(unknown) or 'none'})"
            )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                _read(dict(zip(names, (c.strip() for c in cells), strict=False)), reader.line_num, sheet)
            if len(sheet.lines) > ROWS_MAX or len(sheet.mistakes) > ROWS_MAX:
                return _bad(f"must have at most {ROWS_MAX} lines")
    except csv.Error:
        sheet.mistakes.append(
            Mistake(reader.line_num, "", "not CSV: a quotation mark is open or stands alone")
        )
    if not sheet.lines and not sheet.mistakes:
        return _bad("holds no line")
    return sheet


def parse_apart(data: bytes) -> Sheet:
    """Parse as ``parse``, in a process that can do nothing else. Raises as ``foreign.parsed``."""
    return parsed(parse, data, check=_check)


def _check(sheet: Sheet) -> None:
    for line in sheet.lines:
        texts = (line.person, line.unit, line.patient.reveal())
        if not line.person or bool(line.unit) is bool(line.patient) or not all(map(_fine, texts)):
            raise ValueError("line")
        if not 0 < line.from_us < line.until_us:
            raise ValueError("time")


def _fine(text: str) -> bool:
    return text.isprintable() and len(text) <= CELL_LENGTH_MAX


def _read(cells: dict[str, str], number: int, sheet: Sheet) -> None:
    before = len(sheet.mistakes)

    def wrong(column: str, why: str) -> None:
        sheet.mistakes.append(Mistake(number, column, why))

    person, unit, patient = (cells.get(name, "") for name in ("person", "unit", "patient"))
    if not person:
        wrong("person", "says who, and must not be empty")
    if bool(unit) is bool(patient):
        wrong("unit", "either a unit or a patient, and not both")
    if not all(map(_fine, (person, unit, patient))):
        wrong("person", f"at most {CELL_LENGTH_MAX} printable characters a cell")
    times = {}
    for name in ("from", "until"):
        times[name] = time_us(cells.get(name, ""))
        if not times[name]:
            wrong(name, "a time as in 2026-05-04T07:00")
    if all(times.values()) and times["until"] <= times["from"]:
        wrong("until", "ends before it begins")
    if len(sheet.mistakes) == before:
        sheet.lines.append(Line(number, person, unit, Phi(patient), times["from"], times["until"]))


def time_us(text: str) -> int:
    """Read an ISO 8601 time, of this machine's zone where it names none; 0 for what is none."""
    try:
        return max(0, micros(datetime.fromisoformat(text).astimezone()))
    except (ValueError, OverflowError, OSError):
        return 0


def id_of(person: str, unit: str, subject: str, line: Line) -> str:
    """Make the id of an assignment out of what it says."""
    words = (person, unit, subject, str(line.from_us), str(line.until_us))
    return blake2b(bind("assignment", *words), digest_size=12).hexdigest()


def _bad(why: str) -> Sheet:
    return Sheet(mistakes=[Mistake(0, "", why)])
